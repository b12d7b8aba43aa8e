//! What the program itself logs of a source that it refuses, and fail2ban's filter of it.

use std::fs::File;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::balancer::{Running, free_port};

/// A line's models may be a while in loading.
const PATIENCE: Duration = Duration::from_secs(90);

const FILTER: &str = "deploy/fail2ban/attendant.conf";

/// The address that the filter finds in a line of the log about SIP. Of regular expressions it has `<ADDR>` and one choice.
fn address<'a>(filter: &str, line: &'a str) -> Option<&'a str> {
    let patterns = filter.split_once("failregex =")?.1.split("ignoreregex").next()?;
    patterns.lines().find_map(|pattern| {
        let pattern = pattern.trim().replace("(?:SIP|stream)", "SIP");
        let (before, after) = pattern.split_once("<ADDR>")?;
        Some(line.split_once(before)?.1.split_once(after)?.0)
    })
}

/// Serves nobody from here, is asked from here, and gives what it logs of that; `None` with a word where there are no
/// models.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn logged(folder: &Path, args: &[&str]) -> Option<String> {
    let log = folder.join(args.join(""));
    let port = free_port();
    let child = Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("ATTENDANT_STATE", folder.join("state"))
        .env("ATTENDANT_SIP_LISTEN", format!("127.0.0.1:{port}"))
        .env("ATTENDANT_SIP_ALLOW", "192.0.2.0/24")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log).expect("a log"))
        .spawn();
    let mut running = Running(child.expect("it starts"));
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let deadline = Instant::now() + PATIENCE;
    loop {
        // Nobody listens at first, and that it does is not what this is about.
        let _ = stranger.send_to(b"OPTIONS sip:800@127.0.0.1 SIP/2.0\r\n\r\n", ("127.0.0.1", port));
        std::thread::park_timeout(Duration::from_millis(200));
        let told = std::fs::read_to_string(&log).expect("UTF-8");
        if told.contains("refused") {
            return Some(told);
        }
        if running.0.try_wait().expect("a child of ours").is_some() {
            assert!(told.contains("models pull"), "it did not start: {told}");
            println!("skipped: {told}");
            return None;
        }
        assert!(Instant::now() < deadline, "nothing is logged: {told}");
    }
}

#[test]
fn a_refused_source_leaves_a_line_that_fail2ban_reads() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILTER);
    let filter = std::fs::read_to_string(&path).expect("there");
    for args in [["serve"].as_slice(), &["serve", "--json"]] {
        let Some(log) = logged(folder.path(), args) else { return };
        let found: Vec<&str> = log.lines().filter_map(|line| address(&filter, line)).collect();
        assert!(!found.is_empty() && found.iter().all(|found| *found == "127.0.0.1"), "{args:?}: {log}");
        // Where fail2ban is, its own word counts as well.
        let line = log.lines().find(|line| line.contains("refused")).expect("one");
        let Ok(judged) = Command::new("fail2ban-regex").arg(line).arg(&path).output() else { continue };
        let judged = String::from_utf8_lossy(&judged.stdout).into_owned();
        assert!(judged.contains("1 matched"), "{judged}");
    }
}
