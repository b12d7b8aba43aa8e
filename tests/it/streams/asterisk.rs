//! Asterisk itself, over AudioSocket and `chan_websocket`; see `tests/it/asterisk.rs`.

use std::path::Path;

use attendant::call::{Disposition, HangupCause};

use super::super::asterisk::{Asterisk, root, sln};
use super::{TestLine, recorded};

/// What the two ways need.
const MODULES: [&str; 6] = [
    "res_http_websocket",
    "res_websocket_client",
    "res_audiosocket",
    "app_audiosocket",
    "chan_websocket",
    "func_uri",
];

fn start(root: &Path, line: &TestLine, control: &str) -> Asterisk {
    let client = format!(
        "[attendant]\ntype = websocket_client\nuri = ws://{}/asterisk/stream\nprotocols = media\n\
         connection_type = per_call_config\ntls_enabled = no\n",
        line.http
    );
    let files = [
        ("01.sln16", sln(&recorded("01"))),
        ("03.sln16", sln(&recorded("03"))),
        ("websocket_client.conf", client.into_bytes()),
        ("chan_websocket.conf", format!("[global]\ncontrol_message_format = {control}\n").into_bytes()),
        ("extensions.conf", dial_plan(line).into_bytes()),
    ];
    Asterisk::start(root, &MODULES, &files)
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
        let asterisk = start(&root, &line, control);
        asterisk.tell(&format!("channel originate Local/run@caller/n extension {way}@line"));
        let (ani, record) = line.record();
        let keys: Vec<&str> =
            record.turns.iter().filter_map(|t| Some(t.keys.as_ref()?.expose().as_str())).collect();
        assert_eq!(keys, ["451288"], "{way}: {record:?}");
        assert_eq!(ani.as_deref(), caller, "{way}");
        assert_eq!((record.disposition, record.cause), (Disposition::Resolved, HangupCause::Line), "{way}");
        // The line's hang-up reaches the caller.
        asterisk.until("core show channels count", "0 active channels");
    }
}
