//! Whether a request is the provider's: `X-Twilio-Signature`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

/// Whether Twilio signed a request for `url` with this form, in any order of its fields, by the account's token.
///
/// Twilio's "Webhooks Security": HMAC-SHA1 over the URL as it is configured there, followed by name and value of each
/// field of a POST in order of their names; base64. The WebSocket's opening request is signed alike, without fields.
/// Takes the same time wherever a wrong signature differs.
pub fn is_twilio(token: &str, url: &str, form: &[(String, String)], signature: &str) -> bool {
    let Ok(signature) = STANDARD.decode(signature) else { return false };
    if token.is_empty() {
        return false;
    }
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(url.as_bytes());
    let mut fields: Vec<_> = form.iter().collect();
    fields.sort();
    for (name, value) in fields {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    mac.verify_slice(&signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that Twilio's own libraries are tested with.
    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const SIGNATURE: &str = "0/KCTR6DLpKmkAf8muzZqo1nDgQ=";

    fn form() -> Vec<(String, String)> {
        [
            ("From", "+12349013030"),
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+12349013030"),
            ("Digits", "1234"),
            ("To", "+18005551212"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    #[test]
    fn the_published_example_is_accepted_and_nothing_else() {
        assert!(is_twilio("12345", URL, &form(), SIGNATURE));
        assert!(!is_twilio("12346", URL, &form(), SIGNATURE));
        assert!(!is_twilio("12345", "https://mycompany.com/", &form(), SIGNATURE));
        assert!(!is_twilio("12345", URL, &form()[1..], SIGNATURE));
        for wrong in ["", "0/KCTR6DLpKmkAf8muzZqo1nDgR=", "no base64", "MA=="] {
            assert!(!is_twilio("12345", URL, &form(), wrong), "{wrong}");
        }
        assert!(!is_twilio("", URL, &form(), SIGNATURE));
    }
}
