//! SIPp calls the line: an implementation that none of us wrote.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use attendant::call::HangupCause;

use super::TestLine;

/// Whether SIPp is there; a test without it says so.
fn is_there() -> bool {
    let found = Command::new("sipp").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        println!("skipped: no sipp; install sip-tester");
    }
    found
}

fn scenario(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/phone/scenarios").join(name)
}

/// Plays a scenario against `line`; `options` as SIPp has them.
fn play(name: &str, line: SocketAddr, options: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    // Eight seconds of a recorded voice, as SIPp streams it: µ-law without a header.
    let voice = folder.path().join("voice.ulaw");
    std::fs::write(&voice, super::recorded_voice()).expect("written");
    Command::new("sipp")
        .current_dir(folder.path())
        .arg(line.to_string())
        .arg("-sf")
        .arg(scenario(name))
        .args(["-i", "127.0.0.1", "-mi", "127.0.0.1"])
        .args(["-nostdin", "-trace_err", "-error_file", "errors.log", "-timeout", "120s", "-timeout_error"])
        .args(["-s", "8005550199"])
        .args(options)
        .stdin(Stdio::null())
        .output()
        .inspect(|output| {
            if !output.status.success() {
                let errors = std::fs::read_to_string(folder.path().join("errors.log")).unwrap_or_default();
                let told = String::from_utf8_lossy(&output.stderr);
                println!("{errors}\n{}", told.chars().take(2_000).collect::<String>());
            }
        })
        .expect("sipp runs")
}

#[track_caller]
fn passes(name: &str, line: &TestLine, options: &[&str]) {
    let output = play(name, line.address, options);
    assert!(output.status.success(), "{name}: {:?}", output.status);
}

#[test]
fn sipp_rings_speaks_and_hangs_up() {
    if !is_there() {
        return;
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
    if !is_there() {
        return;
    }
    let line = TestLine::open(&[]);
    passes("holds.xml", &line, &["-m", "1"]);
    line.held(1);
}

#[test]
fn sipp_gives_up_asks_and_presses_by_info() {
    if !is_there() {
        return;
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

/// A thousand calls, forty a second, each with a greeting of the line's: none is lost. No engines, which are
/// measured by themselves.
#[test]
fn a_thousand_calls_at_forty_a_second_are_all_held() {
    if !is_there() {
        return;
    }
    let line = TestLine::open_alone(&[("calls_at_once", "400")]);
    passes("short.xml", &line, &["-m", "1000", "-r", "40", "-l", "400"]);
    assert_eq!(line.held(1_000).len(), 1_000);
    line.empty();
}
