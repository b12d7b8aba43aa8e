//! Encrypted sound and reports: SRTP and SRTCP (RFC 3711), with AES in counter mode and HMAC-SHA1 as the suites of
//! RFC 4568, section 6.2, have them.
//!
//! A packet that is forged, repeated or of another key is nothing, and changes nothing: what is remembered of a
//! source begins with its first packet that proves itself.

use core::fmt;

use aes::Aes128;
use aes::cipher::{KeyIvInit as _, StreamCipher as _};
use ctr::Ctr128BE;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use super::rtp;

/// Bytes of a master key and its salt (RFC 4568, section 6.2.1).
pub const KEY_BYTES: usize = 30;

/// Bytes of a tag over reports, whichever the suite (RFC 4568, section 6.2.2).
const REPORT_TAG: usize = 10;

/// Bytes of a report's index, whose first bit says that it is encrypted.
const REPORT_INDEX: usize = 4;
const ENCRYPTED: u32 = 1 << 31;

/// Packets behind the newest that may still come (RFC 3711, section 3.3.2: at least 64).
const WINDOW: u64 = 64;

/// Sources of one peer that are remembered: a switch may change its own in mid-call, and seldom does. The one that was
/// heard longest ago is forgotten first.
const SOURCES: usize = 16;

/// A cipher and a length of tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// `AES_CM_128_HMAC_SHA1_80`.
    Tag80,
    /// `AES_CM_128_HMAC_SHA1_32`: shorter tags on packets of sound.
    Tag32,
}

impl Suite {
    /// Its name in SDP.
    pub fn name(self) -> &'static str {
        match self {
            Suite::Tag80 => "AES_CM_128_HMAC_SHA1_80",
            Suite::Tag32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    /// The suite of that name.
    pub fn from_name(name: &str) -> Option<Suite> {
        [Suite::Tag80, Suite::Tag32].into_iter().find(|suite| suite.name() == name)
    }

    fn tag(self) -> usize {
        match self {
            Suite::Tag80 => 10,
            Suite::Tag32 => 4,
        }
    }
}

/// A master key and its salt, which one side sends by. It is not printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key(pub [u8; KEY_BYTES]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// What of a master key is derived (RFC 3711, section 4.3.2: the first of three labels each).
const FOR_SOUND: u8 = 0;
const FOR_REPORTS: u8 = 3;

/// Session keys of sound, or of reports.
struct Keys {
    cipher: [u8; 16],
    salt: [u8; 14],
    mac: Hmac<Sha1>,
}

/// AES in counter mode from a block whose last two bytes count (RFC 3711, section 4.1.1).
fn apply(cipher: &[u8; 16], first: [u8; 16], bytes: &mut [u8]) {
    Ctr128BE::<Aes128>::new(cipher.into(), &first.into()).apply_keystream(bytes);
}

impl Keys {
    fn derive(Key(master): &Key, label: u8) -> Keys {
        let (key, salt) = master.split_first_chunk::<16>().expect("a key is thirty bytes long");
        let fill = |label: u8, out: &mut [u8]| {
            let mut block = [0; 16];
            block[..14].copy_from_slice(salt);
            // No key derivation rate: the label alone is added, at the seventh byte from the salt's end.
            block[7] ^= label;
            apply(key, block, out);
        };
        let (mut cipher, mut auth, mut salt) = ([0; 16], [0; 20], [0; 14]);
        fill(label, &mut cipher);
        fill(label + 1, &mut auth);
        fill(label + 2, &mut salt);
        let mac = Hmac::new_from_slice(&auth).expect("HMAC takes keys of any length");
        Keys { cipher, salt, mac }
    }

