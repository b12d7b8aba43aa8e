//! A developer's microphone and loudspeaker, through the system's own sound interface (ALSA on Linux).
//!
//! The microphone paces the call: a frame every 20 ms. Knows nothing of half duplex or of barge-in; whoever
//! drives the call keeps the ear shut, or flushes the loudspeaker. Read [`MicChannel`] first.

use std::sync::Arc;
use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{
    BufferSize, Device, ErrorKind, FromSample, Host, SampleFormat, SizedSample, Stream, StreamConfig,
    SupportedBufferSize, SupportedStreamConfig, SupportedStreamConfigRange,
};

use self::queue::{Ear, Intake, Mouth, Outlet};
use crate::audio::{Frame, RATE_HZ, RATES_HZ};

mod queue;

/// Why there is no microphone or no loudspeaker.
#[derive(Debug, thiserror::Error)]
pub enum MicError {
    /// The machine has none, or none that this user may open.
    #[error(
        "there is no {side} to be used here ({why}): connect one, see that this user is in the group 'audio', \
         and look at `attendant call --list-devices` (or `arecord -l` and `aplay -l` of the package \
         alsa-utils); calls with --wav or --text need none"
    )]
    NoDevice {
        /// Which of the two.
        side: Side,
        /// What the system said.
        why: String,
    },
    /// The named device is not there.
    #[error("there is no {side} named '{name}': expected {known}")]
    UnknownDevice {
        /// Which of the two.
        side: Side,
        /// The name that was given.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// The device is there and does not work.
    #[error("the {side} '{name}' cannot be used: {why}")]
    Unusable {
        /// Which of the two.
        side: Side,
        /// The device.
        name: String,
        /// What the system said.
        why: String,
    },
}

/// Which end of the air.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Takes sound in.
    Microphone,
    /// Gives sound out.
    Loudspeaker,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Side::Microphone => "microphone",
            Side::Loudspeaker => "loudspeaker",
        })
    }
}

/// A device that may be named in [`MicOptions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its name: `default`, `hw:CARD=USB,DEV=0` …
    pub name: String,
    /// What it is, in the system's words.
    pub description: String,
    /// Whether it may be a microphone.
    pub is_microphone: bool,
    /// Whether it may be a loudspeaker.
    pub is_loudspeaker: bool,
}

/// Which devices to use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MicOptions {
    /// The microphone's name, or a part of its description; `None` takes the system's default.
    pub input: Option<String>,
    /// The loudspeaker's, likewise.
    pub output: Option<String>,
}

/// What comes from the microphone.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "all events but the last are frames: a box would be made for each"
)]
pub enum MicEvent {
    /// 20 ms of sound.
    Heard(Frame),
    /// A device is gone (unplugged, taken by another program): nothing more will come of it.
    Lost {
        /// The device.
        device: String,
        /// What the system said.
        why: String,
    },
}

/// An open microphone with its loudspeaker. Dropping it closes both.
pub struct MicChannel {
    ear: Arc<Ear>,
    mouth: Arc<Mouth>,
    /// Held for their threads.
    _streams: [Stream; 2],
}

/// The devices of this machine.
///
/// # Errors
/// Where the system's sound interface itself is missing.
pub fn devices() -> Result<Vec<DeviceInfo>, MicError> {
    let host = cpal::default_host();
    let found = host.devices().map_err(|e| MicError::NoDevice { side: Side::Microphone, why: clause(&e) })?;
    let mut infos: Vec<DeviceInfo> = found.map(|device| info(&device)).collect();
    infos.sort_by(|a, b| a.name.cmp(&b.name));
    infos.dedup();
    Ok(infos)
}

fn info(device: &Device) -> DeviceInfo {
    DeviceInfo {
        name: name_of(device),
        description: device.description().map(|d| d.name().to_owned()).unwrap_or_default(),
        is_microphone: device.supports_input(),
        is_loudspeaker: device.supports_output(),
    }
}

/// The system's own name: `hw:CARD=USB,DEV=0`.
fn name_of(device: &Device) -> String {
    device.id().map(|id| id.id().to_owned()).unwrap_or_else(|_| device.to_string())
}

impl MicChannel {
    /// Opens both devices and starts them.
    ///
    /// # Errors
    /// Where one is missing, is not known by the name given, or does not work; the text says what to do.
    pub fn open(options: &MicOptions) -> Result<MicChannel, MicError> {
        let host = cpal::default_host();
        let (ear, mouth) = (Arc::new(Ear::new()), Arc::new(Mouth::new()));
        let microphone = find(&host, Side::Microphone, options.input.as_deref())?;
        let loudspeaker = find(&host, Side::Loudspeaker, options.output.as_deref())?;
        let input = Opening::new(Side::Microphone, microphone)?.start(&ear, &mouth)?;
        let output = Opening::new(Side::Loudspeaker, loudspeaker)?.start(&ear, &mouth)?;
        Ok(MicChannel { ear, mouth, _streams: [input, output] })
    }

