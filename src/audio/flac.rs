//! Sound as a FLAC stream: half the size and nothing lost (RFC 9639).
//!
//! Channels of 16 bits, each predicted by itself by the format's fixed polynomials: of what a telephone carries, linear
//! prediction would save a few percent more.

/// Samples of a block, except the last.
const BLOCK: usize = 4_096;

/// The highest order of the fixed predictors.
const MAX_ORDER: usize = 4;

/// Residuals are split into at most so many parts, each with a parameter of its own: two to the power of it.
const MAX_PARTITION_ORDER: u32 = 5;

/// Rice parameters of four bits; 15 is an escape.
const MAX_RICE: u32 = 14;

/// Encodes mono sound of 16 bits.
pub fn flac(samples: &[i16], rate_hz: u32) -> Vec<u8> {
    let mut stream = FlacStream::new(1, rate_hz, u64::try_from(samples.len()).unwrap_or(0));
    let mut bytes = stream.write(samples);
    bytes.extend(stream.finish());
    bytes
}

/// Encodes sound of 16 bits as it comes. What it gives out, in order, is the file.
#[derive(Debug)]
pub struct FlacStream {
    channels: u8,
    /// The next frame's number.
    frame: u64,
    /// Samples short of a block, the channels in turn.
    waiting: Vec<i16>,
    /// Bytes that are not given out yet.
    out: Bits,
}

impl FlacStream {
    /// Sound of one to eight channels; `samples` of each, 0 where nobody knows yet how many.
    pub fn new(channels: u8, rate_hz: u32, samples: u64) -> FlacStream {
        let mut out = Bits::default();
        out.bytes.extend(b"fLaC");
        // The last metadata block, STREAMINFO, of 34 bytes.
        out.put(0x80, 8);
        out.put(34, 24);
        let block = u64::try_from(BLOCK).unwrap_or(0);
        out.put(block, 16);
        out.put(block, 16);
        // Sizes of frames and the MD5 sum are allowed to be unknown.
        out.put(0, 24);
        out.put(0, 24);
        out.put(u64::from(rate_hz), 20);
        out.put(u64::from(channels) - 1, 3);
        out.put(15, 5);
        out.put(samples, 36);
        out.put(0, 64);
        out.put(0, 64);
        FlacStream { channels, frame: 0, waiting: Vec::new(), out }
    }

    /// Takes samples, the channels in turn, and gives the bytes that are ready.
    pub fn write(&mut self, samples: &[i16]) -> Vec<u8> {
        self.waiting.extend_from_slice(samples);
        let block = BLOCK * usize::from(self.channels);
        let whole = self.waiting.len() / block * block;
        let rest = self.waiting.split_off(whole);
        for block in std::mem::replace(&mut self.waiting, rest).chunks(block) {
            self.frame(block);
        }
        std::mem::take(&mut self.out.bytes)
    }

    /// The last bytes.
    pub fn finish(mut self) -> Vec<u8> {
        let rest = std::mem::take(&mut self.waiting);
        if rest.len() >= usize::from(self.channels) {
            self.frame(&rest);
        }
        self.out.bytes
    }

    fn frame(&mut self, samples: &[i16]) {
        let channels = usize::from(self.channels);
        let out = &mut self.out;
        let begins = out.bytes.len();
        // Sync code, blocks of a fixed size.
        out.put(0b1111_1111_1111_1000, 16);
        // The size stands at the end of the header, the rate in STREAMINFO; each channel by itself, 16 bits.
        out.put(0b0111_0000, 8);
        out.put(u64::from(self.channels - 1) << 4 | 0b1000, 8);
        out.bytes.extend(coded(self.frame));
        out.put(u64::try_from(samples.len() / channels - 1).unwrap_or(0), 16);
        let check = crc8(&out.bytes[begins..]);
        out.put(u64::from(check), 8);
        for channel in 0..channels {
            let own: Vec<i16> = samples.iter().skip(channel).step_by(channels).copied().collect();
            subframe(out, &own);
        }
        out.align();
        let check = crc16(&out.bytes[begins..]);
        out.put(u64::from(check), 16);
        self.frame += 1;
    }
}

