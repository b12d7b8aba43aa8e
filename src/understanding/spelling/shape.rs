//! What a value looks like: which symbols may stand where, and how it is written.

use super::check_digit::CheckDigit;
use super::symbols::{Class, DIGITS, LETTERS, MOST, index, only};

/// Most forms that one shape may have: they are told apart in the bits of one number.
pub(super) const MOST_FORMS: usize = 128;

/// A mistake in a pattern: what was found and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError(pub String);

/// One form of a value: a class for each symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Form {
    classes: Vec<Class>,
    /// What is written between the symbols: before which symbol, and what.
    written: Vec<(usize, char)>,
    /// Letters in front that callers leave out: "four four one two oh" for `INV-44120`.
    implied: String,
}

/// All forms of a value, and which of them accept a symbol at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    forms: Vec<Form>,
    /// `[place][symbol]`: the forms that take this symbol there, one bit each.
    accepts: Vec<[u128; super::symbols::COUNT]>,
    check: Option<CheckDigit>,
}

impl Shape {
    /// `min` to `max` digits.
    pub fn digits(min: u8, max: u8, check: Option<CheckDigit>) -> Shape {
        let forms = (min..=max).map(|n| Form::plain(vec![DIGITS; usize::from(n)])).collect();
        Shape::of(forms, check)
    }

    /// `min` to `max` letters.
    pub(super) fn letters(min: u8, max: u8) -> Shape {
        Shape::of((min..=max).map(|n| Form::plain(vec![LETTERS; usize::from(n)])).collect(), None)
    }

    /// Digits of a telephone number, with or without a plus before them.
    pub(super) fn telephone(min: u8, max: u8) -> Shape {
        let plain = (min..=max).map(|n| vec![DIGITS; usize::from(n)]);
        let plus = (min..=max).map(|n| {
            let mut classes = vec![DIGITS; usize::from(n) + 1];
            classes[0] = only(b'+');
            classes
        });
        Shape::of(plain.chain(plus).map(Form::plain).collect(), None)
    }

    /// Forms given as the classes of their symbols, and where a space is written.
    pub(super) fn spaced(forms: Vec<(Vec<Class>, usize)>) -> Shape {
        let form = |(classes, space): (Vec<Class>, usize)| Form {
            written: vec![(space, ' ')],
            ..Form::plain(classes)
        };
        Shape::of(forms.into_iter().map(form).collect(), None)
    }

    /// Exactly these values, at most [`MOST_FORMS`]: whatever is neither digit nor letter in them need
    /// not be said.
    pub(super) fn values(values: &[&str]) -> Shape {
        let form = |value: &&str| {
            let symbols = value.bytes().map(|b| only(b.to_ascii_uppercase())).filter(|c| *c != 0);
            Form::plain(symbols.take(MOST).collect())
        };
        Shape::of(values.iter().take(MOST_FORMS).map(form).collect(), None)
    }

    /// Reads patterns: `#` a digit, `@` a letter, `*` either, `[ABC7]` one of these, a capital letter or a
    /// digit itself, `{3}` or `{2,5}` how often the symbol before stands, and `-`, `/`, `.` or a space
    /// what is written and need not be said.
    ///
    /// # Errors
    /// Says what is wrong with which pattern.
    pub fn parse(patterns: &[String], check: Option<CheckDigit>) -> Result<Shape, PatternError> {
        let mut forms = Vec::new();
        for pattern in patterns {
            let fail = |why: &str| PatternError(format!("pattern '{pattern}': {why}"));
            for form in parse_pattern(pattern).map_err(|why| fail(&why))? {
                if form.classes.is_empty() || form.classes.len() > MOST {
                    return Err(fail(&format!("expected 1 to {MOST} symbols")));
                }
                forms.extend(without_prefix(&form));
                forms.push(form);
            }
        }
        if forms.is_empty() || forms.len() > MOST_FORMS {
            let found = forms.len();
            return Err(PatternError(format!(
                "expected patterns of 1 to {MOST_FORMS} forms in all, lengths and prefixes counted, found {found}"
            )));
        }
        Ok(Shape::of(forms, check))
    }

