//! What `ck8s up` says once it is up.
use std::{env, path::Path};

use super::{UpArgs, data_dir::DataDir, ready::Ready};

/// A payload that starts a run of the demo.
const SAMPLE: &str = include_str!("../../../../docs/examples/issues.labeled.json");

/// Prints where everything is and what to do first.
pub fn print(ready: &Ready, dir: &DataDir, args: &UpArgs) {
    let program = env::args().next().unwrap_or_else(|| "ck8s".to_owned());
    let program = short(Path::new(&program));
    let sample = dir.path().join("issues.labeled.json");
    // Beside the data, so that the line below works wherever it is typed.
    let _ = std::fs::write(&sample, SAMPLE);
    let which = match &args.data_dir {
        Some(_) => format!(" --data-dir {}", short(dir.path())),
        None => String::new(),
    };
    crate::out(format_args!(
        "
ck8s is up.

  Console   {url}/
  Sign in   {link}
            (good once; a restart makes a new one)
  Send a first webhook, from another terminal:

    {program} delivery send{which} --event issues --payload {sample}

  and see its run:

    {program} run list{which}

  Stop it with Ctrl-C. Everything is kept in {dir}.
",
        url = ready.url,
        link = ready.admin_url,
        sample = short(&sample),
        dir = dir.path().display(),
    ));
}

/// A path as it is shortest to type from here.
fn short(path: &Path) -> String {
    let here = env::current_dir().ok();
    let inside = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    match inside {
        Some(inside) if inside.components().count() > 1 => inside.display().to_string(),
        Some(inside) if !path.is_absolute() => inside.display().to_string(),
        Some(inside) => format!("./{}", inside.display()),
        None => path.display().to_string(),
    }
}
