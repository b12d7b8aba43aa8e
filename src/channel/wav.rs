//! WAV files: any PCM in, 16 kHz mono out; and the stereo recording of a call.

use std::fs;
use std::io::{self, BufWriter, Cursor};
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use crate::audio::{FRAME_SAMPLES, Frame, RATE_HZ, RATES_HZ, resample};

/// Why a WAV file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// The file cannot be opened.
    #[error("{name} cannot be read: {source}")]
    Unreadable {
        /// The file.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// It is something else.
    #[error("{name} is not a WAV file: {why}")]
    NotWav {
        /// The file.
        name: String,
        /// What was found instead.
        why: String,
    },
    /// It is a WAV file of a kind that cannot be used.
    #[error("{name} cannot be used: {why}; convert it with `sox IN.wav -r 16000 -c 1 -b 16 OUT.wav`")]
    Unsupported {
        /// The file.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// The file holds less than its header says.
    #[error("{name} is cut short: its header promises {expected} samples, it holds {got}")]
    CutShort {
        /// The file.
        name: String,
        /// Samples of all channels that the header promises.
        expected: u64,
        /// Samples that are there.
        got: u64,
    },
    /// The recording cannot be written.
    #[error("{} cannot be written: {why}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
}

/// Data lengths from which a header does not know its file's length: programs that write to a pipe put
/// 0x7fff.... or 0xffff.... there.
const UNKNOWN_BYTES: u64 = 0x7fff_0000;

/// Reads a WAV file as 16-bit mono PCM at 16 kHz: 8 to 32-bit integers or 32-bit floats, any number of
/// channels (averaged), any rate that [`RATES_HZ`] holds.
///
/// # Errors
/// Where the file is missing, is no WAV file, holds no usable sound or is cut short.
pub fn read(path: &Path) -> Result<Vec<i16>, WavError> {
    let name = path.display().to_string();
    let bytes = fs::read(path).map_err(|source| WavError::Unreadable { name: name.clone(), source })?;
    let (pcm, rate_hz) = parse(&bytes, &name)?;
    Ok(if rate_hz == RATE_HZ { pcm } else { resample(&pcm, rate_hz, RATE_HZ) })
}

/// Reads a WAV file as 20 ms frames at 16 kHz, the last one padded with silence.
///
/// # Errors
/// As [`read`].
pub fn read_frames(path: &Path) -> Result<Vec<Frame>, WavError> {
    Ok(read(path)?.chunks(FRAME_SAMPLES).map(Frame::from_padded).collect())
}

/// The sound in a WAV file's bytes as 16-bit mono PCM at its own rate, and the rate in Hz, which lies in
/// [`RATES_HZ`]. `name` is for the errors.
///
/// # Errors
/// As [`read`], but for the missing file.
pub fn parse(bytes: &[u8], name: &str) -> Result<(Vec<i16>, u32), WavError> {
    let not_wav = |why: String| WavError::NotWav { name: name.to_owned(), why };
    if bytes.is_empty() {
        return Err(not_wav("it is empty".to_owned()));
    }
    let mut reader = WavReader::new(Cursor::new(bytes)).map_err(|e| match e {
        hound::Error::IoError(_) => not_wav("it ends within its header".to_owned()),
        hound::Error::Unsupported => WavError::Unsupported {
            name: name.to_owned(),
            why: "its samples are compressed or of an unknown kind".to_owned(),
        },
        hound::Error::FormatError(_)
        | hound::Error::TooWide
        | hound::Error::UnfinishedSample
        | hound::Error::InvalidSampleFormat => not_wav(e.to_string()),
    })?;
    let spec = reader.spec();
    let unusable = |why: String| WavError::Unsupported { name: name.to_owned(), why };
    if !RATES_HZ.contains(&spec.sample_rate) {
        return Err(unusable(format!("its rate is {} Hz", spec.sample_rate)));
    }
    let expected = u64::from(reader.len());
    let interleaved = samples(&mut reader, spec);
    let got = interleaved.len() as u64;
    let promised_bytes = expected * u64::from(spec.bits_per_sample.div_ceil(8));
    if got < expected && promised_bytes < UNKNOWN_BYTES {
        return Err(WavError::CutShort { name: name.to_owned(), expected, got });
    }
    if interleaved.is_empty() {
        return Err(unusable("it holds no sound".to_owned()));
    }
    Ok((mixed_down(&interleaved, usize::from(spec.channels.max(1))), spec.sample_rate))
}

/// All samples that are there, −1 to 1.
fn samples(reader: &mut WavReader<Cursor<&[u8]>>, spec: WavSpec) -> Vec<f32> {
    match spec.sample_format {
        SampleFormat::Float => reader.samples::<f32>().map_while(Result::ok).collect(),
        SampleFormat::Int => {
            let full_scale = 2_f32.powi(i32::from(spec.bits_per_sample) - 1);
            reader.samples::<i32>().map_while(Result::ok).map(|s| s as f32 / full_scale).collect()
        }
    }
}

/// The mean of the channels, as 16-bit samples; what is no number is silence.
fn mixed_down(interleaved: &[f32], channels: usize) -> Vec<i16> {
    interleaved
        .chunks_exact(channels)
        .map(|moment| {
            let mean = moment.iter().sum::<f32>() / channels as f32;
            // The cast saturates, and takes NaN to 0.
            (mean * 32_768.0).round() as i16
        })
        .collect()
}

/// Writes a recording whole: 16-bit mono PCM at 16 kHz. An existing file is replaced.
///
/// # Errors
/// Where the file cannot be written.
pub fn write(path: &Path, pcm: &[i16]) -> Result<(), WavError> {
    let spec =
        WavSpec { channels: 1, sample_rate: RATE_HZ, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let unwritable = |e: hound::Error| WavError::Unwritable { path: path.to_owned(), why: e.to_string() };
    let mut writer = WavWriter::create(path, spec).map_err(unwritable)?;
    for sample in pcm {
        writer.write_sample(*sample).map_err(unwritable)?;
    }
    writer.finalize().map_err(unwritable)
}

/// Frames after which the header is brought up to date, one second: what a crash may cost.
const FRAMES_PER_FLUSH: u32 = 50;

/// The recording of a call: 16 kHz, 16 bits, the caller on the left, the line on the right.
///
/// The file is a valid WAV file from the first second on, also where the process dies.
pub struct StereoWriter {
    path: PathBuf,
    writer: WavWriter<BufWriter<fs::File>>,
    frames_since_flush: u32,
}

impl StereoWriter {
    /// Creates the file, and its folder where that is missing; an existing file is replaced.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn create(path: &Path) -> Result<StereoWriter, WavError> {
        let spec = WavSpec {
            channels: 2,
            sample_rate: RATE_HZ,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let unwritable = |why: String| WavError::Unwritable { path: path.to_owned(), why };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|e| unwritable(e.to_string()))?;
        }
        let mut writer = WavWriter::create(path, spec).map_err(|e| unwritable(e.to_string()))?;
        writer.flush().map_err(|e| unwritable(e.to_string()))?;
        Ok(StereoWriter { path: path.to_owned(), writer, frames_since_flush: 0 })
    }

    /// Appends 20 ms of both sides.
    ///
    /// # Errors
    /// Where the file cannot be written, for instance because the disk is full.
    pub fn write(&mut self, caller: &Frame, line: &Frame) -> Result<(), WavError> {
        for (left, right) in caller.samples().iter().zip(line.samples()) {
            for sample in [*left, *right] {
                self.writer.write_sample(sample).map_err(|e| self.unwritable(&e))?;
            }
        }
        self.frames_since_flush += 1;
        if self.frames_since_flush == FRAMES_PER_FLUSH {
            self.frames_since_flush = 0;
            self.writer.flush().map_err(|e| self.unwritable(&e))?;
        }
        Ok(())
    }

    /// Completes the file. Dropping does so, too, but cannot report a failure.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn finish(self) -> Result<(), WavError> {
        let StereoWriter { path, writer, .. } = self;
        writer.finalize().map_err(|e| WavError::Unwritable { path, why: e.to_string() })
    }

    fn unwritable(&self, error: &hound::Error) -> WavError {
        WavError::Unwritable { path: self.path.clone(), why: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A WAV file's bytes.
    fn wav(spec: WavSpec, samples: &[f32]) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut bytes, spec).expect("memory is writable");
        for sample in samples {
            match spec.sample_format {
                SampleFormat::Float => writer.write_sample(*sample),
                SampleFormat::Int => {
                    let full_scale = 2_f64.powi(i32::from(spec.bits_per_sample) - 1);
                    let value = (f64::from(*sample) * full_scale).clamp(-full_scale, full_scale - 1.0);
                    writer.write_sample(value as i32)
                }
            }
            .expect("memory is writable");
        }
        writer.finalize().expect("memory is writable");
        bytes.into_inner()
    }

    fn spec(channels: u16, sample_rate: u32, bits_per_sample: u16) -> WavSpec {
        WavSpec { channels, sample_rate, bits_per_sample, sample_format: SampleFormat::Int }
    }

    fn sine(samples: usize, rate_hz: u32) -> Vec<f32> {
        (0..samples)
            .map(|i| (i as f32 * 440.0 * std::f32::consts::TAU / rate_hz as f32).sin() * 0.5)
            .collect()
    }

    #[test]
    fn every_kind_of_sample_comes_out_alike() {
        let tone = sine(3200, 16_000);
        let float = WavSpec { sample_format: SampleFormat::Float, ..spec(1, 16_000, 32) };
        for kind in [spec(1, 16_000, 8), spec(1, 16_000, 16), spec(1, 16_000, 24), spec(1, 16_000, 32), float]
        {
            let (pcm, rate_hz) = parse(&wav(kind, &tone), "tone.wav").expect("it is a WAV file");
            assert_eq!((pcm.len(), rate_hz), (3200, 16_000), "{kind:?}");
            // Eight bits have steps of 256.
            let furthest = pcm.iter().zip(&tone).map(|(a, b)| (f32::from(*a) - b * 32_768.0).abs());
            assert!(furthest.fold(0.0, f32::max) <= 257.0, "{kind:?}");
        }
    }

    #[test]
    fn rates_and_channels_end_at_the_door() {
        let folder = tempfile::tempdir().expect("a folder");
        for rate_hz in [8_000, 11_025, 22_050, 44_100, 48_000] {
            let stereo: Vec<f32> =
                sine(rate_hz as usize, rate_hz).into_iter().flat_map(|s| [s, 0.0]).collect();
            let path = folder.path().join(format!("{rate_hz}.wav"));
            fs::write(&path, wav(spec(2, rate_hz, 16), &stereo)).expect("a file");
            let pcm = read(&path).expect("it is a WAV file");
            assert!(pcm.len().abs_diff(16_000) < 32, "{rate_hz}: {}", pcm.len());
            let peak = pcm.iter().map(|s| s.unsigned_abs()).max().expect("there is sound");
            assert!((7_000..9_500).contains(&peak), "{rate_hz}: {peak}");
            assert_eq!(read_frames(&path).expect("it is a WAV file").len(), pcm.len().div_ceil(320));
        }
    }

    #[test]
    fn what_is_no_wav_file_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let refused = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).expect("a file");
            read(&path).expect_err(name).to_string()
        };
        let whole = wav(spec(1, 16_000, 16), &sine(1000, 16_000));
        for (name, bytes, words) in [
            ("text.wav", &b"hello, this is not a wave file at all, just words"[..], "is not a WAV file"),
            ("empty.wav", b"", "is not a WAV file: it is empty"),
            ("head.wav", &whole[..30], "is not a WAV file: it ends within its header"),
            ("half.wav", &whole[..1044], "promises 1000 samples, it holds 500"),
            ("silent.wav", &wav(spec(1, 16_000, 16), &[]), "holds no sound"),
            ("slow.wav", &wav(spec(1, 100, 16), &[0.1; 10]), "its rate is 100 Hz"),
        ] {
            let message = refused(name, bytes);
            assert!(message.contains(name) && message.contains(words), "{message}");
        }
        let missing = read(&folder.path().join("missing.wav")).expect_err("it is missing").to_string();
        assert!(missing.contains("missing.wav cannot be read"), "{missing}");
    }

    #[test]
    fn a_header_written_to_a_pipe_is_forgiven() {
        let mut bytes = wav(spec(1, 22_050, 16), &sine(1000, 22_050));
        bytes[4..8].copy_from_slice(&0x7fff_f024_u32.to_le_bytes());
        bytes[40..44].copy_from_slice(&0x7fff_f000_u32.to_le_bytes());
        let (pcm, rate_hz) = parse(&bytes, "pipe").expect("its length is unknown");
        assert_eq!((pcm.len(), rate_hz), (1000, 22_050));
    }

    #[test]
    fn a_recording_holds_both_sides_and_survives_a_crash() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("calls/one.wav");
        let mut recording = StereoWriter::create(&path).expect("it can be made");
        for _ in 0..50 {
            recording.write(&Frame::from([7; 320]), &Frame::from([-9; 320])).expect("it can be written");
        }
        // A process that dies runs no destructor.
        std::mem::forget(recording);
        let mut reader = WavReader::open(&path).expect("it is a WAV file");
        assert_eq!((reader.spec().channels, reader.spec().sample_rate), (2, 16_000));
        let samples: Vec<i16> = reader.samples().collect::<Result<_, _>>().expect("it is whole");
        assert_eq!(samples.len(), 50 * 320 * 2);
        assert_eq!(samples[..4], [7, -9, 7, -9]);
    }

    #[test]
    fn a_finished_recording_is_whole_to_the_frame() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("one.wav");
        let mut recording = StereoWriter::create(&path).expect("it can be made");
        for _ in 0..73 {
            recording.write(&Frame::SILENCE, &Frame::SILENCE).expect("it can be written");
        }
        recording.finish().expect("it can be written");
        assert_eq!(read_frames(&path).expect("it is a WAV file").len(), 73);
    }

    #[test]
    fn a_recording_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let refused = StereoWriter::create(folder.path()).err().expect("it is a folder").to_string();
        assert!(refused.contains("cannot be written"), "{refused}");
    }

    proptest! {
        #[test]
        fn no_bytes_bring_it_down(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 0..400_usize) {
            let _ = parse(&bytes, "noise");
            let mut damaged = wav(spec(2, 48_000, 24), &[0.25; 40]);
            for (i, byte) in bytes.iter().take(4).enumerate() {
                let at = (cut + i * 17) % damaged.len();
                damaged[at] = *byte;
            }
            let _ = parse(&damaged, "damaged");
        }
    }
}
