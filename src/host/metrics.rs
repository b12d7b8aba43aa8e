//! What a line that serves counts, for Prometheus to scrape: the figures of `attendant report`, as they come.
//!
//! Counted by this process since it began; no label holds a caller's data. Names follow Prometheus' conventions.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::serve::Serving;
use crate::call::CallRecord;
use crate::config::{Config, ConfigError};
use crate::desk::{Desk, Outcome, Presence};

/// Of the text that is scraped (<https://prometheus.io/docs/specs/om/open_metrics_spec/>).
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of lengths of calls and of handle times, in seconds: up to an hour.
const LENGTHS: [f64; 10] = [10.0, 30.0, 60.0, 120.0, 180.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0];

/// Of waits: those of the report.
const WAITS: [f64; 9] = [5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0];

/// Of sentences' waits for a recogniser: a caller notices a third of a second.
const RECOGNITIONS: [f64; 8] = [0.01, 0.03, 0.1, 0.3, 0.5, 1.0, 2.0, 5.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfCall {
    disposition: String,
    intent: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTurn {
    decision: String,
    stage: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPlace {
    outcome: String,
    queue: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfQueue {
    queue: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfAgents {
    state: String,
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// All that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    calls: Family<OfCall, Counter>,
    call_lengths: Histogram,
    turns: Family<OfTurn, Counter>,
    going_on: Gauge,
    queue_waits: Histograms<OfPlace>,
    handle_times: Histograms<OfQueue>,
    queue_lengths: Family<OfQueue, Gauge>,
    agents: Family<OfAgents, Gauge>,
    ticks: Counter,
    late_ticks: Counter,
    recognitions: Histogram,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let (call_lengths, recognitions) = (Histogram::new(LENGTHS), Histogram::new(RECOGNITIONS));
        let mut metrics = Metrics {
            registry: Registry::with_prefix("attendant"),
            calls: Family::default(),
            call_lengths,
            turns: Family::default(),
            going_on: Gauge::default(),
            queue_waits: Family::new_with_constructor(|| Histogram::new(WAITS)),
            handle_times: Family::new_with_constructor(|| Histogram::new(LENGTHS)),
            queue_lengths: Family::default(),
            agents: Family::default(),
            ticks: Counter::default(),
            late_ticks: Counter::default(),
            recognitions,
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let all = &mut self.registry;
        let seconds = || Unit::Seconds;
        all.register("calls", "Calls that have ended", self.calls.clone());
        all.register_with_unit("call_duration", "Lengths of calls", seconds(), self.call_lengths.clone());
        all.register("turns", "What callers did, by what the line made of it", self.turns.clone());
        all.register("calls_in_progress", "Calls that go on now", self.going_on.clone());
        all.register_with_unit(
            "queue_wait",
            "Waits in queues, by how they ended",
            seconds(),
            self.queue_waits.clone(),
        );
        all.register_with_unit(
            "handle_time",
            "Agents' talking and writing up",
            seconds(),
            self.handle_times.clone(),
        );
        all.register(
            "queue_length",
            "Callers who wait now, at all nodes that share the queue",
            self.queue_lengths.clone(),
        );
        all.register("agents", "Agents by what they do now", self.agents.clone());
        all.register("ticks", "Frames of 20 ms that were due", self.ticks.clone());
        all.register("late_ticks", "Frames of those that were late", self.late_ticks.clone());
        all.register_with_unit(
            "recognition_wait",
            "How long sentences waited for a recogniser",
            seconds(),
            self.recognitions.clone(),
        );
    }

    /// A call has ended.
    pub fn call(&self, record: &CallRecord) {
        let intent = record.intent.as_ref().map(ToString::to_string).unwrap_or_default();
        self.calls.get_or_create(&OfCall { disposition: record.disposition.to_string(), intent }).inc();
        self.call_lengths.observe(Duration::from_millis(record.duration.as_millis()).as_secs_f64());
        for turn in &record.turns {
            let labels = OfTurn { decision: turn.decision.clone(), stage: turn.stage.to_string() };
            self.turns.get_or_create(&labels).inc();
        }
    }

    /// Frames were due, and so many of them late.
    pub fn ticked(&self, ticks: u64, late: u64) {
        self.ticks.inc_by(ticks);
        self.late_ticks.inc_by(late);
    }

    /// A sentence waited to be recognised.
    pub fn recognition_waited(&self, wait: Duration) {
        self.recognitions.observe(wait.as_secs_f64());
    }

    /// A place in a queue was given up.
    pub(super) fn left(&self, queue: &str, outcome: Outcome, waited: Duration) {
        let labels = OfPlace { outcome: outcome.to_string(), queue: queue.to_owned() };
        self.queue_waits.get_or_create(&labels).observe(waited.as_secs_f64());
    }

    /// An agent is done with a call.
    pub(super) fn handled(&self, queue: &str, time: Duration) {
        self.handle_times.get_or_create(&OfQueue { queue: queue.to_owned() }).observe(time.as_secs_f64());
    }

    /// How the desk stands now.
    pub(super) fn desk(&self, desk: &Desk) {
        let plan = desk.plan();
        for (n, queue) in plan.queues.iter().enumerate() {
            let waiting = i64::try_from(desk.waiting(crate::desk::QueueId(n))).unwrap_or(i64::MAX);
            self.queue_lengths.get_or_create(&OfQueue { queue: queue.spec.name.clone() }).set(waiting);
        }
        let doing: Vec<&str> = (0..plan.agents.len())
            .map(|n| Presence::from(desk.state(crate::desk::AgentId(n))).words().0)
            .collect();
        for state in ["signed_out", "ready", "busy", "away"] {
            let count = doing.iter().filter(|word| **word == state).count();
            let labels = OfAgents { state: state.to_owned() };
            self.agents.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// All of it as it is scraped, while so many calls go on.
    pub fn text(&self, going_on: usize) -> String {
        self.going_on.set(i64::try_from(going_on).unwrap_or(i64::MAX));
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// Where Prometheus scrapes; `None` where that is switched off.
///
/// # Errors
/// A setting that is no address.
pub fn address(config: &Config) -> Result<Option<SocketAddr>, ConfigError> {
    super::streams::address(config, "metrics_listen")
}

/// Listens for whoever scrapes `/metrics`; gives the address, and serves until the future is dropped.
///
/// # Errors
/// Where the address cannot be listened on.
pub async fn listen(
    address: SocketAddr,
    serving: &Arc<Serving>,
) -> std::io::Result<(SocketAddr, impl Future<Output = ()> + Send + use<>)> {
    let serving = Arc::clone(serving);
    let scraped = move || {
        let text = serving.metrics().text(serving.going_on());
        std::future::ready(([(CONTENT_TYPE, OPEN_METRICS)], text))
    };
    serve_at(address, Router::new().route("/metrics", get(scraped)), "Prometheus").await
}

/// Listens for `whom`; gives the address, and serves until the future is dropped.
///
/// # Errors
/// Where the address cannot be listened on.
pub(super) async fn serve_at(
    address: SocketAddr,
    routes: Router,
    whom: &'static str,
) -> std::io::Result<(SocketAddr, impl Future<Output = ()> + Send + use<>)> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let serve = async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::error!(%error, whom, "nobody listens there any more");
        }
    };
    Ok((address, serve))
}
