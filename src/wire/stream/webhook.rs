//! What providers are told when they ask what to do with a call: open a stream to us.

use serde_json::{Value, json};

/// TwiML that joins a call to a stream, and asks at `next_url` once it has ended. The stream learns who calls by its
/// parameters.
pub fn twiml(stream_url: &str, next_url: &str, from: &str, to: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Connect><Stream url=\"{}\">\
         <Parameter name=\"from\" value=\"{}\"/><Parameter name=\"to\" value=\"{}\"/></Stream></Connect>\
         <Redirect method=\"POST\">{}</Redirect></Response>",
        xml(stream_url),
        xml(from),
        xml(to),
        xml(next_url)
    )
}

/// TwiML for a call whose stream has ended: on to `to`, a SIP URI, and then `after_url` hears what came of it; or the
/// end.
pub fn twiml_next(to: Option<&str>, after_url: &str) -> String {
    let verb = match to {
        Some(to) => format!(
            "<Dial answerOnBridge=\"true\" action=\"{}\"><Sip>{}</Sip></Dial>",
            xml(after_url),
            xml(to)
        ),
        None => "<Hangup/>".to_owned(),
    };
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>{verb}</Response>")
}

/// jambonz's verbs for a call whose stream has ended: on to `to`, a SIP URI, and back to the line where nobody answers;
/// or the end.
pub fn verbs_next(to: Option<&str>, again: &Value) -> Value {
    let Some(to) = to else { return json!([{ "verb": "hangup" }]) };
    let mut verbs =
        vec![json!({ "verb": "dial", "answerOnBridge": true, "target": [{ "type": "sip", "sipUri": to }] })];
    verbs.extend(again.as_array().cloned().unwrap_or_default());
    Value::Array(verbs)
}

/// Vonage's NCCO that joins a call to a WebSocket of 16 kHz.
pub fn ncco(stream_url: &str, call: &str, from: &str, to: &str) -> Value {
    json!([{
        "action": "connect",
        "endpoint": [{
            "type": "websocket",
            "uri": stream_url,
            "content-type": "audio/l16;rate=16000",
            "headers": { "call": call, "from": from, "to": to },
        }],
    }])
}

/// jambonz's verbs that answer a call, stream it both ways at 16 kHz, keys included, and ask at `next_url` afterwards.
pub fn listen(stream_url: &str, next_url: &str) -> Value {
    json!([
        { "verb": "answer" },
        {
            "verb": "listen",
            "url": stream_url,
            "actionHook": next_url,
            "sampleRate": 16_000,
            "mixType": "mono",
            "passDtmf": true,
            "bidirectionalAudio": { "enabled": true, "streaming": true, "sampleRate": 16_000 },
        },
        { "verb": "hangup" },
    ])
}

/// Text within XML, quotes included; control characters have no place in it and are dropped.
fn xml(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&apos;",
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_caller_is_called_gets_out_of_its_quotes() {
        let answer = twiml(
            "wss://line.example/twilio/stream",
            "https://line.example/next",
            "\"/><Dial>1</Dial>",
            "a&b\r\n",
        );
        assert!(answer.contains("value=\"&quot;/&gt;&lt;Dial&gt;1&lt;/Dial&gt;\""), "{answer}");
        assert!(answer.contains("value=\"a&amp;b\""), "{answer}");
        assert_eq!(ncco("wss://x", "c", "\"}]", "1")[0]["endpoint"][0]["headers"]["from"], "\"}]");
        let next = twiml_next(Some("sip:a@b?<x>"), "https://line.example/after?a&b");
        assert!(next.contains("<Sip>sip:a@b?&lt;x&gt;</Sip>") && next.contains("after?a&amp;b"), "{next}");
        assert!(twiml_next(None, "").contains("<Hangup/>"));
        let again = listen("wss://x", "https://x/next");
        assert_eq!(verbs_next(Some("sip:a@b"), &again)[0]["target"][0]["sipUri"], "sip:a@b");
        assert_eq!(verbs_next(None, &again)[0]["verb"], "hangup");
        assert_eq!(again[1]["bidirectionalAudio"]["streaming"], true);
    }
}
