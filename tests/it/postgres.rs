//! A PostgreSQL of the tests' own: from Debian's package, in a temporary folder, on a socket there. It ends with
//! the process that started it, however that ends.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, PoisonError};

/// Waits for the end of its standard input, which is that of the tests, and leaves nothing behind.
const SCRIPT: &str = r#"
    set -eu
    # Ctrl-C reaches the whole group, and somebody has to tidy up.
    trap '' INT TERM HUP
    "$BIN/initdb" --pgdata "$FOLDER/data" --username attendant --auth trust --no-sync \
        --encoding UTF8 --locale C > "$FOLDER/initdb.log" 2>&1
    "$BIN/pg_ctl" --pgdata "$FOLDER/data" --log "$FOLDER/log" --wait --timeout 240 \
        --options "-k $FOLDER -h '' -c fsync=$FSYNC -c max_connections=300" start < /dev/null > /dev/null 2>&1
    echo ready
    cat > /dev/null
    "$BIN/pg_ctl" --pgdata "$FOLDER/data" --mode immediate stop > /dev/null 2>&1
    rm -rf "$FOLDER"
"#;

pub(crate) struct Server {
    folder: PathBuf,
    bin: PathBuf,
    _script: Child,
}

static SERVER: LazyLock<Option<Server>> = LazyLock::new(|| Server::start(Disk::Spared));
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// Whether what is committed is on the disk: a test that kills no PostgreSQL does not need that, a bench does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    Spared,
    Written,
}

/// The address of an empty database, or `None`, with a word, where the package is absent.
pub(crate) fn database() -> Option<String> {
    let Some(server) = SERVER.as_ref() else {
        eprintln!("skipped: Debian's package postgresql is not installed (scripts/setup.sh test)");
        return None;
    };
    Some(server.create())
}

impl Server {
    /// The address of an empty database.
    pub(crate) fn create(&self) -> String {
        let name = format!("d{}_{}", std::process::id(), DATABASES.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE DATABASE {name}"));
        format!("postgresql://attendant@localhost/{name}?host={}", self.folder.display())
    }

    /// `None` where the package is absent.
    pub(crate) fn start(disk: Disk) -> Option<Server> {
        let bin = newest_bin()?;
        let folder = tempfile::Builder::new().prefix("attendant-pg").tempdir().expect("a folder").keep();
        let mut command = Command::new("bash");
        // PostgreSQL refuses to be root's.
        if std::fs::metadata("/proc/self").expect("a process").uid() == 0 {
            let owned = Command::new("chown").arg("nobody:nogroup").arg(&folder).status();
            assert!(owned.expect("chown runs").success(), "the folder cannot be given to nobody");
            command = Command::new("setpriv");
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "bash"]);
        }
        command
            .args(["-c", SCRIPT])
            .env("BIN", &bin)
            .env("FOLDER", &folder)
            .env("FSYNC", if disk == Disk::Written { "on" } else { "off" })
            .current_dir(&folder);
        let mut script = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("bash runs");
        let mut line = String::new();
        let output = script.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("it can be read");
        let why = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert_eq!(line, "ready\n", "PostgreSQL did not start: {}", why());
        Some(Server { folder, bin, _script: script })
    }

    fn sql(&self, sql: &str) {
        // Databases are copies of one template, which lets in one at a time.
        static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut command = Command::new(self.bin.join("psql"));
        let done =
            command.args(["-q", "-U", "attendant", "-d", "postgres", "-c", sql]).arg("-h").arg(&self.folder);
        assert!(done.status().expect("psql runs").success(), "{sql}");
    }
}

fn newest_bin() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut bins: Vec<PathBuf> = versions.flatten().map(|entry| entry.path().join("bin")).collect();
    bins.retain(|bin| Path::exists(&bin.join("initdb")));
    bins.sort();
    bins.pop()
}
