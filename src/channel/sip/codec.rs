//! Frames to payloads and back. What the house calls 16 kHz becomes the codec's rate here and nowhere else.

use audio_codec::g722::{G722Decoder, G722Encoder};
use audio_codec::opus::{OpusDecoder, OpusEncoder};
use audio_codec::{Decoder as _, Encoder as _};

use crate::audio::{Frame, LINE_RATE_HZ, Law, RATE_HZ, Resampler};
use crate::wire::sdp::Codec;

/// Bit rate of speech in Opus, bit/s: wide band, well above where words suffer.
const OPUS_BITS: i32 = 24_000;

enum Coding {
    G711(Law, Box<[Resampler; 2]>),
    G722(Box<(G722Encoder, G722Decoder)>),
    Opus(Box<(OpusEncoder, OpusDecoder)>),
}

/// One call's codec, both ways.
pub(super) struct Coder {
    codec: Codec,
    coding: Coding,
}

impl Coder {
    pub(super) fn new(codec: Codec) -> Coder {
        let g711 = |law| {
            let ways = [Resampler::new(LINE_RATE_HZ, RATE_HZ), Resampler::new(RATE_HZ, LINE_RATE_HZ)];
            Coding::G711(law, Box::new(ways))
        };
        let coding = match codec {
            Codec::Pcmu => g711(Law::Mu),
            Codec::Pcma => g711(Law::A),
            Codec::G722 => Coding::G722(Box::new((G722Encoder::new(), G722Decoder::new()))),
            Codec::Opus => {
                let mut encoder = OpusEncoder::new(RATE_HZ, 1);
                encoder.set_bitrate(OPUS_BITS);
                Coding::Opus(Box::new((encoder, OpusDecoder::new(RATE_HZ, 1))))
            }
        };
        Coder { codec, coding }
    }

    pub(super) fn codec(&self) -> Codec {
        self.codec
    }

    /// Samples at 16 kHz of a payload; empty where it cannot be decoded.
    pub(super) fn decode(&mut self, payload: &[u8]) -> Vec<i16> {
        match &mut self.coding {
            Coding::G711(law, ways) => ways[0].process(&law.decode_all(payload)),
            Coding::G722(both) => both.1.decode(payload),
            Coding::Opus(both) => both.1.decode(payload),
        }
    }

    /// The payload of 20 ms.
    pub(super) fn encode(&mut self, frame: &Frame) -> Vec<u8> {
        match &mut self.coding {
            Coding::G711(law, ways) => law.encode_all(&ways[1].process(frame.samples())),
            Coding::G722(both) => both.0.encode(frame.samples()),
            Coding::Opus(both) => both.0.encode(frame.samples()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::rms_dbfs;

    #[test]
    fn a_tone_comes_back_from_every_codec() {
        for codec in Codec::ALL {
            let (mut near, mut far) = (Coder::new(codec), Coder::new(codec));
            let (mut sent, mut got) = (Vec::new(), Vec::new());
            for n in 0..50usize {
                let samples: Vec<i16> =
                    (0..320).map(|i| (8_000.0 * ((n * 320 + i) as f32 * 0.25).sin()) as i16).collect();
                let payload = near.encode(&Frame::from_padded(&samples));
                assert!(!payload.is_empty() && payload.len() <= 320, "{codec:?}: {}", payload.len());
                let back = far.decode(&payload);
                assert_eq!(back.len(), 320, "{codec:?}");
                sent.extend(samples);
                got.extend(back);
            }
            let (before, after) = (rms_dbfs(&sent[8_000..]), rms_dbfs(&got[8_000..]));
            assert!((before - after).abs() < 1.0, "{codec:?}: {before} dBFS became {after}");
        }
    }

    #[test]
    fn rubbish_is_decoded_to_something_or_nothing() {
        for codec in Codec::ALL {
            let mut coder = Coder::new(codec);
            for length in [0usize, 1, 7, 160, 1_400] {
                let payload: Vec<u8> = (0..length).map(|n| (n * 37 + 11) as u8).collect();
                assert!(coder.decode(&payload).len() <= 1_500 * 8, "{codec:?}");
            }
        }
    }
}