/// A frame's number, coded as UTF-8 codes characters, up to 31 bits.
fn coded(number: u64) -> Vec<u8> {
    if number < 0x80 {
        return vec![number as u8];
    }
    let mut tail = Vec::new();
    let mut rest = number;
    let mut first_bits = 6;
    while rest >> first_bits > 0 {
        tail.push(0x80 | (rest & 0x3f) as u8);
        rest >>= 6;
        first_bits -= 1;
    }
    let marker = 0xffu8 << (first_bits + 1);
    tail.push(marker | rest as u8);
    tail.reverse();
    tail
}

fn subframe(out: &mut Bits, block: &[i16]) {
    if block.iter().all(|sample| *sample == block[0]) {
        out.put(0b0000_0000, 8);
        return out.put_signed(i64::from(block[0]), 16);
    }
    let best = (0..=MAX_ORDER.min(block.len() - 1)).map(|order| (order, residual(block, order)));
    let best = best.min_by_key(|(_, residual)| residual.iter().map(|r| r.unsigned_abs()).sum::<u64>());
    let Some((order, residual)) = best else { return };
    let (partition_order, parameters, bits) = partitions(&residual, block.len(), order);
    if bits >= block.len() as u64 * 16 {
        out.put(0b0000_0010, 8);
        return block.iter().for_each(|sample| out.put_signed(i64::from(*sample), 16));
    }
    out.put(0b0001_0000 | (order as u64) << 1, 8);
    block[..order].iter().for_each(|sample| out.put_signed(i64::from(*sample), 16));
    // Rice coding with parameters of four bits.
    out.put(0, 2);
    out.put(u64::from(partition_order), 4);
    let mut rest = residual.as_slice();
    for (n, parameter) in parameters.iter().enumerate() {
        let length = (block.len() >> partition_order) - if n == 0 { order } else { 0 };
        let (part, after) = rest.split_at(length);
        rest = after;
        out.put(u64::from(*parameter), 4);
        part.iter().for_each(|value| out.put_rice(*value, *parameter));
    }
}

/// What the fixed predictor of an order leaves: the differences of that order.
fn residual(block: &[i16], order: usize) -> Vec<i64> {
    let mut values: Vec<i64> = block.iter().map(|sample| i64::from(*sample)).collect();
    for _ in 0..order {
        values = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    }
    values
}

/// How the residual is split, each part's parameter, and the bits that it takes.
fn partitions(residual: &[i64], block: usize, order: usize) -> (u32, Vec<u32>, u64) {
    let fits = |p: &u32| block.is_multiple_of(1 << p) && block >> p > order;
    let split = |p: u32| {
        let mut rest = residual;
        let mut parameters = Vec::new();
        let mut bits = 0;
        for n in 0..1usize << p {
            let (part, after) = rest.split_at((block >> p) - if n == 0 { order } else { 0 });
            rest = after;
            let (parameter, size) = parameter(part);
            parameters.push(parameter);
            bits += size + 4;
        }
        (p, parameters, bits)
    };
    let all = (0..=MAX_PARTITION_ORDER).filter(fits).map(split);
    all.min_by_key(|(_, _, bits)| *bits).unwrap_or_else(|| split(0))
}

/// The best Rice parameter of a part, and its bits.
fn parameter(part: &[i64]) -> (u32, u64) {
    let bits = |k: u32| part.iter().map(|value| (zigzag(*value) >> k) + 1 + u64::from(k)).sum::<u64>();
    (0..=MAX_RICE).map(|k| (k, bits(k))).min_by_key(|(_, bits)| *bits).unwrap_or((0, 0))
}

/// 0, -1, 1, -2, 2 … as 0, 1, 2, 3, 4 …
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// Bits, the highest of each byte first.
#[derive(Debug, Default)]
struct Bits {
    bytes: Vec<u8>,
    /// Bits that do not fill a byte yet, and how many.
    open: u64,
    count: u32,
}

