//! The program as a person meets it: bad input gets a clear error, exit code 2, and loses nothing.

use std::path::Path;
use std::process::{Command, Output};

fn attendant(args: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(args)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdin(std::process::Stdio::null())
        .output()
        .expect("it starts")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The error that `args` end with; `{F}` in them is a folder with the checkout's intents to spoil.
fn refused(args: &[&str], spoil: impl FnOnce(&Path)) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["intents", "models"] {
        std::fs::create_dir(folder.path().join(name)).expect("a folder");
        for entry in std::fs::read_dir(root().join(name)).expect("it is there") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|e| e == "toml") {
                std::fs::copy(&path, folder.path().join(name).join(path.file_name().expect("a name")))
                    .expect("copied");
            }
        }
    }
    spoil(folder.path());
    let output = attendant(args, folder.path());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{error}");
    error
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).expect("UTF-8");
    assert!(text.contains(from), "{from} is not in {}", path.display());
    std::fs::write(path, text.replacen(from, to, 1)).expect("written");
}

#[test]
fn a_manifest_of_recordings_with_a_mistake() {
    let error = refused(&["test", "speech", "--manifest", "none.tsv"], |_| {});
    assert!(error.contains("none.tsv") && error.contains("ATTENDANT_SPEECH"), "{error}");
    let error = refused(&["test", "speech", "--manifest", "m.tsv"], |f| {
        std::fs::write(f.join("m.tsv"), "path\ttranscript\n\tyes\n").expect("written");
    });
    assert!(error.contains("m.tsv:2: expected a file's path"), "{error}");
    let error = refused(&["test", "speech", "--manifest", "m.tsv", "--sets", "people"], |f| {
        std::fs::write(f.join("m.tsv"), "path\ttranscript\nset/a.flac\tyes\n").expect("written");
    });
    assert!(error.contains("--sets people: the manifest has set"), "{error}");
}

#[test]
fn a_log_that_is_no_terminal_has_no_colours() {
    let output = Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(["call", "--script", "tests/calls/order_status.call"])
        .current_dir(root())
        .env_remove("NO_COLOR")
        .env("RUST_LOG", "attendant=debug")
        .output()
        .expect("it starts");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("DEBUG"), "there is a log: {log}");
    assert!(!log.contains('\u{1b}'), "{log}");
}

const SCRIPT: &[&str] = &["call", "--script", "x.call"];

fn script(folder: &Path) {
    std::fs::write(folder.join("x.call"), "call ani=5550100\nsay \"hello\"\n").expect("written");
}

#[test]
fn a_wav_that_is_none() {
    let error =
        refused(&["call", "--wav", "x.wav"], |f| std::fs::write(f.join("x.wav"), "hello").expect("written"));
    assert!(error.contains("x.wav is not a WAV file"), "{error}");
    let error = refused(&["call", "--wav", "none.wav"], |_| {});
    assert!(error.contains("none.wav"), "{error}");
}

#[test]
fn an_intent_file_with_a_mistake_names_file_line_and_what_was_expected() {
    let error = refused(SCRIPT, |f| {
        script(f);
        replace(
            &f.join("intents/order_status.toml"),
            "entity = \"order_number\"",
            "entity = \"order_numbr\"",
        );
    });
    assert!(
        error.contains("order_status.toml:")
            && error.contains("expected one of")
            && error.contains("order_number,"),
        "{error}"
    );
    let error = refused(SCRIPT, |f| {
        script(f);
        replace(&f.join("intents/line.toml"), "[menu]", "[menoo]");
    });
    assert!(error.contains("line.toml:") && error.contains("menoo"), "{error}");
    let error = refused(SCRIPT, |f| {
        script(f);
        replace(&f.join("intents/billing.toml"), "label = ", "labl = ");
    });
    assert!(error.contains("billing.toml:") && error.contains("labl"), "{error}");
    let error = refused(&["train"], |f| {
        replace(
            &f.join("intents/billing.toml"),
            "examples = [",
            "examples = [\n  \"the bill [of march(month)\",",
        );
    });
    assert!(error.contains("billing.toml:"), "{error}");
}

#[test]
fn an_intent_file_that_is_no_utf8_names_the_line() {
    let error = refused(SCRIPT, |f| {
        script(f);
        std::fs::write(f.join("intents/billing.toml"), b"description = \"x\"\nlabel = \"\xff\"\n")
            .expect("written");
    });
    assert!(error.contains("line 2 is not UTF-8"), "{error}");
}

