//! What providers are told when they ask what to do with a call: open a stream to us.

use serde_json::{Value, json};

/// TwiML that joins a call to a stream. The stream learns who calls by its parameters.
pub fn twiml(stream_url: &str, from: &str, to: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Connect><Stream url=\"{}\">\
         <Parameter name=\"from\" value=\"{}\"/><Parameter name=\"to\" value=\"{}\"/></Stream></Connect></Response>",
        xml(stream_url),
        xml(from),
        xml(to)
    )
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

/// jambonz's verbs that answer a call and stream it both ways at 16 kHz, keys included.
pub fn listen(stream_url: &str) -> Value {
    json!([
        { "verb": "answer" },
        {
            "verb": "listen",
            "url": stream_url,
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
        let answer = twiml("wss://line.example/twilio/stream", "\"/><Dial>1</Dial>", "a&b\r\n");
        assert!(answer.contains("value=\"&quot;/&gt;&lt;Dial&gt;1&lt;/Dial&gt;\""), "{answer}");
        assert!(answer.contains("value=\"a&amp;b\""), "{answer}");
        assert_eq!(ncco("wss://x", "c", "\"}]", "1")[0]["endpoint"][0]["headers"]["from"], "\"}]");
        assert_eq!(listen("wss://x")[1]["bidirectionalAudio"]["streaming"], true);
    }
}
