//! The recogniser against models made on the spot: see [`StandIn`].

use super::*;
use crate::call::CallTime;
use crate::speech::asr::StandIn;

fn model(stand_in: &StandIn) -> WhisperModel {
    WhisperModel::from_bytes(&stand_in.to_bytes(), "stand-in", Settings::default()).expect("a valid model")
}

/// A hum of 150 Hz, so that there is something to hear.
fn hum(samples: usize) -> Utterance {
    let pcm = (0..samples).map(|n| ((n as f32 * 0.0589).cos() * 8000.0) as i16).collect();
    Utterance { pcm, started: CallTime::ZERO, ended: CallTime::ZERO }
}

fn hear(model: &WhisperModel, utterance: &Utterance, expect: &Expect) -> Recognition {
    model.recognizer().expect("memory").recognize(utterance, expect).expect("no failure")
}

fn texts(recognition: &Recognition) -> Vec<&str> {
    recognition.hypotheses.iter().map(|h| h.text.expose().as_str()).collect()
}

#[test]
fn says_what_the_model_says_and_how_sure_it_is() {
    let model = model(&StandIn::saying("four five one two"));
    let heard = hear(&model, &hum(24_000), &Expect::Open);
    assert_eq!(texts(&heard), ["four five one two"]);
    assert!(heard.hypotheses[0].confidence > 0.99, "{heard:?}");
    assert!(heard.no_speech < 0.01);
}

#[test]
fn doubt_yields_alternatives_best_first() {
    let model = model(&StandIn::saying("four five one").or(1, "nine", 17.0));
    let heard = hear(&model, &hum(24_000), &Expect::Open);
    assert_eq!(texts(&heard), ["four five one", "four nine one"]);
    let [best, other] = [0, 1].map(|i| heard.hypotheses[i].confidence);
    // e^-1 of the odds at one of four tokens.
    assert!((other / best - (-0.25_f32).exp()).abs() < 0.02, "{best} {other}");
}

#[test]
fn what_was_asked_tips_the_balance() {
    let model = model(&StandIn::saying("fork").or(0, "four", 17.0));
    assert_eq!(texts(&hear(&model, &hum(16_000), &Expect::Open)), ["fork", "four"]);
    assert_eq!(texts(&hear(&model, &hum(16_000), &Expect::Digits { min: 1, max: 8 })), ["four", "fork"]);
}

#[test]
fn what_fits_the_question_comes_first_and_is_believed_with_the_likeliest() {
    let model = model(&StandIn::saying("gold").or(0, "no", 15.95));
    assert_eq!(texts(&hear(&model, &hum(16_000), &Expect::Open))[0], "gold");
    let heard = hear(&model, &hum(16_000), &Expect::YesNo);
    assert_eq!(texts(&heard), ["no", "gold"]);
    // Alone it would not be sure enough; the dialogue sees how sure it is.
    assert!((0.4..0.55).contains(&heard.hypotheses[0].confidence), "{heard:?}");
}

#[test]
fn an_unasked_answer_still_gets_through() {
    let model = model(&StandIn::saying("cancel my subscription"));
    for expect in [Expect::YesNo, Expect::Digits { min: 8, max: 8 }] {
        assert_eq!(texts(&hear(&model, &hum(32_000), &expect)), ["cancel my subscription"]);
    }
}

#[test]
fn silence_is_not_even_decoded() {
    let model = model(&StandIn::saying("thank you"));
    let silence =
        Utterance { pcm: Arc::from([3_i16; 16_000]), started: CallTime::ZERO, ended: CallTime::ZERO };
    let heard = hear(&model, &silence, &Expect::Open);
    assert_eq!((heard.hypotheses.len(), heard.no_speech), (0, 1.0));
}

#[test]
fn a_model_that_hears_nothing_is_believed() {
    let heard = hear(&model(&StandIn::saying("")), &hum(16_000), &Expect::Open);
    assert_eq!(texts(&heard), [""; 0]);
    assert!(heard.no_speech > 0.99);
}

#[test]
fn inventions_are_refused() {
    // Nine words in a third of a second.
    let chatter = model(&StandIn::saying("thank you for watching and see you next time"));
    assert_eq!(texts(&hear(&chatter, &hum(5_000), &Expect::Open)), [""; 0]);
    // Four words alike likely: none was heard.
    let mumble =
        model(&StandIn::saying("yes").or(0, "no", 18.0).or(0, "hm", 18.0).or(0, "so", 18.0).or(1, "x", 18.0));
    assert_eq!(texts(&hear(&mumble, &hum(16_000), &Expect::Open)), [""; 0]);
}

#[test]
fn the_shortest_sounds_are_padded() {
    let model = model(&StandIn::saying("yes"));
    for samples in [1, 200, 201, 1599, 1600] {
        assert_eq!(texts(&hear(&model, &hum(samples), &Expect::Open)), ["yes"], "{samples} samples");
    }
    assert_eq!(texts(&hear(&model, &hum(0), &Expect::Open)), [""; 0]);
}

#[test]
fn what_the_encoder_cannot_hold_is_heard_in_parts() {
    let model = model(&StandIn::saying("four five").with_audio_ctx(100));
    // Two seconds fit.
    assert_eq!(texts(&hear(&model, &hum(32_000), &Expect::Open)), ["four five"]);
    // The cut falls into the last third of the first two seconds: two parts, wherever that is.
    assert_eq!(texts(&hear(&model, &hum(52_000), &Expect::Open)), ["four five four five"]);
}

#[test]
fn parts_cover_everything_and_cut_in_pauses() {
    let mut utterance = hum(80_000).pcm.to_vec();
    utterance[26_000..28_000].fill(0);
    let cut = parts(&utterance, 32_000);
    assert_eq!((cut[0].start, cut.last().map(|p| p.end)), (0, Some(80_000)));
    assert!(cut.windows(2).all(|w| w[0].end == w[1].start));
    assert!(cut.iter().all(|p| p.len() <= 32_000));
    assert!((26_000..28_000).contains(&cut[0].end), "{cut:?}");
}

#[test]
fn an_answer_does_not_depend_on_the_answers_before() {
    let model = model(&StandIn::random(11).with_audio_ctx(300));
    let recognizer = model.recognizer().expect("memory");
    let hear = |samples| recognizer.recognize(&hum(samples), &Expect::Open).expect("no failure");
    let alone = (hear(20_000), hear(70_000));
    hear(50_000);
    assert_eq!((hear(20_000), hear(70_000)), alone);
}

#[test]
fn the_encoder_hears_as_much_as_was_said() {
    let model = model(&StandIn::default().with_audio_ctx(1500));
    let margin = Settings::default().context_margin;
    for samples in [16_000, 48_000, 96_000] {
        let positions = model.audio_ctx(samples);
        assert!(positions >= samples / 320 + margin, "{samples} {positions}");
        assert!(positions <= samples / 320 + margin + CONTEXT_STEP);
    }
    assert_eq!(model.audio_ctx(16_000 * 60), 1500);
}

#[test]
fn broken_models_are_named_with_their_fault() {
    let missing = WhisperModel::load(Path::new("no/such/model.bin"), Settings::default());
    let message = missing.expect_err("there is none").to_string();
    assert!(message.contains("no/such/model.bin") && message.contains("models pull"), "{message}");
    let bytes = StandIn::default().to_bytes();
    let cut = WhisperModel::from_bytes(&bytes[..bytes.len() / 2], "half", Settings::default());
    assert!(matches!(cut, Err(AsrError::Model { .. })));
}
