//! A tiny Whisper model file made on the spot, for tests and benches that must not depend on a
//! trained one.
//!
//! It is deaf: every matrix is zero except the decoder's two embeddings, which are laid out so that
//! position `n` of the answer always favours the tokens of step `n`. What it will say, and how sure of
//! it it is, is thus known beforehand. [`StandIn::random`] fills the matrices instead, so that what
//! comes out depends on what went in (and makes no sense).

use std::collections::BTreeMap;

/// English models' end-of-text token.
const EOT: usize = 50_256;

/// Rows of the token embedding of English models.
const N_VOCAB: usize = 51_864;

/// Width of encoder and decoder: also the most steps a script can have, less two.
const WIDTH: usize = 32;

const N_MELS: usize = 80;

/// Dwarfs the token embedding, so that the position alone decides.
const POSITION_SCALE: f32 = 1000.0;

/// The logit of a word that the model is sure of: `e^18 / (e^18 + 51864)` is 0.999.
const SURE: f32 = 18.0;

/// A recipe for a model file.
#[derive(Clone, Debug)]
pub struct StandIn {
    /// Encoder positions, 20 ms each; at most 1,500.
    n_audio_ctx: usize,
    /// Decoder positions; at most 448.
    n_text_ctx: usize,
    /// For each step the words to favour and their logits; all others have a logit near zero. `""`
    /// is the end of the text.
    steps: Vec<Vec<(String, f32)>>,
    /// Fills the matrices at random where given.
    seed: Option<u64>,
}

impl Default for StandIn {
    fn default() -> StandIn {
        StandIn::saying("")
    }
}

impl StandIn {
    /// A model that answers `text` to everything, with a probability of 0.99 and more a word.
    pub fn saying(text: &str) -> StandIn {
        let mut steps: Vec<_> = text.split_whitespace().map(|word| vec![(word.to_owned(), SURE)]).collect();
        steps.push(vec![(String::new(), SURE)]);
        assert!(steps.len() <= WIDTH - 2, "a stand-in says at most {} words", WIDTH - 3);
        StandIn { n_audio_ctx: 100, n_text_ctx: 64, steps, seed: None }
    }

    /// A model of random weights.
    pub fn random(seed: u64) -> StandIn {
        StandIn { seed: Some(seed), ..StandIn::default() }
    }

    /// With so many encoder positions, 20 ms each, at most 1,500; 100 without.
    #[must_use]
    pub fn with_audio_ctx(mut self, positions: usize) -> StandIn {
        self.n_audio_ctx = positions;
        self
    }

    /// At step `step`, counted from 0, favours `word` too, with that logit ([`StandIn::saying`] gives
    /// its words 18). An empty word ends the text.
    #[must_use]
    pub fn or(mut self, step: usize, word: &str, logit: f32) -> StandIn {
        self.steps[step].push((word.to_owned(), logit));
        self
    }

    /// The GGML file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let words = self.vocabulary();
        let mut file = Writer { bytes: Vec::new(), noise: self.seed };
        let ints = [N_VOCAB, self.n_audio_ctx, WIDTH, 1, 1, self.n_text_ctx, WIDTH, 1, 1, N_MELS, 1];
        file.u32(0x6767_6d6c);
        ints.iter().for_each(|n| file.u32(*n as u32));
        file.u32(N_MELS as u32);
        file.u32(201);
        for band in 0..N_MELS {
            // Any filters will do: band b takes bin 2 b.
            (0..201).for_each(|bin| file.f32(if bin == 2 * band { 1.0 } else { 0.0 }));
        }
        file.u32(words.len() as u32);
        for word in &words {
            file.u32(word.len() as u32);
            file.bytes.extend_from_slice(word.as_bytes());
        }
        self.write_encoder(&mut file);
        self.write_decoder(&mut file, &words);
        file.bytes
    }

    /// Printable ASCII, so that everything can be tokenised, then the words of all steps.
    fn vocabulary(&self) -> Vec<String> {
        let mut words: Vec<String> = (b' '..=b'~').map(|byte| char::from(byte).to_string()).collect();
        for (word, _) in self.steps.iter().flatten() {
            let spaced = format!(" {word}");
            if !word.is_empty() && !words.contains(&spaced) {
                words.push(spaced);
            }
        }
        words
    }

    fn write_encoder(&self, file: &mut Writer) {
        file.filled("encoder.positional_embedding", &[WIDTH, self.n_audio_ctx], Kind::F32, 0.0);
        file.filled("encoder.conv1.weight", &[3, N_MELS, WIDTH], Kind::F16, 0.0);
        file.filled("encoder.conv1.bias", &[1, WIDTH], Kind::F32, 0.0);
        file.filled("encoder.conv2.weight", &[3, WIDTH, WIDTH], Kind::F16, 0.0);
        file.filled("encoder.conv2.bias", &[1, WIDTH], Kind::F32, 0.0);
        file.norm("encoder.ln_post");
        file.block("encoder.blocks.0", false);
    }

    fn write_decoder(&self, file: &mut Writer, words: &[String]) {
        let id = |word: &str| match word {
            "" => EOT,
            word => words.iter().position(|w| w[1..] == *word && w.len() > 1).expect("it was put there"),
        };
        // A layer norm makes a unit vector of width 32 about as long as the root of 32.
        let length = (WIDTH as f32).sqrt();
        let mut rows: BTreeMap<usize, [f32; WIDTH]> = BTreeMap::new();
        for (step, choices) in self.steps.iter().enumerate() {
            for (word, logit) in choices {
                rows.entry(id(word)).or_insert([0.0; WIDTH])[step] += logit / length;
            }
        }
        let last = self.steps.len() - 1;
        let mut positions = vec![0.0; WIDTH * self.n_text_ctx];
        // Position 1 holds the no-timestamps token, and there the first word is foretold.
        for position in 1..self.n_text_ctx {
            positions[position * WIDTH + (position - 1).min(last)] = POSITION_SCALE;
        }
        if self.seed.is_some() {
            file.filled("decoder.positional_embedding", &[WIDTH, self.n_text_ctx], Kind::F32, 0.0);
            file.filled("decoder.token_embedding.weight", &[WIDTH, N_VOCAB], Kind::F16, 0.0);
        } else {
            file.header("decoder.positional_embedding", &[WIDTH, self.n_text_ctx], Kind::F32);
            positions.iter().for_each(|x| file.f32(*x));
            file.header("decoder.token_embedding.weight", &[WIDTH, N_VOCAB], Kind::F16);
            for row in 0..N_VOCAB {
                let row = rows.get(&row).unwrap_or(&[0.0; WIDTH]);
                row.iter().for_each(|x| file.f16(*x));
            }
        }
        file.norm("decoder.ln");
        file.block("decoder.blocks.0", true);
    }
}

