//! Settings: built-in defaults, then `attendant.toml`, then `ATTENDANT_…` in the environment, then flags.
//!
//! Every value remembers where it came from, so that `attendant config show` can say so. The file's keys
//! and the environment's names are those of [`KEYS`].

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// A setting that exists: its key, its default, and what it is for.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// In the file as it stands here; in the environment in capitals behind `ATTENDANT_`.
    pub name: &'static str,
    /// What holds where nobody says otherwise.
    pub default: &'static str,
    /// One line for `config show`.
    pub help: &'static str,
}

impl Key {
    /// Whether its value is nobody's to see: `config show` masks it.
    pub fn is_secret(&self) -> bool {
        ["_token", "_secret", "_password"].iter().any(|end| self.name.ends_with(end))
    }
}

/// All settings.
pub const KEYS: &[Key] = &[
    Key { name: "intents", default: "intents", help: "folder of the training and dialogue files" },
    Key { name: "models", default: "models", help: "folder of models, with manifest.toml" },
    Key { name: "audio", default: "audio", help: "folder of recorded prompts and callers" },
    Key {
        name: "state",
        default: "data",
        help: "folder for the database, kept renderings and spooled records",
    },
    Key {
        name: "database",
        default: "",
        help: "a file, or postgresql://USER:PASSWORD@HOST/NAME; without it, attendant.db in the state folder",
    },
    Key {
        name: "record_calls",
        default: "no",
        help: "no; announced (callers hear the prompt `recording` first, and may refuse), or unannounced",
    },
    Key {
        name: "record_agents",
        default: "yes",
        help: "yes: a call that is recorded goes on being recorded while an agent talks to the caller; no: it ends there",
    },
    Key {
        name: "seal_to",
        default: "",
        help: "public keys (age1...), with commas, for which recordings and messages are sealed; without one they lie open",
    },
    Key {
        name: "seal_keys",
        default: "",
        help: "files of secret keys that open them, with commas; only where somebody listens to them",
    },
    Key {
        name: "sql_database",
        default: "",
        help: "where the [sql] look-ups of line.toml are asked, as in `database`; without it, the line's own",
    },
    Key {
        name: "mail_server",
        default: "",
        help: "HOST:PORT that takes e-mail for the [[notify]] of desk.toml",
    },
    Key {
        name: "mail_tls",
        default: "starttls",
        help: "starttls, tls, or none for a server on this machine",
    },
    Key { name: "mail_user", default: "", help: "account with it, where one is needed" },
    Key {
        name: "mail_password",
        default: "",
        help: "its password; better in the environment than in the file",
    },
    Key { name: "mail_from", default: "", help: "who letters are from: NAME@HOST, or Words <NAME@HOST>" },
    Key { name: "mail_ca", default: "", help: "a certificate authority of your own, a PEM file" },
    Key {
        name: "node",
        default: "",
        help: "this machine's name among those that share a database; without it, its host name",
    },
    Key {
        name: "speech_model",
        default: "starter-en",
        help: "Whisper model: a name in models/manifest.toml, or a GGML file",
    },
    Key {
        name: "recognizers",
        default: "1",
        help: "utterances recognised at once, each on a thread of its own",
    },
    Key {
        name: "voice",
        default: "auto",
        help: "slt, rms, awb, kal16, espeak-ng, espeak-ng:LANGUAGE, or auto",
    },
    Key { name: "voice_stretch", default: "1.0", help: "length of speech: 0.5 fast to 2.0 slow" },
    Key { name: "calls_at_once", default: "100", help: "calls at once; more hear a busy tone" },
    Key { name: "calls_at_once_of_source", default: "100", help: "calls at once from one address" },
    Key { name: "calls_per_second", default: "50", help: "new calls in a second" },
    Key { name: "calls_per_second_of_source", default: "50", help: "new calls in a second from one address" },
    Key {
        name: "calls_heard_at_once",
        default: "100",
        help: "calls at once that are listened to; more get the keypad menu",
    },
    Key {
        name: "keypad_past_late_permille",
        default: "5",
        help: "20 ms ticks of a thousand that come late, past which new callers get the keypad menu",
    },
    Key {
        name: "busy_past_late_permille",
        default: "20",
        help: "20 ms ticks of a thousand that come late, past which new callers get a busy answer",
    },
    Key {
        name: "keypad_past_wait_ms",
        default: "800",
        help: "milliseconds that a sentence waits to be recognised, past which new callers get the keypad menu",
    },
    Key { name: "drain_s", default: "120", help: "seconds that calls may go on for once the line stops" },
    Key {
        name: "sip_listen",
        default: "0.0.0.0:5060",
        help: "address and port for SIP by UDP; none to switch it off",
    },
    Key { name: "sip_tcp_listen", default: "none", help: "address and port for SIP by TCP" },
    Key { name: "sip_tls_listen", default: "none", help: "address and port for SIP by TLS" },
    Key {
        name: "sip_tls_certificate",
        default: "",
        help: "its certificate and those it hangs on, a PEM file",
    },
    Key { name: "sip_tls_key", default: "", help: "its private key, a PEM file" },
    Key {
        name: "sip_tls_authorities",
        default: "",
        help: "certificates of the authorities by which the line believes those whom it calls by TLS, a PEM file",
    },
    Key {
        name: "sip_registrar",
        default: "",
        help: "SIP URI of a registrar that sends calls to those who register",
    },
    Key {
        name: "sip_public_address",
        default: "",
        help: "address that telephones reach this machine by, where it is another than its own",
    },
    Key {
        name: "sip_allow",
        default: "127.0.0.0/8, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, ::1, fd00::/8",
        help: "networks that may call; nobody else gets an answer",
    },
    Key {
        name: "sip_users",
        default: "",
        help: "file of those who may call by a password, user:password or user:realm:HASH a line; without it nobody is asked",
    },
    Key {
        name: "sip_realm",
        default: "attendant",
        help: "what their telephones are told the password is for",
    },
    Key {
        name: "sip_digest",
        default: "SHA-256, MD5",
        help: "hashes of passwords that are offered, the first one first",
    },
    Key { name: "sip_trusted", default: "", help: "networks that may call without a password" },
    Key {
        name: "srtp_accept",
        default: "tls",
        help: "signalling over which callers may have encrypted sound: tls, any (others then read the key) or none",
    },
    Key {
        name: "srtp_offer",
        default: "none",
        help: "signalling over which the line's own offers are of encrypted sound alone: tls, any or none",
    },
    Key { name: "sip_codecs", default: "PCMU, PCMA, G722, opus", help: "codecs that the line speaks" },
    Key { name: "sip_ring_ms", default: "0", help: "how long the line rings before it picks up" },
    Key { name: "sip_user", default: "", help: "account with a provider or a switch, where one is needed" },
    Key {
        name: "sip_password",
        default: "",
        help: "its password; better in the environment than in the file",
    },
    Key {
        name: "agents",
        default: "",
        help: "agents' telephones, as SIP URIs with commas; skill=URI for one skill",
    },
    Key {
        name: "transfer_by",
        default: "bridge",
        help: "how a caller gets to an agent: bridge (the line calls and joins), attended (then steps aside) or refer",
    },
    Key {
        name: "agent_rings_s",
        default: "27",
        help: "how long an agent's telephone rings, whoever calls it; a desk has its own time",
    },
    Key {
        name: "dial_by",
        default: "",
        help: "SIP URI of calls that the line makes, {number} in it: sip:{number}@provider.example",
    },
    Key {
        name: "dial_allow",
        default: "",
        help: "beginnings of the numbers that the line may call, with commas: +1555, 0800",
    },
    Key { name: "dial_hours", default: "08:00-20:00", help: "local time in which the line may call anybody" },
    Key {
        name: "dial_rings_s",
        default: "40",
        help: "seconds that a telephone rings before the line gives up",
    },
    Key { name: "rtp_ports", default: "16384-32767", help: "UDP ports for sound" },
    Key {
        name: "rtp_timeout_s",
        default: "30",
        help: "seconds without a packet from the caller's telephone, after which the call is over",
    },
    Key {
        name: "longest_call_s",
        default: "14400",
        help: "every call by telephone is over after so many seconds, whoever it is with",
    },
    Key {
        name: "session_expires_s",
        default: "1800",
        help: "seconds after which a session is refreshed at the latest (RFC 4028); 90 or more",
    },
    Key {
        name: "api_listen",
        default: "none",
        help: "address and port at which agents' screens ask and sign in over HTTP, like 127.0.0.1:8090; see docs/desk.md",
    },
    Key {
        name: "api_token",
        default: "",
        help: "what they prove by that they may, 16 characters or more; better in the environment than in the file",
    },
    Key {
        name: "metrics_listen",
        default: "none",
        help: "address and port at which Prometheus scrapes /metrics, like 127.0.0.1:9464",
    },
    Key {
        name: "otlp_traces",
        default: "none",
        help: "URL that takes OpenTelemetry traces by OTLP/HTTP, like http://127.0.0.1:4318/v1/traces",
    },
    Key {
        name: "streams_listen",
        default: "none",
        help: "address and port for the streams of Twilio, Vonage, jambonz and Asterisk, like 127.0.0.1:8080",
    },
    Key { name: "streams_public_url", default: "", help: "URL by which providers reach streams_listen" },
    Key {
        name: "streams_allow",
        default: "127.0.0.0/8, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, ::1, fd00::/8",
        help: "networks that may open streams without a token or a signature",
    },
    Key { name: "streams_token", default: "", help: "what a stream's URL must carry as token=..." },
    Key { name: "twilio_auth_token", default: "", help: "the account's token, which Twilio signs with" },
    Key {
        name: "audiosocket_listen",
        default: "none",
        help: "address and port for Asterisk's AudioSocket, like 127.0.0.1:9092",
    },
];

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Built in.
    Default,
    /// A line of the settings file.
    File(PathBuf),
    /// This variable.
    Environment(String),
    /// The command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Environment(name) => write!(f, "${name}"),
            Origin::Flag => f.write_str("command line"),
        }
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is there but cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML, or a value is no text or number.
    #[error("{path}: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong and what was expected.
        message: String,
    },
    /// A key that does not exist.
    #[error("{origin}: there is no setting '{key}': expected one of {}", KEYS.iter().map(|k| k.name).collect::<Vec<_>>().join(", "))]
    UnknownKey {
        /// Where it stands.
        origin: Origin,
        /// The key.
        key: String,
    },
    /// A value that does not fit its key.
    #[error("{origin}: {key} = '{value}': expected {expected}")]
    Value {
        /// Where it stands.
        origin: Origin,
        /// The key.
        key: &'static str,
        /// What stands there.
        value: String,
        /// What should.
        expected: &'static str,
    },
    /// A file that a key names, in which something is wrong.
    #[error("{origin}: {key} = '{value}': {why}")]
    File {
        /// Where the key stands.
        origin: Origin,
        /// The key.
        key: &'static str,
        /// The file.
        value: String,
        /// What is wrong in it, and what was expected.
        why: String,
    },
}

