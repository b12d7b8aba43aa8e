//! The callers' side, in a process of its own: calls, then a packet each way every 20 ms.

use std::io::{BufRead as _, Write as _};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use attendant::audio::{LINE_RATE_HZ, Law, RATE_HZ, resample};
use rustix::time::ClockId;

use crate::caller::Caller;

/// The variable that makes this program the callers: the line's address, how many, whether they want to be heard.
pub(crate) const RING: &str = "ATTENDANT_MEDIA_CALLERS";

const FRAME: Duration = Duration::from_millis(20);

/// A line that sends nothing for so many ticks has hung up.
const HUNG_UP: u32 = 50;

struct Ringing {
    caller: Caller,
    /// Where the caller stands in what is said.
    at: usize,
    quiet: u32,
}

/// A recording as µ-law at 8 kHz.
fn recording(name: &str) -> Vec<u8> {
    let path = format!("{}/audio/callers/order_status/{name}.wav", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).expect("a recording");
    // 16 kHz, sixteen bits, behind the 44 bytes of the plain header.
    let samples: Vec<i16> = bytes[44..].as_chunks::<2>().0.iter().map(|b| i16::from_le_bytes(*b)).collect();
    Law::Mu.encode_all(&resample(&samples, RATE_HZ, LINE_RATE_HZ))
}

/// A minute of a caller in packets of 20 ms: a voice with pauses, in which the line may answer.
fn said(heard: bool) -> Vec<Vec<u8>> {
    let silence = |seconds: usize| vec![0xff; seconds * LINE_RATE_HZ as usize];
    let pause = if heard { 6 } else { 1 };
    let sound =
        [silence(pause), recording("01"), silence(pause), recording("02"), silence(2 * pause)].concat();
    sound.chunks(160).map(|chunk| [chunk, &vec![0xff; 160 - chunk.len()]].concat()).collect()
}

fn call(order: &str, at: usize) -> Ringing {
    let address = order.split(' ').next().and_then(|a| a.parse().ok()).expect("an address");
    let caller = Caller::call(address);
    caller.rtp.set_nonblocking(true).expect("set");
    Ringing { caller, at, quiet: 0 }
}

/// Rings, says "up" once all are answered, and reports between "begin" and "end".
pub(crate) fn ring(order: &str) {
    let mut words = order.split(' ').skip(1);
    let calls: usize = words.next().and_then(|n| n.parse().ok()).expect("a number");
    let heard = words.next() == Some("true");
    let packets = said(heard);
    // Nobody begins at the same word.
    let mut ringing: Vec<Ringing> =
        (0..calls).map(|n| call(order, n * packets.len() / calls.max(1))).collect();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                return;
            }
        }
    });
    say("up");
    exchange(order, &mut ringing, &packets, heard, &told);
    for Ringing { caller, .. } in &mut ringing {
        let bye = caller.request("BYE", "", "");
        caller.send(&bye);
    }
}

fn say(word: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{word}").and_then(|()| out.flush()).expect("somebody reads");
}

fn exchange(order: &str, ringing: &mut [Ringing], packets: &[Vec<u8>], heard: bool, told: &Receiver<String>) {
    let mut due = Instant::now();
    let mut since = (Instant::now(), 0.0);
    let (mut got, mut ticks) = (0u64, 0u64);
    loop {
        match told.try_recv() {
            Ok(word) if word == "begin" => {
                (got, ticks) = (0, 0);
                since = (Instant::now(), crate::seconds(ClockId::ProcessCPUTime));
            }
            Ok(word) if word == "end" => {
                let cores =
                    (crate::seconds(ClockId::ProcessCPUTime) - since.1) / since.0.elapsed().as_secs_f64();
                #[expect(clippy::cast_precision_loss, reason = "counts")]
                let share = got as f64 / (ticks * ringing.len() as u64).max(1) as f64;
                say(&format!("{cores} {share}"));
            }
            Ok(_) | Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => {}
        }
        for call in ringing.iter_mut() {
            let mut bytes = [0; 1_500];
            call.quiet += 1;
            while call.caller.rtp.recv(&mut bytes).is_ok_and(|n| n > 100) {
                got += 1;
                call.quiet = 0;
            }
            let packet =
                call.caller.packet(0, false, call.caller.timestamp, &packets[call.at % packets.len()]);
            call.caller.put(&packet);
            call.caller.step();
            call.at += 1;
            if heard && call.quiet > HUNG_UP {
                *call = self::call(order, 0);
            }
        }
        ticks += 1;
        due += FRAME;
        while let Some(left) = due.checked_duration_since(Instant::now()).filter(|t| !t.is_zero()) {
            std::thread::park_timeout(left);
        }
    }
}
