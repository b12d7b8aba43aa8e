//! What single words contribute to a spoken number. [`super::numbers`] puts them together.

/// What a word means where digits are being said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    /// 0 to 9, said as a digit.
    Unit(u8),
    /// "oh": zero beside other digits, else an exclamation.
    Oh,
    /// 10 to 19.
    Teen(u8),
    /// 20, 30 … 90, which a unit may follow.
    Tens(u8),
    /// "hundred".
    Hundred,
    /// "thousand".
    Thousand,
    /// "double", "triple": how often the next digit stands.
    Times(u8),
    /// Sounds like this digit, and is spelled like another word.
    Homophone(u8),
}

/// What `word`, in lower case, means as part of a number.
pub(super) fn spoken(word: &str) -> Option<Spoken> {
    Some(match word {
        "zero" | "nought" | "naught" | "nil" | "null" => Spoken::Unit(0),
        "oh" | "o" => Spoken::Oh,
        "one" => Spoken::Unit(1),
        "two" => Spoken::Unit(2),
        "three" => Spoken::Unit(3),
        "four" => Spoken::Unit(4),
        "five" => Spoken::Unit(5),
        "six" => Spoken::Unit(6),
        "seven" => Spoken::Unit(7),
        "eight" => Spoken::Unit(8),
        "nine" | "niner" => Spoken::Unit(9),
        "ten" => Spoken::Teen(10),
        "eleven" => Spoken::Teen(11),
        "twelve" => Spoken::Teen(12),
        "thirteen" => Spoken::Teen(13),
        "fourteen" => Spoken::Teen(14),
        "fifteen" => Spoken::Teen(15),
        "sixteen" => Spoken::Teen(16),
        "seventeen" => Spoken::Teen(17),
        "eighteen" => Spoken::Teen(18),
        "nineteen" => Spoken::Teen(19),
        "twenty" => Spoken::Tens(20),
        "thirty" => Spoken::Tens(30),
        "forty" | "fourty" => Spoken::Tens(40),
        "fifty" => Spoken::Tens(50),
        "sixty" => Spoken::Tens(60),
        "seventy" => Spoken::Tens(70),
        "eighty" => Spoken::Tens(80),
        "ninety" | "ninty" => Spoken::Tens(90),
        "hundred" => Spoken::Hundred,
        "thousand" => Spoken::Thousand,
        "double" => Spoken::Times(2),
        "triple" | "treble" => Spoken::Times(3),
        "won" | "wan" => Spoken::Homophone(1),
        "to" | "too" => Spoken::Homophone(2),
        "tree" | "free" => Spoken::Homophone(3),
        "for" | "fore" => Spoken::Homophone(4),
        "fife" => Spoken::Homophone(5),
        "sicks" | "sex" => Spoken::Homophone(6),
        "ate" => Spoken::Homophone(8),
        "nein" => Spoken::Homophone(9),
        _ => return None,
    })
}

/// Words that stand between digits of one number without ending it.
pub(super) fn joins(word: &str) -> bool {
    matches!(word, "and" | "dash" | "hyphen" | "then" | "space" | "minus")
}

/// Words with which a caller takes back the digits before.
pub(super) fn corrects(word: &str) -> bool {
    matches!(
        word,
        "no" | "nope" | "sorry" | "wait" | "correction" | "actually" | "rather" | "oops" | "mean" | "scratch"
    )
}

/// Words that may stand beside one that [`corrects`]: "no **i** mean", "make **that**", "**it is**".
pub(super) fn beside_correction(word: &str) -> bool {
    matches!(
        word,
        "i" | "i'm" | "that" | "that's" | "it" | "it's" | "is" | "make" | "not" | "oh" | "wrong" | "my"
    )
}
