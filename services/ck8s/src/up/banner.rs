//! The text that `ck8s up` prints once everything is up.
use std::{env, path::Path};

use super::{args::UpArgs, data_dir::DataDir, ready::Ready};

/// A payload that starts a run of the demo.
const SAMPLE: &str = include_str!("../../../../docs/examples/issues.labeled.json");

/// Prints the addresses, and what to do first.
pub(crate) fn print(ready: &Ready, dir: &DataDir, args: &UpArgs) {
    let program = env::args().next().unwrap_or_else(|| "ck8s".to_owned());
    let program = short(Path::new(&program));
    let sample = dir.path().join("issues.labeled.json");
    // The sample lies beside the data, so that the command below works in every directory.
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

/// Returns the shortest form of a path that can be typed in the working directory.
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
