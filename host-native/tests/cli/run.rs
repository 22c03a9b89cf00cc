//! Runs the command, held to a time and, on Linux, to an amount of memory.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use assert_cmd::Command;
use tempfile::TempDir;

use crate::models_support::{gguf, tiny};
use crate::support;

/// Far more than any run of these tests takes, and an end to one that hangs.
const TIMEOUT: Duration = Duration::from_secs(120);
/// The most memory that the whole process may have, hostile files or not: the engine's 1 GiB, and 0.3 GiB for the host.
#[cfg(target_os = "linux")]
const MEMORY_KIB: u32 = (1 << 20) + (3 << 20) / 10;

/// Has `jfk.wav`, with its long pauses, taken for one segment.
pub(crate) const ONE_SEGMENT: [&str; 2] = ["--min-silence-ms", "2000"];

/// What is said in `jfk.wav`, in one segment.
pub(crate) const JFK: &str =
    "And so my fellow Americans ask not what your country can do for you, ask what you can do for your country.";

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Outcome {
    /// It failed on its input, says nothing else, and its one message has these words.
    #[track_caller]
    pub(crate) fn assert_refused(&self, words: &[&str]) {
        assert_eq!((self.code, self.out.as_str()), (1, ""), "{self:?}");
        assert_eq!(self.err.lines().count(), 1, "{self:?}");
        self.assert_says(words);
    }

    /// It went well, and its messages have these words.
    #[track_caller]
    pub(crate) fn assert_done(&self, words: &[&str]) {
        assert_eq!(self.code, 0, "{self:?}");
        self.assert_says(words);
    }

    #[track_caller]
    fn assert_says(&self, words: &[&str]) {
        for word in words {
            assert!(self.err.contains(word), "`{word}` is not said: {self:?}");
        }
    }

    /// No crash, however bad the input; and nothing is said twice.
    #[track_caller]
    fn assert_orderly(&self) {
        assert!((0..=2).contains(&self.code), "{self:?}");
        for line in self.err.lines() {
            assert!(!line.contains("panicked") && !line.contains("RUST_BACKTRACE"), "{self:?}");
            let Some(message) = line.strip_prefix("auricle: ") else { continue };
            let mut parts: Vec<&str> = message.split([':', ';']).map(str::trim).collect();
            let all = parts.len();
            parts.sort_unstable();
            parts.dedup();
            assert_eq!(parts.len(), all, "something is said twice: {line}");
        }
    }
}

/// The command without arguments, on the tests' models and compiled code.
pub(crate) fn auricle() -> Command {
    static COMPILED: OnceLock<()> = OnceLock::new();
    // Once, and not by every test that runs at the same time.
    COMPILED.get_or_init(|| {
        assert_eq!(run(bare().arg("info")).code, 0);
    });
    bare()
}

fn bare() -> Command {
    let program = assert_cmd::cargo::cargo_bin!("auricle");
    #[cfg(target_os = "linux")]
    let mut command = {
        let mut command = Command::new("sh");
        // Counts all writable private memory: heaps, stacks, and what of a guest's memory is in use, not its reservation.
        command.args(["-c", &format!("ulimit -d {MEMORY_KIB} && exec \"$0\" \"$@\"")]).arg(program);
        command
    };
    #[cfg(not(target_os = "linux"))]
    let mut command = Command::new(program);
    command.env("AURICLE_HOME", support::home()).env("AURICLE_CACHE", cache()).timeout(TIMEOUT);
    command
}

/// Where these tests keep compiled code.
pub(crate) fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-cache")
}

pub(crate) fn run(command: &mut Command) -> Outcome {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    let code = output.status.code().unwrap_or_else(|| panic!("{}: {err}", output.status));
    let outcome = Outcome { code, out, err };
    outcome.assert_orderly();
    outcome
}

/// A folder with a tiny model in it, that says nothing sensible and needs no download.
pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) model: PathBuf,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let model = folder.path().join("tiny.gguf");
        std::fs::write(&model, tiny_model(&tiny::tensors())).unwrap();
        Self { folder, model }
    }

    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Transcribes with the tiny model.
    pub(crate) fn transcribe(&self, file: impl AsRef<Path>) -> Outcome {
        run(auricle().args(["transcribe", "--quiet", "--model"]).arg(&self.model).arg(file.as_ref()))
    }

    /// Transcribes a second of noise with another model file.
    pub(crate) fn transcribe_with(&self, model: impl AsRef<Path>) -> Outcome {
        let noise = self.speech();
        run(auricle().args(["transcribe", "--quiet", "--model"]).arg(model.as_ref()).arg(noise))
    }

    /// A second of speech: 16-bit mono at 16 kHz.
    pub(crate) fn speech(&self) -> PathBuf {
        let (samples, _) = auricle::audio::read_all(support::testdata_path("audio/jfk-1s-16k-mono.flac")).unwrap();
        let samples: Vec<i16> = samples.iter().map(|sample| (sample * 32_768.0) as i16).collect();
        self.file("speech.wav", crate::audio_support::Wav::of_i16(&samples).bytes())
    }
}

/// The model file of these tensors.
pub(crate) fn tiny_model(tensors: &[tiny::Tensor]) -> Vec<u8> {
    gguf::model(tensors, "q8", &gguf::Card { name: "tiny", languages: &["en"], source: "made up" })
}
