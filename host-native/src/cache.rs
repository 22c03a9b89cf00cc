//! Compiled components, kept between runs in a folder that nobody else can write to.
//!
//! Loading compiled code means running it, unchecked. So an entry is loaded only if the folder belongs to this user
//! alone, if it was made from the same component by the same version of this library and of the compiler with the same
//! settings for the same processor, and if every byte of it is as it was written. All else is compiled anew.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::digest::{Digest, DigestBuilder};

/// Begins an entry; its last byte is the version of this layout.
const MAGIC: [u8; 16] = *b"auricle-cwasm\0\0\x01";
/// Magic, key, SHA-256 of the payload, length of the payload.
const HEADER_BYTES: usize = MAGIC.len() + 2 * Digest::BYTES + size_of::<u64>();
/// Older entries than the newest so many are removed: those of former versions are of no more use.
const MOST_ENTRIES: usize = 8;
const EXTENSION: &str = "cwasm";

/// A folder of compiled components.
pub(crate) struct Cache {
    folder: PathBuf,
}

/// Names compiled code by everything it depends on.
pub(crate) fn key(engine: &wasmtime::Engine, component: Digest) -> Digest {
    DigestBuilder::default()
        .field(&MAGIC)
        .field(env!("CARGO_PKG_VERSION").as_bytes())
        .field(&component.0)
        // Covers wasmtime's version, its settings, the target and the processor's features.
        .hashed(engine.precompile_compatibility_hash())
        .finish()
}

/// The folder of this user's platform for caches, or `AURICLE_CACHE` where it is set.
pub(crate) fn platform_folder() -> Option<PathBuf> {
    match std::env::var_os("AURICLE_CACHE").filter(|value| !value.is_empty()) {
        Some(folder) => Some(folder.into()),
        None => Some(directories::ProjectDirs::from("", "", "auricle")?.cache_dir().to_owned()),
    }
}

impl Cache {
    /// Opens a folder, and makes it where it does not exist. Fails where others could have written to it.
    pub(crate) fn open(folder: &Path) -> Result<Self, String> {
        private::create(folder).map_err(|e| format!("cannot make the folder {}: {e}", folder.display()))?;
        private::check(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Where the entry of that name is or would be.
    pub(crate) fn path(&self, key: Digest) -> PathBuf {
        self.folder.join(key.to_string()).with_extension(EXTENSION)
    }

    /// Reads an entry. `Ok(None)` where there is none, `Err` where it is not what was written.
    pub(crate) fn load(&self, key: Digest) -> Result<Option<Vec<u8>>, String> {
        let path = self.path(key);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(format!("cannot read {}: {e}", path.display())),
        };
        read_verified(file, key).map(Some).map_err(|what| format!("{} {what}", path.display()))
    }

    /// Writes an entry, whole or not at all, and removes old ones.
    pub(crate) fn store(&self, key: Digest, payload: &[u8]) -> Result<(), String> {
        let path = self.path(key);
        let write = || -> io::Result<()> {
            // With the extension of an entry, so that one that a killed process leaves behind is removed in time.
            let mut file = tempfile::Builder::new().suffix(&format!(".{EXTENSION}")).tempfile_in(&self.folder)?;
            file.write_all(&header(key, payload))?;
            file.write_all(payload)?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        self.prune();
        Ok(())
    }

    /// Leaves the newest entries. What cannot be listed or removed stays: it costs nothing but space.
    fn prune(&self) {
        let Ok(files) = fs::read_dir(&self.folder) else {
            return;
        };
        let mut entries: Vec<(SystemTime, PathBuf)> = files
            .filter_map(Result::ok)
            .map(|file| file.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION))
            .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
            .collect();
        entries.sort_unstable();
        for (_, path) in entries.iter().rev().skip(MOST_ENTRIES) {
            let _ = fs::remove_file(path);
        }
    }
}

fn header(key: Digest, payload: &[u8]) -> [u8; HEADER_BYTES] {
    let fields = [&MAGIC[..], &key.0, &Digest::of(payload).0, &(payload.len() as u64).to_le_bytes()].concat();
    let mut header = [0; HEADER_BYTES];
    header.copy_from_slice(&fields);
    header
}

/// Gives the payload of an entry, if it is the entry of that name and whole.
fn read_verified(mut file: File, key: Digest) -> Result<Vec<u8>, String> {
    let unreadable = |e: io::Error| format!("cannot be read: {e}");
    let mut found = [0; HEADER_BYTES];
    file.read_exact(&mut found).map_err(unreadable)?;
    let mut payload = Vec::new();
    file.read_to_end(&mut payload).map_err(unreadable)?;
    if found[..MAGIC.len()] != MAGIC {
        return Err("is no entry of this version".to_owned());
    }
    if found[MAGIC.len()..][..Digest::BYTES] != key.0 {
        return Err("is the entry of something else".to_owned());
    }
    if found != header(key, &payload) {
        return Err("is damaged".to_owned());
    }
    Ok(payload)
}

#[cfg(unix)]
mod private {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
    use std::path::Path;
    use std::{fs, io};

    /// Write permission for the group or for all.
    const OTHERS_WRITE: u32 = 0o022;

    pub(super) fn create(folder: &Path) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
    }

    pub(super) fn check(folder: &Path) -> Result<(), String> {
        let failed = |e: io::Error| format!("cannot use the folder {}: {e}", folder.display());
        let metadata = fs::metadata(folder).map_err(failed)?;
        // A file made now belongs to whoever this process is: that needs no call that the standard library lacks.
        let own = tempfile::tempfile_in(folder).and_then(|file| file.metadata()).map_err(failed)?;
        if metadata.uid() != own.uid() {
            return Err(format!("the folder {} belongs to another user", folder.display()));
        }
        if metadata.mode() & OTHERS_WRITE != 0 {
            return Err(format!("other users may write to the folder {}", folder.display()));
        }
        Ok(())
    }
}

#[cfg(not(unix))]
mod private {
    use std::path::Path;
    use std::{fs, io};

    pub(super) fn create(folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }

    /// The platform's cache folder lies in the user's profile, which the system closes to others.
    pub(super) fn check(_folder: &Path) -> Result<(), String> {
        Ok(())
    }
}
