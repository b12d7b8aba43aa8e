//! What a GGML Whisper file says about itself, checked before whisper.cpp reads it.
//!
//! whisper.cpp answers some broken files with an abort of the whole process, and reads a truncated
//! last tensor as if it were there. So the file is walked here first, from its magic to its last
//! byte. Format: whisper.cpp `models/convert-pt-to-ggml.py`.

/// `ggml` in ASCII, little-endian.
const MAGIC: u32 = 0x6767_6d6c;

/// Fewest tokens with which whisper.cpp's special tokens (up to the first timestamp) exist.
const MIN_VOCAB: i32 = 50_364;

/// Tokens of the largest published model (large-v3).
const MAX_VOCAB: i32 = 51_866;

/// Dimensions of a Whisper model, as its file states them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelShape {
    /// Rows of the token embedding; 51,864 for English, more for multilingual models.
    pub n_vocab: i32,
    /// Encoder positions, 20 ms each.
    pub n_audio_ctx: i32,
    /// Width of encoder and decoder.
    pub n_state: i32,
    /// Attention heads in each layer.
    pub n_head: i32,
    /// Encoder layers.
    pub n_audio_layer: i32,
    /// Decoder positions.
    pub n_text_ctx: i32,
    /// Decoder layers.
    pub n_text_layer: i32,
    /// Mel bands.
    pub n_mels: i32,
    /// ggml's number for the format of the matrices: 1 = f16, 7 = q8_0.
    pub ftype: i32,
}

impl ModelShape {
    /// Walks a whole model file.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the file, for whoever has to replace it.
    pub fn inspect(bytes: &[u8]) -> Result<ModelShape, String> {
        let mut file = Cursor { bytes, at: 0 };
        let magic = file.u32("its magic number").map_err(|_| "it is too short for a model".to_owned())?;
        if magic != MAGIC {
            return Err(format!("it is no GGML file: its first bytes are {magic:08x}, expected {MAGIC:08x}"));
        }
        let shape = ModelShape::read(&mut file)?;
        shape.check()?;
        skip_filters(&mut file, shape.n_mels)?;
        skip_vocabulary(&mut file, shape.n_vocab)?;
        let tensors = skip_tensors(&mut file)?;
        // Seven tensors of the encoder's frame, four of the decoder's, and those of the layers.
        let expected = 11 + 15 * shape.n_audio_layer + 24 * shape.n_text_layer;
        if i32::try_from(tensors) != Ok(expected) {
            return Err(format!("it holds {tensors} tensors, expected {expected}: fetch it again"));
        }
        Ok(shape)
    }

    fn read(file: &mut Cursor<'_>) -> Result<ModelShape, String> {
        let mut n = [0; 11];
        for value in &mut n {
            *value = file.i32("its dimensions")?;
        }
        if n[2] != n[6] || n[3] != n[7] {
            return Err(format!(
                "its encoder is {} wide with {} heads, its decoder {} with {}: they must be alike",
                n[2], n[3], n[6], n[7]
            ));
        }
        Ok(ModelShape {
            n_vocab: n[0],
            n_audio_ctx: n[1],
            n_state: n[2],
            n_head: n[3],
            n_audio_layer: n[4],
            n_text_ctx: n[5],
            n_text_layer: n[8],
            n_mels: n[9],
            // Thousands count the version of the quantised format.
            ftype: n[10] % 1000,
        })
    }

    fn check(&self) -> Result<(), String> {
        let ranges = [
            ("n_vocab", self.n_vocab, MIN_VOCAB, MAX_VOCAB),
            ("n_audio_ctx", self.n_audio_ctx, 1, 1500),
            ("n_audio_state", self.n_state, 32, 1280),
            ("n_audio_head", self.n_head, 1, 20),
            ("n_audio_layer", self.n_audio_layer, 1, 32),
            ("n_text_ctx", self.n_text_ctx, 16, 448),
            ("n_text_layer", self.n_text_layer, 1, 32),
            ("n_mels", self.n_mels, 80, 128),
            // 0, all f32, aborts in whisper.cpp's convolution; 14 (q6_K) is the last one it knows.
            ("ftype", self.ftype, 1, 14),
        ];
        for (name, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                return Err(format!("its {name} is {value}, expected {least} to {most}"));
            }
        }
        if self.n_state % self.n_head != 0 || self.n_state % 32 != 0 {
            return Err(format!("its width {} does not divide into {} heads", self.n_state, self.n_head));
        }
        Ok(())
    }
}

