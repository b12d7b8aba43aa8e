//! Answers that every question can get: yes, no, "I don't know", "that's all".

use super::answer_patterns::{AFTER_NO, INSISTING, LEAD_INS, PATTERNS, POLITE, Place};
use super::normalize::{Word, is_filler, words};

/// What a caller answered, whatever the question was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// "Yes", "that's right".
    Yes,
    /// "No", "it isn't"; "neither", which is a no to all that was offered.
    No,
    /// "I don't know", "I haven't got the number".
    DontKnow,
    /// "No, that's all", "nothing else": no to "anything else?", and the end.
    ThatsAll,
}

/// An answer and what was said beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerMatch<'a> {
    /// What was answered.
    pub answer: Answer,
    /// Whether the answer is all that was said, fillers and politeness aside. "I don't know where my
    /// order is" holds an answer, but is more than that: after an open question it is a wish.
    pub whole: bool,
    /// What was said besides, as it stood in the text: "i want a refund" of "no, i want a refund".
    pub rest: Option<&'a str>,
}

/// Finds an answer at the beginning of `text`, or the one that `text` ends with where it is
/// "I don't know". `None` where none was given.
pub fn answer(text: &str) -> Option<AnswerMatch<'_>> {
    let said = without_fillers(words(text));
    let spelled: Vec<&str> = said.iter().map(|w| w.text.as_str()).collect();
    at_start(text, &said, &spelled).or_else(|| at_end(text, &said, &spelled))
}

/// Fillers go, but for the two that make a yes: "uh huh", "mm-hmm", "mm hmm".
fn without_fillers(all: Vec<Word>) -> Vec<Word> {
    let humming = |pair: &[Word]| {
        matches!((pair[0].text.as_str(), pair[1].text.as_str()), ("uh", "huh") | ("mm", "hmm"))
    };
    let hummed: Vec<usize> = (1..all.len()).filter(|&i| humming(&all[i - 1..=i])).collect();
    let keep = |i: usize, w: &Word| !is_filler(&w.text) || hummed.contains(&i) || hummed.contains(&(i + 1));
    all.into_iter().enumerate().filter(|(i, w)| keep(*i, w)).map(|(_, w)| w).collect()
}

/// Reads answers from the first word on: "no, that's all" holds two, which make one.
fn at_start<'a>(text: &'a str, said: &[Word], spelled: &[&str]) -> Option<AnswerMatch<'a>> {
    let mut at = 0;
    let mut given: Option<Answer> = None;
    loop {
        if given.is_some() {
            at += skip(&spelled[at..], POLITE);
        }
        // "i think so" begins like a lead-in, so what is an answer as it stands comes first.
        let again = if given.is_none() { skip(&spelled[at..], INSISTING) } else { 0 };
        let leads = [0, skip(&spelled[at..], LEAD_INS), again];
        let next = leads.iter().find_map(|lead| longest(&spelled[at + lead..]).map(|(a, n)| (a, lead + n)));
        let Some((answer, taken)) = next else { break };
        given = Some(given.map_or(answer, |before| combine(before, answer)));
        at += taken;
    }
    let answer = given?;
    let rest = said.get(at).map(|w| text[w.span.start..].trim_end());
    Some(AnswerMatch { answer, whole: rest.is_none(), rest })
}

/// "The order number, I don't have it."
fn at_end<'a>(text: &'a str, said: &[Word], spelled: &[&str]) -> Option<AnswerMatch<'a>> {
    let from = (1..spelled.len()).find(|&i| {
        longest(&spelled[i..]).is_some_and(|(answer, taken)| {
            let after = i + taken;
            answer == Answer::DontKnow && after + skip(&spelled[after..], POLITE) == spelled.len()
        })
    })?;
    let rest = text[..said[from].span.start].trim_end();
    Some(AnswerMatch { answer: Answer::DontKnow, whole: false, rest: Some(rest) })
}

/// What two answers in a row mean: whoever does not know or has finished has said so; of yes and no the
/// last counts.
fn combine(before: Answer, after: Answer) -> Answer {
    match (before, after) {
        (Answer::DontKnow, _) | (_, Answer::DontKnow) => Answer::DontKnow,
        (Answer::ThatsAll, _) | (_, Answer::ThatsAll) => Answer::ThatsAll,
        (Answer::Yes | Answer::No, last) => last,
    }
}

/// How many words at the beginning are among `phrases`, which are written like a place.
fn skip(spelled: &[&str], phrases: Place) -> usize {
    let mut at = 0;
    while let Some(taken @ 1..) = phrases.split('|').filter_map(|p| starts_with(&spelled[at..], p)).max() {
        at += taken;
    }
    at
}

/// The answer whose pattern takes most words of the beginning.
fn longest(spelled: &[&str]) -> Option<(Answer, usize)> {
    let mut best: Option<(Answer, usize)> = None;
    for p in PATTERNS {
        let Some(taken) = match_places(spelled, p.places).filter(|t| *t > 0) else { continue };
        let ends = taken + skip(&spelled[taken..], POLITE) == spelled.len();
        if (p.alone && !ends) || best.is_some_and(|(_, most)| most >= taken) {
            continue;
        }
        best = Some((p.answer, taken));
    }
    let (answer, taken) = best?;
    let other_word = taken == 1 && spelled[0] == "no" && spelled.get(1).is_some_and(|w| AFTER_NO.contains(w));
    (!other_word).then_some((answer, taken))
}

