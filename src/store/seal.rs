//! Sound at rest that only its key opens: files in the age format (<https://age-encryption.org/v1>, C2SP), which
//! age's own programs open, too.
//!
//! A machine writes with public keys alone; who is to listen, or to seal anew, needs a file with the secret one. Whoever
//! reads a sealed file gets all of it or an error: what was not written to its end, or was changed, does not open.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret as _;
use age::x25519::{Identity, Recipient};

use super::whole::{Unfinished, private_file};

/// The last part of a sealed file's name.
pub const ENDING: &str = ".age";

/// Why a file cannot be sealed or opened. Holds no key.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// What is to be sealed for is no public key.
    #[error("'{0}' is no public key: expected age1… as `attendant data keygen` prints it")]
    NoRecipient(String),
    /// A file of keys that cannot be read.
    #[error("the file of keys {} cannot be read: {source}", path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of keys with something else in it.
    #[error("{} line {line} is no secret key: expected AGE-SECRET-KEY-1… or a comment behind #", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// None of the keys opens it.
    #[error("{} is sealed, and no key opens it: name the file of its secret key in the setting seal_keys", .0.display())]
    Closed(PathBuf),
    /// It is damaged or unfinished.
    #[error("{} does not open to its end ({why}): it was changed, or not written whole", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// By what files are sealed, and opened.
#[derive(Clone, Default)]
pub struct Seal {
    recipients: Vec<Recipient>,
    identities: Vec<Identity>,
    /// The recipients as text, in order: what a file's row in the store says.
    to: String,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seal").field("to", &self.to).field("keys", &self.identities.len()).finish()
    }
}

impl Seal {
    /// Seals for public keys (`age1…`), or not at all where there is none, and opens by the secret keys in files, one a
    /// line.
    ///
    /// # Errors
    /// What is no key, or a file that cannot be read.
    pub fn new<'a>(to: impl IntoIterator<Item = &'a str>, keys: &[PathBuf]) -> Result<Seal, SealError> {
        let mut names: Vec<&str> = to.into_iter().collect();
        names.sort_unstable();
        names.dedup();
        let recipient = |name: &&str| name.parse().map_err(|_| SealError::NoRecipient((*name).to_owned()));
        let recipients = names.iter().map(recipient).collect::<Result<Vec<Recipient>, _>>()?;
        let mut identities = Vec::new();
        for path in keys {
            let text = fs::read_to_string(path);
            let text = text.map_err(|source| SealError::Keys { path: path.clone(), source })?;
            for (n, line) in text.lines().enumerate() {
                let line = line.trim();
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                let no_key = |_| SealError::NoKey { path: path.clone(), line: n + 1 };
                identities.push(line.parse::<Identity>().map_err(no_key)?);
            }
        }
        Ok(Seal { recipients, identities, to: names.join(",") })
    }

    /// Makes a secret key in a file that its owner alone may read, and gives the public one.
    ///
    /// # Errors
    /// Where the file is there already, or cannot be written.
    pub fn make_key(path: &Path) -> Result<String, SealError> {
        let failed = |source| SealError::Io { path: path.to_owned(), source };
        if path.exists() {
            return Err(failed(io::ErrorKind::AlreadyExists.into()));
        }
        let key = Identity::generate();
        let public = key.to_public().to_string();
        let mut file = private_file(path).map_err(failed)?;
        let secret = key.to_string();
        let text = format!("# public key: {public}\n{}\n", secret.expose_secret());
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        Ok(public)
    }

    /// For whom new files are sealed, in order with commas; empty where they lie open.
    pub fn to(&self) -> &str {
        &self.to
    }

    /// The name of a new file, of which the last part says whether it is sealed.
    pub fn name(&self, name: &str) -> String {
        let ending = if self.recipients.is_empty() { "" } else { ENDING };
        format!("{name}{ending}")
    }

    /// Seals what is written.
    ///
    /// # Errors
    /// Where `file` cannot be written.
    pub fn writer<W: Write>(&self, file: W) -> io::Result<Sealing<W>> {
        if self.recipients.is_empty() {
            return Ok(Sealing(Way::Open(file)));
        }
        let recipients = self.recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
        Ok(Sealing(Way::Sealed(encryptor.wrap_output(file)?)))
    }

    /// Opens a file, sealed or not. Of a sealed one the last read fails where it is not whole.
    ///
    /// # Errors
    /// Where it is not there, or no key opens it.
    pub fn reader(&self, path: &Path) -> Result<Box<dyn Read>, SealError> {
        let failed = |source| SealError::Io { path: path.to_owned(), source };
        let file = BufReader::new(File::open(path).map_err(failed)?);
        if !is_sealed(path) {
            return Ok(Box::new(file));
        }
        let broken = |e: age::DecryptError| SealError::Broken { path: path.to_owned(), why: e.to_string() };
        let sealed = age::Decryptor::new_buffered(file).map_err(broken)?;
        let keys = self.identities.iter().map(|key| key as &dyn age::Identity);
        match sealed.decrypt(keys) {
            Ok(reader) => Ok(Box::new(reader)),
            Err(age::DecryptError::NoMatchingKeys) => Err(SealError::Closed(path.to_owned())),
            Err(error) => Err(broken(error)),
        }
    }

    /// All that is in a file, sealed or not.
    ///
    /// # Errors
    /// As [`Seal::reader`], and where it is not whole.
    pub fn read(&self, path: &Path) -> Result<Vec<u8>, SealError> {
        let mut bytes = Vec::new();
        self.reader(path)?.read_to_end(&mut bytes).map_err(|e| unread(path, &e))?;
        Ok(bytes)
    }

    /// Puts what is in a file into another as it was before it was sealed, whole or not at all.
    ///
    /// # Errors
    /// As [`Seal::read`], and where the other file cannot be written.
    pub fn save(&self, from: &Path, to: &Path) -> Result<(), SealError> {
        let opens = Seal::default();
        self.copy(&opens, from, to)
    }

    /// Seals a file for those for whom new files are sealed. Gives the file, which bears another name where the old one
    /// lay open, or is to; whoever asks for it removes that, once it is known where the sound is.
    ///
    /// # Errors
    /// As [`Seal::save`]; the file stays as it is.
    pub fn seal_anew(&self, path: &Path) -> Result<PathBuf, SealError> {
        let text = path.to_string_lossy();
        let fresh = PathBuf::from(self.name(text.strip_suffix(ENDING).unwrap_or(&text)));
        self.copy(self, path, &fresh)?;
        Ok(fresh)
    }

    fn copy(&self, seal: &Seal, from: &Path, to: &Path) -> Result<(), SealError> {
        let failed = |source| SealError::Io { path: to.to_owned(), source };
        let mut reader = self.reader(from)?;
        let mut unfinished = Unfinished::create(to).map_err(failed)?;
        let mut writer = seal.writer(unfinished.file().map_err(failed)?).map_err(failed)?;
        let mut piece = vec![0; 1 << 16];
        loop {
            let length = reader.read(&mut piece).map_err(|e| unread(from, &e))?;
            if length == 0 {
                break;
            }
            writer.write_all(&piece[..length]).map_err(failed)?;
        }
        writer.finish().map_err(failed)?;
        unfinished.keep().map_err(failed)
    }
}

