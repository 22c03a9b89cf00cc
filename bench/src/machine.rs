//! What it was measured on, and with which versions.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::measure::Start;
use crate::place::Place;

/// The workspace's lockfile, which tells the versions of what is compiled in.
const LOCKFILE: &str = include_str!("../../Cargo.lock");

/// The machine.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Today, as `YYYY-MM-DD`, in UTC.
    pub date: String,
    /// What the system calls its processor.
    pub processor: String,
    /// Cores, as far as this process may use them.
    pub cores: usize,
    /// Operating system and instruction set.
    pub system: String,
    /// Of everything that takes part, by name.
    pub versions: BTreeMap<String, String>,
    /// Of each component, in bytes.
    pub component_bytes: BTreeMap<String, u64>,
}

impl Machine {
    /// Looks around, and adds what the sides tell of themselves.
    #[must_use]
    pub fn new(place: &Place, starts: &[Start]) -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let mut versions = BTreeMap::new();
        for package in ["wasmtime", "candle-core"] {
            versions.extend(locked_version(LOCKFILE, package).map(|version| (package.to_owned(), version.to_owned())));
        }
        versions.extend(commit(place).map(|commit| ("commit".to_owned(), commit)));
        for start in starts {
            for (name, version) in &start.ready.versions {
                // Auricle tells also its flavour, which differs between sides.
                let version = if name == "auricle" { version.split(' ').next().unwrap_or(version) } else { version };
                versions.insert(name.clone(), version.to_owned());
            }
        }
        let sizes = auricle_sizes(place);
        Self {
            date: jiff::Timestamp::now().to_string().chars().take_while(|c| *c != 'T').collect(),
            processor: processor(&info).unwrap_or("unknown").to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            versions,
            component_bytes: sizes,
        }
    }
}

/// The model name in Linux's `cpuinfo`.
fn processor(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(':').map(|(_, name)| name.trim())
}

fn locked_version<'a>(lockfile: &'a str, package: &str) -> Option<&'a str> {
    let (_, entry) = lockfile.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    entry.split_once('"').map(|(version, _)| version)
}

/// The commit that is measured, with `-dirty` where files differ from it.
fn commit(place: &Place) -> Option<String> {
    let mut git = Command::new("git");
    let output = git.current_dir(place.repository("")).args(["describe", "--always", "--dirty"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn auricle_sizes(place: &Place) -> BTreeMap<String, u64> {
    let embedded = [auricle::Flavour::Simd128, auricle::Flavour::RelaxedSimd]
        .map(|flavour| (flavour.name().to_owned(), auricle::embedded_component(flavour).len() as u64));
    let scalar = place.scalar_component().and_then(|path| Ok(fs::metadata(path)?.len()));
    embedded.into_iter().chain(scalar.ok().map(|bytes| ("scalar".to_owned(), bytes))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_the_lockfile_and_the_processor_from_the_system() {
        assert_eq!(locked_version("[[package]]\nname = \"a\"\nversion = \"1.2.3\"\n", "a"), Some("1.2.3"));
        assert!(locked_version(LOCKFILE, "wasmtime").is_some());
        assert_eq!(processor("vendor_id\t: X\nmodel name\t: Some CPU @ 2 GHz\n"), Some("Some CPU @ 2 GHz"));
    }
}
