//! Asterisk itself, over AudioSocket and `chan_websocket`. Opt-in: `make test-asterisk` puts one into a folder of its own
//! and names that in `ATTENDANT_ASTERISK`; without it these tests say so and pass.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use attendant::call::{Disposition, HangupCause};

use super::{TestLine, recorded};

/// The root of an installed Asterisk, started by `chroot`.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn root() -> Option<PathBuf> {
    let root = std::env::var_os("ATTENDANT_ASTERISK").map(PathBuf::from).filter(|root| root.is_dir());
    if root.is_none() {
        eprintln!("skipped: no Asterisk; `make test-asterisk` sets one up");
    }
    root
}

/// Modules that the two ways need, and no others: nothing listens that is not used.
const MODULES: [&str; 23] = [
    "res_sorcery_config",
    "res_sorcery_memory",
    "res_timing_timerfd",
    "pbx_config",
    "res_http_websocket",
    "res_websocket_client",
    "res_audiosocket",
    "app_audiosocket",
    "chan_websocket",
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
    "func_uri",
];

struct Asterisk {
    root: PathBuf,
    process: Child,
}

impl Asterisk {
    fn start(root: &Path, line: &TestLine, control: &str) -> Asterisk {
        let etc = root.join("etc/attendant");
        std::fs::create_dir_all(&etc).expect("a folder in Asterisk's root");
        for name in ["01", "03"] {
            let bytes: Vec<u8> = recorded(name).iter().flat_map(|s| s.to_le_bytes()).collect();
            std::fs::write(etc.join(format!("{name}.sln16")), bytes).expect("a sound");
        }
        let write = |name: &str, text: String| std::fs::write(etc.join(name), text).expect("a setting");
        write("asterisk.conf", "[directories]\nastetcdir => /etc/attendant\n\n[options]\n".to_owned());
        let modules: String = MODULES.iter().map(|m| format!("load = {m}.so\n")).collect();
        write("modules.conf", format!("[modules]\nautoload = no\n{modules}"));
        write(
            "websocket_client.conf",
            format!(
                "[attendant]\ntype = websocket_client\nuri = ws://{}/asterisk/stream\nprotocols = media\n\
                 connection_type = per_call_config\ntls_enabled = no\n",
                line.http
            ),
        );
        write("chan_websocket.conf", format!("[global]\ncontrol_message_format = {control}\n"));
        for empty in ["logger.conf", "ccss.conf", "cel.conf", "cdr.conf", "http.conf", "features.conf"] {
            write(empty, String::new());
        }
        write("extensions.conf", dial_plan(line));
        let process = Command::new("chroot")
            .arg(root)
            .args(["asterisk", "-f", "-n", "-C", "/etc/attendant/asterisk.conf"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("root may change the root");
        let asterisk = Asterisk { root: root.to_owned(), process };
        for _ in 0..100 {
            if asterisk.tell("core waitfullybooted").contains("fully booted") {
                return asterisk;
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
        panic!("Asterisk does not start");
    }

    fn tell(&self, command: &str) -> String {
        let output = Command::new("chroot")
            .arg(&self.root)
            .args(["asterisk", "-C", "/etc/attendant/asterisk.conf", "-rx", command])
            .output()
            .expect("its console");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Asterisk {
    fn drop(&mut self) {
        self.tell("core stop now");
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A caller who speaks and presses keys by the clock, as fast as the line's hums allow.
fn dial_plan(line: &TestLine) -> String {
    format!(
        "[caller]\n\
         exten => run,1,Answer()\n\
         same => n,Wait(3)\n\
         same => n,Playback(/etc/attendant/01)\n\
         same => n,Wait(2)\n\
         same => n,SendDTMF(451288,100,100)\n\
         same => n,Wait(4)\n\
         same => n,Playback(/etc/attendant/03)\n\
         same => n,Wait(20)\n\
         [line]\n\
         exten => audiosocket,1,Answer()\n\
         same => n,AudioSocket(40325ec2-5efd-4bd3-805f-53576e581d13,{})\n\
         exten => websocket,1,Dial(WebSocket/attendant/c(slin16)v(from=5550199,to=800))\n\
         exten => ulaw,1,Dial(WebSocket/attendant/c(ulaw)v(from=5550199,to=800))\n",
        line.audiosocket
    )
}

#[test]
fn a_dialogue_through_asterisk_itself() {
    let Some(root) = root() else { return };
    for (way, control, caller) in [
        ("audiosocket", "plain-text", None),
        ("websocket", "plain-text", Some("5550199")),
        ("websocket", "json", Some("5550199")),
        ("ulaw", "json", Some("5550199")),
    ] {
        let line = TestLine::open(&[]);
        let asterisk = Asterisk::start(&root, &line, control);
        asterisk.tell(&format!("channel originate Local/run@caller/n extension {way}@line"));
        let (ani, record) = line.record();
        let keys: Vec<&str> =
            record.turns.iter().filter_map(|t| Some(t.keys.as_ref()?.expose().as_str())).collect();
        assert_eq!(keys, ["451288"], "{way}: {record:?}");
        assert_eq!(ani.as_deref(), caller, "{way}");
        assert_eq!((record.disposition, record.cause), (Disposition::Resolved, HangupCause::Line), "{way}");
        // The line's hang-up reaches the caller.
        for _ in 0..100 {
            if asterisk.tell("core show channels count").contains("0 active channels") {
                break;
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
        let left = asterisk.tell("core show channels count");
        assert!(left.contains("0 active channels"), "{way}: {left}");
    }
}
