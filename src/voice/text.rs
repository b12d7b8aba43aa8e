//! Text as synthesizers can take it: sentence by sentence, and in ASCII where an engine knows no more.

/// Longest piece of text that is given to an engine at once, bytes: about half a minute of speech.
const LONGEST_PIECE: usize = 400;

/// Cuts `text` after each sentence, so that the first can be heard while the second is rendered.
/// A sentence of more than 400 bytes is cut at a comma, else at a space, else where it must be.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(sentence_len(rest));
        if piece.chars().any(char::is_alphanumeric) {
            pieces.push(piece.trim());
        }
        rest = after.trim_start();
    }
    pieces
}

/// Bytes of the first sentence of `text`, at least one character.
fn sentence_len(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let end = at + c.len_utf8();
        if end > LONGEST_PIECE {
            return forced_len(&text[..at]).unwrap_or(at);
        }
        let closes = matches!(c, '.' | '!' | '?' | ';' | '\n');
        if closes && chars.peek().is_none_or(|(_, next)| next.is_whitespace()) {
            return end;
        }
    }
    text.len()
}

/// Where to cut a sentence that is too long: after its last comma, else after its last space.
fn forced_len(head: &str) -> Option<usize> {
    head.rfind(", ").map(|i| i + 1).or_else(|| head.rfind(char::is_whitespace)).filter(|len| *len > 0)
}

/// Folds typographic signs and Latin letters with marks to ASCII; what is left becomes a space.
pub(super) fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' => out.push(c),
            '\u{2018}' | '\u{2019}' | '\u{2032}' => out.push('\''),
            '\u{201c}' | '\u{201d}' => out.push('"'),
            '\u{2013}' | '\u{2014}' => out.push_str(", "),
            '\u{2026}' => out.push('.'),
            'à'..='å' | 'ā' | 'ă' | 'ą' => out.push('a'),
            'À'..='Å' => out.push('A'),
            'æ' => out.push_str("ae"),
            'ç' | 'ć' | 'č' => out.push('c'),
            'Ç' | 'Ć' | 'Č' => out.push('C'),
            'è'..='ë' | 'ē' | 'ę' | 'ě' => out.push('e'),
            'È'..='Ë' => out.push('E'),
            'ì'..='ï' | 'ī' => out.push('i'),
            'Ì'..='Ï' => out.push('I'),
            'ñ' | 'ń' | 'ň' => out.push('n'),
            'Ñ' => out.push('N'),
            'ò'..='ö' | 'ø' | 'ō' | 'ő' => out.push('o'),
            'Ò'..='Ö' | 'Ø' => out.push('O'),
            'ß' => out.push_str("ss"),
            'š' | 'ś' | 'ş' => out.push('s'),
            'Š' | 'Ś' | 'Ş' => out.push('S'),
            'ù'..='ü' | 'ū' | 'ů' | 'ű' => out.push('u'),
            'Ù'..='Ü' => out.push('U'),
            'ý' | 'ÿ' => out.push('y'),
            'ž' | 'ź' | 'ż' => out.push('z'),
            'Ž' | 'Ź' | 'Ż' => out.push('Z'),
            'ł' => out.push('l'),
            'Ł' => out.push('L'),
            _ => out.push(' '),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cuts_after_sentences_and_nowhere_else() {
        let text = " Thank you, Maria. Your order, 4.5 kilos, was shipped! Anything else?";
        assert_eq!(
            sentences(text),
            ["Thank you, Maria.", "Your order, 4.5 kilos, was shipped!", "Anything else?"]
        );
        assert!(sentences(" ... !").is_empty());
    }

    #[test]
    fn a_sentence_without_end_is_cut_at_a_comma() {
        let text = "one two three, ".repeat(60);
        let pieces = sentences(&text);
        assert!(pieces.len() > 1);
        assert!(pieces.iter().all(|p| p.len() <= LONGEST_PIECE && p.ends_with(',')), "{pieces:?}");
    }

    #[test]
    fn names_keep_their_letters() {
        assert_eq!(ascii("José Núñez\u{2019}s"), "Jose Nunez's");
    }

    proptest! {
        #[test]
        fn no_word_is_lost(text in "[a-zé,.!? \u{4e2d}]{0,1200}") {
            let letters = |s: &str| s.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
            let pieces = sentences(&text);
            prop_assert_eq!(letters(&pieces.concat()), letters(&text));
            prop_assert!(pieces.iter().all(|p| p.len() <= LONGEST_PIECE));
        }

        #[test]
        fn ascii_is_ascii(text in "\\PC{0,200}") {
            prop_assert!(ascii(&text).bytes().all(|b| (b' '..=b'~').contains(&b)));
        }
    }
}