/// All settings, each with its origin.
#[derive(Clone, Debug)]
pub struct Config {
    values: BTreeMap<&'static str, (String, Origin)>,
}

impl Config {
    /// Merges all layers. `file` must exist where it is given; without it, `attendant.toml` in the
    /// working folder is taken if it is there.
    ///
    /// # Errors
    /// An unreadable or malformed file, an unknown key, a value that does not fit.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        flags: &[(String, String)],
    ) -> Result<Config, ConfigError> {
        let mut values: BTreeMap<_, _> =
            KEYS.iter().map(|k| (k.name, (k.default.to_owned(), Origin::Default))).collect();
        let mut set = |key: &str, value: String, origin: Origin| {
            let known = KEYS.iter().find(|k| k.name == key);
            let Some(known) = known else {
                return Err(ConfigError::UnknownKey { origin, key: key.to_owned() });
            };
            values.insert(known.name, (value, origin));
            Ok(())
        };
        let default_file = Path::new("attendant.toml");
        let path = file.or_else(|| default_file.is_file().then_some(default_file));
        if let Some(path) = path {
            for (key, value) in read_file(path)? {
                set(&key, value, Origin::File(path.to_owned()))?;
            }
        }
        for (name, value) in environment {
            let Some(key) = name.strip_prefix("ATTENDANT_").map(str::to_lowercase) else { continue };
            // Other variables of that prefix belong to tests and benches.
            if KEYS.iter().any(|k| k.name == key) {
                set(&key, value, Origin::Environment(name))?;
            }
        }
        for (key, value) in flags {
            set(key, value.clone(), Origin::Flag)?;
        }
        let config = Config { values };
        config.recognizers()?;
        config.voice_stretch()?;
        Ok(config)
    }

    /// Changes a setting, as an option of a command does.
    pub fn set_flag(&mut self, key: &'static str, value: &str) {
        self.values.insert(key, (value.to_owned(), Origin::Flag));
    }

    /// The value of a key of [`KEYS`].
    pub fn get(&self, key: &'static str) -> &str {
        self.values.get(key).map(|(value, _)| value.as_str()).expect("the key stands in KEYS")
    }

    /// A key's value as a path.
    pub fn path(&self, key: &'static str) -> PathBuf {
        PathBuf::from(self.get(key))
    }

    /// All settings with their origins, in order of their keys.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &str, &Origin)> {
        self.values.iter().map(|(key, (value, origin))| (*key, value.as_str(), origin))
    }

    /// Utterances recognised at once.
    ///
    /// # Errors
    /// Not a whole number from 1 to 64.
    pub fn recognizers(&self) -> Result<usize, ConfigError> {
        let number = self.get("recognizers").parse::<usize>().ok().filter(|n| (1..=64).contains(n));
        number.ok_or_else(|| self.unfit("recognizers", "a whole number from 1 to 64"))
    }

    /// Length of speech against the voice's own.
    ///
    /// # Errors
    /// Not a number from 0.5 to 2.
    pub fn voice_stretch(&self) -> Result<f32, ConfigError> {
        let number = self.get("voice_stretch").parse::<f32>().ok().filter(|n| (0.5..=2.0).contains(n));
        number.ok_or_else(|| self.unfit("voice_stretch", "a number from 0.5 to 2.0"))
    }

    /// A key's value as a whole number in a range.
    ///
    /// # Errors
    /// It is none, or outside.
    pub fn number(
        &self,
        key: &'static str,
        range: std::ops::RangeInclusive<u64>,
        expected: &'static str,
    ) -> Result<u64, ConfigError> {
        let number = self.get(key).parse::<u64>().ok().filter(|n| range.contains(n));
        number.ok_or_else(|| self.unfit(key, expected))
    }

    /// A key's value as a list with commas; each part as `parse` reads it.
    ///
    /// # Errors
    /// A part that `parse` does not take.
    pub fn list<T>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Option<T>,
        expected: &'static str,
    ) -> Result<Vec<T>, ConfigError> {
        let parts = self.get(key).split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(|part| parse(part).ok_or_else(|| self.unfit(key, expected))).collect()
    }

    /// An error about what stands in a file that a key names.
    pub fn unfit_because(&self, key: &'static str, why: String) -> ConfigError {
        let origin = self.values.get(key).map_or(Origin::Default, |(_, origin)| origin.clone());
        ConfigError::File { origin, key, value: self.get(key).to_owned(), why }
    }

    /// An error about a value that does not fit.
    pub fn unfit(&self, key: &'static str, expected: &'static str) -> ConfigError {
        let origin = self.values.get(key).map_or(Origin::Default, |(_, origin)| origin.clone());
        ConfigError::Value { origin, key, value: self.get(key).to_owned(), expected }
    }
}

