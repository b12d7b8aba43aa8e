//! SIPp calls the line: an implementation that none of us wrote.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use attendant::call::HangupCause;

use super::TestLine;

/// What a test without SIPp says.
const MISSING: &str = "skipped: no sipp; install sip-tester";

fn is_missing() -> bool {
    Command::new("sipp").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err()
}

pub(super) fn scenario(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/phone/scenarios").join(name)
}

/// Plays a scenario against `line`, with `options` as SIPp has them; it has to pass.
#[track_caller]
fn passes(name: &str, line: &TestLine, options: &[&str]) {
    passes_at(name, line.address, options);
}

#[track_caller]
fn passes_at(name: &str, to: SocketAddr, options: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let voice = folder.path().join("voice.ulaw");
    std::fs::write(&voice, super::recorded_voice()).expect("written");
    let output = Command::new("sipp")
        .current_dir(folder.path())
        .arg(to.to_string())
        .arg("-sf")
        .arg(scenario(name))
        .args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-s", "8005550199"])
        .args(["-nostdin", "-trace_err", "-error_file", "errors.log", "-timeout", "120s", "-timeout_error"])
        .args(options)
        .stdin(Stdio::null())
        .output()
        .expect("sipp runs");
    let errors = std::fs::read_to_string(folder.path().join("errors.log")).unwrap_or_default();
    let told = String::from_utf8_lossy(&output.stderr).chars().take(2_000).collect::<String>();
    assert!(
        output.status.success(),
        "{name}: {:?}\n{}\n{told}",
        output.status,
        errors.chars().take(4_000).collect::<String>()
    );
}

#[test]
fn sipp_rings_speaks_and_hangs_up() {
    if is_missing() {
        return println!("{MISSING}");
    }
    let line = TestLine::open(&[]);
    passes("speaks.xml", &line, &["-m", "1"]);
    let held = &line.held(1)[0];
    assert_eq!(held.record.cause, HangupCause::Caller);
    let loud = held.heard.chunks(320).filter(|f| attendant::audio::rms_dbfs(f) > -35.0).count();
    assert!(loud > 20, "the voice was heard in {loud} frames");
}

#[test]
fn sipp_holds_and_returns() {
    if is_missing() {
        return println!("{MISSING}");
    }
    let line = TestLine::open(&[]);
    passes("holds.xml", &line, &["-m", "1"]);
    line.held(1);
}

#[test]
fn sipp_gives_up_asks_and_presses_by_info() {
    if is_missing() {
        return println!("{MISSING}");
    }
    let ringing = TestLine::open(&[("sip_ring_ms", "5000")]);
    passes("gives_up.xml", &ringing, &["-m", "3", "-r", "10"]);
    ringing.empty();
    let line = TestLine::open(&[]);
    passes("asks.xml", &line, &["-m", "1"]);
    passes("presses_by_info.xml", &line, &["-m", "1"]);
    assert_eq!(line.held(1)[0].keys, "5");
    passes("hangs_up_at_once.xml", &line, &["-m", "10", "-r", "10"]);
    line.empty();
}

#[test]
fn sipp_proves_itself_or_is_refused() {
    if is_missing() {
        return println!("{MISSING}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let users = folder.path().join("users");
    std::fs::write(&users, "6001:sesame\n").expect("written");
    // SIPp 3.6 looks at the first challenge alone, and knows no SHA-256.
    let users = users.display().to_string();
    let line = TestLine::open(&[("sip_users", &users), ("sip_digest", "MD5, SHA-256")]);
    passes("proves_itself.xml", &line, &["-m", "2", "-au", "6001", "-ap", "sesame"]);
    assert_eq!(line.held(2).len(), 2);
    passes("is_not_believed.xml", &line, &["-m", "2", "-au", "6001", "-ap", "barley"]);
    line.empty();
    assert_eq!(line.held(2).len(), 2);
}

#[test]
fn sipp_calls_by_tcp() {
    if is_missing() {
        return println!("{MISSING}");
    }
    let address: SocketAddr = ([127, 0, 0, 1], super::free_tcp_port()).into();
    let line = TestLine::open(&[("sip_tcp_listen", &address.to_string())]);
    passes_at("speaks.xml", address, &["-m", "2", "-r", "1", "-t", "t1"]);
    passes_at("holds.xml", address, &["-m", "1", "-t", "t1"]);
    assert_eq!(line.held(3).len(), 3);
    line.empty();
}

/// A thousand calls, forty a second, each with a greeting of the line's: none is lost. No engines, which are
/// measured by themselves.
#[test]
fn a_thousand_calls_at_forty_a_second_are_all_held() {
    if is_missing() {
        return println!("{MISSING}");
    }
    let line = TestLine::open_alone(&[]);
    passes("short.xml", &line, &["-m", "1000", "-r", "40", "-l", "400"]);
    assert_eq!(line.held(1_000).len(), 1_000);
    line.empty();
}
