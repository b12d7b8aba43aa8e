//! Who may open a stream: by signature, by token, or by network.

use std::net::IpAddr;

use super::StreamSettings;
use crate::wire::stream::signature;

/// The line about a refused source, which fail2ban's filter reads. No word of the stranger's is in it.
pub(super) fn log_refusal(source: IpAddr, why: &str) {
    tracing::warn!(target: "attendant::refused", %source, why, "stream refused");
}

impl StreamSettings {
    /// Whether a request other than Twilio's may come in.
    pub(super) fn lets_in(&self, source: IpAddr, token: Option<&str>) -> bool {
        if self.token.is_empty() {
            return self.allow.iter().any(|network| network.contains(source));
        }
        token.is_some_and(|token| is_same(token, &self.token))
    }

    /// Whether a request is Twilio's. `path` is what follows the public URL, the query included.
    pub(super) fn lets_twilio_in(
        &self,
        source: IpAddr,
        path: &str,
        form: &[(String, String)],
        signed: &str,
    ) -> bool {
        if self.twilio_auth_token.is_empty() {
            return self.allow.iter().any(|network| network.contains(source));
        }
        // A WebSocket's request is signed with its own scheme, by some reports with a slash at its end.
        let http = format!("{}{path}", self.public_url);
        let urls = [http.clone(), web_socket(&http), format!("{http}/"), format!("{}/", web_socket(&http))];
        urls.iter().any(|url| signature::is_twilio(&self.twilio_auth_token, url, form, signed))
    }

    /// The public URL of a webhook, with the token where there is one.
    pub(super) fn webhook_url(&self, path: &str) -> String {
        let url = format!("{}{path}", self.public_url);
        if self.token.is_empty() { url } else { format!("{url}?token={}", self.token) }
    }

    /// The public URL of a stream.
    pub(super) fn stream_url(&self, path: &str) -> String {
        let url = web_socket(&format!("{}{path}", self.public_url));
        // Twilio takes no query in the URL of a stream; it signs instead.
        if self.token.is_empty() || path.starts_with("/twilio") {
            url
        } else {
            format!("{url}?token={}", self.token)
        }
    }
}

fn web_socket(url: &str) -> String {
    url.strip_prefix("http").map_or_else(|| url.to_owned(), |rest| format!("ws{rest}"))
}

/// Compares in a time that does not tell where two texts differ.
fn is_same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn settings(token: &str, twilio: &str) -> StreamSettings {
        StreamSettings {
            http: None,
            audiosocket: None,
            public_url: "https://line.example".to_owned(),
            allow: vec!["127.0.0.0/8".parse().expect("a network")],
            token: token.to_owned(),
            twilio_auth_token: twilio.to_owned(),
            silence_limit: Duration::from_secs(30),
        }
    }

    #[test]
    fn a_token_decides_where_there_is_one_and_the_network_elsewhere() {
        let (near, far) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([203, 0, 113, 9]));
        assert!(settings("", "").lets_in(near, None) && !settings("", "").lets_in(far, None));
        let with = settings("s3cret", "");
        assert!(with.lets_in(far, Some("s3cret")));
        assert!(
            !with.lets_in(near, None) && !with.lets_in(near, Some("s3cre")) && !with.lets_in(near, Some(""))
        );
        assert!(settings("", "").lets_twilio_in(near, "/twilio/stream", &[], ""));
        assert!(!settings("", "").lets_twilio_in(far, "/twilio/stream", &[], ""));
        assert!(!settings("", "key").lets_twilio_in(near, "/twilio/stream", &[], ""));
        assert_eq!(with.stream_url("/vonage/stream"), "wss://line.example/vonage/stream?token=s3cret");
        assert_eq!(with.stream_url("/twilio/stream"), "wss://line.example/twilio/stream");
    }
}
