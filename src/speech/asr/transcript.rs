//! From the model's tokens to plain words.

/// Lower-case words without punctuation: apostrophes inside words stay, and points between digits.
/// Stretches in brackets, with which the published models describe noises, go.
pub(super) fn plain(raw: &str) -> String {
    let chars: Vec<char> = raw.chars().collect();
    let mut out = String::with_capacity(raw.len());
    let mut depth = 0_usize;
    for (i, &c) in chars.iter().enumerate() {
        match c {
            '[' | '(' | '{' => depth += 1,
            ']' | ')' | '}' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            // Whisper writes both apostrophes.
            '\'' | '’' if between(&chars, i, char::is_alphanumeric) => out.push('\''),
            '.' if between(&chars, i, |c| c.is_ascii_digit()) => out.push('.'),
            // A thousands separator is no pause.
            ',' if between(&chars, i, |c| c.is_ascii_digit()) => {}
            '&' => out.push_str(" and "),
            c if c.is_alphanumeric() => out.extend(c.to_lowercase()),
            _ => out.push(' '),
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn between(chars: &[char], i: usize, fits: impl Fn(char) -> bool) -> bool {
    let before = i.checked_sub(1).and_then(|i| chars.get(i));
    before.is_some_and(|c| fits(*c)) && chars.get(i + 1).is_some_and(|c| fits(*c))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(raw: &str, expected: &str) {
        assert_eq!(plain(raw), expected);
    }

    #[test]
    fn words_come_out_plain() {
        check(" where is my order", "where is my order");
        check(" I don’t know. Speak to an agent!", "i don't know speak to an agent");
        check(" 45-12-88, please", "45 12 88 please");
        check(" It's 1,250.50 & more", "it's 1250.50 and more");
        check("'quoted' words'", "quoted words");
    }

    #[test]
    fn noises_are_no_words() {
        check(" [BLANK_AUDIO]", "");
        check(" (upbeat music) yes", "yes");
        check(" ♪ ...", "");
        check(" yes [noise", "yes");
    }

    proptest! {
        #[test]
        fn plain_text_stays_as_it_is(raw in "\\PC{0,40}") {
            let once = plain(&raw);
            prop_assert_eq!(plain(&once), once.clone());
            prop_assert!(!once.starts_with(' ') && !once.ends_with(' ') && !once.contains("  "));
        }
    }
}
