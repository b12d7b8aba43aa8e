//! Just enough reading of Rust for the tidy test: a file's words and punctuation without comments and
//! without what stands in strings, each with its line and whether it is test code; and the paths in it.

/// A word or a piece of punctuation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    /// From 1.
    pub(super) line: usize,
    /// Within `#[cfg(test)]` or `#[test]`.
    pub(super) test: bool,
}

/// A path as written or imported: `crate::call::Frame`, `std::fs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) segments: Vec<String>,
    pub(super) line: usize,
    pub(super) test: bool,
}

/// Reads a file's tokens. Strings come out as `""`, characters as `''`.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut reader = Reader { chars: text.chars().collect(), at: 0, line: 1, found: Vec::new() };
    while reader.step() {}
    mark_tests(&mut reader.found);
    reader.found
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    line: usize,
    found: Vec<Token>,
}

impl Reader {
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn next(&mut self) -> char {
        let c = self.peek(0);
        self.at += 1;
        if c == '\n' {
            self.line += 1;
        }
        c
    }

    fn push(&mut self, text: impl Into<String>) {
        self.found.push(Token { text: text.into(), line: self.line, test: false });
    }

    fn step(&mut self) -> bool {
        let (c, after) = (self.peek(0), self.peek(1));
        match c {
            _ if self.at >= self.chars.len() => return false,
            '/' if after == '/' => {
                while !matches!(self.peek(0), '\n' | '\0') {
                    self.next();
                }
            }
            '/' if after == '*' => self.block_comment(),
            '"' => self.string(),
            '\'' => self.quote(),
            ':' if after == ':' => {
                self.push("::");
                self.at += 2;
            }
            _ if c.is_alphanumeric() || c == '_' => self.word(),
            _ if c.is_whitespace() => {
                self.next();
            }
            _ => {
                self.push(c);
                self.next();
            }
        }
        true
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.chars.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {
                    self.next();
                    continue;
                }
            }
            self.at += 2;
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.push("\"\"");
        self.next();
        while self.at < self.chars.len() {
            match self.next() {
                '\\' => {
                    self.next();
                }
                '"' => return,
                _ => {}
            }
        }
    }

    /// From the `#` or `"` after the `r`.
    fn raw_string(&mut self) {
        self.push("\"\"");
        let hashes = (0..).take_while(|n| self.peek(*n) == '#').count();
        self.at += hashes + 1;
        while self.at < self.chars.len() {
            if self.next() == '"' && (0..hashes).all(|n| self.peek(n) == '#') {
                self.at += hashes;
                return;
            }
        }
    }

    /// A character, or a lifetime.
    fn quote(&mut self) {
        self.next();
        let escaped = self.peek(0) == '\\';
        if !escaped && self.peek(1) != '\'' {
            return;
        }
        self.push("''");
        self.next();
        if escaped {
            self.next();
        }
        while !matches!(self.next(), '\'' | '\0') {}
    }

    fn word(&mut self) {
        let start = self.at;
        while self.peek(0).is_alphanumeric() || self.peek(0) == '_' {
            self.at += 1;
        }
        let word: String = self.chars[start..self.at].iter().collect();
        let is_raw = matches!(word.as_str(), "r" | "br" | "cr");
        let hashes = (0..).take_while(|n| self.peek(*n) == '#').count();
        if is_raw && self.peek(hashes) == '"' {
            return self.raw_string();
        }
        if word == "r" && hashes == 1 {
            // A raw identifier: the word follows.
            self.at += 1;
            return;
        }
        // The prefixes of byte and C strings need no word of their own.
        if !(matches!(word.as_str(), "b" | "c") && matches!(self.peek(0), '"' | '\'')) {
            self.push(word);
        }
    }
}

/// Marks every item under an attribute that says `test`.
fn mark_tests(tokens: &mut [Token]) {
    let mut at = 0;
    while at < tokens.len() {
        let end = attribute_end(tokens, at);
        if end > at && is_test_attribute(&tokens[at..end]) {
            let item = item_end(tokens, end);
            tokens[at..item].iter_mut().for_each(|t| t.test = true);
            at = item;
        } else {
            at = end.max(at + 1);
        }
    }
}

/// Past the attribute that begins at `at`; `at` itself where none does.
fn attribute_end(tokens: &[Token], at: usize) -> usize {
    let is = |n: usize, text: &str| tokens.get(n).is_some_and(|t| t.text == text);
    if !(is(at, "#") && is(at + 1, "[")) {
        return at;
    }
    past_group(tokens, at + 1)
}

