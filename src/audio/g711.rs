//! G.711: eight bits a sample, µ-law in North America and Japan, A-law elsewhere.
//!
//! Bit-exact with ITU-T G.711 (11/1988), tables 1a to 2b, on samples that are left-justified in
//! sixteen bits: µ-law looks at the upper fourteen of them, A-law at the upper thirteen.

/// Which of the recommendation's two laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// PCMU: North America, Japan.
    Mu,
    /// PCMA: the rest of the world.
    A,
}

impl Law {
    /// One linear sample as a code word.
    pub fn encode(self, sample: i16) -> u8 {
        match self {
            Law::Mu => encode_mu(sample),
            Law::A => encode_a(sample),
        }
    }

    /// One code word as a linear sample.
    pub fn decode(self, code: u8) -> i16 {
        match self {
            Law::Mu => decode_mu(code),
            Law::A => decode_a(code),
        }
    }

    /// A stretch of samples, one byte each.
    pub fn encode_all(self, samples: &[i16]) -> Vec<u8> {
        samples.iter().map(|&sample| self.encode(sample)).collect()
    }

    /// A stretch of code words, one sample each.
    pub fn decode_all(self, codes: &[u8]) -> Vec<i16> {
        codes.iter().map(|&code| self.decode(code)).collect()
    }
}

/// The bias that makes every µ-law segment start at a power of two (G.711, table 2a: the first
/// decision value is 1 where the others are 2^k · 33 − 33 and so on), in fourteen-bit units.
const MU_BIAS: u16 = 33;

/// The largest biased magnitude of fourteen bits.
const MU_CLIP: u16 = 0x1fff;

fn encode_mu(sample: i16) -> u8 {
    // One's complement, so that −1 falls where +0 does and the two halves are mirror images.
    let negative = sample < 0;
    let magnitude = if negative { !sample } else { sample }.unsigned_abs() >> 2;
    let biased = (magnitude + MU_BIAS).min(MU_CLIP);
    // The bias makes bit 5 the lowest possible leading bit; the segment counts from there.
    let segment = 10 - biased.leading_zeros() as u16;
    let step = (biased >> (segment + 1)) & 0x0f;
    let code = !((segment << 4 | step) as u8) & 0x7f;
    if negative { code } else { code | 0x80 }
}

fn decode_mu(code: u8) -> i16 {
    let bits = !code;
    let segment = (bits >> 4) & 7;
    let step = i16::from(bits & 0x0f);
    let magnitude = (((2 * step + 33) << segment) - 33) * 4;
    if bits & 0x80 == 0 { magnitude } else { -magnitude }
}

/// G.711 inverts every other bit of an A-law word, so that silence has many transitions on the line.
const A_EVEN_BITS: u8 = 0x55;

fn encode_a(sample: i16) -> u8 {
    let negative = sample < 0;
    let magnitude = if negative { !sample } else { sample }.unsigned_abs() >> 4;
    let code = if magnitude < 16 {
        magnitude as u8
    } else {
        let segment = 12 - magnitude.leading_zeros() as u16;
        (segment << 4 | ((magnitude >> (segment - 1)) & 0x0f)) as u8
    };
    (if negative { code } else { code | 0x80 }) ^ A_EVEN_BITS
}

fn decode_a(code: u8) -> i16 {
    let bits = code ^ A_EVEN_BITS;
    let segment = (bits >> 4) & 7;
    // Half a step more: the middle of the interval.
    let middle = i16::from(bits & 0x0f) * 2 + 1;
    let magnitude = if segment == 0 { middle << 3 } else { (middle + 32) << (segment + 2) };
    if bits & 0x80 == 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAWS: [Law; 2] = [Law::Mu, Law::A];

    /// The output values of G.711's tables 1a and 2a at the segments' ends, times 16 / times 4.
    #[test]
    fn the_tables_corner_values() {
        for (code, value) in
            [(0x80, 8031), (0x8f, 4191), (0x90, 3999), (0xa0, 1983), (0xef, 33), (0xfe, 2), (0xff, 0)]
        {
            assert_eq!(Law::Mu.decode(code), value * 4, "µ {code:#x}");
        }
        assert_eq!(Law::Mu.decode(0x00), -8031 * 4);
        assert_eq!(Law::Mu.decode(0x7f), 0);
        for (code, value) in [(0xff, 4032), (0xf0, 2112), (0xe0, 1056), (0x90, 33), (0x81, 3), (0x80, 1)] {
            assert_eq!(Law::A.decode(code ^ A_EVEN_BITS), value * 8, "A {code:#x}");
        }
        assert_eq!(Law::A.decode(0x7f ^ A_EVEN_BITS), -4032 * 8);
    }

    #[test]
    fn every_code_word_survives_decoding_and_encoding() {
        for law in LAWS {
            for code in 0..=u8::MAX {
                // µ-law has two zeros; the negative one comes back as the positive.
                let expected = if law == Law::Mu && code == 0x7f { 0xff } else { code };
                assert_eq!(law.encode(law.decode(code)), expected, "{law:?} {code:#x}");
            }
        }
    }

    #[test]
    fn encoding_errs_by_half_a_step_and_never_turns_round() {
        for law in LAWS {
            // Finest step, number of its bits that are not looked at, and the overload point.
            let (finest, blind, overload) = if law == Law::Mu { (8, 3, 32_636) } else { (16, 15, 32_767) };
            let mut before = i16::MIN;
            for sample in i16::MIN..=i16::MAX {
                let got = law.decode(law.encode(sample));
                assert!(got >= before, "{law:?} {sample}");
                before = got;
                let magnitude = i32::from(sample).abs().min(overload);
                // Steps double from segment to segment, which begin at 32 of the finest half-steps.
                let segment =
                    ((magnitude + 132 * i32::from(law == Law::Mu)) / (32 * finest / 2)).max(1).ilog2();
                let half_step = (finest << segment) / 2;
                let off = (i32::from(got).abs() - magnitude).abs();
                assert!(off <= half_step + blind, "{law:?} {sample} -> {got}");
            }
        }
    }
}
