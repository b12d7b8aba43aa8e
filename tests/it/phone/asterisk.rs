//! Asterisk itself over SIP, by the lines that `docs/telephony.md` gives; see `tests/it/asterisk.rs`.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;

use attendant::audio::{Law, rms_dbfs};
use attendant::call::{Disposition, HangupCause};

use super::super::asterisk::{Asterisk, root, sln};
use super::TestLine;
use super::stream::Certificate;

/// What SIP needs.
const MODULES: [&str; 18] = [
    "codec_alaw",
    "func_global",
    "res_pjproject",
    "res_rtp_asterisk",
    "res_srtp",
    "res_sorcery_astdb",
    "res_pjsip",
    "res_pjsip_session",
    "res_pjsip_pubsub",
    "res_pjsip_sdp_rtp",
    "res_pjsip_caller_id",
    "res_pjsip_nat",
    "res_pjsip_refer",
    "res_pjsip_rfc3326",
    "res_pjsip_dtmf_info",
    "res_pjsip_endpoint_identifier_ip",
    "res_pjsip_header_funcs",
    "chan_pjsip",
];

/// The settings that the documentation gives under a heading, in its order.
fn documented(heading: &str) -> Vec<String> {
    let text = include_str!("../../../docs/telephony.md");
    let section = text.split("\n## ").find(|section| section.starts_with(heading)).expect(heading);
    let blocks = section.split("```ini\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap_or_default().to_owned()).collect()
}

/// A caller who says a sentence and presses 5, one who presses 0 and waits, and the agent, who says so many. Asterisk holds a
/// transfer for done once the caller hears something.
fn dial_plan(documented: &str, sentences: usize) -> String {
    let speaks = "same => n,Playback(/etc/attendant/voice)\n".repeat(sentences);
    format!(
        "[start]\n\
         exten => call,1,Set(CALLERID(num)=5550199)\n\
         same => n,Goto(phones,800,1)\n\
         [caller]\n\
         exten => speaks,1,Answer()\n\
         same => n,Wait(1)\n\
         same => n,Playback(/etc/attendant/voice)\n\
         same => n,SendDTMF(5,100,100)\n\
         same => n,Wait(1)\n\
         exten => asks,1,Answer()\n\
         same => n,Wait(1)\n\
         same => n,SendDTMF(0,100,100)\n\
         same => n,Wait(60)\n\
         [agents]\n\
         exten => 6000,1,Answer()\n\
         same => n,Set(GLOBAL(REACHED)=yes)\n\
         {speaks}\
         {documented}"
    )
}

/// A UDP port that is free now.
fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port()
}

fn here(settings: &str, line: SocketAddr) -> String {
    settings.replace("192.0.2.7:5060", &line.to_string()).replace("192.0.2.7", "127.0.0.1")
}

/// Asterisk with the documented settings, `change`d, listening for SIP at `port`.
fn start(
    root: &Path,
    line: &TestLine,
    port: u16,
    sentences: usize,
    change: impl Fn(&str) -> String,
) -> Asterisk {
    let [pjsip, extensions] = documented("Behind Asterisk").try_into().expect("two files' settings");
    let transports = format!(
        "[transport-udp]\ntype = transport\nprotocol = udp\nbind = 127.0.0.1:{port}\n\
         [transport-tls]\ntype = transport\nprotocol = tls\nbind = 127.0.0.1:{port}\nmethod = tlsv1_2\n\n"
    );
    let pjsip = transports + &change(&here(&pjsip, line.address));
    let voice = Law::Mu.decode_all(&super::recorded_voice());
    let files = [
        ("pjsip.conf", pjsip.into_bytes()),
        ("extensions.conf", dial_plan(&extensions, sentences).into_bytes()),
        ("rtp.conf", b"[general]\nrtpstart=34000\nrtpend=34999\n".to_vec()),
        ("voice.sln", sln(&voice)),
    ];
    Asterisk::start(root, &MODULES, &files)
}

/// A caller of Asterisk's speaks and presses a key; the line hears both.
fn speaks(line: &TestLine, asterisk: &Asterisk) {
    asterisk.tell("channel originate Local/speaks@caller/n extension call@start");
    let held = &line.held(1)[0];
    let loud = held.heard.chunks(320).filter(|frame| rms_dbfs(frame) > -35.0).count();
    assert!(loud > 20 && held.keys == "5", "heard in {loud} frames, keys {:?}", held.keys);
    assert_eq!(held.record.ani.as_ref().map(|ani| ani.expose().to_owned()).as_deref(), Some("5550199"));
    assert_eq!(held.record.cause, HangupCause::Caller);
    line.empty();
    asterisk.until("core show channels count", "0 active channels");
}

#[test]
fn a_call_through_asterisk_is_heard() {
    let Some(root) = root() else { return };
    let line = TestLine::open(&[]);
    speaks(&line, &start(&root, &line, free_port(), 1, str::to_owned));
}

#[test]
fn a_call_through_asterisk_by_tls_is_heard_encrypted() {
    let (Some(root), Some(certificate)) = (root(), Certificate::make()) else { return };
    let tls = certificate.settings();
    let tls = tls.iter().map(|(key, value)| (*key, value.as_str()));
    // Nothing but TLS could bring the call in.
    let line = TestLine::open(&tls.chain([("srtp_offer", "tls")]).collect::<Vec<_>>());
    let address = line.tls.expect("it listens by TLS");
    let asterisk = start(&root, &line, free_port(), 1, |settings| {
        let plain = format!("contact = sip:{}", line.address);
        assert!(settings.contains(&plain), "{settings}");
        let encrypted = format!("contact = sip:{address}\\;transport=tls");
        settings.replace(&plain, &encrypted).replace("direct_media", "media_encryption = sdes\ndirect_media")
    });
    speaks(&line, &asterisk);
}

/// A caller asks for a person and gets to a second extension of Asterisk's.
fn is_handed_over(root: &Path, means: &str, sentences: usize) -> (TestLine, Asterisk) {
    let port = free_port();
    let agent = format!("sip:6000@127.0.0.1:{port}");
    let line = TestLine::open(&[("agents", &agent), ("transfer_by", means)]);
    let asterisk = start(root, &line, port, sentences, str::to_owned);
    asterisk.tell("channel originate Local/asks@caller/n extension call@start");
    asterisk.until("dialplan show globals", "REACHED=yes");
    (line, asterisk)
}

#[test]
fn a_caller_through_asterisk_is_bridged_to_a_second_extension() {
    let Some(root) = root() else { return };
    let (line, _asterisk) = is_handed_over(&root, "bridge", 2);
    let record = &line.held(1)[0].record;
    assert_eq!((record.disposition, record.cause), (Disposition::Transferred, HangupCause::Transferred));
    line.empty();
}

#[test]
fn a_caller_through_asterisk_is_referred_and_the_line_is_out_of_the_way() {
    let Some(root) = root() else { return };
    for means in ["refer", "attended"] {
        let (line, asterisk) = is_handed_over(&root, means, 40);
        let record = &line.held(1)[0].record;
        assert_eq!(record.disposition, Disposition::Transferred, "{means}");
        line.empty();
        // The caller and the agent talk on without the line.
        let left = asterisk.tell("core show channels concise");
        let at_agent = |channel: &str| channel.contains("!6000!") || channel.contains("6000@");
        assert!(left.lines().any(at_agent) && left.contains("asks"), "{means}: {left}");
    }
}
