//! A query that a team declares: SQL with named parameters, as `:name`.

/// SQL whose parameters are numbered as databases number them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberedSql {
    /// With `$1`, `$2` … where the names stood.
    pub sql: String,
    /// The names in the order of their numbers; each once.
    pub parameters: Vec<String>,
}

impl NumberedSql {
    /// Numbers the parameters of one query. What stands in quotes or comments is none, and neither is PostgreSQL's
    /// `::type`.
    ///
    /// # Errors
    /// Words for whoever wrote it: more than one statement, one that is no query, or a quote that does not end.
    pub fn parse(text: &str) -> Result<NumberedSql, String> {
        let text = text.trim().trim_end_matches(';').trim_end();
        let first = text.split_whitespace().next().unwrap_or_default().to_lowercase();
        if first != "select" && first != "with" {
            return Err("expected a query that begins with SELECT or WITH".to_owned());
        }
        let mut parsed = NumberedSql::default();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let length = match next {
                '\'' | '"' | '`' => quoted(rest, next)?,
                '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
                '/' if rest.starts_with("/*") => {
                    rest.find("*/").ok_or("a comment does not end: expected */")? + "*/".len()
                }
                ';' => return Err("expected one statement, without a ; inside".to_owned()),
                '?' | '$' => {
                    return Err(format!("'{next}' cannot stand here: parameters are written as :name"));
                }
                ':' if rest.starts_with("::") => "::".len(),
                ':' => {
                    let name: String =
                        rest[1..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                    if name.is_empty() {
                        return Err("a : without a name: expected a parameter, as in :number".to_owned());
                    }
                    let length = 1 + name.len();
                    parsed.number(name);
                    rest = &rest[length..];
                    continue;
                }
                other => other.len_utf8(),
            };
            let (taken, after) = rest.split_at(length);
            // A comment would swallow what the store puts behind the query.
            parsed.sql += if taken.starts_with("--") || taken.starts_with("/*") { " " } else { taken };
            rest = after;
        }
        Ok(parsed)
    }

    fn number(&mut self, name: String) {
        let known = self.parameters.iter().position(|other| *other == name);
        let number = known.unwrap_or_else(|| {
            self.parameters.push(name);
            self.parameters.len() - 1
        });
        self.sql += &format!("${}", number + 1);
    }
}

/// How long a quoted text is that begins here; a doubled quote stands for one.
fn quoted(text: &str, quote: char) -> Result<usize, String> {
    let inside = &text[quote.len_utf8()..];
    let end = inside.find(quote).ok_or_else(|| format!("a text does not end: expected another {quote}"))?;
    Ok(quote.len_utf8() * 2 + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, sql: &str, parameters: &[&str]) {
        let parsed = NumberedSql::parse(text).expect(text);
        assert_eq!(
            (parsed.sql.as_str(), parsed.parameters),
            (sql, parameters.iter().map(|p| (*p).to_owned()).collect())
        );
    }

    #[test]
    fn parameters_are_numbered_by_name() {
        check("SELECT a FROM t WHERE b = :b", "SELECT a FROM t WHERE b = $1", &["b"]);
        check(
            "select a from t where b = :b or (c = :c and d = :b);",
            "select a from t where b = $1 or (c = $2 and d = $1)",
            &["b", "c"],
        );
        check(
            "WITH x AS (SELECT :a::bigint) SELECT * FROM x",
            "WITH x AS (SELECT $1::bigint) SELECT * FROM x",
            &["a"],
        );
    }

    #[test]
    fn quotes_and_comments_hold_no_parameters() {
        check(
            "SELECT ':a', \"b:c\", 'it''s :d' FROM t -- :e\nWHERE f = :g /* :h */",
            "SELECT ':a', \"b:c\", 'it''s :d' FROM t  \nWHERE f = $1  ",
            &["g"],
        );
    }

    #[test]
    fn what_is_no_single_query_is_refused() {
        for (text, expected) in [
            ("DELETE FROM t", "SELECT or WITH"),
            ("", "SELECT or WITH"),
            ("SELECT 1; DROP TABLE t", "one statement"),
            ("SELECT 'a", "does not end"),
            ("SELECT 1 /* a", "does not end"),
            ("SELECT a FROM t WHERE b = ?", ":name"),
            ("SELECT a FROM t WHERE b = $1", ":name"),
            ("SELECT a : b FROM t", "without a name"),
        ] {
            let why = NumberedSql::parse(text).expect_err(text);
            assert!(why.contains(expected), "{text}: {why}");
        }
    }
}