    /// The next event; waits up to `longest` for it. `None` means that nothing came in that time.
    pub fn next(&self, longest: Duration) -> Option<MicEvent> {
        self.ear.next(longest)
    }

    /// Appends to what the loudspeaker says: 16-bit mono PCM at 16 kHz. Never waits; what goes beyond
    /// two minutes is dropped and counted.
    pub fn play(&self, pcm: &[i16]) {
        self.mouth.push(pcm);
    }

    /// Silences the loudspeaker: drops all that it has not been given yet. What the sound card itself
    /// holds, about 40 ms, is still heard.
    pub fn flush(&self) {
        self.mouth.flush();
    }

    /// Samples (16 kHz) that wait for the loudspeaker.
    pub fn queued(&self) -> usize {
        self.mouth.queued()
    }

    /// Samples (16 kHz) that the loudspeaker has been given since the start, flushed ones not counted.
    pub fn played(&self) -> u64 {
        self.mouth.played()
    }

    /// Level of the microphone's last 20 ms, dBFS, for a meter.
    pub fn level_dbfs(&self) -> f32 {
        self.ear.level_dbfs()
    }

    /// Frames that were dropped, oldest first, because nobody took them in time.
    pub fn dropped_frames(&self) -> u64 {
        self.ear.dropped_frames()
    }

    /// Samples that [`MicChannel::play`] dropped.
    pub fn dropped_samples(&self) -> u64 {
        self.mouth.dropped()
    }
}

/// The device by name, by a part of its description, or the default one.
fn find(host: &Host, side: Side, wanted: Option<&str>) -> Result<Device, MicError> {
    let Some(wanted) = wanted else {
        let device = match side {
            Side::Microphone => host.default_input_device(),
            Side::Loudspeaker => host.default_output_device(),
        };
        return device.ok_or_else(|| MicError::NoDevice { side, why: "the system names none".to_owned() });
    };
    let fits = |info: &DeviceInfo| match side {
        Side::Microphone => info.is_microphone,
        Side::Loudspeaker => info.is_loudspeaker,
    };
    let all = host.devices().map_err(|e| MicError::NoDevice { side, why: clause(&e) })?;
    let mut known: Vec<(DeviceInfo, Device)> = all.map(|d| (info(&d), d)).filter(|(i, _)| fits(i)).collect();
    let lower = wanted.to_lowercase();
    let chosen = known
        .iter()
        .position(|(info, _)| info.name == wanted)
        .or_else(|| known.iter().position(|(info, _)| info.description.to_lowercase().contains(&lower)));
    match chosen {
        Some(at) => Ok(known.swap_remove(at).1),
        None => {
            let names: Vec<String> = known.into_iter().map(|(info, _)| info.name).collect();
            let known = if names.is_empty() { "one, but there is none".to_owned() } else { names.join(", ") };
            Err(MicError::UnknownDevice { side, name: wanted.to_owned(), known })
        }
    }
}

/// A device on its way to being open.
struct Opening {
    side: Side,
    device: Device,
    name: String,
    config: SupportedStreamConfig,
}

impl Opening {
    fn new(side: Side, device: Device) -> Result<Opening, MicError> {
        let name = name_of(&device);
        match suitable_config(side, &device) {
            Ok(config) if RATES_HZ.contains(&config.sample_rate()) => {
                Ok(Opening { side, device, name, config })
            }
            Ok(config) => Err(MicError::Unusable {
                side,
                name,
                why: format!("its rate is {} Hz", config.sample_rate()),
            }),
            // Without a card the system still names a default device; asking it is what fails.
            Err(e) if is_missing(e.kind()) => Err(MicError::NoDevice { side, why: clause(&e) }),
            Err(e) => Err(MicError::Unusable { side, name, why: clause(&e) }),
        }
    }

