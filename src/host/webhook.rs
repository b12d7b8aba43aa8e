//! Look-ups that another system answers: one signed POST with a JSON body, tried again with the same key.
//!
//! Blocking, within the webhook's own time; what comes back is rows, as the store's are.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;

use crate::call::{Pii, Query, Row};
use crate::desk::HandoffSpec;
use crate::dialogue::WebhookSpec;

/// Longest answer that is read, in bytes: rows for a prompt are a few hundred.
const LONGEST_ANSWER: u64 = 1 << 20;

/// Why a webhook gave no rows. Holds no caller's data.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The key of the signature is not there.
    #[error("the environment variable {0}, which holds the webhook's key, is not set")]
    NoSecret(String),
    /// It could not be reached in time.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// It refused.
    #[error("it answered with status {0}")]
    Status(u16),
    /// What it answered are no rows.
    #[error("its answer is not understood ({0}): expected {{\"rows\": [{{\"field\": \"value\"}}]}}")]
    Answer(String),
}

impl WebhookError {
    /// Whether another attempt may help: the network, or a fault that the server holds for its own.
    pub fn may_pass(&self) -> bool {
        match self {
            WebhookError::Unreachable(_) => true,
            WebhookError::Status(status) => *status >= 500 || *status == 429,
            WebhookError::NoSecret(_) | WebhookError::Answer(_) => false,
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    look_up: &'a str,
    call: Option<&'a str>,
    args: BTreeMap<&'a str, &'a str>,
}

#[derive(Deserialize)]
struct Answer {
    rows: Vec<BTreeMap<String, Value>>,
}

/// A POST: where to, how it is signed, and how patiently.
struct Post<'a> {
    url: &'a str,
    secret_env: Option<&'a str>,
    timeout: Duration,
    retries: u8,
    /// Names the request among all.
    key: &'a str,
}

/// Asks a webhook. Waits at most its time-out for each attempt.
///
/// # Errors
/// Where no attempt got rows.
pub fn ask(spec: &WebhookSpec, query: &Query) -> Result<Vec<Row>, WebhookError> {
    let args = query.args.iter().chain(&query.secret);
    let body = Body {
        look_up: &query.name,
        call: query.call.as_ref().map(|id| id.as_str()),
        args: args.map(|(k, v)| (k.as_str(), v.expose().as_str())).collect(),
    };
    let body = serde_json::to_string(&body).expect("text keys and text values are JSON");
    let post = Post {
        url: spec.url.get_ref(),
        secret_env: spec.secret_env.as_deref(),
        timeout: Duration::from_millis(spec.timeout_ms),
        retries: spec.retries,
        key: &query.key,
    };
    rows(&post.send(&body)?)
}

/// Tells a webhook of the desk's something, where one is declared. What it answers does not matter.
///
/// # Errors
/// Where no attempt was taken.
pub fn tell(spec: &HandoffSpec, key: &str, news: &impl Serialize) -> Result<(), WebhookError> {
    let Some(url) = spec.webhook.as_deref() else { return Ok(()) };
    let body = serde_json::to_string(news).expect("text keys and no failing serializer");
    let secret_env = spec.secret_env.as_deref();
    let timeout = Duration::from_millis(spec.timeout_ms);
    Post { url, secret_env, timeout, retries: spec.retries, key }.send(&body).map(|_| ())
}

/// Sends a body, signed, once. What is answered does not matter.
///
/// # Errors
/// Where it was not taken.
pub fn post(
    url: &str,
    secret_env: Option<&str>,
    timeout: Duration,
    key: &str,
    body: &str,
) -> Result<(), WebhookError> {
    Post { url, secret_env, timeout, retries: 0, key }.send(body).map(|_| ())
}

impl Post<'_> {
    /// Sends it, and again where that may help; gives what was answered.
    fn send(&self, body: &str) -> Result<String, WebhookError> {
        let secret = match self.secret_env {
            Some(name) => Some(std::env::var(name).map_err(|_| WebhookError::NoSecret(name.to_owned()))?),
            None => None,
        };
        let mut last = self.attempt(body, secret.as_deref());
        for _ in 0..self.retries {
            match &last {
                Err(error) if error.may_pass() => {
                    tracing::warn!(%error, key = self.key, "tried again");
                    last = self.attempt(body, secret.as_deref());
                }
                Ok(_) | Err(_) => break,
            }
        }
        last
    }

    fn attempt(&self, body: &str, secret: Option<&str>) -> Result<String, WebhookError> {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(self.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .build();
        let mut request = ureq::Agent::new_with_config(config)
            .post(self.url)
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", self.key);
        if let Some(secret) = secret {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            request = request.header("Attendant-Signature", &signature(secret, now, body));
        }
        let unreachable = |e: ureq::Error| WebhookError::Unreachable(e.to_string());
        let mut response = request.send(body).map_err(unreachable)?;
        let status = response.status().as_u16();
        if !(200..300).contains(&status) {
            return Err(WebhookError::Status(status));
        }
        response.body_mut().with_config().limit(LONGEST_ANSWER).read_to_string().map_err(unreachable)
    }
}

/// `t=SECONDS,v1=HEX`: HMAC-SHA-256 (RFC 2104) of `SECONDS.BODY`, so that an old request cannot be sent
/// again as a new one.
fn signature(secret: &str, now: u64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{now}.{body}").as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={now},v1={hex}")
}

