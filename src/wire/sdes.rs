//! Keys for encrypted sound in descriptions: `a=crypto` (RFC 4568).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::srtp::{Key, Suite};

/// The longest name of a key (RFC 4568, section 6.1).
const LONGEST_MKI: usize = 128;

/// How a side encrypts what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crypto {
    /// Names it among those offered.
    pub tag: u32,
    /// Cipher and tag.
    pub suite: Suite,
    /// The key.
    pub key: Key,
    /// Bytes by which each packet names the key; 0 where none does.
    pub mki: usize,
}

impl Crypto {
    /// Reads an attribute's value; `None` where it holds what the line does not do: another cipher, several keys, or
    /// a parameter that it would have to keep to (section 6.3).
    pub fn parse(value: &str) -> Option<Crypto> {
        let mut parts = value.split_ascii_whitespace();
        let tag = parts.next().filter(|tag| tag.len() <= 9)?.parse().ok()?;
        let suite = Suite::from_name(parts.next()?)?;
        // Several keys stand with semicolons between them, which no base64 has.
        let mut inline = parts.next()?.strip_prefix("inline:")?.split('|');
        let text = inline.next()?.trim_end_matches('=');
        let key = STANDARD_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let mut mki = 0;
        for parameter in inline {
            // A lifetime stands without a colon. It is longer than a call.
            if let Some((_, bytes)) = parameter.split_once(':') {
                mki = bytes.parse().ok().filter(|bytes| (1..=LONGEST_MKI).contains(bytes))?;
            }
        }
        // A window for replays is advice to the receiver; what begins with a dash may be passed over.
        let known = |parameter: &str| parameter.starts_with("WSH=") || parameter.starts_with('-');
        parts.all(known).then_some(Crypto { tag, suite, key: Key(key), mki })
    }

    /// The attribute's value.
    pub fn value(&self) -> String {
        format!("{} {} inline:{}", self.tag, self.suite.name(), STANDARD.encode(self.key.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 4568, section 4.
    const KEY: &str = "inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

    fn parse(value: &str) -> Option<Crypto> {
        Crypto::parse(&value.replace("KEY", KEY))
    }

    #[test]
    fn both_suites_are_read_with_and_without_a_lifetime_and_a_name() {
        let crypto = parse("1 AES_CM_128_HMAC_SHA1_80 KEY|2^20|1:4 WSH=128").expect("one that is known");
        assert_eq!((crypto.tag, crypto.suite, crypto.mki), (1, Suite::Tag80, 4));
        assert_eq!(&crypto.key.0, b"wDfvg&T+)xG7@fb5jU,RaA}\\|p0%*#");
        let crypto = parse("734 AES_CM_128_HMAC_SHA1_32 KEY|1048576").expect("one that is known");
        assert_eq!((crypto.tag, crypto.suite, crypto.mki), (734, Suite::Tag32, 0));
        assert_eq!(parse("1 AES_CM_128_HMAC_SHA1_80 KEY|1:4").map(|c| c.mki), Some(4));
        assert!(parse("1 AES_CM_128_HMAC_SHA1_80 KEY -UNKNOWN=1").is_some());
    }

    #[test]
    fn what_the_line_does_not_do_is_not_taken() {
        for value in [
            "",
            "1",
            "x AES_CM_128_HMAC_SHA1_80 KEY",
            "1 F8_128_HMAC_SHA1_80 KEY",
            "1 AES_CM_128_HMAC_SHA1_80 KEY;KEY",
            "1 AES_CM_128_HMAC_SHA1_80 KEY UNENCRYPTED_SRTP",
            "1 AES_CM_128_HMAC_SHA1_80 KEY KDR=1",
            "1 AES_CM_128_HMAC_SHA1_80 KEY|2^20|1:500",
            "1 AES_CM_128_HMAC_SHA1_80 inline:QUJD",
            "1 AES_CM_128_HMAC_SHA1_80 inline:!!!",
        ] {
            assert_eq!(parse(value), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn an_attribute_is_read_back(tag in 1u32..1_000_000_000, key: [u8; 30]) {
            let crypto = Crypto { tag, suite: Suite::Tag32, key: Key(key), mki: 0 };
            prop_assert_eq!(Crypto::parse(&crypto.value()), Some(crypto));
        }

        #[test]
        fn any_text_is_read_or_refused(value in ".{0,120}") {
            let _ = Crypto::parse(&value);
        }
    }
}