    fn start(self, ear: &Arc<Ear>, mouth: &Arc<Mouth>) -> Result<Stream, MicError> {
        let unusable =
            |e: cpal::Error| MicError::Unusable { side: self.side, name: self.name.clone(), why: clause(&e) };
        // Some devices accept the short buffer only once asked to open it.
        let stream = match self.build(short_buffer(&self.config), ear, mouth) {
            Err(e) if e.kind() == ErrorKind::UnsupportedConfig => {
                self.build(BufferSize::Default, ear, mouth).map_err(unusable)?
            }
            built => built.map_err(unusable)?,
        };
        stream.play().map_err(unusable)?;
        Ok(stream)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "cpal may add kinds; no sound card here has them")]
    fn build(
        &self,
        buffer_size: BufferSize,
        ear: &Arc<Ear>,
        mouth: &Arc<Mouth>,
    ) -> Result<Stream, cpal::Error> {
        let config = StreamConfig { buffer_size, ..self.config.config() };
        match self.config.sample_format() {
            SampleFormat::I16 => self.build_as::<i16>(config, ear, mouth),
            SampleFormat::F32 => self.build_as::<f32>(config, ear, mouth),
            SampleFormat::I32 => self.build_as::<i32>(config, ear, mouth),
            SampleFormat::U8 => self.build_as::<u8>(config, ear, mouth),
            SampleFormat::U16 => self.build_as::<u16>(config, ear, mouth),
            SampleFormat::I8 => self.build_as::<i8>(config, ear, mouth),
            SampleFormat::U32 => self.build_as::<u32>(config, ear, mouth),
            SampleFormat::F64 => self.build_as::<f64>(config, ear, mouth),
            other => Err(cpal::Error::with_message(
                ErrorKind::UnsupportedConfig,
                format!("its samples are of the kind {other}"),
            )),
        }
    }

    fn build_as<T>(
        &self,
        config: StreamConfig,
        ear: &Arc<Ear>,
        mouth: &Arc<Mouth>,
    ) -> Result<Stream, cpal::Error>
    where
        T: SizedSample + FromSample<i16>,
        i16: FromSample<T>,
    {
        let (name, lost) = (self.name.clone(), Arc::clone(ear));
        let on_error = move |error: cpal::Error| report(&name, &error, &lost);
        match self.side {
            Side::Microphone => {
                let mut intake = Intake::new(config.channels, config.sample_rate, Arc::clone(ear));
                let mut samples = Vec::new();
                let on_data = move |data: &[T], _: &cpal::InputCallbackInfo| {
                    samples.clear();
                    samples.extend(data.iter().map(|s| i16::from_sample_(*s)));
                    intake.take(&samples);
                };
                self.device.build_input_stream(config, on_data, on_error, None)
            }
            Side::Loudspeaker => {
                let mut outlet = Outlet::new(config.channels, config.sample_rate, Arc::clone(mouth));
                let mut samples = Vec::new();
                let on_data = move |data: &mut [T], _: &cpal::OutputCallbackInfo| {
                    samples.resize(data.len(), 0);
                    outlet.fill(&mut samples);
                    for (to, from) in data.iter_mut().zip(&samples) {
                        *to = T::from_sample_(*from);
                    }
                };
                self.device.build_output_stream(config, on_data, on_error, None)
            }
        }
    }
}

/// Whether the device is not there at all, as opposed to not willing.
fn is_missing(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::DeviceNotAvailable
            | ErrorKind::HostUnavailable
            | ErrorKind::PermissionDenied
            | ErrorKind::UnsupportedOperation
            | ErrorKind::BackendError
    )
}

/// 16 kHz as it is where the device can, in as few channels as it has; else what the device prefers.
fn suitable_config(side: Side, device: &Device) -> Result<SupportedStreamConfig, cpal::Error> {
    let ranges: Vec<SupportedStreamConfigRange> = match side {
        Side::Microphone => device.supported_input_configs()?.collect(),
        Side::Loudspeaker => device.supported_output_configs()?.collect(),
    };
    let exact = ranges
        .into_iter()
        .filter(|r| matches!(r.sample_format(), SampleFormat::I16 | SampleFormat::F32))
        .filter_map(|r| r.try_with_sample_rate(RATE_HZ))
        .min_by_key(|c| (c.channels(), c.sample_format() != SampleFormat::I16));
    match (exact, side) {
        (Some(config), _) => Ok(config),
        (None, Side::Microphone) => device.default_input_config(),
        (None, Side::Loudspeaker) => device.default_output_config(),
    }
}

/// Periods of 20 ms where the device takes them: a longer one would delay a barge-in.
fn short_buffer(config: &SupportedStreamConfig) -> BufferSize {
    let wanted = config.sample_rate() / 50;
    match config.buffer_size() {
        SupportedBufferSize::Range { min, max } if (*min..=*max).contains(&wanted) => {
            BufferSize::Fixed(wanted)
        }
        SupportedBufferSize::Range { .. } | SupportedBufferSize::Unknown => BufferSize::Default,
    }
}

/// Sorts a running stream's errors: a glitch is logged, the end of a device is an event.
fn report(device: &str, error: &cpal::Error, ear: &Ear) {
    if matches!(error.kind(), ErrorKind::Xrun | ErrorKind::RealtimeDenied | ErrorKind::DeviceChanged) {
        tracing::debug!(device, %error, "the sound card stumbled");
    } else {
        ear.push(MicEvent::Lost { device: device.to_owned(), why: clause(error) });
    }
}

/// What the system said, without the full stop, since more follows.
fn clause(error: &cpal::Error) -> String {
    error.to_string().trim_end_matches('.').to_owned()
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
