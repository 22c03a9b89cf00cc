//! Holds the tensors that a file has against those that its model needs, before any of their data is taken.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::gguf::{Storage, TensorInfo};
use crate::weights::{TensorKind, TensorSpec};

/// What is appended to the name of a matrix to name its scales.
const SCALES_SUFFIX: &str = "_scale";

/// How the matrices of a file are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantization {
    F32,
    F16,
    Q8,
}

impl Quantization {
    /// From the value of `auricle.quantization`.
    pub(super) fn from_name(name: &str) -> Result<Self, Error> {
        match name {
            "f32" => Ok(Self::F32),
            "f16" => Ok(Self::F16),
            "q8" => Ok(Self::Q8),
            _ => Err(Error::UnsupportedModel(format!("its quantization is `{name}`, and known are: f32, f16, q8"))),
        }
    }

    fn storage(self, kind: TensorKind) -> Storage {
        match (kind, self) {
            (TensorKind::Plain, _) | (_, Self::F32) => Storage::F32,
            (_, Self::F16) => Storage::F16,
            (_, Self::Q8) => Storage::I8,
        }
    }
}

/// What a tensor of the file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// One that the model needs.
    Weights(TensorKind),
    /// The scales of the one that follows.
    Scales,
}

/// A tensor that the file has and the model needs.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) info: TensorInfo,
    pub(super) role: Role,
}

/// Says what each tensor of the file is for, in the order of the file. `metadata_end` is where the tensor infos begin.
///
/// # Errors
/// [`Error::MalformedModel`], naming the tensor, where one is missing, not needed, or of a wrong shape or type, and
/// where scales do not stand directly before their matrix.
pub(super) fn schedule(
    infos: Vec<TensorInfo>,
    specs: &[TensorSpec],
    quantization: Quantization,
    metadata_end: u64,
) -> Result<Vec<Item>, Error> {
    let by_name: BTreeMap<&str, &TensorSpec> = specs.iter().map(|spec| (spec.name.as_str(), spec)).collect();
    let mut missing = by_name.clone();
    let mut items = Vec::with_capacity(infos.len());
    let mut infos = infos.into_iter().peekable();
    let mut scaled = None;
    while let Some(info) = infos.next() {
        let scales_before = scaled.take();
        let role = match by_name.get(info.name.as_str()) {
            Some(spec) => {
                missing.remove(info.name.as_str());
                let storage = quantization.storage(spec.kind);
                check(&info, &spec.shape, storage)?;
                if storage == Storage::I8 && scales_before.as_ref() != Some(&info.name) {
                    return Err(fault(&info, "does not have its scales directly before it"));
                }
                Role::Weights(spec.kind)
            }
            None => {
                let matrix = info
                    .name
                    .strip_suffix(SCALES_SUFFIX)
                    .and_then(|name| by_name.get(name))
                    .filter(|spec| quantization.storage(spec.kind) == Storage::I8);
                let Some(matrix) = matrix else {
                    return Err(fault(&info, "is there, and the model has no use for it"));
                };
                if infos.peek().is_none_or(|next| next.name != matrix.name) {
                    return Err(fault(&info, "does not stand directly before its matrix"));
                }
                check(&info, &matrix.shape[..1], Storage::F32)?;
                scaled = Some(matrix.name.clone());
                Role::Scales
            }
        };
        items.push(Item { info, role });
    }
    match missing.into_keys().next() {
        Some(name) => Err(Error::MalformedModel {
            offset: metadata_end,
            message: format!("there is no tensor `{name}` in the file"),
        }),
        None => Ok(items),
    }
}

fn check(info: &TensorInfo, shape: &[usize], storage: Storage) -> Result<(), Error> {
    if info.shape != shape {
        return Err(fault(info, format_args!("has the shape {:?}, and {shape:?} is needed", info.shape)));
    }
    if info.storage != storage {
        return Err(fault(info, format_args!("is stored as {:?}, and {storage:?} is needed", info.storage)));
    }
    Ok(())
}

fn fault(info: &TensorInfo, message: impl std::fmt::Display) -> Error {
    Error::MalformedModel { offset: info.info_offset, message: format!("tensor `{}` {message}", info.name) }
}