/// Text, numbers and truth values become text; what is null is left out.
fn rows(text: &str) -> Result<Vec<Row>, WebhookError> {
    // serde's message may quote a value, so only the place is told.
    let answer: Answer = serde_json::from_str(text)
        .map_err(|e| WebhookError::Answer(format!("line {} column {}", e.line(), e.column())))?;
    let mut found = Vec::new();
    for row in answer.rows {
        let mut fields = Row::new();
        for (name, value) in row {
            let text = match value {
                Value::Null => continue,
                Value::String(text) => text,
                Value::Bool(true) => "yes".to_owned(),
                Value::Bool(false) => "no".to_owned(),
                Value::Number(number) => number.to_string(),
                Value::Array(_) | Value::Object(_) => {
                    return Err(WebhookError::Answer(format!("the field '{name}' is no single value")));
                }
            };
            fields.insert(name, Pii::new(text));
        }
        found.push(fields);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// A server that gives one answer after another (`None` hangs up without one), and what it got.
    fn server(answers: Vec<Option<&'static str>>) -> (WebhookSpec, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let serving = std::thread::spawn(move || {
            let mut got = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().expect("a caller");
                let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
                let (mut request, mut length) = (String::new(), 0);
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).expect("text");
                    if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
                        length = n.trim().parse().expect("a number");
                    }
                    request += &line;
                    if line.trim().is_empty() {
                        break;
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).expect("the body");
                got.push(request + &String::from_utf8(body).expect("text"));
                if let Some(answer) = answer {
                    stream.write_all(answer.as_bytes()).expect("sent");
                }
            }
            got
        });
        let toml = format!(
            "url = \"http://{address}/hook\"\nfields = []\ntimeout_ms = 2000\nsecret_env = \"PATH\"\n"
        );
        (toml::from_str(&toml).expect("a webhook"), serving)
    }

    fn query() -> Query {
        let mut query = Query::new("book", BTreeMap::from([("day".to_owned(), "monday".into())]));
        query.key = "call-1-7".to_owned();
        query.call = "call-1".parse().ok();
        query
    }

    const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 47\r\nConnection: close\r\n\r\n{\"rows\":[{\"id\":7,\"ok\":true,\"at\":\"9\",\"x\":null}]}";

    fn header<'a>(request: &'a str, name: &str) -> &'a str {
        let found = request.lines().find(|l| l.to_lowercase().starts_with(name)).expect("the header");
        found.split_once(':').expect("a value").1.trim()
    }

    #[test]
    fn a_fault_that_may_pass_is_tried_again_with_the_same_key_and_signed() {
        let (spec, serving) = server(vec![
            Some("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
            Some(GOOD),
        ]);
        let rows = ask(&spec, &query()).expect("rows");
        let field = |name: &str| rows[0].get(name).map(|v| v.expose().as_str());
        assert_eq!(
            (field("id"), field("ok"), field("at"), field("x")),
            (Some("7"), Some("yes"), Some("9"), None)
        );
        let got = serving.join().expect("it served");
        assert_eq!(header(&got[0], "idempotency-key"), "call-1-7");
        assert_eq!(header(&got[0], "idempotency-key"), header(&got[1], "idempotency-key"));
        let body = got[1].split("\r\n\r\n").nth(1).expect("a body");
        assert_eq!(body, "{\"look_up\":\"book\",\"call\":\"call-1\",\"args\":{\"day\":\"monday\"}}");
        let signed = header(&got[1], "attendant-signature");
        let time: u64 = signed[2..].split_once(',').expect("two parts").0.parse().expect("seconds");
        assert_eq!(signed, signature(&std::env::var("PATH").expect("a path"), time, body));
    }

    #[test]
    fn news_are_signed_and_whatever_is_answered_is_enough() {
        let (spec, serving) =
            server(vec![Some("HTTP/1.1 204 Fine\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")]);
        let webhook = Some(spec.url.get_ref().clone());
        let handoff = HandoffSpec { webhook, secret_env: spec.secret_env.clone(), ..HandoffSpec::default() };
        tell(&handoff, "call-1-ana-ringing", &serde_json::json!({"event": "ringing"})).expect("told");
        let got = serving.join().expect("it served");
        assert_eq!(header(&got[0], "idempotency-key"), "call-1-ana-ringing");
        assert!(got[0].ends_with("{\"event\":\"ringing\"}"), "{got:?}");
        assert!(header(&got[0], "attendant-signature").starts_with("t="));
    }

    #[test]
    fn a_refusal_is_final_and_a_hang_up_is_not() {
        let (spec, serving) =
            server(vec![Some("HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")]);
        assert!(matches!(ask(&spec, &query()), Err(WebhookError::Status(404))));
        assert_eq!(serving.join().expect("it served").len(), 1);
        let (spec, serving) = server(vec![None, None]);
        assert!(matches!(ask(&spec, &query()), Err(WebhookError::Unreachable(_))));
        assert_eq!(serving.join().expect("it served").len(), 2);
    }

    #[test]
    fn what_are_no_rows_is_named_without_its_content() {
        for text in ["", "[]", "{\"rows\":1}", "{\"rows\":[{\"name\":[\"Maria\"]}]}"] {
            let error = rows(text).expect_err(text).to_string();
            assert!(error.contains("expected") && !error.contains("Maria"), "{error}");
        }
    }

    /// RFC 4231, test case 2.
    #[test]
    fn the_signature_is_the_standards() {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"Jefe").expect("a key");
        mac.update(b"what do ya want for nothing?");
        let hex: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
