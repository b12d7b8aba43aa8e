//! What holds for the house as a whole, read from its files: who imports whom, what the pure folders never
//! touch, and that nothing is left lying about.
//!
//! The import table is the one in ARCHITECTURE.md. Each check takes text and gives complaints, so that the
//! tests below can show that it does complain.

mod house;

mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use house::{House, Kind};
use source::{paths, tokens};

/// Longest file, in lines.
const LONGEST: usize = 700;

/// Files that are longer, with the length that they may not exceed. The list only ever shrinks.
const LONG_FILES: &[(&str, usize)] = &[];

/// Names that say nothing of what is inside.
const EMPTY_NAMES: &[&str] = &["common", "helper", "helpers", "manager", "misc", "util", "utils"];

/// A larger file in `models/` or `audio/` needs a line about its origin, in bytes.
const LARGE: u64 = 1 << 20;

/// All that a newcomer meets at the top.
const TOP_LEVEL: &[&str] = &[
    ".cargo",
    ".ci",
    ".gitattributes",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "Makefile",
    "README.md",
    "audio",
    "benches",
    "clippy.toml",
    "deny.toml",
    "deploy",
    "docs",
    "examples",
    "fuzz",
    "intents",
    "migrations",
    "models",
    "rustfmt.toml",
    "scripts",
    "src",
    "tests",
];

