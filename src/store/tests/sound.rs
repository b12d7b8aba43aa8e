//! Sound at rest: who finds it, who opens it, and how it goes; the same on both databases.

use std::time::SystemTime;

use super::desk::at;
use super::*;

on_both! {
    sound_is_sealed_anew_and_its_rows_know,
    recordings_go_by_age_and_on_request,
    a_recording_that_the_database_does_not_take_is_spooled,
    sound_that_nobody_knows_is_swept_away,
}

/// A rig's store that seals for the `n`th of some keys, and opens by the first `n` and that one.
fn sealing(rig: &Rig, n: usize) -> Store {
    let file = |n: usize| rig.folder.path().join(format!("key-{n}"));
    let public = match Seal::make_key(&file(n)) {
        Ok(public) => public,
        Err(_) => {
            let text = fs::read_to_string(file(n)).expect("it is there");
            text.lines().next().and_then(|l| l.split(' ').next_back()).expect("the public key").to_owned()
        }
    };
    let files: Vec<PathBuf> = (0..=n).map(file).filter(|file| file.exists()).collect();
    let seal = Arc::new(Seal::new([public.as_str()], &files).expect("keys"));
    let options = StoreOptions { seal, ..rig.options() };
    rig.runtime.block_on(Store::open_with(rig.address(), options)).expect("it opens")
}

fn recording(rig: &Rig, call: &str, ani: &str, seconds: i64) -> KeptRecording {
    let folder = rig.folder.path().join("recordings");
    fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join(format!("{call}.flac"));
    fs::write(&file, call).expect("written");
    KeptRecording {
        call: call.parse().expect("an id"),
        ani: ani.parse().ok(),
        at_unix_ms: at(seconds).as_millisecond(),
        duration_ms: 1_000,
        file: file.display().to_string(),
        sealed_to: String::new(),
    }
}

fn keep(rig: &Rig, store: &Store, recording: &KeptRecording) {
    rig.runtime.block_on(store.keep_recording(recording)).expect("it is kept");
}

fn message(rig: &Rig, store: &Store, call: &str) -> KeptVoicemail {
    let folder = rig.folder.path().join("voicemail");
    let call: CallId = call.parse().expect("an id");
    let written = rig.runtime.block_on(store.write_message(&folder, &call, b"hello".to_vec()));
    let (file, sha256) = written.expect("it is written");
    let file = file.display().to_string();
    let message = KeptVoicemail { file, sha256, ..desk::message(call.as_str()) };
    rig.runtime.block_on(store.keep_voicemail(&message, at(0))).expect("it is kept");
    message
}

use crate::call::CallId;

fn sound_is_sealed_anew_and_its_rows_know(rig: &Rig) {
    let first = sealing(rig, 0);
    keep(rig, &first, &recording(rig, "open", "5550100", 0));
    let left = message(rig, &first, "left");
    assert!(left.file.ends_with("left.flac.age") && fs::read(&left.file).expect("there").starts_with(b"age"));
    // The key has changed; a file that is not there is another machine's.
    let second = sealing(rig, 1);
    let elsewhere =
        KeptRecording { file: "elsewhere/far.flac".to_owned(), ..recording(rig, "far", "5550101", 1) };
    keep(rig, &second, &elsewhere);
    let sealed = rig.runtime.block_on(second.seal_anew(at(5))).expect("it answers");
    assert_eq!((sealed.done, sealed.failed.len()), (2, 1));
    assert!(sealed.failed[0].to_string().contains("elsewhere/far.flac"), "{}", sealed.failed[0]);
    let recordings = rig.runtime.block_on(second.recordings()).expect("it answers");
    let open = recordings.iter().find(|r| r.call.as_str() == "open").expect("it is there");
    assert!(open.file.ends_with("open.flac.age") && open.sealed_to == second.seal().to());
    assert!(!rig.folder.path().join("recordings/open.flac").exists(), "nothing lies open any more");
    let only_new = Seal::new([], &[rig.folder.path().join("key-1")]).expect("a key");
    assert_eq!(only_new.read(Path::new(&open.file)).expect("it is sealed for it"), b"open");
    let messages = rig.runtime.block_on(second.voicemails()).expect("it answers");
    assert_eq!(messages[0].sha256, left.sha256, "the sound is the same");
    assert_eq!(only_new.read(Path::new(&messages[0].file)).expect("it is sealed for it"), b"hello");
    let again = rig.runtime.block_on(second.seal_anew(at(6))).expect("it answers");
    assert_eq!((again.done, again.failed.len()), (0, 1), "what is done is done");
}