fn skip_filters(file: &mut Cursor<'_>, n_mels: i32) -> Result<(), String> {
    let (bands, bins) = (file.i32("its filters")?, file.i32("its filters")?);
    // 201 bins: a 400-point transform at 16 kHz.
    if bands != n_mels || bins != 201 {
        return Err(format!("its mel filters are {bands} by {bins}, expected {n_mels} by 201"));
    }
    file.skip(bands as usize * bins as usize * 4, "its filters")
}

fn skip_vocabulary(file: &mut Cursor<'_>, n_vocab: i32) -> Result<(), String> {
    let words = file.i32("its vocabulary")?;
    if !(1..=n_vocab).contains(&words) {
        return Err(format!("its vocabulary has {words} entries, expected 1 to {n_vocab}"));
    }
    for _ in 0..words {
        let length = file.u32("its vocabulary")?;
        file.skip(length as usize, "its vocabulary")?;
    }
    Ok(())
}

/// Counts the tensors up to the end of the file.
fn skip_tensors(file: &mut Cursor<'_>) -> Result<usize, String> {
    let mut count = 0;
    while file.at < file.bytes.len() {
        let what = "a tensor";
        let (dimensions, length, kind) = (file.i32(what)?, file.u32(what)?, file.i32(what)?);
        if !(1..=4).contains(&dimensions) || length > 128 {
            return Err("a tensor's header makes no sense: the file is damaged, fetch it again".to_owned());
        }
        let mut elements = 1_usize;
        for _ in 0..dimensions {
            let size =
                usize::try_from(file.i32(what)?).map_err(|_| "a tensor's size is negative".to_owned())?;
            elements = elements.checked_mul(size).ok_or("a tensor's size is absurd")?;
        }
        file.skip(length as usize, what)?;
        let (block, bytes) = block_of(kind).ok_or_else(|| format!("a tensor has the unknown type {kind}"))?;
        if !elements.is_multiple_of(block) {
            return Err(format!("a tensor of {elements} elements does not divide into blocks of {block}"));
        }
        file.skip(elements / block * bytes, what)?;
        count += 1;
    }
    Ok(count)
}

/// Elements and bytes of one block of a ggml type (`ggml-common.h`); `None` for types that Whisper
/// files do not use.
fn block_of(kind: i32) -> Option<(usize, usize)> {
    Some(match kind {
        0 => (1, 4),      // f32
        1 => (1, 2),      // f16
        2 => (32, 18),    // q4_0
        3 => (32, 20),    // q4_1
        6 => (32, 22),    // q5_0
        7 => (32, 24),    // q5_1
        8 => (32, 34),    // q8_0
        10 => (256, 84),  // q2_K
        11 => (256, 110), // q3_K
        12 => (256, 144), // q4_K
        13 => (256, 176), // q5_K
        14 => (256, 210), // q6_K
        _ => return None,
    })
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn u32(&mut self, what: &str) -> Result<u32, String> {
        let start = self.at;
        self.skip(4, what)?;
        let four = self.bytes[start..start + 4].try_into().expect("four bytes were skipped");
        Ok(u32::from_le_bytes(four))
    }

    fn i32(&mut self, what: &str) -> Result<i32, String> {
        self.u32(what).map(u32::cast_signed)
    }

    fn skip(&mut self, bytes: usize, what: &str) -> Result<(), String> {
        match self.at.checked_add(bytes) {
            Some(end) if end <= self.bytes.len() => {
                self.at = end;
                Ok(())
            }
            Some(_) | None => Err(format!("it ends in the middle of {what}: fetch it again")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::asr::StandIn;

    #[test]
    fn a_model_of_our_own_making_passes() {
        let shape = ModelShape::inspect(&StandIn::default().to_bytes()).expect("a valid file");
        assert_eq!((shape.n_vocab, shape.n_mels, shape.ftype), (51_864, 80, 1));
    }

    #[test]
    fn every_truncation_is_noticed() {
        let bytes = StandIn::default().to_bytes();
        // A prime step, so that cuts fall into every part of the file.
        for cut in (0..bytes.len()).step_by(15_991).chain([1, 4, 47, 48, bytes.len() - 1]) {
            assert!(ModelShape::inspect(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn other_files_are_named_as_such() {
        let why = ModelShape::inspect(b"<!DOCTYPE html><html>").expect_err("no model");
        assert!(why.contains("no GGML file"), "{why}");
    }

    #[test]
    fn absurd_dimensions_are_refused() {
        let good = StandIn::default().to_bytes();
        for field in 0..11 {
            for value in [i32::MIN, -1, 0, i32::MAX] {
                // All-zero matrices' type 0 apart, none of these is a dimension of anything.
                let mut bytes = good.clone();
                bytes[4 + field * 4..8 + field * 4].copy_from_slice(&value.to_le_bytes());
                assert!(ModelShape::inspect(&bytes).is_err(), "field {field} = {value}");
            }
        }
    }
}
