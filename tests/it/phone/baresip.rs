//! baresip calls the line: a whole telephone that none of us wrote, with a file for a microphone and no sound card.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use attendant::audio::{LINE_RATE_HZ, Law, rms_dbfs, tone};
use attendant::call::{Dtmf, HangupCause};

use super::TestLine;
use super::stream::Certificate;

/// What a test without baresip says.
pub(super) const MISSING: &str = "skipped: no baresip; install baresip-core";

/// Where Debian puts its modules.
const MODULES: &str = "/usr/lib/baresip/modules";

pub(super) fn is_missing() -> bool {
    let is_there = Command::new("baresip").arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status();
    is_there.is_err() || !Path::new(MODULES).is_dir()
}

/// A telephone in a call, which ends with it.
pub(super) struct Baresip {
    process: Child,
    _folder: tempfile::TempDir,
}

impl Baresip {
    /// Calls `uri` and speaks `samples` of 8 kHz, then hangs up. `account` is how it signals and encrypts; `settings` are
    /// further lines of its configuration.
    pub(super) fn call(uri: &str, account: &str, settings: &str, samples: &[i16]) -> Baresip {
        let folder = tempfile::tempdir().expect("a folder");
        let voice = folder.path().join("voice.wav");
        std::fs::write(&voice, wav(samples)).expect("written");
        // The player goes nowhere; without one nothing that comes is decoded.
        let config = format!(
            "module_path {MODULES}\nmodule g711.so\nmodule aufile.so\nmodule aubridge.so\nmodule srtp.so\n\
             module_tmp account.so\nmodule_app menu.so\nsip_listen 127.0.0.1:0\n\
             audio_source aufile,{}\naudio_player aubridge,nobody\naudio_alert aubridge,nobody\n\
             ausrc_srate 8000\nausrc_channels 1\nauplay_srate 8000\nauplay_channels 1\n{settings}",
            voice.display()
        );
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        write("config", &config);
        write("accounts", &format!("<sip:5550100@127.0.0.1{account}\n"));
        write("contacts", "");
        let seconds = 2 + samples.len() as u32 / LINE_RATE_HZ;
        let process = Command::new("baresip")
            .arg("-f")
            .arg(folder.path())
            .args(["-4", "-n", "127.0.0.1", "-t", &seconds.to_string(), "-e", &format!("/dial {uri}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("baresip runs");
        Baresip { process, _folder: folder }
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A WAV file, sixteen bits, one channel, 8 kHz.
fn wav(samples: &[i16]) -> Vec<u8> {
    let bytes = 2 * samples.len() as u32;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + bytes).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(LINE_RATE_HZ.to_le_bytes());
    file.extend((2 * LINE_RATE_HZ).to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(bytes.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

/// So many milliseconds of nothing.
pub(super) fn pause(ms: u32) -> Vec<i16> {
    vec![0; (LINE_RATE_HZ * ms / 1_000) as usize]
}

/// A sentence, and a key as a tone in the sound.
fn speech() -> Vec<i16> {
    let voice = Law::Mu.decode_all(&super::recorded_voice());
    let key = Dtmf::try_from('5').expect("a key");
    // Tones are made at 16 kHz: of two samples one is the line's.
    let tone = tone(key, std::time::Duration::from_millis(200), -10.0);
    let tone: Vec<i16> = tone.chunks_exact(2).map(|pair| pair[0]).collect();
    [pause(500), voice, pause(500), tone, pause(500)].concat()
}

/// The line hears the sentence and the key, once, and the hang-up.
fn is_heard(line: &TestLine) {
    let held = &line.held(1)[0];
    let loud = held.heard.chunks(320).filter(|frame| rms_dbfs(frame) > -35.0).count();
    let pressed: Vec<String> =
        held.record.turns.iter().filter_map(|turn| Some(turn.keys.as_ref()?.expose().clone())).collect();
    assert!(loud > 20 && pressed == ["5"], "heard in {loud} frames, keys {:?}", held.record);
    assert_eq!(held.record.cause, HangupCause::Caller);
    assert_eq!(held.record.ani.as_ref().map(|ani| ani.expose().to_owned()).as_deref(), Some("5550100"));
    line.empty();
}

#[test]
fn baresip_calls_speaks_and_hangs_up() {
    if is_missing() {
        return println!("{MISSING}");
    }
    let line = TestLine::open(&[]);
    let uri = format!("sip:800@{}", line.address);
    let _telephone = Baresip::call(&uri, ";transport=udp>;regint=0", "", &speech());
    is_heard(&line);
}

#[test]
fn baresip_calls_by_tls_with_encrypted_sound() {
    if is_missing() {
        return println!("{MISSING}");
    }
    let Some(certificate) = Certificate::make() else { return println!("skipped: no openssl") };
    let tls = certificate.settings();
    let line = TestLine::open(&tls.iter().map(|(key, value)| (*key, value.as_str())).collect::<Vec<_>>());
    let uri = format!("sip:800@{};transport=tls", line.tls.expect("it listens by TLS"));
    // It takes no answer in the clear.
    let account = ";transport=tls>;regint=0;mediaenc=srtp-mand";
    let believes = format!("sip_cafile {}\n", certificate.path());
    let _telephone = Baresip::call(&uri, account, &believes, &speech());
    is_heard(&line);
}
