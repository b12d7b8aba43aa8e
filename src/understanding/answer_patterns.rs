//! The ways to say an answer that [`super::answer`] knows, as data.

use super::answer::Answer;

/// One place of a pattern: alternatives of one or more words with `|` between them; an empty one
/// makes the place optional.
pub(super) type Place = &'static str;

/// A way to say an answer.
pub(super) struct Pattern {
    pub(super) answer: Answer,
    /// Whether it means the answer only where nothing else is said: "right" does, "right now" does not.
    pub(super) alone: bool,
    pub(super) places: &'static [Place],
}

/// Means the answer wherever it stands.
const fn anywhere(answer: Answer, places: &'static [Place]) -> Pattern {
    Pattern { answer, alone: false, places }
}

/// Means the answer where it is all that is said.
const fn alone(answer: Answer, places: &'static [Place]) -> Pattern {
    Pattern { answer, alone: true, places }
}

const OF_NUMBER: Place = "|the|my|a|an|that|any|what my|what the";
const NUMBER: Place = "number|numbers|order number|order numbers|customer number|code|digits|information";
const AT_HAND: Place = "|with me|here|on me|at hand|handy|right now|at the moment|in front of me|off hand|\
    offhand|by heart|anymore|any more|now|yet|is";

/// All ways, in no order: the longest match counts.
pub(super) const PATTERNS: &[Pattern] = &[
    anywhere(
        Answer::Yes,
        &[
            "yes|yeah|yep|yup|yea|yah",
            "|it is|i do|i am|i have|i did|it does|that's it|that is it|please do|i would|of course|indeed|\
             you can|we can",
        ],
    ),
    anywhere(
        Answer::Yes,
        &[
            "that's|that is|that was|it's|it is|you're|you are",
            "|all|quite|absolutely|exactly",
            "right|correct|fine|okay|ok|true",
        ],
    ),
    anywhere(
        Answer::Yes,
        &[
            "sure|of course|absolutely|definitely|certainly|affirmative|uh huh|mm hmm|mhm|uhhuh|i think so|\
             i believe so|i guess so|why not",
            "|thing|yes",
        ],
    ),
    anywhere(
        Answer::Yes,
        &[
            "that|it|this|monday|tuesday|wednesday|thursday|friday|saturday|sunday",
            "works|would work|will work|would be great|would be good|would be fine|would be perfect|would be nice|\
             suits me|would suit me",
            "|for me|well|perfectly",
        ],
    ),
    anywhere(Answer::Yes, &["that'll|that'd", "work|be great|be good|be fine|be perfect|be nice", "|for me"]),
    alone(
        Answer::Yes,
        &[
            "works for me|right|correct|exactly|okay|ok|alright|all right|fine|good|true|ya|yay|please|please do|go ahead|\
           it is|i do|i am|i have|i did|it does|you can|perfect|great|indeed|that's the one|that's me|\
           that's mine|that's the number|sounds good",
        ],
    ),
    // To "is it this or that?" it is a no to both.
    alone(
        Answer::No,
        &[
            "|no",
            "neither|neither one|neither of them|neither of those|neither of these|none of them|none of those|\
                  none of these|none of the above|not either|not any of those",
        ],
    ),
    anywhere(Answer::No, &["|i", "disagree|don't agree|do not agree", "|with that"]),
    anywhere(Answer::Yes, &["|i", "agree|agreed", "|with that"]),
    anywhere(
        Answer::No,
        &[
            "no|nope|nah|naw",
            "|it isn't|it's not|it is not|i don't|i do not|i'm not|i didn't|it doesn't|that isn't|\
             that's not it|it wasn't|way|i haven't|not that|not really",
        ],
    ),
    anywhere(
        Answer::No,
        &[
            "that's|that is|it's|it is|you're|that was|this is",
            "not right|not correct|not ok|not okay|not fine|wrong|incorrect|not true|not it|not the one|not what i said|\
             not my number|not mine|the wrong number|not the number|all wrong",
        ],
    ),
    anywhere(
        Answer::No,
        &[
            "that isn't|it isn't|that's not|that wasn't|it wasn't",
            "right|correct|ok|okay|fine|it|true|my number|what i said|the one|the number|the right number",
        ],
    ),
    alone(
        Answer::No,
        &["not|wrong|incorrect|not right|not correct|never|negative|not really|not at all|of course not|\
           absolutely not|i don't|i do not|i'm not|it isn't|it's not|it is not|that isn't|it doesn't|\
           i don't think so|i do not think so|certainly not|definitely not|not that one|not that|\
           not today|not now|rather not|i'd rather not"],
    ),
    anywhere(
        Answer::DontKnow,
        &[
            "|i|no i|i really|i honestly",
            "don't|do not|dont|can't|cannot|couldn't|didn't|wouldn't",
            "|really|even|actually|quite",
            "know|remember|recall|find|tell you|say|write",
            "|it|that|this|one|what it is|what that is|sorry|them|exactly",
        ],
    ),
    anywhere(
        Answer::DontKnow,
        &[
            "|i|no i",
            "don't|do not|dont|can't|cannot|couldn't|didn't",
            "|really|even",
            "know|remember|recall|find|have|write",
            OF_NUMBER,
            NUMBER,
            AT_HAND,
        ],
    ),
    anywhere(
        Answer::DontKnow,
        &[
            "|i|no i|i think i|i'm afraid i",
            "don't have|do not have|dont have|haven't got|have not got|haven't|don't think i have|\
             don't got|didn't get|never got|do not think i have",
            "it|that|one|any|them|the number|the order number|a number|an order number|my number|\
             my order number|that number|any number|order number|the information|that information",
            AT_HAND,
        ],
    ),
    anywhere(
        Answer::DontKnow,
        &[
            "|i have|i've got|i've|sorry|i got",
            "no idea|no clue|not a clue|absolutely no idea",
            "|what it is|what that is",
        ],
    ),
    anywhere(
        Answer::DontKnow,
        &[
            "|i'm|i am",
            "|really|just",
            "not sure|unsure|not certain|not too sure|not quite sure|not really sure",
            "|about that|about it|what it is|of that|which one|of the number|about the number",
        ],
    ),
    anywhere(
        Answer::DontKnow,
        &[
            "i|i've|i have|i think i",
            "forgot|forgotten|forget|lost",
            "|it|that|the number|my number|my order number|the order number",
        ],
    ),
    anywhere(
        Answer::DontKnow,
        &["dunno|i dunno|don't know|no number|no order number|i have no number|i have no order number|\
           i wouldn't know|i couldn't tell you|couldn't say|beats me|who knows|i can't say|\
           i don't have an idea|i have none|i have not got it|haven't got it"],
    ),
    alone(Answer::DontKnow, &["maybe|perhaps|i don't have|i haven't|i do not have|unknown"]),
    anywhere(
        Answer::ThatsAll,
        &[
            "|no|nope|yes|no no",
            "that's all|that is all|that'll be all|that will be all|that was all|that's everything|\
             that is everything|that would be all|nothing else|nothing more|that's it for today|\
             that'll be it|that would be it",
            "|for now|for today|i need|i needed|i wanted|i wanted to know|i have|today",
        ],
    ),
    alone(
        Answer::ThatsAll,
        &[
            "|no|nope|no no",
            "that's it|that is it|nothing|i'm good|i am good|i'm fine|i'm done|i am done|i'm all set|\
             all set|all good|we're done|i'm okay|we're good|no more|nothing at all|not anything else|\
             i'm finished",
            "|for now|for today|today",
        ],
    ),
    alone(Answer::ThatsAll, &["goodbye|bye|bye bye|good bye|have a nice day|have a good day|see you"]),
];

/// Said before an answer without changing it.
pub(super) const LEAD_INS: &str = "well|oh|so|sorry|i'm sorry|i am sorry|actually|i'm afraid|hello|hi|look|\
    hey|i think|i guess|unfortunately|to be honest";

/// Said before an answer that is given again. Behind one it is another thing: "yes, I said no onions".
pub(super) const INSISTING: &str = "i said|i already said|i told you|i just said";

/// Said after or between answers without changing them.
pub(super) const POLITE: &str = "please|thanks|thank you|thank you very much|thanks a lot|sir|madam|ma'am|\
    sorry|though|very much|you|so much|my friend";

/// What makes a "no" before it another word: "no one", "no problem".
pub(super) const AFTER_NO: &[&str] =
    &["one", "problem", "wonder", "matter", "body", "more", "longer", "worries"];