impl Bits {
    /// The lowest `width` bits of a value.
    fn put(&mut self, value: u64, width: u32) {
        for at in (0..width).rev() {
            self.open = self.open << 1 | (value >> at & 1);
            self.count += 1;
            if self.count == 8 {
                self.bytes.push(self.open as u8);
                (self.open, self.count) = (0, 0);
            }
        }
    }

    fn put_signed(&mut self, value: i64, width: u32) {
        self.put(value.cast_unsigned(), width);
    }

    fn put_rice(&mut self, value: i64, parameter: u32) {
        let value = zigzag(value);
        for _ in 0..value >> parameter {
            self.put(0, 1);
        }
        self.put(1, 1);
        self.put(value, parameter);
    }

    fn align(&mut self) {
        if self.count > 0 {
            self.put(0, 8 - self.count);
        }
    }
}

/// x^8 + x^2 + x + 1.
fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc: u8, _| if crc & 0x80 > 0 { crc << 1 ^ 0x07 } else { crc << 1 })
    })
}

/// x^16 + x^15 + x^2 + 1.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, byte| {
        let crc = crc ^ u16::from(*byte) << 8;
        (0..8).fold(crc, |crc, _| if crc & 0x8000 > 0 { crc << 1 ^ 0x8005 } else { crc << 1 })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audio::{NoiseColor, RATE_HZ, noise};

    /// As another program reads it, its checks included.
    fn read(bytes: &[u8]) -> (u32, Vec<i16>) {
        let mut reader = claxon::FlacReader::new(bytes).expect("a FLAC stream");
        let rate = reader.streaminfo().sample_rate;
        let samples = reader.samples().map(|s| i16::try_from(s.expect("a sample")).expect("16 bits"));
        (rate, samples.collect())
    }

    #[test]
    fn speech_like_sound_comes_back_and_takes_less() {
        let sound: Vec<i16> = (0..RATE_HZ * 3)
            .map(|n| (5_000.0 * (n as f32 * 300.0 / RATE_HZ as f32 * std::f32::consts::TAU).sin()) as i16)
            .collect();
        let bytes = flac(&sound, RATE_HZ);
        assert_eq!(read(&bytes), (RATE_HZ, sound.clone()));
        assert!(bytes.len() < sound.len(), "{} bytes for {} samples", bytes.len(), sound.len());
        let silence = vec![0; 16_000];
        assert_eq!(read(&flac(&silence, RATE_HZ)).1, silence);
        assert!(flac(&silence, RATE_HZ).len() < 200);
    }

    #[test]
    fn frames_beyond_127_are_numbered_too() {
        let sound = noise(BLOCK * 130, NoiseColor::Pink, 900.0, 7);
        assert_eq!(read(&flac(&sound, 8_000)), (8_000, sound));
    }

    #[test]
    fn two_channels_come_back_in_pieces_of_any_size() {
        let sound = noise(BLOCK * 5 + 642, NoiseColor::Pink, 900.0, 7);
        for piece in [1_998, 640, BLOCK * 4] {
            let mut stream = FlacStream::new(2, RATE_HZ, 0);
            let mut bytes: Vec<u8> = sound.chunks(piece).flat_map(|piece| stream.write(piece)).collect();
            bytes.extend(stream.finish());
            let channels =
                claxon::FlacReader::new(bytes.as_slice()).expect("a FLAC stream").streaminfo().channels;
            assert_eq!((channels, read(&bytes).1 == sound), (2, true), "{piece} at once");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn any_sound_comes_back(sound in prop::collection::vec(any::<i16>(), 1..5_000), quiet in 0..15_u32) {
            let sound: Vec<i16> = sound.into_iter().map(|s| s >> quiet).collect();
            prop_assert_eq!(read(&flac(&sound, RATE_HZ)).1, sound);
        }
    }
}
