//! espeak-ng as a program of its own. It is GPL-3: never linked, only started.

use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::{Synthesizer, VoiceError, checked_stretch};
use crate::audio::{RATE_HZ, RATES_HZ, resample};

/// The language spoken unless another is named.
pub(super) const DEFAULT_LANGUAGE: &str = "en-us";

/// espeak-ng's own rate, words a minute (its manual, option `-s`).
const WORDS_PER_MINUTE: f32 = 175.0;

/// Longer than any prompt takes (22 ms for 13 words on one core), shorter than a caller's patience.
const TIME_OUT: Duration = Duration::from_secs(5);

/// Most bytes read: two minutes at espeak-ng's 22,050 Hz.
const MOST_BYTES: u64 = 2 * 60 * 22_050 * 2;

/// espeak-ng, one process a prompt.
#[derive(Debug)]
pub struct Espeak {
    program: String,
    language: String,
    words_per_minute: u32,
    name: String,
    time_out: Duration,
}

impl Espeak {
    /// Looks for the program. `stretch` is the length of speech against the voice's own.
    ///
    /// # Errors
    /// [`VoiceError::NotInstalled`] where there is no `espeak-ng` on the path,
    /// [`VoiceError::Stretch`] where the rate is out of bounds, [`VoiceError::Engine`] where it does
    /// not know the language.
    pub fn open(language: &str, stretch: f32) -> Result<Espeak, VoiceError> {
        let stretch = checked_stretch(stretch)?;
        let espeak = Espeak {
            program: "espeak-ng".to_owned(),
            language: language.to_owned(),
            words_per_minute: (WORDS_PER_MINUTE / stretch).round() as u32,
            name: format!("espeak-ng/{language}/{stretch:.2}"),
            time_out: TIME_OUT,
        };
        espeak.render("one")?;
        Ok(espeak)
    }

    fn failed(&self, why: impl Into<String>) -> VoiceError {
        VoiceError::Engine { voice: self.name.clone(), why: why.into() }
    }

    fn spawn(&self) -> Result<Child, VoiceError> {
        Command::new(&self.program)
            .args(["--stdin", "--stdout", "-b", "1", "-v", &self.language, "-s"])
            .arg(self.words_per_minute.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| {
                if e.kind() == std::io::ErrorKind::NotFound {
                    return VoiceError::NotInstalled {
                        voice: self.name.clone(),
                        why: format!("no program '{}'", self.program),
                        packages: "espeak-ng",
                    };
                }
                self.failed(format!("'{}' did not start: {e}", self.program))
            })
    }

    /// Speaks `text` to the end.
    fn render(&self, text: &str) -> Result<Vec<i16>, VoiceError> {
        let mut child = self.spawn()?;
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let stdout = child.stdout.take().expect("stdout is piped");
        let text = text.replace('\0', " ");
        // Both pipes are served at once: a long prompt fills one while the other is not yet empty.
        let writer = thread::spawn(move || stdin.write_all(text.as_bytes()));
        let (done, output) = mpsc::sync_channel(1);
        let reader = thread::spawn(move || {
            let mut bytes = Vec::new();
            let read = stdout.take(MOST_BYTES).read_to_end(&mut bytes);
            // Nobody listens any more after the time-out.
            let _ = done.send(read.map(|_| bytes));
        });
        let output = output.recv_timeout(self.time_out);
        // A process that has closed its output has nothing more to say; one that has not is late.
        let _ = child.kill();
        let _ = child.wait();
        let _ = reader.join();
        let _ = writer.join();
        let bytes = output
            .map_err(|_| self.failed(format!("no answer within {} s", self.time_out.as_secs_f32())))?
            .map_err(|e| self.failed(format!("its output broke: {e}")))?;
        let wave = Wave::parse(&bytes)
            .ok_or_else(|| self.failed(format!("no sound came out; does it know '{}'?", self.language)))?;
        Ok(resample(&wave.samples, wave.rate_hz, RATE_HZ))
    }
}

impl Synthesizer for Espeak {
    fn name(&self) -> &str {
        &self.name
    }

    fn speak(&self, text: &str, sink: &mut dyn FnMut(&[i16]) -> ControlFlow<()>) -> Result<(), VoiceError> {
        if text.chars().any(char::is_alphanumeric) {
            let pcm = self.render(text)?;
            // A break after the last piece needs no answer.
            let _ = sink(&pcm);
        }
        Ok(())
    }
}

/// What espeak-ng writes: a RIFF header whose lengths are made up, since it cannot know them yet,
/// and 16-bit mono PCM to the end.
struct Wave {
    rate_hz: u32,
    samples: Vec<i16>,
}

impl Wave {
    fn parse(bytes: &[u8]) -> Option<Wave> {
        let chunks = bytes.strip_prefix(b"RIFF")?.get(4..)?.strip_prefix(b"WAVE")?;
        let format = chunks.strip_prefix(b"fmt ")?;
        let format_len = u32::from_le_bytes(*format.first_chunk()?) as usize;
        let (format, data) = format.get(4..)?.split_at_checked(format_len)?;
        let is_pcm16_mono = format.get(..4)? == [1, 0, 1, 0] && format.get(14..16)? == [16, 0];
        let rate_hz = u32::from_le_bytes(*format.get(4..)?.first_chunk()?);
        let data = data.strip_prefix(b"data")?.get(4..)?;
        let samples: Vec<i16> = data.as_chunks().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
        (is_pcm16_mono && RATES_HZ.contains(&rate_hz) && !samples.is_empty())
            .then_some(Wave { rate_hz, samples })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn with_program(program: &str, time_out: Duration) -> Espeak {
        Espeak {
            program: program.to_owned(),
            language: DEFAULT_LANGUAGE.to_owned(),
            words_per_minute: 175,
            name: "espeak-ng/test".to_owned(),
            time_out,
        }
    }

    #[test]
    fn a_missing_program_names_the_package() {
        let missing = with_program("no-such-espeak", TIME_OUT).render("one").expect_err("it is missing");
        assert!(missing.to_string().contains("apt install espeak-ng"), "{missing}");
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_never_ends_is_killed() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("espeak-ng");
        std::fs::write(&program, "#!/bin/sh\nexec tail -f /dev/null\n").expect("a file");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("a mode");
        let espeak = with_program(program.to_str().expect("a name"), Duration::from_millis(50));
        let started = Instant::now();
        let late = espeak.render(&"word ".repeat(50_000)).expect_err("it never answers");
        assert!(late.to_string().contains("no answer within 0.05 s"), "{late}");
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn output_that_is_no_sound_is_refused() {
        for bytes in [&b""[..], b"RIFF", b"Error: no such voice", b"RIFF....WAVEfmt \xff\xff\xff\xffdata"] {
            assert!(Wave::parse(bytes).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn speaks_at_the_house_rate_and_slower_when_asked() {
        let (plain, slow) = match (Espeak::open(DEFAULT_LANGUAGE, 1.0), Espeak::open(DEFAULT_LANGUAGE, 1.5)) {
            (Ok(plain), Ok(slow)) => (plain, slow),
            (Err(e), _) | (_, Err(e)) => {
                eprintln!("skipped: {e}");
                return;
            }
        };
        let text = "Your order was shipped. It arrives tomorrow.";
        let seconds = |e: &Espeak| e.render(text).expect("it speaks").len() as f32 / RATE_HZ as f32;
        let natural = seconds(&plain);
        assert!((1.5..6.0).contains(&natural), "{natural} s");
        assert!(seconds(&slow) > natural * 1.2);
    }
}
