//! FLAC files: recordings for measuring, any rate and number of channels in, 16 kHz mono out.

use std::path::Path;

use crate::audio::{RATE_HZ, RATES_HZ, resample};

/// Why a FLAC file could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{name} cannot be used: {why}")]
pub struct FlacError {
    /// The file.
    pub name: String,
    /// What is wrong with it.
    pub why: String,
}

/// Reads a FLAC file as 16-bit mono PCM at 16 kHz: 8 to 24-bit samples, any number of channels
/// (averaged), any rate that [`RATES_HZ`] holds.
///
/// # Errors
/// Where the file is missing, is no FLAC file, is cut short or holds no sound.
pub fn read(path: &Path) -> Result<Vec<i16>, FlacError> {
    let fail = |why: String| FlacError { name: path.display().to_string(), why };
    let mut reader = claxon::FlacReader::open(path).map_err(|e| fail(e.to_string()))?;
    let info = reader.streaminfo();
    if !RATES_HZ.contains(&info.sample_rate) {
        return Err(fail(format!("its rate is {} Hz", info.sample_rate)));
    }
    let channels = info.channels.max(1) as usize;
    let mut pcm = Vec::new();
    let mut frames = reader.blocks();
    let mut buffer = Vec::new();
    while let Some(block) = frames.read_next_or_eof(buffer).map_err(|e| fail(e.to_string()))? {
        for at in 0..block.duration() {
            let sum: i64 = (0..channels as u32).map(|c| i64::from(block.sample(c, at))).sum();
            pcm.push(sixteen_bits(sum / channels as i64, info.bits_per_sample));
        }
        buffer = block.into_buffer();
    }
    if pcm.is_empty() {
        return Err(fail("it holds no sound".to_owned()));
    }
    Ok(if info.sample_rate == RATE_HZ { pcm } else { resample(&pcm, info.sample_rate, RATE_HZ) })
}

fn sixteen_bits(sample: i64, bits: u32) -> i16 {
    let scaled = if bits > 16 { sample >> (bits - 16) } else { sample << (16 - bits) };
    i16::try_from(scaled.clamp(i64::from(i16::MIN), i64::from(i16::MAX))).expect("it was clamped")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_flac_file_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.flac");
        std::fs::write(&path, "hello").expect("written");
        assert!(read(&path).expect_err("no FLAC").to_string().contains("x.flac cannot be used"));
        assert!(read(&folder.path().join("none.flac")).is_err());
    }

    #[test]
    fn any_width_becomes_sixteen_bits() {
        assert_eq!(sixteen_bits(0x12_3456, 24), 0x1234);
        assert_eq!(sixteen_bits(-128, 8), i16::MIN);
        assert_eq!(sixteen_bits(-5, 16), -5);
    }
}
