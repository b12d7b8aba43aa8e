//! Digest for callers: challenges, and the proofs of those who know a password (RFC 3261, section 22; RFC 8760).
//!
//! The line keeps no challenge that it gave out: a nonce carries its moment and a signature over that and the source.
//! What it does keep is how far each nonce has been used, so that a proof that was listened to is worth nothing.

use core::net::IpAddr;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;
use sha2::{Digest as _, Sha256};

/// A challenge is good for so long; then the caller's telephone gets another, and proves itself again by itself.
const NONCE_LASTS: Duration = Duration::from_secs(120);

/// Nonces whose use is remembered. Where more are in use at once, further ones are declared stale.
const MOST_NONCES: usize = 10_000;

/// Bytes of a nonce's signature.
const SIGNATURE: usize = 16;

/// By which hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256 (RFC 7616).
    Sha256,
    /// MD5, which many telephones speak alone.
    Md5,
}

impl Algorithm {
    /// All, the better first.
    pub const ALL: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Md5];

    /// As in `algorithm=`.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Md5 => "MD5",
        }
    }

    /// The algorithm of that name, as settings and headers spell it.
    pub fn from_name(name: &str) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|a| a.name().eq_ignore_ascii_case(name.trim()))
    }

    /// The hash of a text, in lower-case hexadecimal.
    pub fn hash(self, text: &str) -> String {
        match self {
            Algorithm::Sha256 => hex(&Sha256::digest(text.as_bytes())),
            Algorithm::Md5 => hex(&Md5::digest(text.as_bytes())),
        }
    }

    /// Digits of its hashes.
    fn digits(self) -> usize {
        match self {
            Algorithm::Sha256 => 64,
            Algorithm::Md5 => 32,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Why a file of users cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line}: {why}; expected user:password, or user:realm:HASH with the MD5 or SHA-256 of user:realm:password"
)]
pub struct UsersError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub why: &'static str,
}

/// Who may call, by what they prove it, and in which realm.
#[derive(Clone)]
pub struct Users {
    realm: String,
    algorithms: Vec<Algorithm>,
    /// H(user:realm:password), by user and algorithm.
    secrets: BTreeMap<String, BTreeMap<Algorithm, String>>,
}

impl core::fmt::Debug for Users {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Users")
            .field("realm", &self.realm)
            .field("users", &self.secrets.len())
            .finish_non_exhaustive()
    }
}

impl Users {
    /// Reads a file of users: `user:password`, or `user:realm:HASH` as `htdigest` writes it; `#` begins a comment.
    /// Lines of another realm are somebody else's. A user may have a line for each hash.
    ///
    /// # Errors
    /// A line that is neither, or no user at all.
    pub fn parse(text: &str, realm: &str, algorithms: &[Algorithm]) -> Result<Users, UsersError> {
        let mut secrets: BTreeMap<String, BTreeMap<Algorithm, String>> = BTreeMap::new();
        for (n, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |why| UsersError { line: n + 1, why };
            let parts: Vec<&str> = line.split(':').collect();
            let of_user = |secrets: &mut BTreeMap<_, _>, user: &str| {
                let fits =
                    !user.is_empty() && user.chars().all(|c| c.is_ascii_graphic() && !"\"\\".contains(c));
                if fits {
                    Ok(core::mem::take(secrets.entry(user.to_owned()).or_insert_with(BTreeMap::new)))
                } else {
                    Err(wrong("the user is no name"))
                }
            };
            match parts.as_slice() {
                [_, ""] => return Err(wrong("the password is empty")),
                [user, password] => {
                    let mut of = of_user(&mut secrets, user)?;
                    for algorithm in algorithms {
                        of.insert(*algorithm, algorithm.hash(&format!("{user}:{realm}:{password}")));
                    }
                    secrets.insert((*user).to_owned(), of);
                }
                [user, of_realm, hash] => {
                    let algorithm = Algorithm::ALL.into_iter().find(|a| a.digits() == hash.len());
                    let is_hex = hash.bytes().all(|b| b.is_ascii_hexdigit());
                    let Some(algorithm) = algorithm.filter(|_| is_hex) else {
                        return Err(wrong("the hash is none"));
                    };
                    if *of_realm == realm && algorithms.contains(&algorithm) {
                        let mut of = of_user(&mut secrets, user)?;
                        of.insert(algorithm, hash.to_ascii_lowercase());
                        secrets.insert((*user).to_owned(), of);
                    }
                }
                _ => return Err(wrong("it has not two or three parts")),
            }
        }
        if secrets.is_empty() {
            return Err(UsersError {
                line: text.lines().count().max(1),
                why: "nobody may call by this file",
            });
        }
        Ok(Users { realm: realm.to_owned(), algorithms: algorithms.to_vec(), secrets })
    }

