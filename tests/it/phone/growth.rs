//! Many calls, one after another: what they took is given back.
//!
//! A sample of them runs with all tests; `make test-growth` makes thousands.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::TestLine;
use super::caller::Caller;

/// Calls of a run, unless `PHONE_CALLS` says otherwise.
const CALLS: usize = 60;

/// Callers who ring at once.
const AT_ONCE: usize = 8;

/// Half a minute and a little: what is over is remembered so long, for those who ask again (RFC 3261, 64 times T1).
const FORGOTTEN: Duration = Duration::from_secs(34);

/// Growth of resident memory that a call may leave behind, in bytes: below what one forgotten dialog or thread would.
const BYTES_A_CALL: usize = 1_024;

/// What allocators keep back for themselves, in bytes, whatever the number of calls.
const SLACK: usize = 4 << 20;

fn calls() -> usize {
    std::env::var("PHONE_CALLS").ok().and_then(|n| n.parse().ok()).unwrap_or(CALLS)
}

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let kib: usize = line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    kib * 1_024
}

/// All ways that a call can go: held, refused, given up, and cut off.
fn ring(line: &TestLine, n: usize) {
    match n % 4 {
        0 => {
            let mut caller = Caller::new(line.address);
            let unknown = caller.offer("m=audio PORT RTP/AVP 3\r\n");
            assert_eq!(caller.invite("", &unknown).status(), 488);
        }
        1 => {
            let mut caller = Caller::call(line.address);
            caller.press('5', |_| true);
            caller.hang_up();
        }
        2 => {
            let mut caller = Caller::call(line.address);
            let again = caller.usual();
            assert_eq!(caller.invite("", &again).status(), 200);
            caller.hang_up();
        }
        _ => {
            let mut caller = Caller::call(line.address);
            assert!(caller.listen(3).len() >= 2 * 160);
            caller.hang_up();
        }
    }
}

fn ring_all(line: &TestLine, count: usize) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        return;
                    }
                    ring(line, n);
                    if n % 50 == 49 {
                        line.forget_held();
                    }
                }
            });
        }
    });
    line.empty();
}

fn wait(time: Duration) {
    let until = Instant::now() + time;
    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|t| !t.is_zero()) {
        std::thread::park_timeout(left);
    }
}

#[test]
fn calls_give_back_what_they_took() {
    let line = TestLine::open_alone(&[]);
    let count = calls();
    ring_all(&line, count / 4);
    if count <= CALLS {
        // The tables are what a sample can tell; memory is measured on thousands.
        ring_all(&line, count);
        let running = line.remembered();
        assert!(running.transactions <= 2 * AT_ONCE, "{running:?}");
        return;
    }
    wait(FORGOTTEN);
    let (before, was) = (resident(), line.remembered());
    ring_all(&line, count);
    wait(FORGOTTEN);
    let (after, is) = (resident(), line.remembered());
    println!("{count} calls: {} KiB before, {} after; {was:?}, {is:?}", before / 1_024, after / 1_024);
    assert_eq!((is.dialogs, is.calls, is.transactions, is.finished), (0, 0, 0, 0));
    assert!(after < before + SLACK + BYTES_A_CALL * count, "{before} bytes became {after}");
}
