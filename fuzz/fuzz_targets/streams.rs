//! Any messages of a provider's stream: nothing panics, and nothing that waits grows beyond its bound.
//!
//! The first byte chooses the provider; lines are messages, text where they begin as text does.
#![no_main]

use attendant::audio::Frame;
use attendant::wire::stream::audiosocket::AudioSocket;
use attendant::wire::stream::chan_websocket::ChanWebsocket;
use attendant::wire::stream::jambonz::Jambonz;
use attendant::wire::stream::twilio::Twilio;
use attendant::wire::stream::vonage::Vonage;
use attendant::wire::stream::{Dialect, Message, StreamLeg};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((provider, messages)) = input.split_first() else { return };
    let dialect: Box<dyn Dialect> = match provider % 5 {
        0 => Box::<Twilio>::default(),
        1 => Box::<Vonage>::default(),
        2 => Box::<AudioSocket>::default(),
        3 => Box::<ChanWebsocket>::default(),
        _ => Box::<Jambonz>::default(),
    };
    let mut leg = StreamLeg::new(dialect);
    for (n, bytes) in messages.split(|byte| *byte == b'\n').enumerate() {
        let is_text = bytes.first().is_some_and(|b| b.is_ascii_uppercase() || *b == b'{');
        let message = match std::str::from_utf8(bytes) {
            Ok(text) if is_text => Message::Text(text.to_owned()),
            Ok(_) | Err(_) => Message::Binary(bytes.to_vec()),
        };
        leg.handle_message(&message);
        leg.handle_line(&Frame::SILENCE, n % 3 == 0);
        if n % 5 == 0 {
            leg.flush();
        }
    }
    leg.hang_up();
    let _ = leg.last_message();
    assert!(std::iter::from_fn(|| leg.poll_message()).count() <= 64, "messages pile up");
    assert!(std::iter::from_fn(|| leg.poll_key()).count() <= 64, "keys pile up");
});