    fn of(forms: Vec<Form>, check: Option<CheckDigit>) -> Shape {
        let longest = forms.iter().map(|f| f.classes.len()).max().unwrap_or(0);
        let mut accepts = vec![[0; super::symbols::COUNT]; longest];
        for (bit, form) in forms.iter().take(MOST_FORMS).enumerate() {
            for (place, class) in form.classes.iter().enumerate() {
                for (symbol, forms) in accepts[place].iter_mut().enumerate() {
                    *forms |= u128::from(class >> symbol & 1) << bit;
                }
            }
        }
        Shape { forms, accepts, check }
    }

    /// All forms, before anything was said.
    pub(super) fn all(&self) -> u128 {
        if self.forms.len() >= MOST_FORMS { u128::MAX } else { (1 << self.forms.len()) - 1 }
    }

    /// Of `forms`, those that take `symbol` at `place`.
    pub(super) fn accept(&self, forms: u128, place: usize, symbol: u8) -> u128 {
        match (self.accepts.get(place), index(symbol)) {
            (Some(row), Some(i)) => forms & row[i],
            (None, _) | (_, None) => 0,
        }
    }

    /// Of `forms`, the one with the smallest number that is complete after `len` symbols.
    pub(super) fn complete(&self, forms: u128, len: usize) -> Option<usize> {
        (0..self.forms.len()).find(|bit| forms >> bit & 1 == 1 && self.forms[*bit].classes.len() == len)
    }

    /// What a form costs beside the likeliest.
    pub(super) fn cost(&self, form: usize) -> f32 {
        if self.forms[form].implied.is_empty() { 0.0 } else { PREFIX_UNSAID }
    }

    /// The symbols that all of `forms` agree on at `place`, where they agree on one.
    pub(super) fn expected(&self, forms: u128, place: usize) -> impl Iterator<Item = u8> + '_ {
        let row = self.accepts.get(place);
        (0..super::symbols::COUNT)
            .filter(move |i| row.is_some_and(|row| forms & row[*i] != 0))
            .map(super::symbols::symbol)
    }

    /// The value as it is written; `None` where its check digit is wrong.
    pub(super) fn write(&self, form: usize, symbols: &[u8]) -> Option<String> {
        let form = &self.forms[form];
        let said: String = symbols.iter().map(|b| char::from(*b)).collect();
        let whole =
            format!("{}{said}", form.implied.chars().filter(char::is_ascii_alphanumeric).collect::<String>());
        if self.check.is_some_and(|check| !check.holds(&whole)) {
            return None;
        }
        let mut out = form.implied.clone();
        let mut written = form.written.iter().peekable();
        for (place, symbol) in said.chars().enumerate() {
            while let Some((_, c)) = written.next_if(|(at, _)| *at == place) {
                out.push(*c);
            }
            out.push(symbol);
        }
        Some(out)
    }
}

impl Form {
    fn plain(classes: Vec<Class>) -> Form {
        Form { classes, written: Vec::new(), implied: String::new() }
    }
}

/// What a form costs whose prefix was not said.
const PREFIX_UNSAID: f32 = 0.1;
/// A prefix of fewer letters is part of the number; fewer symbols after it are no number.
const SHORTEST_PREFIX: usize = 2;
const SHORTEST_REST: usize = 4;

/// The form without the letters in front that are the same in every value.
fn without_prefix(form: &Form) -> Option<Form> {
    let fixed = |class: &Class| class.count_ones() == 1 && class & LETTERS != 0;
    let prefix = form.classes.iter().take_while(|c| fixed(c)).count();
    if prefix < SHORTEST_PREFIX || form.classes.len() - prefix < SHORTEST_REST {
        return None;
    }
    let mut implied = String::new();
    let written_at = |place: usize| form.written.iter().filter(move |(at, _)| *at == place).map(|(_, c)| *c);
    for place in 0..prefix {
        implied.extend(written_at(place));
        implied.push(char::from(super::symbols::symbol(form.classes[place].trailing_zeros() as usize)));
    }
    implied.extend(written_at(prefix));
    Some(Form {
        classes: form.classes[prefix..].to_vec(),
        written: form
            .written
            .iter()
            .filter(|(at, _)| *at > prefix)
            .map(|(at, c)| (at - prefix, *c))
            .collect(),
        implied,
    })
}

