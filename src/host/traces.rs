//! Traces of calls by OpenTelemetry: one span a call, and in it one for each turn, sent by OTLP over HTTP.
//!
//! Spans are made when a call has ended, from its record, so that tracing takes no time of a call's; they hold what was
//! decided and when, and nothing of what was said, keyed or dialled. Names follow OpenTelemetry's where there are any.

use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanKind, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use crate::call::{CallRecord, CallTime};
use crate::config::{Config, ConfigError};

/// A receiver that takes longer is given up, and with it the spans of some calls.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Most bytes of a receiver's answer that are read.
const ANSWER: u64 = 64 * 1024;

/// Whoever is told of calls.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// Traces to where the setting `otlp_traces` says; `None` where that is switched off.
    ///
    /// # Errors
    /// A setting that is no URL.
    pub fn open(config: &Config) -> Result<Option<Traces>, ConfigError> {
        match config.get("otlp_traces") {
            "none" => Ok(None),
            url => {
                let unfit =
                    || config.unfit("otlp_traces", "a URL like http://127.0.0.1:4318/v1/traces, or none");
                let is_url = url.starts_with("http://") || url.starts_with("https://");
                let traces = is_url.then(|| Traces::to(url).ok()).flatten();
                traces.map(Some).ok_or_else(unfit)
            }
        }
    }

    fn to(url: &str) -> Result<Traces, opentelemetry_otlp::ExporterBuildError> {
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(Client(
                ureq::Agent::config_builder()
                    .timeout_global(Some(TIMEOUT))
                    .http_status_as_error(false)
                    .build()
                    .into(),
            ))
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(url)
            .with_timeout(TIMEOUT)
            .build()?;
        let provider = SdkTracerProvider::builder()
            .with_resource(Resource::builder().with_service_name("attendant").build())
            .with_batch_exporter(exporter)
            .build();
        let tracer = provider.tracer("attendant");
        Ok(Traces { provider, tracer })
    }

    /// A call has ended that began then.
    pub fn call(&self, record: &CallRecord, began: SystemTime) {
        let at = |time: CallTime| began + Duration::from_millis(time.as_millis());
        let text = |key: &'static str, value: String| KeyValue::new(key, value);
        let mut attributes = vec![
            text("attendant.call.id", record.id.to_string()),
            text("attendant.call.disposition", record.disposition.to_string()),
            text("attendant.call.cause", record.cause.to_string()),
            text("attendant.call.stage", record.stage.to_string()),
            KeyValue::new("attendant.call.turns", i64::try_from(record.turns.len()).unwrap_or(i64::MAX)),
        ];
        attributes
            .extend(record.intent.as_ref().map(|intent| text("attendant.call.intent", intent.to_string())));
        let call = SpanBuilder::from_name("call")
            .with_kind(SpanKind::Server)
            .with_start_time(began)
            .with_attributes(attributes);
        let call = Context::new().with_span(self.tracer.build_with_context(call, &Context::new()));
        for turn in &record.turns {
            let mut attributes = vec![
                text("attendant.turn.decision", turn.decision.clone()),
                text("attendant.turn.stage", turn.stage.to_string()),
                KeyValue::new(
                    "attendant.turn.decided_after_ms",
                    i64::try_from(turn.decided_after_ms).unwrap_or(i64::MAX),
                ),
            ];
            attributes.extend(turn.intent.as_ref().map(|i| text("attendant.turn.intent", i.to_string())));
            let confidence =
                turn.confidence.map(|c| KeyValue::new("attendant.turn.confidence", f64::from(c)));
            attributes.extend(confidence);
            let span =
                SpanBuilder::from_name("turn").with_start_time(at(turn.at)).with_attributes(attributes);
            let mut span = self.tracer.build_with_context(span, &call);
            span.end_with_timestamp(at(turn.ended) + Duration::from_millis(turn.decided_after_ms));
        }
        call.span().end_with_timestamp(at(record.duration));
    }

    /// Sends what is left.
    pub fn close(&self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::warn!(%error, "the last calls' traces were not sent");
        }
    }
}

/// Sends spans on the exporter's own thread, which may block.
#[derive(Debug)]
struct Client(ureq::Agent);

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let answer = self.0.run(Request::from_parts(parts, body.to_vec()))?;
        let (parts, mut body) = answer.into_parts();
        let bytes = body.with_config().limit(ANSWER).read_to_vec()?;
        Ok(Response::from_parts(parts, Bytes::from(bytes)))
    }
}
