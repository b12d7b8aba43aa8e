//! What Prometheus scrapes and what a collector of traces gets, while a line serves on loopback.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use attendant::desk::Presence;
use attendant::host::metrics;

use super::caller::Caller;
use super::desk::{Rig, asks_for_a_person, rings};
use super::handing_over::picks_up;

/// The samples at an address, by name and labels.
fn scrape(address: SocketAddr) -> BTreeMap<String, f64> {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).expect("set");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: line\r\nConnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("application/openmetrics-text"), "{head}");
    assert!(body.trim_end().ends_with("# EOF") && !body.contains("5550100"), "{body}");
    let samples = body.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    samples.filter_map(sample).collect()
}

/// The sum of all samples of a name with a label.
fn of(samples: &BTreeMap<String, f64>, name: &str, label: &str) -> f64 {
    let is_it = |key: &&String| key.split('{').next() == Some(name) && key.contains(label);
    samples.keys().filter(is_it).map(|key| samples[key]).sum()
}

#[test]
fn what_is_scraped_is_what_is_reported() {
    let (rig, mut ana) = Rig::with_ana();
    let serving = &rig.line.serving;
    let bound = metrics::listen("127.0.0.1:0".parse().expect("an address"), serving);
    let (address, scraped) = rig.line.runtime.block_on(bound).expect("it listens");
    let listening = rig.line.runtime.spawn(scraped);

    let mut first = asks_for_a_person(&rig);
    let invite = rings(&mut ana);
    picks_up(&mut ana, &invite);
    first.silence(60);
    let mut second = asks_for_a_person(&rig);
    rig.hears_said(&mut second, "waiting.announce", 1);
    let now = scrape(address);
    let gauge = |name: &str, label: &str| of(&now, name, label) as i64;
    assert_eq!(gauge("attendant_calls_in_progress", ""), 2);
    assert_eq!(gauge("attendant_queue_length", "queue=\"everyone\""), 1);
    let agents =
        ["busy", "ready", "away", "signed_out"].map(|s| gauge("attendant_agents", &format!("state=\"{s}\"")));
    assert_eq!(agents, [1, 0, 0, 0]);
    second.hang_up();
    rig.until("the place is given up", || rig.outcomes().len() == 2);
    first.hang_up();
    let mut third = Caller::call(rig.line.address);
    third.silence(20);
    third.hang_up();
    rig.is_over();
    rig.until("the agent is free again", || rig.presence("ana") == Some(Presence::Ready));
    for held in rig.line.held(3) {
        rig.write(&held.record);
    }
    rig.until("the call is counted", || rig.figures().queues.iter().map(|q| q.handled).sum::<i64>() == 1);

    let (scraped, reported) = (scrape(address), rig.figures());
    for disposition in ["transferred", "abandoned", "resolved", "unresolved"] {
        let rows = reported.hours.iter().filter(|row| row.disposition == disposition);
        let label = format!("disposition=\"{disposition}\"");
        let counted = of(&scraped, "attendant_calls_total", &label) as i64;
        assert_eq!(counted, rows.map(|row| row.calls).sum::<i64>(), "{disposition}");
    }
    assert_eq!(of(&scraped, "attendant_calls_total", "") as i64, 3);
    let seconds = reported.hours.iter().map(|row| row.duration_ms).sum::<i64>() as f64 / 1_000.0;
    assert!((of(&scraped, "attendant_call_duration_seconds_sum", "") - seconds).abs() < 0.01, "{scraped:?}");
    for row in &reported.turns {
        let label = format!("decision=\"{}\"", row.decision);
        let rows = reported.turns.iter().filter(|other| other.decision == row.decision);
        assert_eq!(of(&scraped, "attendant_turns_total", &label) as i64, rows.map(|r| r.turns).sum::<i64>());
    }
    for outcome in ["answered", "abandoned"] {
        let rows: Vec<_> = reported.queues.iter().filter(|row| row.outcome == outcome).collect();
        let label = format!("outcome=\"{outcome}\"");
        let places = of(&scraped, "attendant_queue_wait_seconds_count", &label) as i64;
        assert_eq!((places, rows.iter().map(|row| row.entries).sum::<i64>()), (1, 1), "{outcome}");
        let waited = rows.iter().map(|row| row.waited_ms).sum::<i64>() as f64 / 1_000.0;
        assert!((of(&scraped, "attendant_queue_wait_seconds_sum", &label) - waited).abs() < 0.1, "{outcome}");
    }
    let handled = reported.queues.iter().map(|row| row.handle_ms).sum::<i64>() as f64 / 1_000.0;
    let told = of(&scraped, "attendant_handle_time_seconds_sum", "queue=\"everyone\"");
    assert!(told > 0.5 && (told - handled).abs() < 0.01, "{told} {handled}");
    assert!(of(&scraped, "attendant_ticks_total", "") >= 50.0);
    assert_eq!(of(&scraped, "attendant_queue_length", "") as i64, 0);
    listening.abort();
}