#[test]
fn a_model_with_a_wrong_hash() {
    let error = refused(&["--set", "speech_model=spoilt", "call", "--text"], |f| {
        let manifest = f.join("models/manifest.toml");
        let text = std::fs::read_to_string(&manifest).expect("UTF-8");
        let entry = "\n[[model]]\nname = \"spoilt\"\nkind = \"speech\"\nabout = \"x\"\nlicence = \"MIT\"\n\
                     in_repository = true\n\n[[model.file]]\nname = \"spoilt.bin\"\nsize = 5\n\
                     sha256 = \"0000000000000000000000000000000000000000000000000000000000000000\"\n";
        std::fs::write(&manifest, text + entry).expect("written");
        std::fs::write(f.join("models/spoilt.bin"), "hello").expect("written");
    });
    assert!(error.contains("spoilt") && error.contains("0000") && error.contains("2cf24dba"), "{error}");
}

#[test]
fn a_script_with_a_mistake_and_a_setting_that_does_not_exist() {
    let error = refused(SCRIPT, |f| std::fs::write(f.join("x.call"), "call\ndance\n").expect("written"));
    assert!(error.contains("x.call:2:"), "{error}");
    let error = refused(&["--set", "voise=x", "config", "show"], |_| {});
    assert!(error.contains("no setting 'voise'") && error.contains("voice"), "{error}");
}

#[test]
fn the_effective_settings_say_where_they_come_from() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("attendant.toml"), "voice = \"rms\"\n").expect("written");
    let output = attendant(&["--set", "recognizers=2", "config", "show", "--json"], folder.path());
    assert!(output.status.success());
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json["voice"]["origin"], "attendant.toml");
    assert_eq!(json["recognizers"]["origin"], "command line");
    assert_eq!(json["intents"]["origin"], "default");
}

/// A folder with the checkout's intents, and nothing else.
fn team() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("intents")).expect("a folder");
    for entry in std::fs::read_dir(root().join("intents")).expect("it is there") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_owned();
        std::fs::copy(&path, folder.path().join("intents").join(name)).expect("copied");
    }
    folder
}

#[test]
fn a_new_intent_passes_the_check_and_answers_a_call() {
    let folder = team();
    let done = attendant(&["new", "intent", "opening_hours"], folder.path());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let again = attendant(&["new", "intent", "opening_hours"], folder.path());
    assert_eq!(again.status.code(), Some(2), "a file is never written over");
    let checked = attendant(&["check", "--json", "--graph", "flow.svg"], folder.path());
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let found: serde_json::Value = serde_json::from_slice(&checked.stdout).expect("JSON");
    assert_eq!(found["intents"], 7);
    let svg = std::fs::read_to_string(folder.path().join("flow.svg")).expect("drawn");
    assert!(svg.contains(">opening_hours<"), "{svg}");
    let script = "call ani=5550100\nsay \"tell me about opening hours\"\nsay \"no\"\n";
    std::fs::write(folder.path().join("x.call"), script).expect("written");
    let played = attendant(SCRIPT, folder.path());
    let timeline = String::from_utf8_lossy(&played.stdout).into_owned();
    assert!(timeline.contains("Here is what we say about opening hours."), "{timeline}");
    assert!(timeline.contains("record resolved"), "{timeline}");
}

#[test]
fn every_sentence_is_listed_and_a_stray_recording_named() {
    let folder = team();
    let prompts = folder.path().join("audio").join("prompts");
    std::fs::create_dir_all(&prompts).expect("a folder");
    std::fs::write(prompts.join("goodbye.wav"), "x").expect("written");
    std::fs::write(prompts.join("godbye.wav"), "x").expect("written");
    let listed = attendant(&["prompts", "--json"], folder.path());
    let found: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!(found["stray_recordings"], serde_json::json!(["godbye"]));
    let sentences = found["sentences"].as_array().expect("a list");
    let goodbye = sentences.iter().find(|s| s["name"] == "goodbye").expect("a goodbye");
    assert_eq!(goodbye["recorded"], true);
    assert!(sentences.len() > 50, "{}", sentences.len());
}

#[test]
fn a_replay_without_calls_says_so() {
    let folder = team();
    let output = attendant(&["--set", "state=data", "replay", "call-1"], folder.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no call has been taken yet"));
}

#[test]
fn a_number_that_is_not_reached_is_an_exit_code_and_a_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = listener.local_addr().expect("bound");
    drop(listener);
    let by = format!("dial_by=sip:{{number}}@{nobody};transport=tcp");
    let database = format!("database={}", folder.path().join("line.db").display());
    let settings =
        [by.as_str(), &database, "dial_allow=+1555", "dial_hours=00:00-24:00", "sip_listen=127.0.0.1:0"];
    let args = settings.iter().flat_map(|setting| ["--set", setting]).chain(["dial", "+15550100"]);
    let output = attendant(&args.collect::<Vec<_>>(), root());
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("nobody answered") && error.contains("no connection"), "{error}");
}