/// All forms of one pattern: repetitions are written out.
fn parse_pattern(pattern: &str) -> Result<Vec<Form>, String> {
    let mut forms = vec![Form::plain(Vec::new())];
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        let class = match c {
            '#' => DIGITS,
            '@' => LETTERS,
            '*' => DIGITS | LETTERS,
            '-' | '/' | '.' | ' ' => {
                for form in &mut forms {
                    form.written.push((form.classes.len(), c));
                }
                continue;
            }
            '[' => {
                let (inside, after) = rest.split_once(']').ok_or("'[' without ']'")?;
                rest = after;
                let class = inside.bytes().map(|b| only(b.to_ascii_uppercase())).fold(0, |a, b| a | b);
                if class == 0 || inside.bytes().any(|b| !b.is_ascii_alphanumeric()) {
                    return Err(format!("expected letters and digits in '[{inside}]'"));
                }
                class
            }
            _ if c.is_ascii_alphanumeric() => only(c.to_ascii_uppercase() as u8),
            _ => {
                return Err(format!(
                    "'{c}' means nothing: expected '#' digit, '@' letter, '*' either, '[…]', a letter or digit, \
                     '-', '/', '.', a space, or '{{m,n}}'"
                ));
            }
        };
        let (least, most) = match rest.strip_prefix('{') {
            None => (1, 1),
            Some(inside) => {
                let (count, after) = inside.split_once('}').ok_or("'{' without '}'")?;
                rest = after;
                repetition(count)?
            }
        };
        forms = (least..=most)
            .flat_map(|n| {
                forms.iter().map(move |form| {
                    let mut longer = form.clone();
                    longer.classes.extend(std::iter::repeat_n(class, n));
                    longer
                })
            })
            .collect();
        if forms.len() > MOST_FORMS {
            return Err(format!("more than {MOST_FORMS} lengths"));
        }
    }
    Ok(forms)
}

fn repetition(count: &str) -> Result<(usize, usize), String> {
    let (least, most) = count.split_once(',').unwrap_or((count, count));
    let number = |s: &str| s.trim().parse::<usize>().ok();
    match (number(least), number(most)) {
        (Some(least), Some(most)) if least <= most && (1..=MOST).contains(&most) => Ok((least, most)),
        _ => Err(format!("expected '{{n}}' or '{{m,n}}' with m <= n <= {MOST}, found '{{{count}}}'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_error(pattern: &str, part: &str) {
        let error = Shape::parse(&[pattern.to_owned()], None).expect_err(pattern);
        assert!(error.0.contains(part), "{}", error.0);
    }

    #[test]
    fn a_pattern_writes_what_need_not_be_said() {
        let shape = Shape::parse(&["@@-##/[AB]".to_owned()], None).expect("valid");
        assert_eq!(shape.write(0, b"XY12A").as_deref(), Some("XY-12/A"));
        let shape = Shape::parse(&["INV-#####".to_owned()], None).expect("valid");
        let bare = shape.complete(shape.all(), 5).expect("the form without its prefix");
        assert_eq!(shape.write(bare, b"44120").as_deref(), Some("INV-44120"));
    }

    #[test]
    fn repetitions_are_lengths() {
        let shape = Shape::parse(&["@#{2,4}".to_owned()], None).expect("valid");
        let lengths: Vec<usize> = (0..8).filter(|n| shape.complete(shape.all(), *n).is_some()).collect();
        assert_eq!(lengths, [3, 4, 5]);
    }

    #[test]
    fn mistakes_say_what_was_expected() {
        check_error("", "1 to 40 symbols");
        check_error("#{3", "without '}'");
        check_error("#{5,2}", "m <= n");
        check_error("[A-Z]", "letters and digits");
        check_error("##%", "'%' means nothing");
        check_error("#{1,9}@{1,9}#{1,9}", "more than 128");
        check_error("#{40}#", "1 to 40 symbols");
    }
}