struct File {
    /// From the top of the repository, with `/`.
    path: String,
    bytes: u64,
    /// `None` where it is no text.
    text: Option<String>,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// All files that git does not ignore.
fn files() -> Vec<File> {
    let top = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let ignored = fs::read_to_string(top.join(".gitignore")).expect("a .gitignore");
    let ignored: Vec<&str> = ignored.lines().filter(|l| !l.is_empty() && !l.starts_with('#')).collect();
    let mut found = Vec::new();
    walk(&top, &top, &ignored, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 50, "the walk found only {} files", found.len());
    found
}

fn walk(top: &Path, folder: &Path, ignored: &[&str], found: &mut Vec<File>) {
    for entry in fs::read_dir(folder).expect("a readable folder").flatten() {
        let path = entry.path();
        let below = path.strip_prefix(top).expect("below the top").to_string_lossy().replace('\\', "/");
        if below == ".git" || ignored.iter().any(|pattern| is_ignored(&below, pattern)) {
            continue;
        }
        if path.is_dir() {
            walk(top, &path, ignored, found);
        } else if let Ok(meta) = entry.metadata() {
            // What is read is source; a megabyte of it would be a find in itself.
            let text = (meta.len() <= LARGE).then(|| fs::read_to_string(&path).ok()).flatten();
            found.push(File { path: below, bytes: meta.len(), text: text.filter(|t| !t.contains('\0')) });
        }
    }
}

/// The shapes of pattern that .gitignore uses here: `folder/`, `a/b`, `*.ending`.
fn is_ignored(path: &str, pattern: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let anchored = pattern.trim_end_matches('/').contains('/');
    let pattern = pattern.trim_matches('/');
    match pattern.strip_prefix('*') {
        Some(ending) => name.ends_with(ending),
        None if anchored => path == pattern,
        None => name == pattern,
    }
}

fn check_all(check: impl Fn(&File) -> Vec<String>) {
    assert_clean(files().iter().flat_map(check).collect());
}

fn assert_clean(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn house() -> House {
    House::read(include_str!("../../ARCHITECTURE.md"))
}

fn sources(check: impl Fn(&House, &str, &str) -> Vec<String>) {
    let house = house();
    check_all(|file| match &file.text {
        Some(text) if file.is_rust() && file.path.starts_with("src/") => check(&house, &file.path, text),
        Some(_) | None => Vec::new(),
    });
}

/// `speech/vad_tests.rs` and `tests.rs` are test code as a whole.
fn is_test_file(path: &str) -> bool {
    path.ends_with("_tests.rs") || path.ends_with("/tests.rs") || !path.starts_with("src/")
}

/// Arrows that the table does not have, and anyhow outside the binary.
fn arrows(house: &House, path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let from = house.unit_of_file(path);
    for found in paths(&tokens(text)) {
        let at = format!("{path}:{}", found.line);
        if found.segments[0] == "anyhow" && !house::is_binary(path) {
            complaints.push(format!("{at}: anyhow belongs to the binary: use an error of your own"));
        }
        let Some(target) = house.target(path, &found.segments) else { continue };
        match target {
            Ok(to) if house.may_import(&from, &to) => {}
            Ok(to) => complaints.push(format!("{at}: {from} may not import {to}")),
            Err(stranger) => complaints.push(format!("{at}: ARCHITECTURE.md knows no module {stranger}")),
        }
    }
    complaints
}

/// What the pure folders and the engines never touch.
fn impurities(house: &House, path: &str, text: &str) -> Vec<String> {
    let banned: &[&str] = match house.kind_of(&house.unit_of_file(path)) {
        Some(Kind::Pure) => &[
            "async",
            "await",
            "tokio",
            "Instant",
            "SystemTime",
            "std::env",
            "std::fs",
            "std::io",
            "std::net",
            "std::process",
            "std::thread",
        ],
        Some(Kind::Engine) => {
            &["async", "await", "tokio", "sqlx", "ureq", "Instant", "SystemTime", "std::net"]
        }
        Some(Kind::Shell) | None => &[],
    };
    if is_test_file(path) {
        return Vec::new();
    }
    paths(&tokens(text))
        .iter()
        .filter(|p| !p.test)
        .filter_map(|p| {
            let found = banned.iter().find(|banned| touches(&p.segments, banned))?;
            Some(format!("{path}:{}: {found} has no place in {}", p.line, house.unit_of_file(path)))
        })
        .collect()
}

fn touches(path: &[String], banned: &str) -> bool {
    match banned.split_once("::") {
        Some((krate, module)) => {
            path.first().is_some_and(|s| s == krate) && path.get(1).is_some_and(|s| s == module)
        }
        None => path.iter().any(|segment| segment == banned),
    }
}

/// Work left open, tests switched off, tests that sleep, unwraps outside tests.
fn leftovers(path: &str, text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let whole_file = is_test_file(path);
    let mut complaints = Vec::new();
    for (n, token) in tokens.iter().enumerate() {
        let test = whole_file || token.test;
        let next = |ahead: usize| tokens.get(n + ahead).map_or("", |t| t.text.as_str());
        let before = n.checked_sub(1).map_or("", |n| tokens[n].text.as_str());
        let complaint = match token.text.as_str() {
            "todo" | "unimplemented" if next(1) == "!" => "is not finished",
            "ignore" if before == "[" => "switches a test off",
            "sleep" if test && next(1) == "(" => "is a test that sleeps: use a simulated clock",
            "unwrap" if !test && before == "." && next(1) == "(" => "unwraps: `expect` states why it is safe",
            _ => continue,
        };
        complaints.push(format!("{path}:{}: {complaint}", token.line));
    }
    complaints
}

fn too_long(path: &str, lines: usize, ratchet: &[(&str, usize)]) -> Option<String> {
    let limit = ratchet.iter().find(|(file, _)| *file == path).map(|(_, limit)| *limit);
    match limit {
        Some(limit) if lines <= LONGEST => {
            Some(format!("{path} has only {lines} lines: take its {limit} off the list"))
        }
        Some(limit) if lines <= limit => None,
        Some(limit) => Some(format!("{path} has {lines} lines: it may have {limit}, and better fewer")),
        None if lines > LONGEST => Some(format!("{path} has {lines} lines: expected at most {LONGEST}")),
        None => None,
    }
}

fn empty_names(path: &str) -> Vec<String> {
    path.split('/')
        .map(|part| part.split('.').next().unwrap_or(part))
        .filter(|stem| EMPTY_NAMES.contains(stem))
        .map(|stem| format!("{path}: '{stem}' says nothing of what is inside"))
        .collect()
}

/// Places that exist on one machine only, and marks of work left open.
fn strays(path: &str, text: &str) -> Vec<String> {
    // Put together here, so that this file has none of them.
    let machine = ["work", "tmp", "home", "root"].map(|top| format!("/{top}/"));
    let open = [concat!("FIX", "ME"), concat!("XX", "X")];
    let mut complaints = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let starts_path =
            |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-~}$/".contains(c));
        for place in &machine {
            if line.match_indices(place.as_str()).any(|(at, _)| starts_path(at)) {
                complaints.push(format!("{path}:{}: {place} is a place on one machine", n + 1));
            }
        }
        complaints
            .extend(open.iter().filter(|m| line.contains(*m)).map(|m| format!("{path}:{}: {m}", n + 1)));
    }
    complaints
}

