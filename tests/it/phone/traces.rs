//! A call's spans, as a collector on loopback gets them by OTLP.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use attendant::host::traces::Traces;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use super::caller::Caller;
use super::{TestLine, settings};

/// Takes one export and answers it: the path, and the body.
fn collect(listener: &TcpListener) -> (String, Vec<u8>) {
    let (mut stream, _) = listener.accept().expect("an export");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    let mut bytes = Vec::new();
    let mut chunk = [0; 4_096];
    loop {
        let length = stream.read(&mut chunk).expect("a request");
        bytes.extend(&chunk[..length]);
        let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let expected: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .and_then(|length| length.trim().parse().ok())
            .expect("a length");
        if bytes.len() >= end + 4 + expected {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").expect("answered");
            let path = head.split(' ').nth(1).expect("a path").to_owned();
            return (path, bytes.split_off(end + 4));
        }
    }
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|a| a.key == key)?;
    let Value::StringValue(text) = found.value.as_ref()?.value.as_ref()? else { return None };
    Some(text.clone())
}

#[test]
fn a_call_is_a_span_and_its_turns_are_in_it() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/v1/traces", listener.local_addr().expect("bound"));
    let collector = std::thread::spawn(move || collect(&listener));
    let (config, _) = settings(&[("otlp_traces", &url)]);
    let traces = Arc::new(Traces::open(&config).expect("a URL").expect("it is on"));
    let line = TestLine::open(&[]);
    let told = Arc::clone(&traces);
    line.serving.traced_by(Box::new(move |record, began| told.call(record, began)));
    let mut caller = Caller::call(line.address);
    caller.silence(20);
    caller.press('*', |_| true);
    caller.silence(60);
    caller.hang_up();
    let record = line.held(1)[0].record.clone();
    assert!(!record.turns.is_empty(), "a key is a turn");
    line.empty();
    traces.close();

    let (path, body) = collector.join().expect("it was told");
    assert_eq!(path, "/v1/traces");
    assert!(!body.windows(7).any(|w| w == b"5550100"), "no number leaves the line");
    let export = ExportTraceServiceRequest::decode(body.as_slice()).expect("OTLP");
    let [resource] = export.resource_spans.as_slice() else { panic!("{export:?}") };
    let service =
        resource.resource.as_ref().expect("one").attributes.iter().find(|a| a.key == "service.name");
    assert!(format!("{service:?}").contains("attendant"), "{service:?}");
    let spans: Vec<&Span> = resource.scope_spans.iter().flat_map(|scope| &scope.spans).collect();
    let [call] = spans.iter().filter(|s| s.name == "call").collect::<Vec<_>>()[..] else {
        panic!("{spans:?}")
    };
    assert_eq!(attribute(call, "attendant.call.id"), Some(record.id.to_string()));
    assert_eq!(attribute(call, "attendant.call.disposition"), Some(record.disposition.to_string()));
    let length = Duration::from_nanos(call.end_time_unix_nano - call.start_time_unix_nano);
    assert_eq!(length, Duration::from_millis(record.duration.as_millis()));
    let turns: Vec<_> = spans.iter().filter(|s| s.name == "turn").collect();
    assert_eq!(turns.len(), record.turns.len());
    for (span, turn) in turns.iter().zip(&record.turns) {
        assert_eq!((&span.parent_span_id, &span.trace_id), (&call.span_id, &call.trace_id));
        assert_eq!(attribute(span, "attendant.turn.decision").as_ref(), Some(&turn.decision));
        let began = Duration::from_nanos(span.start_time_unix_nano - call.start_time_unix_nano);
        assert_eq!(began, Duration::from_millis(turn.at.as_millis()));
    }
}

#[test]
fn a_place_for_traces_is_a_url() {
    let (config, _) = settings(&[("otlp_traces", "localhost:4318")]);
    let error = Traces::open(&config).expect_err("no scheme").to_string();
    assert!(error.contains("otlp_traces") && error.contains("http://127.0.0.1:4318/v1/traces"), "{error}");
    assert!(Traces::open(&settings(&[]).0).expect("the default").is_none());
}