    /// The values of `WWW-Authenticate`, one for each algorithm in the order of the settings.
    pub fn challenges(&self, nonce: &str, stale: bool) -> Vec<String> {
        let known = |a: &&Algorithm| self.secrets.values().any(|of| of.contains_key(*a));
        let stale = if stale { ", stale=true" } else { "" };
        let challenge = |a: &Algorithm| {
            format!(
                "Digest realm=\"{}\", nonce=\"{nonce}\", algorithm={}, qop=\"auth\"{stale}",
                self.realm,
                a.name()
            )
        };
        self.algorithms.iter().filter(known).map(challenge).collect()
    }

    /// Whether a proof is of this realm: others in a request are for others on its way.
    pub fn is_asked(&self, proof: &Proof) -> bool {
        proof.realm == self.realm
    }

    /// Whether a proof was made with the password of the user whom it names. Takes the same time wherever a wrong one
    /// differs, and for a user who does not exist.
    ///
    /// The URI in the proof is hashed and not compared: a trunk may rewrite the request's, and every destination of the
    /// line is answered alike.
    pub fn know(&self, proof: &Proof, method: &str) -> bool {
        let secret = self.secrets.get(&proof.username).and_then(|of| of.get(&proof.algorithm));
        let nobody = String::new();
        let a1 = secret.unwrap_or(&nobody);
        let a2 = proof.algorithm.hash(&format!("{method}:{}", proof.uri));
        let Proof { nonce, count_text, cnonce, .. } = proof;
        let right = proof.algorithm.hash(&format!("{a1}:{nonce}:{count_text}:{cnonce}:auth:{a2}"));
        let told = proof.response.to_ascii_lowercase();
        let same = right.len() == told.len()
            && right.bytes().zip(told.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0;
        same && secret.is_some()
    }
}

/// What a caller says to prove itself: an `Authorization` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Who.
    pub username: String,
    /// For which realm.
    pub realm: String,
    /// Of which challenge.
    pub nonce: String,
    uri: String,
    response: String,
    algorithm: Algorithm,
    cnonce: String,
    /// How often the challenge has been used, this time included.
    pub count: u32,
    count_text: String,
}

impl Proof {
    /// Reads a header's value; `None` where it is no digest with `qop=auth` by an algorithm that the line knows.
    pub fn parse(value: &str) -> Option<Proof> {
        let (scheme, rest) = value.trim().split_once([' ', '\t'])?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let mut fields = fields(rest)?;
        let mut take = |name: &str| fields.remove(name);
        let algorithm = take("algorithm").map_or(Some(Algorithm::Md5), |name| Algorithm::from_name(&name))?;
        let count_text = take("nc")?;
        let is_count = count_text.len() == 8 && count_text.bytes().all(|b| b.is_ascii_hexdigit());
        if take("qop")? != "auth" || !is_count {
            return None;
        }
        Some(Proof {
            username: take("username")?,
            realm: take("realm")?,
            nonce: take("nonce")?,
            uri: take("uri")?,
            response: take("response")?,
            algorithm,
            cnonce: take("cnonce")?,
            count: u32::from_str_radix(&count_text, 16).ok()?,
            count_text,
        })
    }
}

/// `name=value, name="quoted \" value"`; `None` where that is not what it is, or a name stands twice.
fn fields(text: &str) -> Option<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, behind) = match after.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = after.find(',').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        if found.insert(name.trim().to_ascii_lowercase(), value).is_some() {
            return None;
        }
        let behind = behind.trim_start();
        rest = match behind.strip_prefix(',') {
            Some(next) => next.trim_start(),
            None if behind.is_empty() => "",
            None => return None,
        };
    }
    Some(found)
}

