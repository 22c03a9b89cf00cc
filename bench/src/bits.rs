//! The same component, model and audio give the same bits in every engine: what those bits are, and who gives them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use auricle::Digest;
use serde::{Deserialize, Serialize};

use crate::child::Child;
use crate::clips::Clip;
use crate::place::Place;
use crate::protocol::SegmentBits;
use crate::sides::{Build, Engine, Runtime, Side};

/// The engines that must agree.
pub const RUNTIMES: [Runtime; 3] = [Runtime::Wasmtime, Runtime::Node, Runtime::Chromium];

/// Clip to SHA-256 of its [canonical form](canonical), in hexadecimal.
pub type Hashes = BTreeMap<String, String>;

/// The committed file.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Golden {
    /// How it came about, for people.
    pub about: String,
    /// With the q8 model file.
    pub q8: Hashes,
}

impl Golden {
    /// Where it is.
    #[must_use]
    pub fn path(place: &Place) -> PathBuf {
        place.repository("testdata/golden-bits.json")
    }

    /// Reads it.
    ///
    /// # Errors
    ///
    /// Where it is missing or not what it should be.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is not of this form", path.display()))
    }
}

/// Final segments as bytes, in which nothing is left to a formatter: integers little-endian, floats as their bits, and
/// lists and texts with their length before them.
#[must_use]
pub fn canonical(segments: &[SegmentBits]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let length = |items: usize| (items as u64).to_le_bytes();
    bytes.extend(length(segments.len()));
    for segment in segments {
        bytes.extend([segment.start, segment.end].map(u64::to_le_bytes).as_flattened());
        bytes.extend(length(segment.tokens.len()));
        for (id, log_probability, entropy) in &segment.tokens {
            bytes.extend([id, log_probability, entropy].map(|value| value.to_le_bytes()).as_flattened());
        }
        bytes.extend(length(segment.word_confidences.len()));
        bytes.extend(segment.word_confidences.iter().flat_map(|value| value.to_le_bytes()));
        bytes.extend(length(segment.text.len()));
        bytes.extend(segment.text.as_bytes());
    }
    bytes
}

/// Computes the hashes in one engine.
///
/// # Errors
///
/// Where the engine or a clip is missing, or transcription fails.
pub fn compute(place: &Place, runtime: Runtime, build: Build) -> Result<Hashes> {
    let side = Side { engine: Engine::Auricle(runtime, build), threads: 1 };
    let log = place.made("logs").join(format!("bits-{}-{}.log", runtime.name(), build.name()));
    let (mut child, ready, _) = Child::start(side.command(place)?, &log)?;
    let about = ready.versions.get("auricle").map_or("", String::as_str);
    ensure!(about.ends_with(&format!("{} q8", build.name())), "{side} runs {about}");
    let hash = |clip: Clip| {
        let segments = child.transcribe(&clip.cut(place)?.path)?.segments;
        ensure!(!segments.is_empty(), "{side} transcribed nothing of {}", clip.name);
        Ok((clip.name.to_owned(), Digest::of(&canonical(&segments)).to_string()))
    };
    Clip::GOLDEN.into_iter().map(hash).collect()
}

/// Computes the hashes in every engine there is, and writes them where all agree.
///
/// # Errors
///
/// Where two engines disagree, an engine fails, or the file cannot be written.
pub fn bless(place: &Place) -> Result<()> {
    let mut agreed: Option<(Side, Hashes)> = None;
    for runtime in RUNTIMES {
        for build in Build::SHIPPED {
            let side = Side { engine: Engine::Auricle(runtime, build), threads: 1 };
            if let Err(missing) = side.command(place) {
                eprintln!("{side}: skipped: {missing:#}");
                continue;
            }
            let hashes = compute(place, runtime, build).with_context(|| side.to_string())?;
            match &agreed {
                Some((first, others)) if *others != hashes => {
                    bail!("{first} and {side} give other bits: {others:?} and {hashes:?}")
                }
                Some(_) => {}
                None => agreed = Some((side, hashes)),
            }
            eprintln!("{side}: agrees");
        }
    }
    let (_, q8) = agreed.context("no engine is there")?;
    let about = "SHA-256 of final segments, as bench/src/bits.rs writes them in bytes: the same in every engine and \
                 flavour. `cargo xtask bless-bits` computes them anew.";
    let golden = Golden { about: about.to_owned(), q8 };
    let path = Golden::path(place);
    let text = serde_json::to_string_pretty(&golden)? + "\n";
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    eprintln!("{} is written", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment() -> SegmentBits {
        SegmentBits {
            start: 0,
            end: 159_414,
            text: "Ever tried".to_owned(),
            tokens: vec![(18_274, 0x8000_0000, 1), (1_898, 2, 3)],
            word_confidences: vec![4, 5],
        }
    }

    #[test]
    fn any_change_of_a_segment_changes_its_canonical_form() {
        let changes: [fn(&mut SegmentBits); 7] = [
            |s| s.start = 1,
            |s| s.end += 1,
            |s| s.text.push('.'),
            |s| s.tokens[0].0 += 1,
            |s| s.tokens[0].1 = 0,
            |s| s.tokens[1].2 += 1,
            |s| s.word_confidences[1] += 1,
        ];
        let original = canonical(&[segment()]);
        for (index, change) in changes.into_iter().enumerate() {
            let mut changed = segment();
            change(&mut changed);
            assert_ne!(canonical(&[changed]), original, "change {index}");
        }
        assert_ne!(canonical(&[segment(), segment()]), original);
    }

    #[test]
    fn canonical_form_is_little_endian_with_lengths() {
        let bytes =
            canonical(&[SegmentBits { text: "é".to_owned(), tokens: vec![], word_confidences: vec![], ..segment() }]);
        let numbers: Vec<_> = bytes[..48].chunks(8).map(|b| u64::from_le_bytes(b.try_into().expect("eight"))).collect();
        assert_eq!(numbers, [1, 0, 159_414, 0, 0, 2]);
        assert_eq!(&bytes[48..], "é".as_bytes());
    }
}