fn is_test_attribute(attribute: &[Token]) -> bool {
    let words: Vec<&str> = attribute.iter().map(|t| t.text.as_str()).collect();
    match words.get(2..) {
        Some(["test", ..]) => true,
        Some(["cfg", "(", rest @ ..]) => rest.contains(&"test") && !rest.contains(&"not"),
        _ => false,
    }
}

/// Past the bracket that matches the one at `open`.
fn past_group(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (n, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return n + 1;
        }
    }
    tokens.len()
}

/// Past the item that begins at `at`, its further attributes included.
fn item_end(tokens: &[Token], mut at: usize) -> usize {
    while attribute_end(tokens, at) > at {
        at = attribute_end(tokens, at);
    }
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            ";" => return at + 1,
            "{" => return past_group(tokens, at),
            "(" | "[" => at = past_group(tokens, at),
            _ => at += 1,
        }
    }
    tokens.len()
}

/// All paths, the trees of `use` written out.
pub(super) fn paths(tokens: &[Token]) -> Vec<Path> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let next = tokens.get(at + 1).map_or("", |t| t.text.as_str());
        if tokens[at].text == "use" && next != "<" {
            at = use_tree(tokens, at + 1, &[], &mut found);
        } else if is_word(&tokens[at].text) {
            at = plain_path(tokens, at, &mut found);
        } else {
            at += 1;
        }
    }
    found
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn path(segments: Vec<String>, token: &Token) -> Path {
    Path { segments, line: token.line, test: token.test }
}

fn plain_path(tokens: &[Token], start: usize, found: &mut Vec<Path>) -> usize {
    let mut segments = vec![tokens[start].text.clone()];
    let mut at = start + 1;
    while let [colons, word, ..] = &tokens[at..]
        && colons.text == "::"
        && is_word(&word.text)
    {
        segments.push(word.text.clone());
        at += 2;
    }
    found.push(path(segments, &tokens[start]));
    at
}

/// One branch of a `use`, up to the comma, brace or semicolon that ends it.
fn use_tree(tokens: &[Token], mut at: usize, prefix: &[String], found: &mut Vec<Path>) -> usize {
    let mut segments = prefix.to_vec();
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "::" => at += 1,
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|t| t.text != "}") {
                    at = use_tree(tokens, at, &segments, found);
                    at += usize::from(tokens.get(at).is_some_and(|t| t.text == ","));
                }
                return at + 1;
            }
            "as" => at += 2,
            "," | "}" | ";" => break,
            word => {
                segments.push(word.to_owned());
                at += 1;
            }
        }
    }
    if let Some(last) =
        at.checked_sub(1).and_then(|n| tokens.get(n)).filter(|_| segments.len() > prefix.len())
    {
        found.push(path(segments, last));
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_paths(text: &str, wanted: &[&str]) {
        let found: Vec<String> = paths(&tokens(text)).iter().map(|p| p.segments.join("::")).collect();
        assert_eq!(found, wanted, "in {text}");
    }

    #[test]
    fn use_trees_are_written_out() {
        check_paths(
            "use crate::call::{Ani, event::{Event as E, *}};",
            &["crate::call::Ani", "crate::call::event::Event", "crate::call::event::*"],
        );
        check_paths("pub(crate) use std::{fs, io::Read};", &["pub", "crate", "std::fs", "std::io::Read"]);
        check_paths(
            "fn f() -> impl Sized + use<'a> { ::std::fs::read() }",
            &["fn", "f", "impl", "Sized", "use", "a", "std::fs::read"],
        );
    }

    #[test]
    fn comments_strings_and_characters_are_no_paths() {
        check_paths("// crate::a\n/* crate::b /* crate::c */ crate::d */ x", &["x"]);
        check_paths("\"crate::a \\\" crate::b\" r#\"crate::c \" crate::d\"# b\"crate::e\" x", &["x"]);
        check_paths("'\"' x '\\'' y '\\u{41}' z <'a> b'\"' w", &["x", "y", "z", "a", "w"]);
    }

    #[test]
    fn lines_are_counted_through_comments_and_strings() {
        let found = tokens("/*\n*/ \"\n\" r\"\n\" x");
        assert_eq!(found.last().map(|t| t.line), Some(4));
    }

    #[test]
    fn test_code_is_marked_to_the_end_of_its_item_and_no_further() {
        let text = "#[cfg(test)] #[path = \"x\"] mod a; fn b() {} #[cfg(test)] mod c { fn d() {} } fn e() {} \
                    #[cfg(not(test))] fn f() {} #[test] fn g() { h() } use i;";
        let test: Vec<String> = tokens(text)
            .into_iter()
            .filter(|t| t.test && t.text.len() == 1 && is_word(&t.text))
            .map(|t| t.text)
            .collect();
        assert_eq!(test, ["a", "c", "d", "g", "h"]);
    }
}
