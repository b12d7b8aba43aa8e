//! A running Asterisk. Opt-in: `make test-asterisk` puts one into a folder of its own and names that in
//! `ATTENDANT_ASTERISK`; without it the tests that want one say so and pass.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What every one of these tests needs.
const MODULES: [&str; 17] = [
    "res_sorcery_config",
    "res_sorcery_memory",
    "res_timing_timerfd",
    "pbx_config",
    "res_clioriginate",
    "app_dial",
    "app_playback",
    "app_senddtmf",
    "bridge_simple",
    "bridge_softmix",
    "bridge_holding",
    "bridge_builtin_features",
    "codec_ulaw",
    "codec_resample",
    "format_sln",
    "func_callerid",
    "func_channel",
];

/// There is one console, and one set of settings.
static ONE: Mutex<()> = Mutex::new(());

/// The root of an installed Asterisk, started by `chroot`.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn root() -> Option<PathBuf> {
    let root = std::env::var_os("ATTENDANT_ASTERISK").map(PathBuf::from).filter(|root| root.is_dir());
    if root.is_none() {
        eprintln!("skipped: no Asterisk; `make test-asterisk` sets one up");
    }
    root
}

/// One that runs until it is dropped.
pub(crate) struct Asterisk {
    root: PathBuf,
    process: Child,
    _alone: MutexGuard<'static, ()>,
}

impl Asterisk {
    /// Starts with these modules besides those that all need, and no others: nothing listens that is not used.
    /// `files` lie beside its settings, `/etc/attendant` to it.
    pub(crate) fn start(root: &Path, modules: &[&str], files: &[(&str, Vec<u8>)]) -> Asterisk {
        let alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let etc = root.join("etc/attendant");
        std::fs::create_dir_all(&etc).expect("a folder in Asterisk's root");
        let write = |name: &str, bytes: &[u8]| std::fs::write(etc.join(name), bytes).expect("a setting");
        write("asterisk.conf", b"[directories]\nastetcdir => /etc/attendant\n\n[options]\n");
        let modules: String =
            MODULES.iter().chain(modules).map(|module| format!("load = {module}.so\n")).collect();
        write("modules.conf", format!("[modules]\nautoload = no\n{modules}").as_bytes());
        for empty in ["logger.conf", "ccss.conf", "cel.conf", "cdr.conf", "http.conf", "features.conf"] {
            write(empty, b"");
        }
        for (name, bytes) in files {
            write(name, bytes);
        }
        let process = Command::new("chroot")
            .arg(root)
            .args(["asterisk", "-f", "-n", "-C", "/etc/attendant/asterisk.conf"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("root may change the root");
        let asterisk = Asterisk { root: root.to_owned(), process, _alone: alone };
        asterisk.until("core waitfullybooted", "fully booted");
        asterisk
    }

    /// What its console says to a command.
    pub(crate) fn tell(&self, command: &str) -> String {
        let output = Command::new("chroot")
            .arg(&self.root)
            .args(["asterisk", "-C", "/etc/attendant/asterisk.conf", "-rx", command])
            .output()
            .expect("its console");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Asks for ten seconds and more until the answer holds that.
    #[track_caller]
    pub(crate) fn until(&self, command: &str, wanted: &str) {
        let mut said = String::new();
        for _ in 0..100 {
            said = self.tell(command);
            if said.contains(wanted) {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
        panic!("no '{wanted}' from {command}: {said}");
    }
}

impl Drop for Asterisk {
    fn drop(&mut self) {
        self.tell("core stop now");
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Samples as its `.sln` files have them.
pub(crate) fn sln(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}
