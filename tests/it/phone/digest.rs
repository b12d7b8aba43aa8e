//! Callers who have to prove who they are.

use super::TestLine;
use super::caller::{Caller, Message};
use attendant::wire::digest::Algorithm;

/// A file of users, and a line that asks for their passwords.
fn guarded(changes: &[(&str, &str)]) -> (tempfile::TempDir, TestLine) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("users");
    std::fs::write(&path, "# telephones\n6001:open sesame\n").expect("written");
    let path = path.display().to_string();
    let settings: Vec<(&str, &str)> =
        [("sip_users", path.as_str())].into_iter().chain(changes.iter().copied()).collect();
    let line = TestLine::open(&settings);
    (folder, line)
}

fn parameter<'a>(challenge: &'a str, name: &str) -> &'a str {
    let value = challenge.split(&format!("{name}=")).nth(1).expect(name);
    value.trim_start_matches('"').split(['"', ',']).next().expect("one").trim()
}

/// The challenge by that algorithm.
fn challenge(refused: &Message, algorithm: Algorithm) -> String {
    assert_eq!(refused.status(), 401, "{refused:?}");
    let wanted = format!("algorithm={},", algorithm.name());
    let found = refused.text.lines().find(|l| l.starts_with("WWW-Authenticate:") && l.contains(&wanted));
    found.unwrap_or_else(|| panic!("no {wanted} in {refused:?}")).to_owned()
}

/// An `Authorization` header, made by hand from the challenge.
fn proof(challenge: &str, algorithm: Algorithm, user: &str, password: &str, count: u32) -> String {
    let (realm, nonce) = (parameter(challenge, "realm"), parameter(challenge, "nonce"));
    let uri = "sip:8005550199@127.0.0.1";
    let count = format!("{count:08x}");
    let a1 = algorithm.hash(&format!("{user}:{realm}:{password}"));
    let a2 = algorithm.hash(&format!("INVITE:{uri}"));
    let response = algorithm.hash(&format!("{a1}:{nonce}:{count}:c1:auth:{a2}"));
    format!(
        "Authorization: Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
         algorithm={}, qop=auth, nc={count}, cnonce=\"c1\", response=\"{response}\"\r\n",
        algorithm.name()
    )
}

#[test]
fn who_knows_the_password_is_answered_by_either_hash() {
    let (_users, line) = guarded(&[]);
    for algorithm in Algorithm::ALL {
        let mut caller = Caller::new(line.address);
        let offer = caller.usual();
        let challenge = challenge(&caller.invite("", &offer), algorithm);
        let known = proof(&challenge, algorithm, "6001", "open sesame", 1);
        assert_eq!(caller.invite(&known, &offer).status(), 200);
        caller.hang_up();
    }
    line.held(2);
    line.empty();
}

/// The line itself, towards a registrar that prefers what nobody has, then SHA-256.
#[test]
fn the_line_proves_itself_by_the_first_hash_that_it_has() {
    let registrar = Caller::new("127.0.0.1:9".parse().expect("an address"));
    let uri = format!("sip:127.0.0.1:{}", registrar.port());
    let line = TestLine::open(&[("sip_registrar", &uri), ("sip_user", "line"), ("sip_password", "secret")]);
    let registrar = registrar.towards(line.address);
    let first = registrar.asked();
    let asks = |algorithm: &str| {
        format!(
            "WWW-Authenticate: Digest realm=\"SHA-256\", nonce=\"n1\", algorithm={algorithm}, qop=\"auth\"\r\n"
        )
    };
    registrar.respond(&first, "401 Unauthorized", &["SHA-512-256", "SHA-256", "MD5"].map(asks).concat(), "");
    let second = registrar.asked();
    let proof = second.header("Authorization").expect("a proof");
    assert_eq!(parameter(proof, "algorithm"), "SHA-256", "{proof}");
    let hash = |text: &str| Algorithm::Sha256.hash(text);
    let (a1, a2) = (hash("line:SHA-256:secret"), hash(&format!("REGISTER:{uri}")));
    let (count, own) = (parameter(proof, "nc"), parameter(proof, "cnonce"));
    assert_eq!(parameter(proof, "response"), hash(&format!("{a1}:n1:{count}:{own}:auth:{a2}")), "{proof}");
    registrar.respond(&second, "200 OK", "Expires: 600\r\n", "");
}

/// Two lines: the one that calls is asked for a password, by either hash first.
#[test]
fn one_line_calls_another_by_password() {
    for order in ["SHA-256, MD5", "MD5"] {
        let (_users, called) = guarded(&[("sip_digest", order)]);
        let account = [("sip_user", "6001"), ("sip_password", "open sesame")];
        let calling = TestLine::open(&account);
        let (dialled, told) = calling.dial(&format!("sip:800@{}", called.address));
        called.until(1);
        calling.serving.drain(std::time::Duration::ZERO);
        dialled.join().expect("it ended");
        assert_eq!(told.recv().expect("told"), None, "{order}");
        called.held(1);
        called.empty();
    }
}

#[test]
fn who_does_not_know_it_is_not() {
    let (_users, line) = guarded(&[]);
    let algorithm = Algorithm::Md5;
    let mut caller = Caller::new(line.address);
    let offer = caller.usual();
    let asked = challenge(&caller.invite("", &offer), algorithm);
    let good = proof(&asked, algorithm, "6001", "open sesame", 1);
    for (what, header) in [
        ("another password", proof(&asked, algorithm, "6001", "open barley", 1)),
        ("another user", proof(&asked, algorithm, "6002", "open sesame", 1)),
        ("another hash's proof", good.replace("algorithm=MD5", "algorithm=SHA-256")),
        ("no protection against replay", good.replace(", qop=auth", "")),
        ("a password in the clear", "Authorization: Basic NjAwMTpvcGVuIHNlc2FtZQ==\r\n".to_owned()),
        ("rubbish", "Authorization: Digest \"\r\n".to_owned()),
    ] {
        let refused = caller.invite(&header, &offer);
        assert_eq!(refused.status(), 401, "{what}: {refused:?}");
        assert!(!refused.text.contains("stale=true"), "{what}");
    }
    let made_up =
        asked.replace(parameter(&asked, "nonce"), "00000000000000000123456789abcdef0123456789abcdef");
    let refused = caller.invite(&proof(&made_up, algorithm, "6001", "open sesame", 1), &offer);
    assert_eq!(refused.status(), 401, "a challenge of nobody's");
    // The right one still works, once.
    assert_eq!(caller.invite(&good, &offer).status(), 200);
    caller.hang_up();
    let mut eavesdropper = Caller::new(line.address);
    let refused = eavesdropper.invite(&good, &offer);
    assert_eq!(refused.status(), 401, "a proof that was listened to");
    assert!(refused.text.contains("stale=true"), "{refused:?}");
    line.held(1);
    line.empty();
}

#[test]
fn a_trusted_network_needs_no_password() {
    let (_users, line) = guarded(&[("sip_trusted", "127.0.0.0/8")]);
    Caller::call(line.address).hang_up();
    let (_users, line) = guarded(&[("sip_trusted", "192.0.2.0/24"), ("sip_digest", "MD5")]);
    let mut caller = Caller::new(line.address);
    let offer = caller.usual();
    let refused = caller.invite("", &offer);
    assert_eq!(refused.text.matches("WWW-Authenticate:").count(), 1, "{refused:?}");
    assert_eq!(line.serving.gate().at_once(), 0);
}
