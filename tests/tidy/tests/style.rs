//! What every file holds to: first line, size, width and names; and that nothing points outside the project.
#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]
use ck8s_tidy::sources;

/// The most lines of a file that ships; most have about a hundred.
const MAX_FILE_LINES: usize = 400;
/// The most lines of a file of tests.
const MAX_TEST_FILE_LINES: usize = 600;
/// The most columns of prose, in docs and in comments.
const MAX_PROSE_COLUMNS: usize = 120;

/// Words that say nothing as the name of a file, a type or a constant.
const NO_FILE_NAMES: &[&str] = &[
    "answer", "ask", "asked", "asker", "common", "door", "far", "fault", "found", "heard",
    "helpers", "keeper", "known", "leave", "look", "looks", "made", "order", "outside", "pace",
    "reads", "sighting", "told", "utils", "works", "writers",
];
const NO_TYPE_NAMES: &[&str] = &[
    "Answer", "Asked", "Asks", "Change", "Far", "Found", "Held", "Kind", "Known", "Made",
    "Sighting", "Wanted",
];
const NO_CONSTANT_NAMES: &[&str] = &[
    "ABREAST",
    "BATCH",
    "DEADLINE",
    "EARLIER",
    "GATHER",
    "LARGEST",
    "LONG",
    "LONGEST",
    "LONG_REST",
    "MOST",
    "PATIENCE",
    "PAUSE",
    "REST",
    "SOON",
];

#[test]
fn each_rust_file_opens_with_what_lives_there() {
    let wrong: Vec<String> = sources::rust_files()
        .into_iter()
        .filter(|file| {
            let text = sources::text(file);
            let first = text.lines().next().unwrap_or_default();
            !(first.starts_with("//! ") || first == "#![doc = include_str!(\"../README.md\")]")
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_stay_small() {
    let mut wrong = Vec::new();
    for file in sources::rust_files() {
        let lines = sources::text(&file).lines().count();
        let most = if sources::is_test(&file) {
            MAX_TEST_FILE_LINES
        } else {
            MAX_FILE_LINES
        };
        if lines > most {
            wrong.push(format!("{file}: {lines} lines"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn prose_wraps() {
    let mut wrong = Vec::new();
    for file in sources::tracked() {
        let prose: fn(&str) -> bool = match file.rsplit('.').next().unwrap() {
            // A table's row cannot be wrapped, and neither can a link alone.
            "md" => |line| !line.starts_with('|') && !line.trim().starts_with("http"),
            "rs" | "proto" | "ts" => |line| line.trim_start().starts_with("//"),
            _ => continue,
        };
        let mut is_code = false;
        for (number, line) in sources::text(&file).lines().enumerate() {
            if line.trim_start().starts_with("```") && file.ends_with(".md") {
                is_code = !is_code;
            }
            if !is_code && prose(line) && line.chars().count() > MAX_PROSE_COLUMNS {
                wrong.push(format!("{file}:{}", number + 1));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} lines over {MAX_PROSE_COLUMNS} columns: {wrong:#?}",
        wrong.len()
    );
}

#[test]
fn names_say_something() {
    let mut wrong = Vec::new();
    for file in sources::rust_files() {
        let name = file.rsplit('/').next().unwrap().trim_end_matches(".rs");
        if NO_FILE_NAMES.contains(&name) {
            wrong.push(format!("{file}: the name of the file"));
        }
        for (number, line) in sources::text(&file).lines().enumerate() {
            let words: Vec<&str> = line
                .split(|c: char| !(c.is_alphanumeric() || c == '_'))
                .filter(|word| !word.is_empty())
                .collect();
            for pair in words.windows(2) {
                let bad = match pair[0] {
                    "struct" | "enum" | "type" | "trait" => NO_TYPE_NAMES.contains(&pair[1]),
                    "const" | "static" => NO_CONSTANT_NAMES.contains(&pair[1]),
                    _ => false,
                };
                if bad {
                    wrong.push(format!("{file}:{}: {} {}", number + 1, pair[0], pair[1]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_points_outside_the_project() {
    let root = sources::root();
    let mut wrong = Vec::new();
    for file in sources::tracked() {
        let text = sources::text(&file);
        let depth = file.matches('/').count();
        let out = "../".repeat(depth + 1);
        for (number, line) in text.lines().enumerate() {
            if line.contains(&out) && !file.ends_with(".lock") {
                wrong.push(format!("{file}:{}", number + 1));
            }
            if line.contains(concat!("$ROOT", "/..")) {
                wrong.push(format!("{file}:{}", number + 1));
            }
        }
        if file.ends_with(".md") {
            wrong.extend(dead_links(&root, &file, &text));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The links of a page that lead to no file of the project.
fn dead_links(root: &std::path::Path, file: &str, text: &str) -> Vec<String> {
    let folder = root.join(file);
    let folder = folder.parent().unwrap();
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|link| !link.contains("://") && !link.starts_with('#') && !link.contains(' '))
        .map(|link| link.split('#').next().unwrap())
        .filter(|link| !link.is_empty() && !folder.join(link).exists())
        .map(|link| format!("{file}: {link} is not there"))
        .collect()
}