/// ggml's numbers of the element types.
#[derive(Clone, Copy)]
enum Kind {
    F32 = 0,
    F16 = 1,
}

struct Writer {
    bytes: Vec<u8>,
    noise: Option<u64>,
}

impl Writer {
    fn u32(&mut self, n: u32) {
        self.bytes.extend_from_slice(&n.to_le_bytes());
    }

    fn f32(&mut self, x: f32) {
        self.bytes.extend_from_slice(&x.to_le_bytes());
    }

    fn f16(&mut self, x: f32) {
        self.bytes.extend_from_slice(&half(x).to_le_bytes());
    }

    fn header(&mut self, name: &str, sizes: &[usize], kind: Kind) {
        self.u32(sizes.len() as u32);
        self.u32(name.len() as u32);
        self.u32(kind as u32);
        sizes.iter().for_each(|size| self.u32(*size as u32));
        self.bytes.extend_from_slice(name.as_bytes());
    }

    /// A tensor that holds `value` throughout, or noise around it.
    fn filled(&mut self, name: &str, sizes: &[usize], kind: Kind, value: f32) {
        self.header(name, sizes, kind);
        for _ in 0..sizes.iter().product() {
            let x = value + self.next_noise();
            match kind {
                Kind::F32 => self.f32(x),
                Kind::F16 => self.f16(x),
            }
        }
    }

    /// From -0.5 to 0.5 (xorshift64), or 0 for a deaf model.
    fn next_noise(&mut self) -> f32 {
        let Some(state) = &mut self.noise else { return 0.0 };
        *state = (*state).max(1);
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 40) as f32 / (1_u32 << 24) as f32 - 0.5
    }

    fn norm(&mut self, name: &str) {
        self.filled(&format!("{name}.weight"), &[WIDTH], Kind::F32, 1.0);
        self.filled(&format!("{name}.bias"), &[WIDTH], Kind::F32, 0.0);
    }

    fn linear(&mut self, name: &str, inputs: usize, outputs: usize, bias: bool) {
        self.filled(&format!("{name}.weight"), &[inputs, outputs], Kind::F16, 0.0);
        if bias {
            self.filled(&format!("{name}.bias"), &[outputs], Kind::F32, 0.0);
        }
    }

    fn attention(&mut self, name: &str) {
        self.norm(&format!("{name}_ln"));
        for part in ["query", "key", "value", "out"] {
            self.linear(&format!("{name}.{part}"), WIDTH, WIDTH, part != "key");
        }
    }

    fn block(&mut self, name: &str, with_cross: bool) {
        self.norm(&format!("{name}.mlp_ln"));
        self.linear(&format!("{name}.mlp.0"), WIDTH, 4 * WIDTH, true);
        self.linear(&format!("{name}.mlp.2"), 4 * WIDTH, WIDTH, true);
        self.attention(&format!("{name}.attn"));
        if with_cross {
            self.attention(&format!("{name}.cross_attn"));
        }
    }
}

/// IEEE 754 half precision of a number of moderate size; tiny ones become zero.
fn half(x: f32) -> u16 {
    let bits = x.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    let exponent = (bits >> 23 & 0xff) as i32 - 127 + 15;
    if exponent <= 0 {
        return sign;
    }
    let rounded = ((exponent as u32) << 10 | (bits >> 13 & 0x3ff)) + (bits >> 12 & 1);
    sign | rounded as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_what_the_standard_says() {
        for (x, expected) in
            [(0.0, 0), (1.0, 0x3c00), (-2.0, 0xc000), (0.333_251_95, 0x3555), (1000.0, 0x63d0)]
        {
            assert_eq!(half(x), expected, "{x}");
        }
    }

    #[test]
    fn the_same_recipe_gives_the_same_file() {
        assert_eq!(StandIn::random(7).to_bytes(), StandIn::random(7).to_bytes());
        assert_ne!(StandIn::random(7).to_bytes(), StandIn::random(8).to_bytes());
    }
}