/// A quoted string without its marks, and what stands behind it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Some((value, &text[at + 1..])),
            _ => value.push(c),
        }
    }
    None
}

/// What a nonce is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// It is the line's, for this source, in its time, and used further than ever before.
    Good,
    /// It was good once: another is due, and no password was wrong.
    Stale,
    /// The line never gave it to this source.
    Foreign,
}

/// Gives out challenges, and knows its own again.
pub struct Nonces {
    key: [u8; 32],
    /// How far each was used, and when it was given out.
    used: HashMap<String, (u32, Duration)>,
}

impl core::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Nonces").field("used", &self.used.len()).finish_non_exhaustive()
    }
}

impl Nonces {
    /// Signed with this key, which nobody else may know.
    pub fn new(key: [u8; 32]) -> Nonces {
        Nonces { key, used: HashMap::new() }
    }

    fn signature(&self, moment: &str, source: IpAddr) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        mac.update(format!("{moment} {source}").as_bytes());
        hex(&mac.finalize().into_bytes()[..SIGNATURE])
    }

    /// A challenge for a source, at a moment since some fixed instant.
    pub fn issue(&self, now: Duration, source: IpAddr) -> String {
        let moment = format!("{:016x}", now.as_millis());
        let signature = self.signature(&moment, source);
        format!("{moment}{signature}")
    }

    /// What a nonce is worth, used for the `count`th time; a good one is used up to there from now on.
    pub fn judge(&mut self, nonce: &str, count: u32, now: Duration, source: IpAddr) -> Worth {
        let Some((moment, signature)) = nonce.split_at_checked(16) else { return Worth::Foreign };
        let Ok(given_ms) = u64::from_str_radix(moment, 16) else { return Worth::Foreign };
        let ours = self.signature(moment, source);
        let same = ours.len() == signature.len()
            && ours.bytes().zip(signature.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0;
        if !same {
            return Worth::Foreign;
        }
        let given = Duration::from_millis(given_ms);
        if now.saturating_sub(given) >= NONCE_LASTS {
            return Worth::Stale;
        }
        if self.used.len() >= MOST_NONCES {
            self.used.retain(|_, (_, given)| now.saturating_sub(*given) < NONCE_LASTS);
        }
        let known = self.used.get(nonce).map_or(0, |(count, _)| *count);
        if count <= known || (known == 0 && self.used.len() >= MOST_NONCES) {
            return Worth::Stale;
        }
        self.used.insert(nonce.to_owned(), (count, given));
        Worth::Good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEAR: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 7));

    fn proof(text: &str) -> Proof {
        Proof::parse(text).expect("a proof")
    }

    /// The examples of RFC 7616, section 3.9.1: both hashes of one password.
    #[test]
    fn the_examples_of_the_standard_are_known() {
        let realm = "http-auth@example.org";
        let users = Users::parse("Mufasa:Circle of Life", realm, &Algorithm::ALL).expect("a user");
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let header = format!(
                "Digest username=\"Mufasa\", realm=\"{realm}\", uri=\"/dir/index.html\", algorithm={algorithm}, \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
                 cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, response=\"{response}\""
            );
            assert!(users.know(&proof(&header), "GET"), "{algorithm}");
            assert!(!users.know(&proof(&header), "INVITE"), "{algorithm}: another method");
            assert!(!users.know(&proof(&header.replace("Mufasa", "Scar")), "GET"), "nobody");
            assert!(!users.know(&proof(&header.replace("00000001", "00000002")), "GET"), "another count");
        }
    }

    #[test]
    fn a_file_of_users_is_read_or_told_why_not() {
        let md5 = Algorithm::Md5.hash("ann:line:secret");
        let sha = Algorithm::Sha256.hash("ann:line:secret");
        let text =
            format!("# who may call\nann:line:{md5}\nann:line:{sha}\nbob:elsewhere:{md5}\ncid:pass word\n");
        let users = Users::parse(&text, "line", &Algorithm::ALL).expect("users");
        assert_eq!(users.secrets.len(), 2);
        assert_eq!(users.secrets["ann"].len(), 2);
        assert_eq!(users.challenges("n", false).len(), 2);
        let only_md5 = format!("ann:line:{md5}");
        let users = Users::parse(&only_md5, "line", &Algorithm::ALL).expect("users");
        assert_eq!(
            users.challenges("n", true),
            ["Digest realm=\"line\", nonce=\"n\", algorithm=MD5, qop=\"auth\", stale=true"]
        );
        for (wrong, line, told) in [
            ("", 1, "nobody"),
            ("a:b\nc", 2, "parts"),
            ("a:line:12", 1, "hash"),
            ("a:", 1, "empty"),
            ("a b:c", 1, "name"),
        ] {
            let error = Users::parse(wrong, "line", &Algorithm::ALL).expect_err(wrong);
            assert_eq!(error.line, line);
            assert!(error.why.contains(told), "{error}");
        }
    }

    #[test]
    fn what_is_no_proof_is_none() {
        let whole = "Digest username=\"a\", realm=\"r\", nonce=\"n\", uri=\"sip:x\", response=\"1\", cnonce=\"c\", nc=00000001, qop=auth";
        assert_eq!(proof(whole).algorithm, Algorithm::Md5, "unless it says otherwise");
        assert_eq!(proof(&whole.replace("\"a\"", "\"a \\\"b\\\", c\"")).username, "a \"b\", c");
        for (from, to) in [
            ("Digest", "Basic"),
            ("qop=auth", "qop=auth-int"),
            (", qop=auth", ""),
            ("nc=00000001", "nc=1"),
            ("qop=auth", "qop=auth, algorithm=SHA-512"),
            ("cnonce=\"c\"", "cnonce=\"c"),
            ("uri=\"sip:x\"", "uri=\"sip:x\", uri=\"sip:y\""),
        ] {
            assert_eq!(Proof::parse(&whole.replace(from, to)), None, "{to}");
        }
    }

    #[test]
    fn a_challenge_is_good_once_for_its_source_and_in_its_time() {
        let mut nonces = Nonces::new([7; 32]);
        let at = |s: u64| Duration::from_secs(1_000 + s);
        let far: IpAddr = [192, 0, 2, 8].into();
        let nonce = nonces.issue(at(0), NEAR);
        assert_eq!(nonces.judge(&nonce, 1, at(1), NEAR), Worth::Good);
        assert_eq!(nonces.judge(&nonce, 1, at(1), NEAR), Worth::Stale, "the same proof again");
        assert_eq!(nonces.judge(&nonce, 3, at(2), NEAR), Worth::Good);
        assert_eq!(nonces.judge(&nonce, 2, at(2), NEAR), Worth::Stale);
        assert_eq!(nonces.judge(&nonce, 4, at(2), far), Worth::Foreign);
        assert_eq!(nonces.judge(&nonce, 4, at(120), NEAR), Worth::Stale, "its time is over");
        let later = nonce.replacen('0', "1", 1);
        for foreign in ["", "x", "00000000000000é0", later.as_str()] {
            assert_eq!(nonces.judge(foreign, 1, at(1), NEAR), Worth::Foreign, "{foreign}");
        }
    }

    #[test]
    fn what_is_remembered_of_challenges_has_an_end() {
        let mut nonces = Nonces::new([7; 32]);
        let at = |n: usize| Duration::from_millis(n as u64);
        for n in 0..MOST_NONCES {
            let nonce = nonces.issue(at(n), NEAR);
            assert_eq!(nonces.judge(&nonce, 1, at(n), NEAR), Worth::Good);
        }
        let more = nonces.issue(at(MOST_NONCES), NEAR);
        assert_eq!(nonces.judge(&more, 1, at(MOST_NONCES), NEAR), Worth::Stale);
        let later = NONCE_LASTS + at(MOST_NONCES);
        let more = nonces.issue(later, NEAR);
        assert_eq!(nonces.judge(&more, 1, later, NEAR), Worth::Good);
        assert_eq!(nonces.used.len(), 1);
    }
}