/// Large files of `folder` that its README does not name.
fn unexplained(folder: &str, readme: &str, files: &[(&str, u64)]) -> Vec<String> {
    files
        .iter()
        .filter(|(path, bytes)| *bytes > LARGE && path.starts_with(&format!("{folder}/")))
        .filter(|(path, _)| !readme.contains(path.rsplit('/').next().unwrap_or(path)))
        .map(|(path, bytes)| {
            format!("{path} ({bytes} bytes): {folder}/README.md does not say where it is from")
        })
        .collect()
}

/// Keys that a file of `intents/` may have, by the source that parses it, and the documentation does not name.
fn undocumented_keys(source: &str, page: &str, docs: &str) -> Vec<String> {
    let tokens = tokens(source);
    let text = |n: usize| tokens.get(n).map_or("", |t| t.text.as_str());
    let mut missing = BTreeSet::new();
    let parsed = (0..tokens.len()).filter(|n| text(*n) == "deny_unknown_fields");
    for start in parsed {
        let open = (start..tokens.len()).find(|n| text(*n) == "{").unwrap_or(tokens.len());
        let close = (open..tokens.len()).find(|n| text(*n) == "}").unwrap_or(tokens.len());
        let keys = (open..close).filter(|n| text(*n) == "pub" && text(n + 2) == ":").map(|n| text(n + 1));
        missing.extend(keys.filter(|key| !explains(docs, key)));
    }
    missing.into_iter().map(|key| format!("docs/{page} does not explain `{key}`")).collect()
}

/// In the text, or as a key of an example.
fn explains(docs: &str, key: &str) -> bool {
    let in_an_example = |line: &str| {
        let line = line.trim_start_matches("# ").trim_start_matches('[');
        line.strip_prefix(key).is_some_and(|rest| rest.starts_with([' ', ']', '.']))
    };
    docs.contains(&format!("`{key}`")) || docs.lines().any(in_an_example)
}

#[test]
fn every_import_is_in_the_table() {
    sources(arrows);
}

#[test]
fn pure_folders_touch_nothing_and_engines_no_clock_or_socket() {
    sources(impurities);
}

#[test]
fn nothing_is_left_open_switched_off_or_asleep() {
    check_all(|file| match &file.text {
        Some(text) if file.is_rust() => leftovers(&file.path, text),
        Some(_) | None => Vec::new(),
    });
}

#[test]
fn files_stay_short() {
    let files = files();
    for (path, _) in LONG_FILES {
        assert!(files.iter().any(|f| f.path == *path), "{path} is gone: take it off the list");
    }
    let lines = |f: &File| f.text.as_ref().map_or(0, |t| t.lines().count());
    let rust = files.iter().filter(|f| f.is_rust());
    assert_clean(rust.filter_map(|f| too_long(&f.path, lines(f), LONG_FILES)).collect());
}

#[test]
fn names_say_what_is_inside() {
    check_all(|file| empty_names(&file.path));
}

#[test]
fn nothing_strays_into_the_files() {
    check_all(|file| file.text.as_ref().map(|text| strays(&file.path, text)).unwrap_or_default());
}

