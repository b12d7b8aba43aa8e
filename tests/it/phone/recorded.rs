//! What is recorded of a caller who gets to an agent.

use std::sync::Arc;

use attendant::audio::{FRAME_SAMPLES, rms_dbfs};
use attendant::call::Disposition;
use attendant::host::recorder::{Recorder, Recordings};

use super::caller::Caller;
use super::desk::{Rig, asks_for_a_person, rings};
use super::handing_over::{hears, hum, picks_up};

/// Frames in which somebody is loud.
fn loud(side: &[i16]) -> Vec<usize> {
    let frames = side.chunks(FRAME_SAMPLES).enumerate();
    frames.filter(|(_, frame)| rms_dbfs(frame) > -25.0).map(|(n, _)| n).collect()
}

/// The left and the right side of a recording, of a call in which the caller and then the agent hums once they are
/// joined.
fn recorded(agents: bool) -> [Vec<i16>; 2] {
    let (rig, mut ana) = Rig::with_ana();
    let folder = tempfile::tempdir().expect("a folder");
    let sounds = folder.path().join("recordings");
    let recorder = Recorder::open(Arc::clone(&rig.store), rig.runtime.handle().clone(), sounds);
    let recorder = Arc::new(recorder.expect("a thread"));
    let recordings = Recordings { recorder: Arc::clone(&recorder), announced: false, agents };
    *rig.line.book.recordings.lock().expect("no test panicked") = Some(recordings);

    let mut caller = asks_for_a_person(&rig);
    let invite = rings(&mut ana);
    picks_up(&mut ana, &invite);
    caller.silence(60);
    assert_eq!(rig.line.held(1)[0].record.disposition, Disposition::Transferred);
    caller.drain_sound();
    ana.drain_sound();
    let says = |telephone: &mut Caller, other: &Caller| {
        telephone.speak(&hum(300.0, 600), |_| false);
        assert!(hears(other), "they are joined");
    };
    says(&mut caller, &ana);
    says(&mut ana, &caller);
    caller.silence(10);
    ana.hang_up();
    let bye = caller.asked_for("BYE");
    caller.respond(&bye, "200 OK", "", "");
    rig.is_over();
    recorder.close();

    let kept = rig.runtime.block_on(rig.store.recordings()).expect("it answers");
    let [kept] = kept.try_into().expect("one recording");
    let file = std::fs::File::open(&kept.file).expect("the file");
    let mut reader = claxon::FlacReader::new(file).expect("FLAC");
    assert_eq!(reader.streaminfo().channels, 2);
    let samples: Vec<i16> = reader.samples().map(|s| s.expect("whole") as i16).collect();
    [0, 1].map(|side| samples.iter().skip(side).step_by(2).copied().collect())
}

#[test]
fn what_caller_and_agent_say_is_recorded_on_their_sides() {
    let [caller, agent] = recorded(true);
    let (left, right) = (loud(&caller), loud(&agent));
    assert!((20..=40).contains(&left.len()), "the caller's 600 ms, and nobody else's: {left:?}");
    // On a machine that is late the two come at once; the line says nothing any more.
    let joined = right.iter().filter(|frame| **frame >= left[0]).count();
    assert!(
        (20..=40).contains(&joined),
        "the agent's 600 ms, once they are joined at {}: {right:?}",
        left[0]
    );
}

#[test]
fn where_agents_are_not_recorded_it_ends_when_one_takes_over() {
    let [caller, agent] = recorded(false);
    assert!(caller.len() > 50 * FRAME_SAMPLES, "what was before is kept");
    assert!(loud(&caller).is_empty(), "the caller has hummed to the agent alone");
    assert_eq!(agent.len(), caller.len());
}
