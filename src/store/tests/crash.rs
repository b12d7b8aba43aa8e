//! A node that is killed at random moments, again and again, and the promises that it leaves.
//!
//! The node is this program once more, as `the_node`: it promises, queues, serves, records and says each thing on
//! its standard output once the database has it. `CRASH_KILLS` and `CRASH_THINGS` make the test longer; the
//! seed is printed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use fastrand::Rng;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::desk::{
    Callback as Promise, CallbackEnd, CallbackPlan, CallbackState, DeskPlan, Outcome, Window, digits,
};

on_both! { nothing_promised_is_lost_or_done_twice }

const LEASE: Duration = Duration::from_secs(60);

/// The file of the node's key.
const KEY: &str = "key";

fn env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// A life of the node: what it is to do, and until when it lives.
fn spawn(rig: &Rig, life: u64, seed: u64, things: u64) -> Child {
    let exe = std::env::current_exe().expect("a test program");
    let mut command = Command::new(exe);
    command.args(["--exact", "store::tests::crash::the_node", "--nocapture", "--test-threads=1"]);
    command.env("CRASH_NODE", rig.address()).env("CRASH_FOLDER", rig.folder.path());
    command.env("CRASH_LIFE", life.to_string()).env("CRASH_SEED", seed.to_string());
    command.env("CRASH_THINGS", things.to_string());
    command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("it starts")
}

