//! The devices of ALSA itself (`null`, a file) stand in for a sound card. They are set up in a process of
//! their own, since ALSA reads its configuration once.

use std::process::Command;

use super::*;

/// Named in the child's environment by the tests that start one.
const CHILD: &str = "ATTENDANT_TEST_SOUND_CARD";

/// Runs the test `name`, which does nothing elsewhere, in a process whose ALSA knows only what `config` says; returns what it
/// printed.
fn in_process_with(config: &str, name: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("asound.conf");
    std::fs::write(&path, config.replace("FOLDER", &folder.path().display().to_string())).expect("a file");
    let output = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "--nocapture", name])
        .env("ALSA_CONFIG_PATH", &path)
        .env(CHILD, folder.path())
        .output()
        .expect("it starts");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    said
}

/// The name by which the test runner knows a test of this file.
fn child_path(name: &str) -> String {
    let (_, module) = module_path!().split_once("::").expect("the crate's name comes first");
    format!("{module}::{name}")
}

/// The folder of the child's files; `None` outside such a process.
fn child_folder() -> Option<std::path::PathBuf> {
    std::env::var_os(CHILD).map(std::path::PathBuf::from)
}

#[test]
fn without_a_sound_card_the_error_says_what_to_do() {
    in_process_with("# nothing\n", &child_path("child_without_a_device"));
}

#[test]
fn child_without_a_device() {
    if child_folder().is_none() {
        return;
    }
    let refused = MicChannel::open(&MicOptions::default()).err().expect("there is no device").to_string();
    assert!(refused.contains("there is no microphone") && refused.contains("--list-devices"), "{refused}");
    let options = MicOptions { input: Some("hw:CARD=USB".to_owned()), output: None };
    let refused = MicChannel::open(&options).err().expect("there is no such device").to_string();
    assert!(refused.contains("no microphone named 'hw:CARD=USB'"), "{refused}");
}

/// A microphone that hums (a file read over and over) and a loudspeaker that writes a file.
const FILES: &str = r#"
pcm.!default {
    type file
    slave.pcm { type null }
    file "FOLDER/said.raw"
    infile "FOLDER/hum.raw"
    format "raw"
}
"#;

#[test]
fn a_call_through_alsa_hears_and_is_heard() {
    in_process_with(FILES, &child_path("child_with_files"));
}

#[test]
fn child_with_files() {
    let Some(folder) = child_folder() else { return };
    // 4,000 in every sample of every channel, whatever the format turns out to be: two bytes each.
    std::fs::write(folder.join("hum.raw"), 4_000_i16.to_le_bytes().repeat(2_000_000)).expect("a file");
    // Such a device keeps no time: on a busy machine it overruns, and what was played is lost, now and then
    // all of it. What is to be shown is that sound gets through, so it is tried again.
    let said = (0..TRIES).map(|_| said_and_heard(&folder)).find(|loud| *loud >= 3_200);
    assert!(said.is_some(), "nothing got through in {TRIES} tries");
}

/// Tries to get sound through a device that keeps no time.
const TRIES: usize = 8;

/// Hears the hum, and plays four seconds; the samples of them that reached the device.
fn said_and_heard(folder: &std::path::Path) -> usize {
    let channel = MicChannel::open(&MicOptions::default()).expect("the files are devices");
    channel.play(&[7_000; 64_000]);
    let mut heard = 0;
    while heard < 20 {
        match channel.next(Duration::from_secs(10)).expect("the device runs") {
            MicEvent::Heard(frame) if frame.samples().iter().all(|s| *s == 4_000) => heard += 1,
            MicEvent::Heard(_) => {}
            MicEvent::Lost { why, .. } => panic!("lost: {why}"),
        }
    }
    assert!(channel.level_dbfs() > -30.0, "{}", channel.level_dbfs());
    while channel.queued() > 0 {
        channel.next(Duration::from_secs(10)).expect("the device runs");
    }
    assert_eq!(channel.played(), 64_000);
    drop(channel);
    let said = std::fs::read(folder.join("said.raw")).expect("something was said");
    said.as_chunks().0.iter().filter(|s| i16::from_le_bytes(**s) == 7_000).count()
}

#[test]
fn a_lost_device_is_an_event_and_a_glitch_is_none() {
    let ear = Ear::new();
    report("usb", &ErrorKind::Xrun.into(), &ear);
    assert_eq!(ear.next(Duration::ZERO), None);
    report("usb", &ErrorKind::DeviceNotAvailable.into(), &ear);
    assert!(matches!(ear.next(Duration::ZERO), Some(MicEvent::Lost { device, .. }) if device == "usb"));
}

#[test]
fn devices_can_be_listed_where_there_are_none() {
    match devices() {
        Ok(found) => assert!(found.iter().all(|d| !d.name.is_empty()), "{found:?}"),
        Err(e) => assert!(e.to_string().contains("arecord -l"), "{e}"),
    }
}