fn recordings_go_by_age_and_on_request(rig: &Rig) {
    let store = rig.open();
    for (call, ani, seconds) in
        [("old", "5550101", 0), ("hers", "+5550100", 90_000), ("his", "5550101", 90_000)]
    {
        keep(rig, &store, &recording(rig, call, ani, seconds));
    }
    let day = Duration::from_secs(86_400);
    let keep_days = Retention { recordings: Some(day), ..Retention::default() };
    let forgotten = rig.runtime.block_on(store.forget_old(&keep_days, at(90_001))).expect("it is written");
    let name = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned()).expect("a name");
    assert_eq!(forgotten.recordings.iter().map(|p| name(p)).collect::<Vec<_>>(), ["old.flac"]);
    let number = "5550100".parse().expect("a number");
    let erased = rig.runtime.block_on(store.erase(&number, "the owner", at(90_002))).expect("it is done");
    assert_eq!(erased.recordings.iter().map(|p| name(p)).collect::<Vec<_>>(), ["hers.flac"]);
    let left = rig.runtime.block_on(store.recordings()).expect("it answers");
    assert_eq!(left.iter().map(|r| r.call.as_str()).collect::<Vec<_>>(), ["his"]);
    let trail = rig.runtime.block_on(store.audit_trail(1)).expect("it answers");
    assert_eq!(trail[0].subject, "0 calls, 0 messages, 1 recordings");
}

fn a_recording_that_the_database_does_not_take_is_spooled(rig: &Rig) {
    let store = rig.open();
    let kept = recording(rig, "call-1", "5550100", 0);
    rig.runtime.block_on(store.spool().put_recording(kept.clone())).expect("it is kept");
    assert_eq!(rig.runtime.block_on(store.recordings()).expect("it answers"), []);
    assert_eq!(rig.runtime.block_on(store.flush_spool()).expect("it is written"), 1);
    assert_eq!(rig.runtime.block_on(store.recordings()).expect("it answers"), std::slice::from_ref(&kept));
    // What waits is a caller's, too.
    rig.runtime.block_on(store.spool().put_recording(kept.clone())).expect("it is kept");
    let number = "5550100".parse().expect("a number");
    let erased = rig.runtime.block_on(store.erase(&number, "the owner", at(0))).expect("it is done");
    assert!(erased.recordings.contains(&PathBuf::from(&kept.file)));
    assert!(store.spool().waiting().expect("it can be read").is_empty());
}

fn sound_that_nobody_knows_is_swept_away(rig: &Rig) {
    let store = rig.open();
    let folder = rig.folder.path().join("recordings");
    keep(rig, &store, &recording(rig, "known", "5550100", 0));
    let waiting = recording(rig, "waiting", "5550100", 0);
    rig.runtime.block_on(store.spool().put_recording(waiting)).expect("it is kept");
    for name in ["erased.flac.age", "dead.flac.7.part"] {
        fs::write(folder.join(name), "x").expect("written");
    }
    let sweep = |now| rig.runtime.block_on(store.sweep(&folder, now)).expect("it can be read");
    assert!(sweep(SystemTime::now()).is_empty(), "their rows may be on their way");
    let mut gone = sweep(SystemTime::now() + Duration::from_secs(25 * 3_600));
    gone.sort();
    assert_eq!(gone, ["dead.flac.7.part", "erased.flac.age"].map(|name| folder.join(name)));
    assert!(["known.flac", "waiting.flac"].iter().all(|name| folder.join(name).exists()));
    assert!(rig.runtime.block_on(store.sweep(&rig.folder.path().join("none"), SystemTime::now())).is_ok());
}