fn nothing_promised_is_lost_or_done_twice(rig: &Rig) {
    let kills = env("CRASH_KILLS", 6);
    let seed = env("CRASH_SEED", fastrand::u64(..1_000_000));
    eprintln!("CRASH_SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    drop(rig.open());
    Seal::make_key(&rig.folder.path().join(KEY)).expect("it is made");
    let mut said: Vec<String> = Vec::new();
    for life in 0..=kills {
        // The last life is a whole one, and serves what is left.
        let last = life == kills;
        let things = env("CRASH_THINGS", 30);
        let mut node = spawn(rig, life, rng.u64(..), if last { 0 } else { things });
        let dies_after = if last { usize::MAX } else { rng.usize(1..usize::try_from(things).expect("few")) };
        let output = BufReader::new(node.stdout.take().expect("it is piped"));
        let words =
            output.lines().map_while(Result::ok).filter_map(|l| l.strip_prefix("= ").map(str::to_owned));
        said.extend(words.take(dies_after));
        if last {
            assert!(node.wait().expect("it ends").success(), "the last life failed");
        } else {
            // It may be anywhere in what it does next.
            node.kill().expect("it is ours");
            node.wait().expect("it ends");
        }
    }
    judge(rig, &said);
}

fn judge(rig: &Rig, said: &[String]) {
    let store = rig.open();
    let mut told: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in said {
        let (what, which) = line.split_once(' ').expect("two words");
        told.entry(what).or_default().push(which);
    }
    for once in ["ended", "reached", "announced"] {
        let all = told.get(once).cloned().unwrap_or_default();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{once} twice: {all:?}");
    }
    let of = |what: &str| told.get(what).cloned().unwrap_or_default();
    let (callbacks, voicemails, records, open) = rig.runtime.block_on(async {
        (store.callbacks().await, store.voicemails().await, store.records().await, store.open_entries().await)
    });
    let callbacks = callbacks.expect("they can be read");
    for promised in of("promised") {
        let kept = callbacks.iter().find(|c| c.call.as_str() == promised);
        let kept = kept.unwrap_or_else(|| panic!("the promise {promised} is lost"));
        let is_kept = kept.state == CallbackState::Over(CallbackEnd::Reached)
            || kept.state == CallbackState::Over(CallbackEnd::Cancelled) && has_talked(rig, &store, kept);
        assert!(is_kept, "{promised}: {:?}", kept.state);
    }
    let mut numbers: Vec<&str> = Vec::new();
    for open in callbacks.iter().filter(|c| !matches!(c.state, CallbackState::Over(_))) {
        assert!(!numbers.contains(&open.number.expose()), "two open promises to one number");
        numbers.push(open.number.expose());
    }
    let talks = fs::read_to_string(rig.folder.path().join("talks")).unwrap_or_default();
    for reached in of("reached") {
        assert!(talks.lines().any(|talk| talk == reached), "{reached} was reached without a word");
    }
    let voicemails = voicemails.expect("they can be read");
    let seal = seal(rig.folder.path());
    for message in &voicemails {
        let bytes = seal.read(Path::new(&message.file)).expect("a message has its file, whole");
        assert_eq!(hex(&bytes), message.sha256, "a file that is not whole was taken for a message");
    }
    for kept in of("kept") {
        assert!(voicemails.iter().any(|m| m.call.as_str() == kept), "the message {kept} is lost");
    }
    let announced = fs::read_to_string(rig.folder.path().join("announcements")).unwrap_or_default();
    let announced: BTreeSet<&str> = announced.lines().collect();
    let outbox = rig.runtime.block_on(store.outbox()).expect("it can be read");
    assert!(
        outbox.iter().all(|news| matches!(news.state, OutgoingState::Told(_))),
        "not all are told: {outbox:?}"
    );
    assert_eq!(
        announced.len(),
        voicemails.len() + records.as_ref().map_or(0, Vec::len),
        "somebody was not told, or of what is no message"
    );
    let records = records.expect("they can be read");
    let ids: BTreeSet<&str> = records.iter().map(|kept| kept.record.id.as_str()).collect();
    assert_eq!(ids.len(), records.len());
    for recorded in of("recorded") {
        assert!(ids.contains(recorded), "the record {recorded} is lost");
    }
    // Each place is served, or was turned into a promise that was kept.
    assert_eq!(open.expect("they can be read"), []);
    let figures = rig.runtime.block_on(store.figures(0, i64::MAX)).expect("they can be read");
    let counted: i64 = figures.hours.iter().map(|c| c.calls).sum();
    assert_eq!(usize::try_from(counted).expect("few"), records.len(), "figures and records part");
    eprintln!(
        "{} promises, {} places, {} messages, {} records: none lost, none twice",
        callbacks.len(),
        of("queued").len(),
        voicemails.len(),
        records.len()
    );
}

/// Whether somebody has called again after the promise, and was answered: they are not called back about it.
fn has_talked(rig: &Rig, store: &Store, promise: &Promise) -> bool {
    let sql = "SELECT 1 AS one FROM queue_entries WHERE same_as = $1 AND outcome = 'answered' AND ended_unix_ms >= $2";
    let promised = promise.promised.as_millisecond();
    rig.runtime.block_on(async {
        let opened = store.current().await.expect("it answers");
        let answered = sqlx::query(sql).bind(digits(promise.number.expose())).bind(promised);
        answered.fetch_optional(&opened.readers).await.expect("it answers").is_some()
    })
}

/// A desk at which everything is told.
fn desk() -> DeskPlan {
    let notify =
        "[[notify]]\nname = \"crm\"\non = [\"voicemail\", \"call\"]\nwebhook = \"http://127.0.0.1:9\"";
    DeskPlan::parse("desk.toml", &format!("[[queue]]\nname = \"orders\"\n{notify}")).expect("a desk")
}

/// Messages are sealed, as they are where a team says so.
fn seal(folder: &Path) -> Seal {
    let key = folder.join(KEY);
    let text = fs::read_to_string(&key).expect("it was made");
    let public = text.lines().next().and_then(|line| line.split(' ').next_back()).expect("its public part");
    Seal::new([public], &[key]).expect("keys")
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The node itself; as a test it does nothing.
#[test]
fn the_node() {
    let Ok(address) = std::env::var("CRASH_NODE") else { return };
    let folder = PathBuf::from(std::env::var("CRASH_FOLDER").expect("a folder"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (spool_folder, seal) = (Some(folder.join("spool")), Arc::new(seal(&folder)));
    let options = StoreOptions { spool_folder, seal, desk: Arc::new(desk()), ..StoreOptions::default() };
    runtime.block_on(async {
        let store = Store::open_with(&address, options).await.expect("it opens");
        let life = env("CRASH_LIFE", 0);
        let mut node = Node { store, folder, life, rng: Rng::with_seed(env("CRASH_SEED", 0)), step: 0 };
        node.live(env("CRASH_THINGS", 0)).await.expect("the database answers");
    });
}

struct Node {
    store: Store,
    folder: PathBuf,
    life: u64,
    rng: Rng,
    step: i64,
}

/// Says what the database has. Whoever kills the node has read it.
fn say(what: &str, which: &CallId) {
    let mut out = std::io::stdout().lock();
    // The one that reads may be gone.
    let _ = writeln!(out, "= {what} {which}").and_then(|()| out.flush());
}

use crate::call::CallId;

impl Node {
    fn now(&self) -> Timestamp {
        // Every life begins when the leases of the one before are over.
        let life = i64::try_from(self.life).expect("few");
        Timestamp::from_second(1_790_000_000 + 1_000 * life + self.step).expect("in range")
    }

    fn id(&self, kind: &str) -> CallId {
        format!("{kind}-{}-{}", self.life, self.step).parse().expect("an id")
    }

    fn append(&self, file: &str, line: &CallId) {
        let mut file =
            fs::File::options().create(true).append(true).open(self.folder.join(file)).expect("ours");
        writeln!(file, "{line}").expect("it is written");
    }

    async fn live(&mut self, things: u64) -> Result<(), StoreError> {
        let plan = CallbackPlan::of(&DeskPlan::empty());
        self.store.flush_spool().await?;
        for promise in self.store.recover_node("node", &plan, self.now()).await? {
            say("promised", &promise.call);
        }
        for _ in 0..things {
            self.step += 1;
            match self.rng.u8(..8) {
                0 | 1 => self.promise(&plan).await?,
                2 => self.queue().await?,
                3 => self.record().await?,
                4 => self.take_message().await?,
                5 => drop(self.serve().await?),
                6 => drop(self.call_back(&plan).await?),
                _ => drop(self.announce().await?),
            }
        }
        // A life that is not cut short leaves nothing undone.
        self.step += 1;
        while self.serve().await? || self.call_back(&plan).await? || self.announce().await? {}
        Ok(())
    }

    async fn promise(&mut self, plan: &CallbackPlan) -> Result<(), StoreError> {
        let number = format!("55501{:02}", self.rng.u8(..12)).parse().expect("a number");
        let window = Window { from: self.now(), until: None };
        let promise =
            Promise::promise(plan, self.now(), (self.id("p"), "orders", self.now()), number, window);
        let kept = self.store.promise_callback(plan, promise, self.now()).await?;
        say("promised", &kept.call);
        Ok(())
    }

    async fn queue(&mut self) -> Result<(), StoreError> {
        let number = format!("55502{:02}", self.rng.u8(..99));
        let place = QueueEntry::new(self.id("q"), "orders", "node", self.now());
        let entry = QueueEntry { ani: number.parse().ok(), ..place };
        self.store.enqueue(&entry, 60).await?;
        say("queued", &entry.call);
        Ok(())
    }

    async fn record(&mut self) -> Result<(), StoreError> {
        let id = self.id("r");
        let written = self.store.write_record(&record(id.as_str()), 1_790_000_000_000).await?;
        assert!(matches!(written, Written::Stored), "{written:?}");
        say("recorded", &id);
        Ok(())
    }

    async fn take_message(&mut self) -> Result<(), StoreError> {
        let call = self.id("v");
        let sound = vec![self.rng.u8(..); self.rng.usize(1_000..200_000)];
        let (file, sha256) = self.store.write_message(&self.folder.join("voicemail"), &call, sound).await?;
        let message = KeptVoicemail {
            call,
            queue: "orders".to_owned(),
            ani: None,
            at: self.now(),
            duration: Duration::from_secs(3),
            file: file.display().to_string(),
            sha256,
            transcript: None,
        };
        self.store.keep_voicemail(&message, self.now()).await?;
        say("kept", &message.call);
        Ok(())
    }

    async fn serve(&mut self) -> Result<bool, StoreError> {
        let Some(entry) = self.store.claim_entry("orders", "node", self.now(), LEASE).await? else {
            return Ok(false);
        };
        if self.store.end_entry(&entry.call, Outcome::Answered, Some("ana"), self.now()).await? {
            say("ended", &entry.call);
        }
        Ok(true)
    }

    async fn call_back(&mut self, plan: &CallbackPlan) -> Result<bool, StoreError> {
        let Some(mut promise) = self.store.claim_callback(plan, "node", self.now(), LEASE).await? else {
            return Ok(false);
        };
        self.append("talks", &promise.call);
        promise.reached();
        self.store.settle_callback(&promise, "node").await?;
        say("reached", &promise.call);
        Ok(true)
    }

    async fn announce(&mut self) -> Result<bool, StoreError> {
        let Some(news) = self.store.claim_news("node", self.now(), LEASE).await? else {
            return Ok(false);
        };
        // Told twice is told once, by its key.
        self.append("announcements", &news.call);
        self.store.settle_news(&news.key, "node", OutgoingState::Told(self.now()), None).await?;
        say("announced", &news.call);
        Ok(true)
    }
}