    /// Encrypts or decrypts what a source has numbered `index`, a packet's of 48 bits or a report's of 31.
    fn crypt(&self, ssrc: u32, index: u64, bytes: &mut [u8]) {
        let mut block = [0; 16];
        block[..14].copy_from_slice(&self.salt);
        let mix = u128::from(ssrc) << 64 | u128::from(index) << 16;
        let block = u128::from_be_bytes(block) ^ mix;
        apply(&self.cipher, block.to_be_bytes(), bytes);
    }

    fn mac(&self, parts: [&[u8]; 2]) -> Hmac<Sha1> {
        parts.into_iter().fold(self.mac.clone(), |mac, part| mac.chain_update(part))
    }
}

/// Encrypts what one side sends.
pub struct Sealer {
    sound: Keys,
    reports: Keys,
    /// Reports so far.
    reported: u32,
}

impl Sealer {
    /// A sealer by a key that nobody else sends by.
    pub fn new(key: &Key) -> Sealer {
        Sealer { sound: Keys::derive(key, FOR_SOUND), reports: Keys::derive(key, FOR_REPORTS), reported: 0 }
    }

    /// Encrypts a packet that [`rtp::Packet::write`] wrote. `rollovers` says how often its sequence number has begun
    /// anew: no two packets of a key may share both (RFC 3711, section 9.1).
    pub fn seal(&self, suite: Suite, packet: &mut Vec<u8>, rollovers: u32) {
        let Some(Head { ssrc, sequence, length }) = Head::read(packet) else { return };
        let index = u64::from(rollovers) << 16 | u64::from(sequence);
        self.sound.crypt(ssrc, index, &mut packet[length..]);
        let tag = self.sound.mac([packet, &rollovers.to_be_bytes()]).finalize().into_bytes();
        packet.extend(&tag[..suite.tag()]);
    }

    /// Encrypts a report of at least eight bytes.
    pub fn seal_report(&mut self, report: &mut Vec<u8>) {
        let Some(ssrc) = report_ssrc(report) else { return };
        self.reported = (self.reported + 1) % ENCRYPTED;
        self.reports.crypt(ssrc, self.reported.into(), &mut report[8..]);
        report.extend((ENCRYPTED | self.reported).to_be_bytes());
        let tag = self.reports.mac([report, &[]]).finalize().into_bytes();
        report.extend(&tag[..REPORT_TAG]);
    }
}

/// What of a packet stays readable.
struct Head {
    ssrc: u32,
    sequence: u16,
    /// Bytes up to the payload.
    length: usize,
}

impl Head {
    fn read(packet: &[u8]) -> Option<Head> {
        let length = rtp::header_length(packet)?;
        let (sequence, ssrc) = (packet[2..4].try_into().ok()?, packet[8..12].try_into().ok()?);
        Some(Head { ssrc: u32::from_be_bytes(ssrc), sequence: u16::from_be_bytes(sequence), length })
    }
}

fn report_ssrc(report: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(report.get(4..8)?.try_into().ok()?))
}

/// What has come of one source.
#[derive(Clone, Copy)]
struct Source {
    ssrc: u32,
    /// The newest index.
    newest: u64,
    /// Which of those up to it have come, the newest at the lowest bit.
    seen: u64,
}

impl Source {
    fn has_seen(&self, index: u64) -> bool {
        match self.newest.checked_sub(index) {
            None => false,
            Some(age) => age >= WINDOW || self.seen >> age & 1 == 1,
        }
    }

    fn see(&mut self, index: u64) {
        match self.newest.checked_sub(index) {
            Some(age) => self.seen |= 1 << age,
            None => {
                let steps = index - self.newest;
                self.seen = if steps < WINDOW { self.seen << steps | 1 } else { 1 };
                self.newest = index;
            }
        }
    }

    /// The index that a sequence number most likely stands for (RFC 3711, section 3.3.1); `None` before the first.
    fn index_of(&self, sequence: u16) -> Option<u64> {
        const HALF: i64 = 1 << 15;
        let newest = i64::try_from(self.newest).ok()?;
        let step = i64::from(sequence) - (newest & 0xffff);
        // The nearest of those with the same last sixteen bits.
        u64::try_from(newest + (step + HALF).rem_euclid(2 * HALF) - HALF).ok()
    }
}