/// The most words that the places can take, one after another; `None` where one has no match.
fn match_places(spelled: &[&str], places: &[Place]) -> Option<usize> {
    let Some((first, others)) = places.split_first() else { return Some(0) };
    first
        .split('|')
        .filter_map(|alternative| {
            let taken = starts_with(spelled, alternative)?;
            Some(taken + match_places(&spelled[taken..], others)?)
        })
        .max()
}

/// The number of words of `phrase` where `spelled` begins with them.
fn starts_with(spelled: &[&str], phrase: &str) -> Option<usize> {
    let mut taken = 0;
    for word in phrase.split_whitespace() {
        if spelled.get(taken) != Some(&word) {
            return None;
        }
        taken += 1;
    }
    Some(taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(expected: Answer, texts: &[&str]) {
        for text in texts {
            let found = answer(text);
            assert_eq!(found.map(|f| (f.answer, f.rest)), Some((expected, None)), "{text}");
            assert!(found.expect("just seen").whole, "{text}");
        }
    }

    #[test]
    fn yes_in_many_words() {
        check(
            Answer::Yes,
            &[
                "yes",
                "Yes.",
                "yeah",
                "um yeah",
                "yep",
                "correct",
                "that's right",
                "yes that's right",
                "yes please",
                "that is correct",
                "sure",
                "oh yes",
                "yes it is",
                "right",
                "okay",
                "of course",
                "exactly",
                "i think so",
                "yes that's it",
                "it is",
                "no yes",
                "uh huh",
                "mm-hmm",
                "yes sir",
                "go ahead",
                "yes correct",
                "yeah sure",
                "i agree",
                "that works for me",
                "friday would be great thanks",
                "i think that would work so yes",
                "i said yes",
            ],
        );
        assert_eq!(answer("i said no not yes").map(|a| a.answer), Some(Answer::No));
        assert_eq!(answer("yes i said no onions").map(|a| a.answer), Some(Answer::Yes));
    }

    #[test]
    fn no_in_many_words() {
        check(
            Answer::No,
            &[
                "no",
                "nope",
                "no it isn't",
                "that's wrong",
                "that's not right",
                "not really",
                "no thanks",
                "no thank you",
                "wrong",
                "no that's not correct",
                "it isn't",
                "yeah no",
                "i don't think so",
                "oh no",
                "no no no",
                "no it's not",
                "that's not it",
                "no that is wrong",
                "neither",
                "no, neither of them",
                "none of those",
                "i disagree",
                "it's not ok",
            ],
        );
    }

    #[test]
    fn not_knowing_in_many_words() {
        check(
            Answer::DontKnow,
            &[
                "i don't know",
                "I don't know.",
                "don't know",
                "i dunno",
                "i don't have it",
                "i don't have it with me",
                "i haven't got the number",
                "no idea",
                "not sure",
                "i'm not sure",
                "no i don't know",
                "sorry i don't know",
                "i don't know the number",
                "i don't know my order number",
                "i have no idea",
                "i can't remember",
                "i forgot",
                "i don't have an order number",
                "i don't have the order number right now",
                "no clue",
                "well i don't really know",
                "i do not have that",
                "i lost it",
                "i don't know it",
                "uh i'm not sure sorry",
                "i don't have my order number on me",
                "i can't find it",
                "i don't remember the number",
            ],
        );
    }

    #[test]
    fn having_finished_in_many_words() {
        check(
            Answer::ThatsAll,
            &[
                "that's all",
                "no that's all",
                "no, that's all, thank you",
                "nothing else",
                "no nothing",
                "that's it",
                "no i'm good",
                "that will be all",
                "no thanks that's all",
                "goodbye",
                "no thank you goodbye",
                "that's everything",
                "no that's it thank you",
                "all set",
                "nothing",
                "no that's all for today thanks bye",
            ],
        );
    }

    #[test]
    fn what_else_was_said_stays_available() {
        let refund = answer("No, I want a refund").expect("an answer");
        assert_eq!((refund.answer, refund.whole, refund.rest), (Answer::No, false, Some("I want a refund")));
        let number = answer("um yes it's 45 12 88").expect("an answer");
        assert_eq!((number.answer, number.rest), (Answer::Yes, Some("it's 45 12 88")));
        let open = answer("i don't know where my order is").expect("an answer");
        assert_eq!((open.answer, open.whole), (Answer::DontKnow, false));
        assert_eq!(open.rest, Some("where my order is"));
        let last = answer("my order number i don't have it").expect("an answer");
        assert_eq!((last.answer, last.whole, last.rest), (Answer::DontKnow, false, Some("my order number")));
    }

    #[test]
    fn other_sentences_are_no_answers() {
        for text in [
            "where is my order",
            "i want a refund",
            "right now i want to buy a lamp",
            "no one called me",
            "correct my address",
            "i don't have internet",
            "nothing works since yesterday",
            "okay where is my order",
            "i have a question about my bill",
            "it is broken",
            "i don't want to talk to a machine",
            "agent",
            "wrong item",
            "",
            "um",
            "please help me",
            "four five one",
            "good morning",
            "note the number",
        ] {
            assert_eq!(answer(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_answer_before_a_wish_leaves_the_wish(
            said in prop::sample::select(vec!["no", "yes", "nope", "yeah"]),
            wish in prop::sample::select(vec!["i want a refund", "where is my order", "cancel my order"]),
        ) {
            let text = format!("{said} {wish}");
            let found = answer(&text);
            prop_assert_eq!(found.and_then(|f| f.rest), Some(wish));
        }

        #[test]
        fn any_text_is_read(text in "\\PC{0,80}") {
            if let Some(found) = answer(&text) {
                prop_assert_eq!(found.whole, found.rest.is_none());
            }
        }
    }
}
