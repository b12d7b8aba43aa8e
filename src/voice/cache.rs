//! Rendered prompts, kept in memory and, the evergreen ones, in a folder.
//!
//! Only evergreen prompts reach the disk: the others speak a caller's name or number.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sha2::{Digest, Sha256};

/// Names a rendering: SHA-256 of engine, voice, rate and words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key([u8; 32]);

/// Changes whenever shaping does, so that old renderings are not taken for new ones.
const SHAPE_VERSION: &str = "1";

impl Key {
    /// `voice` is [`Synthesizer::name`](super::Synthesizer::name).
    pub(super) fn new(voice: &str, text: &str) -> Key {
        let mut hash = Sha256::new();
        for part in [SHAPE_VERSION, voice, text] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Key(hash.finalize().into())
    }

    fn file_name(self) -> String {
        let hex: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{hex}.prompt")
    }
}

/// One rendering in memory.
struct Entry {
    pcm: Arc<[i16]>,
    /// When it was last played, counted in plays; `None` keeps it for ever.
    last_used: Option<u64>,
}

/// Renderings in memory: evergreen ones for ever, others until `limit_bytes` are full; then the one
/// not played for longest goes.
pub(super) struct Memory {
    entries: BTreeMap<Key, Entry>,
    limit_bytes: usize,
    /// Bytes of what may go.
    used_bytes: usize,
    plays: u64,
}

impl Memory {
    pub(super) fn new(limit_bytes: usize) -> Memory {
        Memory { entries: BTreeMap::new(), limit_bytes, used_bytes: 0, plays: 0 }
    }

    pub(super) fn get(&mut self, key: Key) -> Option<Arc<[i16]>> {
        self.plays += 1;
        let entry = self.entries.get_mut(&key)?;
        if let Some(last_used) = &mut entry.last_used {
            *last_used = self.plays;
        }
        Some(Arc::clone(&entry.pcm))
    }

    pub(super) fn put(&mut self, key: Key, pcm: Arc<[i16]>, evergreen: bool) {
        let bytes = size_of_val(&*pcm);
        if !evergreen && bytes > self.limit_bytes {
            return;
        }
        self.plays += 1;
        self.remove(key);
        if !evergreen {
            self.used_bytes += bytes;
        }
        let last_used = (!evergreen).then_some(self.plays);
        self.entries.insert(key, Entry { pcm, last_used });
        while self.used_bytes > self.limit_bytes {
            let oldest = self.entries.iter().filter_map(|(key, e)| e.last_used.map(|at| (at, *key))).min();
            let (_, oldest) = oldest.expect("used bytes belong to an entry that may go");
            self.remove(oldest);
        }
    }

    fn remove(&mut self, key: Key) {
        if let Some(entry) = self.entries.remove(&key)
            && entry.last_used.is_some()
        {
            self.used_bytes -= size_of_val(&*entry.pcm);
        }
    }
}

/// First bytes of a kept rendering; the SHA-256 of the samples and the samples follow.
const MAGIC: &[u8; 8] = b"prompt1\n";

/// Bytes of a SHA-256.
const DIGEST_LEN: usize = 32;

/// Tells writers of one process apart.
static WRITES: AtomicU32 = AtomicU32::new(0);

/// A folder of renderings.
pub(super) struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Creates the folder where it is missing.
    pub(super) fn open(folder: &Path) -> io::Result<Disk> {
        fs::create_dir_all(folder)?;
        Ok(Disk { folder: folder.to_owned() })
    }

    /// The rendering; `None` where it is missing or damaged, which are cured alike: render again.
    pub(super) fn read(&self, key: Key) -> Option<Arc<[i16]>> {
        let path = self.folder.join(key.file_name());
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return None,
            Err(e) => {
                tracing::warn!(path = %path.display(), error = %e, "a kept prompt cannot be read");
                return None;
            }
        };
        let pcm = decoded(&bytes);
        if pcm.is_none() {
            tracing::warn!(path = %path.display(), "a kept prompt is damaged and is rendered again");
        }
        pcm
    }

    /// Keeps a rendering: whole or not at all, also where two processes write the same.
    pub(super) fn write(&self, key: Key, pcm: &[i16]) -> io::Result<()> {
        let number = WRITES.fetch_add(1, Ordering::Relaxed);
        let name = key.file_name();
        let unfinished = self.folder.join(format!("{name}.{}-{number}.tmp", std::process::id()));
        let written = fs::File::create(&unfinished)
            .and_then(|mut file| file.write_all(&encoded(pcm)))
            .and_then(|()| fs::rename(&unfinished, self.folder.join(name)));
        if written.is_err() {
            // What went wrong is in `written`; a leftover does no harm.
            let _ = fs::remove_file(&unfinished);
        }
        written
    }
}