fn unread(path: &Path, error: &io::Error) -> SealError {
    SealError::Broken { path: path.to_owned(), why: error.to_string() }
}

/// Whether a file's name says that it is sealed.
pub fn is_sealed(path: &Path) -> bool {
    path.to_string_lossy().ends_with(ENDING)
}

/// Seals what is written into it. What is not finished does not open.
pub struct Sealing<W: Write>(Way<W>);

enum Way<W: Write> {
    Open(W),
    Sealed(age::stream::StreamWriter<W>),
}

impl<W: Write> Sealing<W> {
    /// Writes the end.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn finish(self) -> io::Result<W> {
        match self.0 {
            Way::Open(mut file) => file.flush().map(|()| file),
            Way::Sealed(writer) => writer.finish(),
        }
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Way::Open(file) => file.write(bytes),
            Way::Sealed(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Way::Open(file) => file.flush(),
            Way::Sealed(writer) => writer.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::whole::UNFINISHED;
    use super::*;

    struct Keys {
        folder: tempfile::TempDir,
        public: Vec<String>,
    }

    impl Keys {
        fn new(count: usize) -> Keys {
            let folder = tempfile::tempdir().expect("a folder");
            let make = |n| Seal::make_key(&folder.path().join(format!("key-{n}"))).expect("it is made");
            let public = (0..count).map(make).collect();
            Keys { folder, public }
        }

        fn file(&self, n: usize) -> PathBuf {
            self.folder.path().join(format!("key-{n}"))
        }

        /// Seals for one key, and opens by some.
        fn seal(&self, to: usize, by: &[usize]) -> Seal {
            let files: Vec<PathBuf> = by.iter().map(|n| self.file(*n)).collect();
            Seal::new([self.public[to].as_str()], &files).expect("keys")
        }

        fn write(&self, seal: &Seal, bytes: &[u8]) -> PathBuf {
            let path = self.folder.path().join(seal.name("sound.flac"));
            let mut file = Unfinished::create(&path).expect("it can be made");
            let mut sealing = seal.writer(file.file().expect("a handle")).expect("it is writable");
            sealing.write_all(bytes).and_then(|()| sealing.finish()).expect("it is writable");
            file.keep().expect("it is kept");
            path
        }
    }

    #[test]
    fn what_is_sealed_opens_by_its_key_alone() {
        let keys = Keys::new(2);
        let sound = vec![7; 200_000];
        let path = keys.write(&keys.seal(0, &[]), &sound);
        assert!(path.ends_with("sound.flac.age"));
        let bytes = fs::read(&path).expect("it is there");
        assert!(bytes.starts_with(b"age-encryption.org/v1\n") && !bytes.windows(64).any(|w| w == [7; 64]));
        assert_eq!(keys.seal(1, &[1, 0]).read(&path).expect("the second key fits"), sound);
        for seal in [keys.seal(0, &[]), keys.seal(0, &[1])] {
            let why = seal.read(&path).expect_err("it has not the key").to_string();
            assert!(why.contains("no key opens it") && why.contains("seal_keys"), "{why}");
        }
    }

    #[test]
    fn what_was_cut_short_or_changed_does_not_open() {
        let keys = Keys::new(1);
        let seal = keys.seal(0, &[0]);
        let path = keys.write(&seal, &vec![7; 200_000]);
        let whole = fs::read(&path).expect("it is there");
        // At the end of a chunk, too: what is missing there is only the word that it was the last.
        let chunk = whole.len() - (200_000 % 65_536 + 16);
        for length in [chunk, whole.len() - 1, whole.len() / 2, 40, 0] {
            fs::write(&path, &whole[..length]).expect("written");
            assert!(matches!(seal.read(&path), Err(SealError::Broken { .. })), "{length} of {}", whole.len());
        }
        let mut bent = whole.clone();
        *bent.last_mut().expect("bytes") ^= 1;
        fs::write(&path, &bent).expect("written");
        let why = seal.read(&path).expect_err("it was changed").to_string();
        assert!(why.contains("it was changed, or not written whole"), "{why}");
    }

    #[test]
    fn a_file_is_sealed_anew_for_another_key_whole_or_not_at_all() {
        let keys = Keys::new(2);
        let path = keys.write(&Seal::default(), b"sound");
        let first = keys.seal(0, &[0]).seal_anew(&path).expect("it lay open");
        assert!(path.exists() && first.ends_with("sound.flac.age"), "the caller removes the old one");
        let without = keys.seal(1, &[]);
        assert!(matches!(without.seal_anew(&first), Err(SealError::Closed(_))));
        assert_eq!(keys.seal(0, &[0]).read(&first).expect("as it was"), b"sound");
        let second = keys.seal(1, &[1, 0]).seal_anew(&first).expect("both keys are there");
        assert_eq!(second, first);
        assert!(keys.seal(0, &[0]).read(&second).is_err(), "the old key opens it no longer");
        assert_eq!(keys.seal(1, &[1]).read(&second).expect("the new one"), b"sound");
        let left = fs::read_dir(keys.folder.path()).expect("the folder").flatten();
        assert!(left.map(|e| e.file_name()).all(|name| !name.to_string_lossy().ends_with(UNFINISHED)));
    }

    #[test]
    fn saved_sound_is_as_it_was_and_half_of_it_is_nothing() {
        let keys = Keys::new(1);
        let seal = keys.seal(0, &[0]);
        let path = keys.write(&seal, &vec![7; 200_000]);
        let out = keys.folder.path().join("out.flac");
        seal.save(&path, &out).expect("it opens");
        assert_eq!(fs::read(&out).expect("it is there"), vec![7; 200_000]);
        fs::remove_file(&out).expect("it was there");
        let half = fs::read(&path).expect("it is there");
        fs::write(&path, &half[..half.len() / 2]).expect("written");
        assert!(seal.save(&path, &out).is_err() && !out.exists());
    }

    #[test]
    fn what_is_no_key_is_named_without_it() {
        let keys = Keys::new(1);
        let wrong = keys.folder.path().join("wrong");
        fs::write(&wrong, "# mine\nAGE-SECRET-KEY-1NONSENSE\n").expect("written");
        let why = Seal::new([], &[wrong]).expect_err("it is no key").to_string();
        assert!(why.contains("line 2") && !why.contains("NONSENSE"), "{why}");
        assert!(matches!(Seal::new(["age1x"], &[]), Err(SealError::NoRecipient(_))));
        assert!(
            matches!(Seal::make_key(&keys.file(0)), Err(SealError::Io { .. })),
            "a key is never replaced"
        );
        assert!(matches!(Seal::new([], &[keys.folder.path().join("none")]), Err(SealError::Keys { .. })));
    }
}
