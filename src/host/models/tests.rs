//! Pulling from servers on the loopback that behave and misbehave.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use super::*;

const CONTENT: &[u8] = b"weights of no importance";

/// How a server answers.
#[derive(Clone, Copy)]
enum Manner {
    Good,
    NotFound,
    /// Another file than promised, of the same length.
    Wrong,
    /// Closes half-way through.
    Truncated,
}

/// A server that answers every request in one manner, and counts them.
struct Server {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Server {
    fn start(manner: Manner) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                counter.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(&reply(manner));
            }
        });
        Server { address, requests }
    }

    fn source(&self) -> String {
        format!("{{ url = \"http://{}/{{file}}\" }}", self.address)
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn reply(manner: Manner) -> Vec<u8> {
    let (status, body) = match manner {
        Manner::Good | Manner::Truncated => ("200 OK", CONTENT.to_vec()),
        Manner::Wrong => ("200 OK", CONTENT.iter().rev().copied().collect()),
        Manner::NotFound => ("404 Not Found", b"nothing here".to_vec()),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let sent = match manner {
        Manner::Truncated => &body[..body.len() / 2],
        Manner::Good | Manner::Wrong | Manner::NotFound => &body[..],
    };
    [head.as_bytes(), sent].concat()
}

/// An address at which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("{{ url = \"http://{}/{{file}}\" }}", listener.local_addr().unwrap())
}

fn sum(bytes: &[u8]) -> String {
    let mut from = bytes;
    fetch::digest(&mut from, &mut |_, _| Ok(())).unwrap().sha256
}

fn set(sources: &[String]) -> (TempDir, ModelSet) {
    let folder = tempfile::tempdir().unwrap();
    let manifest = format!(
        "[[model]]\nname = 'm'\nkind = 'encoder'\nabout = ''\nlicence = 'MIT'\nsources = [{}]\n\
         [[model.file]]\nname = 'w.bin'\nsize = {}\nsha256 = '{}'\n",
        sources.join(", "),
        CONTENT.len(),
        sum(CONTENT),
    );
    fs::write(folder.path().join("manifest.toml"), manifest).unwrap();
    let set = ModelSet::open(folder.path()).unwrap();
    (folder, set)
}

fn pull(set: &ModelSet) -> Result<Pulled, ModelError> {
    set.pull("m", &mut |_| {})
}

/// Nothing but the list of sums and finished files may be left.
fn check_clean(folder: &TempDir) {
    let left = fs::read_dir(folder.path().join("cache/m")).into_iter().flatten();
    for entry in left {
        let name = entry.unwrap().file_name();
        assert_eq!(name, "w.bin", "left behind");
    }
}

#[test]
fn a_good_file_is_installed_and_not_fetched_twice() {
    let server = Server::start(Manner::Good);
    let (folder, set) = set(&[server.source()]);
    let mut seen = Vec::new();
    set.pull("m", &mut |p| {
        if let Progress::Bytes { done, total, .. } = p {
            seen.push((done, total));
        }
    })
    .unwrap();
    let all = CONTENT.len() as u64;
    assert_eq!(seen.last(), Some(&(all, Some(all))));
    assert_eq!(fs::read(set.locate("m").unwrap()).unwrap(), CONTENT);
    assert_eq!(pull(&set).unwrap(), Pulled::AlreadyThere);
    assert_eq!(server.requests(), 1);
    check_clean(&folder);
}

#[test]
fn a_wrong_file_is_never_installed() {
    for (manner, expected) in [(Manner::Wrong, sum(CONTENT)), (Manner::Truncated, "w.bin".to_owned())] {
        let (folder, set) = set(&[Server::start(manner).source()]);
        let why = pull(&set).expect_err("it is wrong").to_string();
        assert!(why.contains(&expected), "{why}");
        assert!(matches!(set.locate("m"), Err(ModelError::Missing { .. })));
        check_clean(&folder);
    }
}

#[test]
fn the_next_source_is_tried() {
    let good = Server::start(Manner::Good);
    for bad in [nobody(), Server::start(Manner::NotFound).source(), Server::start(Manner::Wrong).source()] {
        let (_folder, set) = set(&[bad, good.source()]);
        let Pulled::Fetched { from } = pull(&set).unwrap() else { panic!("it was not there before") };
        assert!(from.contains(&good.address.to_string()), "{from}");
    }
}

#[test]
fn every_source_that_failed_is_named() {
    let missing = Server::start(Manner::NotFound);
    let (_folder, set) = set(&[nobody(), missing.source()]);
    let why = pull(&set).expect_err("nothing there").to_string();
    assert!(why.contains(&missing.address.to_string()) && why.contains("404"), "{why}");
    assert_eq!(why.lines().count(), 3, "{why}");
}

#[test]
fn a_missing_model_says_what_to_run() {
    let (_folder, set) = set(&[nobody()]);
    let why = set.locate("m").expect_err("not pulled").to_string();
    assert!(why.contains("attendant models pull m"), "{why}");
    let why = set.locate("n").expect_err("unknown").to_string();
    assert!(why.contains("it has m"), "{why}");
}

#[test]
fn a_damaged_model_is_refused_and_fetched_again() {
    let server = Server::start(Manner::Good);
    let (_folder, set) = set(&[server.source()]);
    pull(&set).unwrap();
    let path = set.locate("m").unwrap();
    fs::write(&path, b"something else").unwrap();
    let why = set.locate("m").expect_err("damaged").to_string();
    assert!(why.contains(&sum(CONTENT)) && why.contains(&sum(b"something else")), "{why}");
    assert!(matches!(pull(&set), Ok(Pulled::Fetched { .. })));
    set.locate("m").expect("it is right again");
}

#[test]
fn a_model_of_the_repository_lies_beside_the_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = "[[model]]\nname = 'own'\nkind = 'speech'\nabout = ''\nlicence = 'MIT'\n\
                    in_repository = true\n[[model.file]]\nname = 'own.bin'\n";
    fs::write(folder.path().join("manifest.toml"), manifest).unwrap();
    let set = ModelSet::open(folder.path()).unwrap();
    assert!(matches!(set.locate("own"), Err(ModelError::Missing { .. })));
    fs::write(folder.path().join("own.bin"), CONTENT).unwrap();
    assert_eq!(set.locate("own").unwrap(), folder.path().join("own.bin"));
    assert_eq!(set.pull("own", &mut |_| {}).unwrap(), Pulled::AlreadyThere);
}

#[test]
fn a_pin_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    fs::write(&path, CONTENT).unwrap();
    let measure = Measure::of(&path).unwrap();
    let pin: toml::Table = toml::from_str(&measure.as_pin()).unwrap();
    assert_eq!(pin["size"].as_integer(), i64::try_from(CONTENT.len()).ok());
    assert_eq!(pin["sha256"].as_str(), Some(sum(CONTENT).as_str()));
}