fn read_file(path: &Path) -> Result<BTreeMap<String, String>, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let table: toml::Table = toml::from_str(&text)
        .map_err(|e| ConfigError::Syntax { path: path.to_owned(), message: e.to_string() })?;
    let value = |(key, value): (String, toml::Value)| match value {
        toml::Value::String(text) => Ok((key, text)),
        toml::Value::Integer(number) => Ok((key, number.to_string())),
        toml::Value::Float(number) => Ok((key, number.to_string())),
        toml::Value::Boolean(_)
        | toml::Value::Datetime(_)
        | toml::Value::Array(_)
        | toml::Value::Table(_) => {
            let message = format!("{key}: expected a text or a number");
            Err(ConfigError::Syntax { path: path.to_owned(), message })
        }
    };
    table.into_iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: Option<&str>, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.toml");
        if let Some(text) = file {
            std::fs::write(&path, text).expect("written");
        }
        let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        Config::load(file.map(|_| path.as_path()), owned(env).into_iter(), &owned(flags))
    }

    #[test]
    fn later_layers_win_and_say_who_they_are() {
        let file = "voice = \"rms\"\nrecognizers = 2\nstate = \"x\"";
        let config =
            load(Some(file), &[("ATTENDANT_RECOGNIZERS", "3"), ("ATTENDANT_STATE", "y")], &[("state", "z")])
                .expect("settings");
        assert_eq!((config.get("voice"), config.get("state")), ("rms", "z"));
        assert_eq!(config.recognizers().expect("a number"), 3);
        let origins: BTreeMap<_, _> = config.all().map(|(k, _, o)| (k, o.clone())).collect();
        assert_eq!(origins["intents"], Origin::Default);
        assert!(matches!(origins["voice"], Origin::File(_)));
        assert!(matches!(origins["recognizers"], Origin::Environment(_)));
        assert_eq!(origins["state"], Origin::Flag);
    }

    #[test]
    fn mistakes_are_named() {
        let error = |r: Result<Config, ConfigError>| r.expect_err("a mistake").to_string();
        assert!(error(load(Some("voise = \"x\""), &[], &[])).contains("no setting 'voise'"));
        assert!(error(load(Some("recognizers = 0"), &[], &[])).contains("1 to 64"));
        assert!(
            error(load(None, &[("ATTENDANT_VOICE_STRETCH", "fast")], &[]))
                .contains("$ATTENDANT_VOICE_STRETCH")
        );
        assert!(error(load(Some("voice = ["), &[], &[])).contains("a.toml"));
    }
}
