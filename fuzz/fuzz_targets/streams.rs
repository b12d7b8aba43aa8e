//! Any messages of a provider's stream: nothing panics, and nothing that waits grows beyond its bound.
//!
//! The first byte chooses the provider; lines are messages, text where they begin as text does. AudioSocket has no messages:
//! there the second byte says in how long pieces the rest comes.
#![no_main]

use attendant::audio::Frame;
use attendant::wire::stream::audiosocket::AudioSocket;
use attendant::wire::stream::chan_websocket::ChanWebsocket;
use attendant::wire::stream::jambonz::Jambonz;
use attendant::wire::stream::twilio::Twilio;
use attendant::wire::stream::vonage::Vonage;
use attendant::wire::stream::{Dialect, Message, StreamLeg};
use libfuzzer_sys::fuzz_target;

const AUDIO_SOCKET: u8 = 2;

/// What comes, in its order.
fn messages(provider: u8, bytes: &[u8]) -> Vec<Message> {
    if provider == AUDIO_SOCKET {
        let Some((length, bytes)) = bytes.split_first() else { return Vec::new() };
        let pieces = bytes.chunks(usize::from(*length).max(1));
        return pieces.map(|piece| Message::Binary(piece.to_vec())).collect();
    }
    let lines = bytes.split(|byte| *byte == b'\n').map(|line| {
        let is_text = line.first().is_some_and(|b| b.is_ascii_uppercase() || *b == b'{');
        match std::str::from_utf8(line) {
            Ok(text) if is_text => Message::Text(text.to_owned()),
            Ok(_) | Err(_) => Message::Binary(line.to_vec()),
        }
    });
    lines.collect()
}

fuzz_target!(|input: &[u8]| {
    let Some((provider, bytes)) = input.split_first() else { return };
    let provider = provider % 5;
    let dialect: Box<dyn Dialect> = match provider {
        0 => Box::<Twilio>::default(),
        1 => Box::<Vonage>::default(),
        AUDIO_SOCKET => Box::<AudioSocket>::default(),
        3 => Box::<ChanWebsocket>::default(),
        _ => Box::<Jambonz>::default(),
    };
    let mut leg = StreamLeg::new(dialect);
    for (n, message) in messages(provider, bytes).iter().enumerate() {
        let was_over = leg.is_ended();
        leg.handle_message(message);
        assert!(leg.is_ended() || !was_over, "a call that is over stays so");
        leg.handle_line(&Frame::SILENCE, n % 3 == 0);
        if n % 5 == 0 {
            leg.flush();
            assert!(leg.is_played(), "nothing is awaited of what was dropped");
        }
    }
    leg.hang_up();
    let _ = leg.last_message();
    assert!(std::iter::from_fn(|| leg.poll_message()).count() <= 64, "messages pile up");
    assert!(std::iter::from_fn(|| leg.poll_key()).count() <= 64, "keys pile up");
});