fn encoded(pcm: &[i16]) -> Vec<u8> {
    let samples: Vec<u8> = pcm.iter().flat_map(|s| s.to_le_bytes()).collect();
    let digest: [u8; DIGEST_LEN] = Sha256::digest(&samples).into();
    [&MAGIC[..], &digest, &samples].concat()
}

fn decoded(bytes: &[u8]) -> Option<Arc<[i16]>> {
    let (digest, samples) = bytes.strip_prefix(MAGIC)?.split_at_checked(DIGEST_LEN)?;
    let (pairs, odd) = samples.as_chunks();
    let whole = odd.is_empty() && !pairs.is_empty() && Sha256::digest(samples)[..] == *digest;
    whole.then(|| pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pcm(samples: usize) -> Arc<[i16]> {
        vec![7; samples].into()
    }

    #[test]
    fn a_key_depends_on_every_part() {
        let keys = [Key::new("a", "bc"), Key::new("ab", "c"), Key::new("a", "bd")];
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
        assert_eq!(keys[0], Key::new("a", "bc"));
    }

    #[test]
    fn the_longest_unplayed_goes_first_and_evergreens_stay() {
        let key = |n: u32| Key::new("v", &n.to_string());
        let mut memory = Memory::new(40);
        memory.put(key(0), pcm(100), true);
        memory.put(key(1), pcm(10), false);
        memory.put(key(2), pcm(10), false);
        assert!(memory.get(key(1)).is_some());
        memory.put(key(3), pcm(10), false);
        let kept: Vec<bool> = (0..4).map(|n| memory.get(key(n)).is_some()).collect();
        assert_eq!(kept, [true, true, false, true]);
        memory.put(key(4), pcm(21), false);
        assert!(memory.get(key(4)).is_none(), "too large for the whole cache");
    }

    #[test]
    fn a_damaged_file_is_no_rendering() {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = Disk::open(&folder.path().join("new/deep")).expect("it can be made");
        let key = Key::new("v", "hello");
        assert!(disk.read(key).is_none());
        disk.write(key, &[1, -2, 3]).expect("it can be written");
        assert_eq!(disk.read(key).as_deref(), Some(&[1, -2, 3][..]));
        let path = disk.folder.join(key.file_name());
        let mut bytes = fs::read(&path).expect("it is there");
        *bytes.last_mut().expect("it is not empty") ^= 1;
        fs::write(&path, &bytes).expect("it can be written");
        assert!(disk.read(key).is_none());
        fs::write(&path, &bytes[..20]).expect("it can be written");
        assert!(disk.read(key).is_none());
        let files = fs::read_dir(&disk.folder).expect("the folder is there").count();
        assert_eq!(files, 1, "no unfinished file is left");
    }

    proptest! {
        #[test]
        fn memory_never_passes_its_limit(sizes in prop::collection::vec((0..20_u32, 0..60_usize), 0..60)) {
            let mut memory = Memory::new(200);
            for (name, samples) in sizes {
                memory.put(Key::new("v", &name.to_string()), pcm(samples), false);
                let held: usize = memory.entries.values().map(|e| size_of_val(&*e.pcm)).sum();
                prop_assert_eq!(held, memory.used_bytes);
                prop_assert!(held <= 200);
            }
        }

        #[test]
        fn what_is_kept_is_what_was_rendered(pcm in prop::collection::vec(any::<i16>(), 1..300)) {
            let decoded = decoded(&encoded(&pcm));
            prop_assert_eq!(decoded.as_deref(), Some(&pcm[..]));
        }
    }
}
