//! Every input of the corpora keeps the properties of its target: without the engine, so that it runs with all tests.
use std::{fs, panic, path::Path};

use ck8s_fuzz::TARGETS;

#[test]
fn every_input_of_the_corpora_keeps_the_properties() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpora");
    for target in TARGETS {
        let folder = corpora.join(target.name);
        let inputs = fs::read_dir(&folder).expect("each target has a corpus");
        let mut count = 0;
        for input in inputs {
            let input = input.expect("an entry").path();
            let bytes = fs::read(&input).expect("an input");
            let kept = panic::catch_unwind(|| (target.run)(&bytes));
            assert!(kept.is_ok(), "{}", input.display());
            count += 1;
        }
        assert!(count > 0, "{} is empty", folder.display());
    }
}
