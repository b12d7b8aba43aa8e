//! Two nodes, each a program of its own with the real engines, on one PostgreSQL behind Kamailio: one is killed, one is
//! drained, and callers by SIPp notice as little as may be. Opt-in: `make test-nodes` installs Kamailio; where it is
//! absent these tests say so and pass.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::balancer::{Balancer, Running, free_port};
use super::postgres;

/// How long anything may take, on a machine that does other things besides.
const PATIENCE: Duration = Duration::from_secs(90);

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Running {
    fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status().expect("kill runs");
        assert!(sent.success(), "kill {name}");
    }

    fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait().expect("a child of ours") {
                return status;
            }
            assert!(Instant::now() < deadline, "it runs on");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

/// `attendant serve`, with its log in a file.
struct Node {
    running: Running,
    log: PathBuf,
}

/// What nodes share, and the balancer before them.
struct Centre {
    folder: tempfile::TempDir,
    database: String,
    ports: [u16; 2],
    balancer: Balancer,
}

impl Centre {
    fn open() -> Option<Centre> {
        let database = postgres::database()?;
        let folder = tempfile::tempdir().expect("a folder");
        let ports = [free_port(), free_port()];
        let balancer = Balancer::open(&folder, ports)?;
        Some(Centre { folder, database, ports, balancer })
    }

    fn attendant(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_attendant"));
        command
            .args(args)
            .current_dir(top())
            .env("ATTENDANT_DATABASE", &self.database)
            .env("ATTENDANT_STATE", self.folder.path().join("state"))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// Starts the `n`th node; returns once it listens. `None` with a word where its models are not there.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn start(&self, n: usize) -> Option<Node> {
        let log = self.folder.path().join(format!("node-{n}.log"));
        let file = File::options().create(true).append(true).open(&log).expect("a log");
        let first = 52_000 + n * 400 + usize::from(self.ports[n]) % 10 * 800;
        let child = self
            .attendant(&["serve"])
            .env("ATTENDANT_STATE", self.folder.path().join(format!("node-{n}")))
            .env("ATTENDANT_SIP_LISTEN", format!("127.0.0.1:{}", self.ports[n]))
            .env("ATTENDANT_RTP_PORTS", format!("{first}-{}", first + 399))
            // Behind a balancer all calls have one source.
            .env("ATTENDANT_CALLS_AT_ONCE_OF_SOURCE", "100")
            // A machine that builds beside the tests is late, and would send callers away.
            .env("ATTENDANT_KEYPAD_PAST_LATE_PERMILLE", "1000")
            .env("ATTENDANT_BUSY_PAST_LATE_PERMILLE", "1000")
            .env("ATTENDANT_KEYPAD_PAST_WAIT_MS", "60000")
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .expect("it starts");
        let mut running = Running(child);
        let mut told = String::new();
        let output = running.0.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut told).expect("it can be read");
        if told.contains("Listening") {
            return Some(Node { running, log });
        }
        let mut why = String::new();
        File::open(&log).expect("a log").read_to_string(&mut why).expect("UTF-8");
        assert!(why.contains("models pull"), "the node did not start: {why}");
        eprintln!("skipped: {why}");
        None
    }

    /// SIPp with so many calls at once, each held for so long, in the background.
    fn callers(&self, name: &str, calls: usize, held: Duration) -> Callers {
        let calls_text = calls.to_string();
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let sipp = Command::new("sipp")
            .current_dir(&folder)
            .arg(self.balancer.address().to_string())
            .arg("-sf")
            .arg(super::sipp::scenario("through_balancer.xml"))
            .args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-s", "8005550199", "-nostdin"])
            .args(["-p", &free_port().to_string(), "-m", &calls_text, "-r", &calls_text])
            .args([
                "-d",
                &held.as_millis().to_string(),
                "-timeout",
                "120s",
                "-trace_stat",
                "-stf",
                "stat.csv",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sipp runs");
        Callers { sipp: Running(sipp), stat: folder.join("stat.csv") }
    }

    /// Rings until a call is answered and held to its end.
    fn rings_until_answered(&self, name: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.callers(name, 1, Duration::from_millis(300)).sipp.ended().success() {
            assert!(Instant::now() < deadline, "{name}: nobody answers");
        }
    }
}

struct Callers {
    sipp: Running,
    stat: PathBuf,
}

impl Callers {
    /// (calls that went as they should, calls that did not).
    fn outcome(mut self) -> (u32, u32) {
        self.sipp.ended();
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(b';')
            .flexible(true)
            .from_path(&self.stat)
            .expect("statistics");
        let heading = reader.headers().expect("a heading").clone();
        let column = |name| heading.iter().position(|h| h == name).expect("SIPp's column");
        let last = reader.records().last().expect("a row").expect("a row");
        let count = |name| last[column(name)].parse().expect("a number");
        (count("SuccessfulCall(C)"), count("FailedCall(C)"))
    }
}

impl Node {
    /// Calls that began here.
    fn calls(&self) -> usize {
        std::fs::read_to_string(&self.log).expect("a log").matches("a call begins").count()
    }

    fn has(&self, calls: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.calls() < calls {
            assert!(Instant::now() < deadline, "{} of {calls} calls", self.calls());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_node_that_dies_or_drains_takes_no_other_nodes_calls_with_it() {
    let Some(centre) = Centre::open() else { return };
    let Some(mut one) = centre.start(0) else { return };
    let Some(mut two) = centre.start(1) else { return };
    centre.rings_until_answered("first");
    let before = [one.calls(), two.calls()];

    // Six calls are shared out; one node is killed with its own.
    let six = centre.callers("six", 6, Duration::from_secs(8));
    one.has(before[0] + 1);
    let deadline = Instant::now() + PATIENCE;
    while one.calls() + two.calls() < before[0] + before[1] + 6 {
        assert!(Instant::now() < deadline, "not all six began");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let on_two = two.calls() - before[1];
    assert!((1..=5).contains(&on_two), "{on_two} of 6 on the second node");
    one.running.signal("-KILL");
    // At once, before the balancer has noticed by itself.
    let new = centre.callers("new", 3, Duration::from_millis(500));
    assert_eq!(new.outcome(), (3, 0), "new calls go to the node that lives");
    let (went_on, lost) = six.outcome();
    assert_eq!((went_on as usize, lost as usize), (on_two, 6 - on_two), "calls on the other node go on");

    // It comes back; the other is drained while it holds a call.
    one = centre.start(0).expect("it started before");
    let before_two = two.calls();
    let long = centre.callers("long", 4, Duration::from_secs(10));
    two.has(before_two + 1);
    two.running.signal("-TERM");
    let at_drain = two.calls();
    let after = centre.callers("after", 3, Duration::from_millis(500));
    assert_eq!(after.outcome(), (3, 0), "new calls go to the node that is not drained");
    assert_eq!(long.outcome(), (4, 0), "a drained node's calls end by themselves");
    assert!(two.running.ended().success(), "it ends once its calls have");
    assert_eq!(two.calls(), at_drain, "and took none that were new");

    // What became of each call, but for those that died with their node, is in the store that both share.
    let listed = centre.attendant(&["calls", "--json", "--last", "100"]).output().expect("it starts");
    let told = String::from_utf8_lossy(&listed.stderr).into_owned();
    let records: Vec<serde_json::Value> = serde_json::from_slice(&listed.stdout).expect(&told);
    let begun = one.calls() + two.calls();
    assert_eq!(records.len(), begun - lost as usize, "of {begun} calls {lost} died");
}
