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
use crate::protocol::{Reply, SegmentBits, Stream};
use crate::sides::{Build, Engine, Runtime, Side};

/// The engines that must agree.
pub const RUNTIMES: [Runtime; 3] = [Runtime::Wasmtime, Runtime::Node, Runtime::Chromium];

/// Clip, and how it was taken unless whole, to SHA-256 of its [canonical form](canonical), in hexadecimal.
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

/// Final segments as bytes, in which nothing is left to a formatter: integers little-endian, floats as their bits, lists
/// and texts with their length before them, and what may be missing as a list of one or none.
#[must_use]
pub fn canonical(segments: &[SegmentBits]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let length = |items: usize| (items as u64).to_le_bytes();
    let add_text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.extend(length(text.len()));
        bytes.extend(text.as_bytes());
    };
    bytes.extend(length(segments.len()));
    for segment in segments {
        bytes.extend([segment.start, segment.end].map(u64::to_le_bytes).as_flattened());
        bytes.extend(length(segment.tokens.len()));
        for (id, log_probability, entropy) in &segment.tokens {
            bytes.extend([id, log_probability, entropy].map(|value| value.to_le_bytes()).as_flattened());
        }
        bytes.extend(length(segment.word_confidences.len()));
        bytes.extend(segment.word_confidences.iter().flat_map(|value| value.to_le_bytes()));
        add_text(&mut bytes, &segment.text);
        bytes.extend(length(segment.word_spans.len()));
        for span in &segment.word_spans {
            bytes.extend(length(span.iter().len()));
            bytes.extend(span.iter().flat_map(|(start, end)| [*start, *end]).flat_map(u64::to_le_bytes));
        }
        bytes.extend(length(segment.ended_by.iter().len()));
        segment.ended_by.iter().for_each(|end| add_text(&mut bytes, end));
        bytes.extend(length(segment.no_speech_probability.iter().len()));
        bytes.extend(segment.no_speech_probability.iter().flat_map(|value| value.to_le_bytes()));
        bytes.extend(length(segment.guards.len()));
        segment.guards.iter().for_each(|guard| add_text(&mut bytes, guard));
    }
    bytes
}

/// Computes the hashes in one engine, of every clip taken in every way.
///
/// # Errors
///
/// Where the engine or a clip is missing, transcription fails, or a live stream gives no partial: they come when the
/// clock says so, and the finals must not depend on them.
pub fn compute(place: &Place, runtime: Runtime, build: Build) -> Result<Hashes> {
    let mut hashes = Hashes::new();
    for stream in Stream::ALL {
        hashes.extend(compute_stream(place, runtime, build, stream).with_context(|| stream.name())?);
    }
    Ok(hashes)
}

fn compute_stream(place: &Place, runtime: Runtime, build: Build, stream: Stream) -> Result<Hashes> {
    let side = Side { engine: Engine::Auricle(runtime, build), threads: 1 };
    let name = format!("bits-{}-{}-{}.log", runtime.name(), build.name(), stream.name());
    let mut command = side.command(place)?;
    command.args(["--stream", stream.name()]);
    let (mut child, ready, _) = Child::start(command, &place.made("logs").join(name))?;
    let about = ready.versions.get("auricle").map_or("", String::as_str);
    ensure!(about.ends_with(&format!("{} q8", build.name())), "{side} runs {about}");
    let hash = |clip: Clip| {
        let Reply { segments, partials, .. } = child.transcribe(&clip.cut(place)?.path)?;
        ensure!(!segments.is_empty(), "{side} transcribed nothing of {}", clip.name);
        ensure!((partials > 0) == (stream != Stream::Whole), "{side} gave {partials} partials of {}", clip.name);
        Ok((key(clip, stream), Digest::of(&canonical(&segments)).to_string()))
    };
    Clip::GOLDEN.into_iter().map(hash).collect()
}

/// What the hash of a clip is found by.
fn key(clip: Clip, stream: Stream) -> String {
    match stream {
        Stream::Whole => clip.name.to_owned(),
        live => format!("{}, {}", clip.name, live.name()),
    }
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
            word_spans: vec![Some((10, 20)), None],
            ended_by: Some("silence".to_owned()),
            no_speech_probability: Some(6),
            guards: vec!["repetition".to_owned()],
        }
    }

    #[test]
    fn any_change_of_a_segment_changes_its_canonical_form() {
        let changes: [fn(&mut SegmentBits); 15] = [
            |s| s.start = 1,
            |s| s.end += 1,
            |s| s.text.push('.'),
            |s| s.tokens[0].0 += 1,
            |s| s.tokens[0].1 = 0,
            |s| s.tokens[1].2 += 1,
            |s| s.word_confidences[1] += 1,
            |s| s.word_spans[0] = Some((11, 20)),
            |s| s.word_spans[0] = Some((10, 21)),
            |s| s.word_spans.swap(0, 1),
            |s| s.ended_by = Some("finish".to_owned()),
            |s| s.ended_by = None,
            |s| s.no_speech_probability = Some(7),
            |s| s.no_speech_probability = None,
            |s| s.guards = vec!["no-speech".to_owned()],
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
        let (text, tokens, word_confidences) = ("é".to_owned(), vec![], vec![]);
        let bytes = canonical(&[SegmentBits { text, tokens, word_confidences, ..segment() }]);
        let mut want: Vec<u8> = [1, 0, 159_414, 0, 0, 2].map(u64::to_le_bytes).concat();
        want.extend("é".as_bytes());
        want.extend([2, 1, 10, 20, 0, 1, 7].map(u64::to_le_bytes).as_flattened());
        want.extend(b"silence");
        want.extend(1_u64.to_le_bytes());
        want.extend(6_u32.to_le_bytes());
        want.extend([1, 10].map(u64::to_le_bytes).as_flattened());
        want.extend(b"repetition");
        assert_eq!(bytes, want);
    }

    #[test]
    fn the_hash_of_a_whole_clip_is_found_by_the_name_of_the_clip_alone() {
        let keys = Stream::ALL.map(|stream| key(Clip::GOLDEN[0], stream));
        assert_eq!(keys, ["jfk", "jfk, live", "jfk, live-energy"]);
    }
}
