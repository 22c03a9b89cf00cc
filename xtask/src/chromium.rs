//! Finds browsers.

use std::path::PathBuf;

/// Names that it has as a command.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// The one that the variable `CHROMIUM` names, or the first on the PATH.
pub(crate) fn find() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM") {
        return Some(named.into());
    }
    on_path(&NAMES)
}

/// The first of these programs that is on the PATH.
pub(crate) fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|file| file.is_file())
}