/// Sources, the one heard last at the end.
#[derive(Default)]
struct Sources(Vec<Source>);

impl Sources {
    fn find(&self, ssrc: u32) -> Option<&Source> {
        self.0.iter().find(|source| source.ssrc == ssrc)
    }

    /// Remembers what has proved itself.
    fn see(&mut self, ssrc: u32, index: u64) {
        let at = self.0.iter().position(|source| source.ssrc == ssrc);
        let mut source = match at {
            Some(at) => self.0.remove(at),
            None => Source { ssrc, newest: index, seen: 0 },
        };
        if at.is_none() && self.0.len() == SOURCES {
            self.0.remove(0);
        }
        source.see(index);
        self.0.push(source);
    }
}

/// Decrypts what a peer sends.
pub struct Opener {
    suite: Suite,
    /// Bytes before each tag that name the key, which is always the same (RFC 3711, section 3.1: the MKI).
    mki: usize,
    sound: Keys,
    reports: Keys,
    sources: Sources,
    reporters: Sources,
}

impl Opener {
    /// An opener by the key that the peer sends by, which it names in `mki` bytes of each packet.
    pub fn new(suite: Suite, key: &Key, mki: usize) -> Opener {
        Opener {
            suite,
            mki,
            sound: Keys::derive(key, FOR_SOUND),
            reports: Keys::derive(key, FOR_REPORTS),
            sources: Sources::default(),
            reporters: Sources::default(),
        }
    }

    /// Decrypts a packet in place, and gives its length without the tag; `None` for one that is not the peer's, or
    /// has come before.
    pub fn open(&mut self, packet: &mut [u8]) -> Option<usize> {
        let tagged = packet.len().checked_sub(self.suite.tag())?;
        let end = tagged.checked_sub(self.mki)?;
        let Head { ssrc, sequence, length } = Head::read(&packet[..end])?;
        let candidates = match self.sources.find(ssrc) {
            Some(source) => [source.index_of(sequence).filter(|index| !source.has_seen(*index)), None],
            // A source's first packet may have been lost, and with it the end of its first count.
            None => [0, 1].map(|rollovers| Some(rollovers << 16 | u64::from(sequence))),
        };
        let index = candidates.into_iter().flatten().find(|index| {
            let rollovers = (index >> 16) as u32;
            let mac = self.sound.mac([&packet[..end], &rollovers.to_be_bytes()]);
            mac.verify_truncated_left(&packet[tagged..]).is_ok()
        })?;
        self.sources.see(ssrc, index);
        self.sound.crypt(ssrc, index, &mut packet[length..end]);
        Some(end)
    }

    /// Decrypts a report in place, and gives its length without index and tag; `None` for one that is not the peer's,
    /// or has come before.
    pub fn open_report(&mut self, report: &mut [u8]) -> Option<usize> {
        let tagged = report.len().checked_sub(REPORT_TAG)?;
        let indexed = tagged.checked_sub(self.mki)?;
        let end = indexed.checked_sub(REPORT_INDEX)?;
        let ssrc = report_ssrc(&report[..end])?;
        let index = u32::from_be_bytes(report[end..indexed].try_into().ok()?);
        let count = u64::from(index & !ENCRYPTED);
        if self.reporters.find(ssrc).is_some_and(|source| source.has_seen(count)) {
            return None;
        }
        self.reports.mac([&report[..indexed], &[]]).verify_truncated_left(&report[tagged..]).ok()?;
        self.reporters.see(ssrc, count);
        if index & ENCRYPTED != 0 {
            self.reports.crypt(ssrc, count, &mut report[8..end]);
        }
        Some(end)
    }
}

#[cfg(test)]
#[path = "srtp_tests.rs"]
mod tests;