#[test]
fn large_files_have_an_origin() {
    let files = files();
    let sizes: Vec<(&str, u64)> = files.iter().map(|f| (f.path.as_str(), f.bytes)).collect();
    let mut complaints = Vec::new();
    for folder in ["models", "audio"] {
        let readme =
            files.iter().find(|f| f.path == format!("{folder}/README.md")).and_then(|f| f.text.as_deref());
        complaints.extend(unexplained(folder, readme.unwrap_or_default(), &sizes));
    }
    assert_clean(complaints);
}

#[test]
fn every_top_level_entry_is_known() {
    let top: BTreeSet<String> =
        files().iter().map(|f| f.path.split('/').next().unwrap_or_default().to_owned()).collect();
    let strangers = top.iter().filter(|entry| !TOP_LEVEL.contains(&entry.as_str()));
    assert_clean(
        strangers.map(|e| format!("{e}: a newcomer will ask what it is; add it to TOP_LEVEL")).collect(),
    );
}

#[test]
fn every_key_of_the_intent_files_is_documented() {
    let intents = ("intents.md", include_str!("../../docs/intents.md"));
    let desk = ("desk.md", include_str!("../../docs/desk.md"));
    for (source, (page, docs)) in [
        (include_str!("../../src/dialogue/spec.rs"), intents),
        (include_str!("../../src/dialogue/intent_spec.rs"), intents),
        (include_str!("../../src/desk/spec.rs"), desk),
        (include_str!("../../src/desk/simulate/spec.rs"), desk),
    ] {
        assert_clean(undocumented_keys(source, page, docs));
    }
}

mod complaints {
    //! Each check complains where it should, and only there.

    use super::*;

    const TABLE: &str = "```text\nmodule       kind  may import\ncall         P  nothing\naudio        P  call\n\
                         speech       P  call audio\nspeech::asr  E  call audio speech\nhost         S  anything\n```\n";

    #[track_caller]
    fn check(complaints: &[String], wanted: &[&str]) {
        assert_eq!(complaints.len(), wanted.len(), "{complaints:?}");
        for (complaint, wanted) in complaints.iter().zip(wanted) {
            assert!(complaint.contains(wanted), "{complaint:?} has no {wanted:?}");
        }
    }

    #[track_caller]
    fn check_arrows(path: &str, text: &str, wanted: &[&str]) {
        check(&arrows(&House::read(TABLE), path, text), wanted);
    }

    #[test]
    fn an_arrow_that_is_not_in_the_table() {
        check_arrows("src/audio/mod.rs", "use crate::call::Dtmf;", &[]);
        check_arrows(
            "src/audio/mod.rs",
            "\nuse crate::{call, speech::Turn};",
            &["mod.rs:2: audio may not import speech"],
        );
        check_arrows("src/audio/mod.rs", "fn f() { crate::host::run() }", &["audio may not import host"]);
        check_arrows("src/audio/x.rs", "use super::super::speech;", &["audio may not import speech"]);
        check_arrows("src/audio/mod.rs", "use super::speech;", &["audio may not import speech"]);
        check_arrows("src/audio/x.rs", "use super::speech;", &[]);
        check_arrows(
            "src/speech/vad.rs",
            "use crate::speech::asr::Recognizer;",
            &["speech may not import speech::asr"],
        );
        check_arrows("src/speech/asr/a/b.rs", "use crate::speech::Turn;", &[]);
        check_arrows("src/host/mod.rs", "use crate::speech::asr::Recognizer;", &[]);
        check_arrows(
            "src/audio/mod.rs",
            "#[cfg(test)] mod tests { use crate::speech::Turn; }",
            &["may not import"],
        );
        check_arrows("src/audio/mod.rs", "// crate::speech\nconst A: &str = \"crate::speech\";", &[]);
        check_arrows("src/audio/mod.rs", "use crate::bureau::Desk;", &["knows no module bureau"]);
        check_arrows("src/bureau/mod.rs", "use crate::call::Dtmf;", &["bureau may not import call"]);
        check_arrows("src/host/mod.rs", "fn f() -> anyhow::Result<()> {}", &["anyhow belongs to the binary"]);
        check_arrows("src/cli/call.rs", "use anyhow::Context; use crate::Anything;", &[]);
    }

