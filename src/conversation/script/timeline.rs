//! Timelines: one line for each event and each action.

use crate::audio::RATE_HZ;
use crate::call::{Action, Event, Expect, Hypothesis, Note, Pii, Recognition, TimeSpan, Waiting, WayOut};

/// The event without what a secret question's answer holds; `None` where there is nothing to hide.
pub fn masked(event: &Event) -> Option<Event> {
    let Event::Recognized { id, recognition } = event else { return None };
    let mask = |h: &Hypothesis| Hypothesis { text: Pii::from("***"), confidence: h.confidence };
    let hypotheses = recognition.hypotheses.iter().map(mask).collect();
    Some(Event::Recognized { id: *id, recognition: Recognition { hypotheses, ..recognition.clone() } })
}

/// An event as a timeline's line, without personal data masked: timelines are the developer's own.
pub fn show_event(event: &Event) -> Option<String> {
    Some(match event {
        Event::CallArrived { ani, dnis, .. } => format!(
            "call ani={} dnis={}",
            ani.as_ref().map_or("withheld", |a| a.expose()),
            dnis.as_ref().map_or("-", |d| d.as_str())
        ),
        Event::Key(_) | Event::PromptFinished { .. } => return None,
        Event::Recognized { recognition, .. } => match recognition.best() {
            Some(best) => format!("heard \"{}\" confidence={:.2}", best.text.expose(), best.confidence),
            None => "heard nothing intelligible".to_owned(),
        },
        Event::RecognitionFailed { fault, .. } => format!("recogniser {fault}"),
        Event::Interpreted { interpretation, .. } => match interpretation.best() {
            Some(_) => {
                let likely = interpretation.ranked.iter().take(3).filter(|s| s.probability >= 0.01);
                let likely: Vec<String> =
                    likely.map(|s| format!("{} {:.2}", s.intent, s.probability)).collect();
                format!("intent {} out_of_scope={:.2}", likely.join(", "), interpretation.out_of_scope)
            }
            None => format!("intent none out_of_scope={:.2}", interpretation.out_of_scope),
        },
        Event::InterpretationFailed { fault, .. } => format!("classifier {fault}"),
        Event::LookedUp { rows, .. } => format!("rows {}", rows.len()),
        Event::LookUpFailed { fault, .. } => format!("store {fault}"),
        Event::Transferred { .. } => "agent answered".to_owned(),
        Event::TransferFailed { fault, .. } => format!("agent {fault}"),
        Event::Waiting { news, .. } => match news {
            Waiting::Queued => "desk queued".to_owned(),
            Waiting::CallsBack { open, .. } => {
                format!("desk calls back {}", open.iter().map(show_span).collect::<Vec<_>>().join(" "))
            }
            Waiting::Announced { position, minutes, ways_out } => {
                let minutes = minutes.map_or("-".to_owned(), |m| m.to_string());
                format!("desk place={position} minutes={minutes} ways={}", show_ways(ways_out))
            }
            Waiting::Offered { ways_out } => format!("desk nobody ways={}", show_ways(ways_out)),
        },
        Event::MessageKept { .. } => "message kept".to_owned(),
        Event::MessageLost { fault, .. } => format!("message {fault}"),
        Event::HungUp { cause } => format!("hung up by {cause}"),
    })
}

fn show_span(span: &TimeSpan) -> String {
    format!("{}..{}", span.from.strftime("%FT%H:%M"), span.until.strftime("%FT%H:%M"))
}

/// An action as a timeline's line.
pub fn show_action(action: &Action) -> Option<String> {
    Some(match action {
        Action::Answer => "answer".to_owned(),
        Action::Say { prompt, .. } => {
            let slowly = if prompt.slow { " slowly" } else { "" };
            format!("say{slowly} {}: {}", prompt.name, prompt.text.expose())
        }
        Action::StopPrompt { .. } => "stop".to_owned(),
        Action::Recognize { expect, .. } => format!("recognize expect={}", show_expect(expect)),
        Action::CancelRecognition { .. } => "cancel recognition".to_owned(),
        Action::Interpret { .. } => return None,
        Action::LookUp { query, .. } => {
            let mut args: Vec<String> =
                query.args.iter().map(|(k, v)| format!("{k}={}", v.expose())).collect();
            args.extend(query.secret.keys().map(|k| format!("{k}=***")));
            format!("look_up {} {}", query.name, args.join(" "))
        }
        Action::Transfer { handoff, .. } => {
            let facts: Vec<String> =
                handoff.facts.iter().map(|(k, v)| format!("{k}={}", v.expose())).collect();
            format!(
                "transfer skill={} reason={} intent={} {}",
                handoff.skill,
                handoff.reason,
                handoff.intent.as_ref().map_or("-", |i| i.as_str()),
                facts.join(" ")
            )
        }
        Action::Leave { way, number, window, .. } => {
            let number = number.as_ref().map(|n| format!(" number={}", n.expose())).unwrap_or_default();
            let window = window.as_ref().map(|w| format!(" window={}", show_span(w))).unwrap_or_default();
            format!("leave for {way}{number}{window}")
        }
        Action::Play { sound, .. } => format!("play {} ms", sound.len() * 1_000 / RATE_HZ as usize),
        Action::KeepMessage { sound, .. } => {
            format!("keep message of {} ms", sound.len() * 1_000 / RATE_HZ as usize)
        }
        Action::WriteRecord { record } => {
            let mut text =
                format!("record {} turns={} stage={}", record.disposition, record.turns.len(), record.stage);
            if let Some(rating) = record.rating {
                text += &format!(" rating={rating}");
            }
            if let Some(callback) = &record.callback {
                text += &format!(" callback={}", callback.reason);
            }
            text
        }
        Action::HangUp { cause } => format!("hang up {cause}"),
        Action::Note(note) => match note {
            Note::SpeechStarted => "speech started".to_owned(),
            Note::SpeechEnded { at } => format!("speech ended at {at}"),
            Note::KeyHeard(Some(key)) => format!("key {key}"),
            Note::KeyHeard(None) => "key ***".to_owned(),
            Note::Decided { decision, why } => format!("{decision} ({why})"),
            Note::NoInput => "no input".to_owned(),
        },
    })
}

fn show_ways(ways: &[WayOut]) -> String {
    let ways: Vec<String> = ways.iter().map(ToString::to_string).collect();
    ways.join(",")
}

fn show_expect(expect: &Expect) -> String {
    match expect {
        Expect::Open => "open".to_owned(),
        Expect::Digits { min, max } => format!("digits:{min}-{max}"),
        Expect::Spelled => "spelled".to_owned(),
        Expect::Choice { words } => format!("choice:{}", words.len()),
        Expect::YesNo => "yes_no".to_owned(),
    }
}