    #[test]
    fn a_clock_a_file_or_a_thread_in_a_pure_folder() {
        let check_in = |path: &str, text: &str, wanted: &[&str]| {
            check(&impurities(&House::read(TABLE), path, text), wanted)
        };
        check_in("src/audio/mod.rs", "use std::{time::{Duration, Instant}, fs};", &["Instant", "std::fs"]);
        check_in(
            "src/audio/mod.rs",
            "async fn f() { std::thread::spawn(g).await }",
            &["async", "std::thread", "await"],
        );
        check_in("src/audio/mod.rs", "#[cfg(test)] mod tests { use std::fs; }", &[]);
        check_in("src/audio/mod_tests.rs", "use std::fs;", &[]);
        check_in("src/speech/asr/mod.rs", "use std::{fs, time::Instant};", &["Instant"]);
        check_in("src/host/mod.rs", "use std::{fs, time::Instant}; use tokio::spawn;", &[]);
    }

    #[test]
    fn what_was_left_open() {
        let text =
            "fn f() { todo!() } fn g() { x.unwrap() } #[test] #[ignore] fn h() { x.unwrap(); sleep(t) }";
        check(&leftovers("src/a.rs", text), &["not finished", "unwraps", "switches", "sleeps"]);
        check(&leftovers("src/a.rs", "// todo!()\nfn f() { x.unwrap_or(1); sleep(t) }"), &[]);
        check(&leftovers("tests/it/a.rs", "fn f() { x.unwrap(); thread::sleep(t) }"), &["sleeps"]);
    }

    #[test]
    fn a_long_file_and_a_ratchet_that_slipped() {
        let list = [("a.rs", 900)];
        for (path, lines) in [("b.rs", LONGEST), ("a.rs", 900), ("a.rs", LONGEST + 1)] {
            assert_eq!(too_long(path, lines, &list), None, "{path} of {lines} lines");
        }
        for (path, lines) in [("b.rs", LONGEST + 1), ("a.rs", 901), ("a.rs", LONGEST)] {
            assert!(too_long(path, lines, &list).is_some(), "{path} of {lines} lines");
        }
    }

    #[test]
    fn a_name_a_place_and_a_mark() {
        check(&empty_names("src/utils/mod.rs"), &["'utils'"]);
        check(&empty_names("src/call/time.rs"), &[]);
        let line = ["see /wo", "rk/main, \"/tm", "p/x\"; XX", "X"].concat();
        check(&strays("a.md", &line), &["one machine", "one machine", "a.md:1"]);
        check(&strays("a.md", "the home/work/life balance, target/tmp/x, $HOME/tmp/y"), &[]);
    }

    #[test]
    fn a_large_file_without_an_origin() {
        let files = [("models/a.bin", LARGE + 1), ("models/b.bin", LARGE), ("audio/c.wav", LARGE + 1)];
        check(&unexplained("models", "`b.bin` is ours", &files), &["models/a.bin"]);
        check(&unexplained("models", "`a.bin` is ours", &files), &[]);
    }

    #[test]
    fn what_git_ignores() {
        assert!(is_ignored("target", "target/") && is_ignored("a/target", "target/"));
        assert!(is_ignored("models/cache", "models/cache/") && !is_ignored("cache", "models/cache/"));
        assert!(is_ignored("a/b.profraw", "*.profraw") && !is_ignored("targets", "target/"));
    }

    #[test]
    fn a_key_without_documentation() {
        let source = "#[serde(deny_unknown_fields)] pub struct A { /// x\n pub one: u8, pub two: Vec<(u8, u8)>, } pub struct B { pub three: u8 }";
        check(&undocumented_keys(source, "a.md", "`one` and two"), &["`two`"]);
        check(&undocumented_keys(source, "a.md", "one = 1\n# two = 2  # why"), &[]);
    }
}
