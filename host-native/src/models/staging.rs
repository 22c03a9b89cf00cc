//! Files that appear whole or not at all.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempDir};

use super::error::ModelsError;
use super::{Home, Phase, Progress};

/// How the names of files and folders under way start.
const STAGED_PREFIX: &str = ".partial-";
const LOCK_FILE: &str = ".lock";
const COPY_CHUNK_BYTES: usize = 1 << 20;

/// The sole right to change a home folder, until it is dropped.
#[derive(Debug)]
pub(super) struct Workspace<'h> {
    home: &'h Home,
    /// The operating system unlocks it with the file, however the process ends.
    _lock: File,
}

impl<'h> Workspace<'h> {
    /// Locks the folder and removes what interrupted runs left in it.
    pub(super) fn open(home: &'h Home, progress: &mut dyn Progress) -> Result<Self, ModelsError> {
        let root = home.root();
        fs::create_dir_all(root).map_err(ModelsError::io("make the folder", root))?;
        let lock_path = root.join(LOCK_FILE);
        let lock = File::create(&lock_path).map_err(ModelsError::io("write", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(ModelsError::Busy { path: root.to_owned() });
            }
            Err(TryLockError::Error(error)) => {
                return Err(ModelsError::io("lock", &lock_path)(error));
            }
        }
        let mut count = 0;
        for folder in [root.to_owned(), home.models_dir(), home.samples_dir()] {
            count += remove_leftovers(&folder)?;
        }
        if count > 0 {
            progress.phase(&Phase::RemovedLeftovers { count }, None);
        }
        Ok(Self { home, _lock: lock })
    }

    /// A folder that is removed with all that is in it when dropped.
    pub(super) fn temporary_folder(&self) -> Result<TempDir, ModelsError> {
        let root = self.home.root();
        (tempfile::Builder::new().prefix(STAGED_PREFIX).tempdir_in(root))
            .map_err(ModelsError::io("make a folder in", root))
    }

    /// A new file that will stand at `path`.
    pub(super) fn stage(&self, path: PathBuf) -> Result<StagedFile, ModelsError> {
        StagedFile::new(path)
    }
}

/// A file under way, under another name in the folder where it will stand. Dropped, it is removed.
#[derive(Debug)]
pub(super) struct StagedFile {
    out: BufWriter<NamedTempFile>,
    digest: Sha256,
    written_bytes: u64,
    path: PathBuf,
}

impl StagedFile {
    fn new(path: PathBuf) -> Result<Self, ModelsError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(ModelsError::io("make the folder", folder))?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(STAGED_PREFIX);
        // Readable for others as far as the user's mask allows, like any file that is no secret.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder).map_err(ModelsError::io("make a file in", folder))?;
        let out = BufWriter::with_capacity(COPY_CHUNK_BYTES, file);
        Ok(Self { out, digest: Sha256::new(), written_bytes: 0, path })
    }

    /// Puts the file in its place and gives its length and digest.
    ///
    /// # Errors
    ///
    /// [`ModelsError::DigestMismatch`] where the bytes are not the expected ones, which are then removed.
    pub(super) fn finish(self, expected_sha256: Option<&str>) -> Result<(u64, String), ModelsError> {
        let Self { out, digest, written_bytes, path } = self;
        let found = hex(&digest.finalize());
        if let Some(expected) = expected_sha256 {
            check_digest(&file_name(&path), expected, &found)?;
        }
        let file = out.into_inner().map_err(|error| ModelsError::io("write", &path)(error.into_error()))?;
        // The name must not outlive a power failure that the bytes did not.
        file.as_file().sync_all().map_err(ModelsError::io("write", &path))?;
        file.persist(&path).map_err(|error| ModelsError::io("write", &path)(error.error))?;
        Ok((written_bytes, found))
    }

    /// Where it will stand.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Write for StagedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.written_bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Fails where a digest is not the pinned one.
pub(super) fn check_digest(file: &str, expected: &str, found: &str) -> Result<(), ModelsError> {
    if found.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(ModelsError::DigestMismatch { file: file.to_owned(), expected: expected.to_owned(), found: found.to_owned() })
}

/// The SHA-256 of a file, in hexadecimal.
pub(super) fn digest_of(path: &Path, progress: &mut dyn Progress) -> Result<String, ModelsError> {
    let mut digest = Sha256::new();
    read_chunks(path, &Phase::Checking { file: file_name(path) }, progress, |chunk| {
        digest.update(chunk);
        Ok(())
    })?;
    Ok(hex(&digest.finalize()))
}

/// Hands a file over in chunks.
pub(super) fn read_chunks(
    path: &Path,
    phase: &Phase,
    progress: &mut dyn Progress,
    mut each: impl FnMut(&[u8]) -> Result<(), ModelsError>,
) -> Result<(), ModelsError> {
    let mut file = File::open(path).map_err(ModelsError::io("open", path))?;
    let len = file.metadata().map_err(ModelsError::io("read", path))?.len();
    progress.phase(phase, Some(len));
    let mut chunk = vec![0; COPY_CHUNK_BYTES];
    let mut done = 0;
    loop {
        let read = match file.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(ModelsError::io("read", path))?,
        };
        each(&chunk[..read])?;
        done += read as u64;
        progress.advance(done);
    }
}

/// The last part of a path, for messages.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Bytes in lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn remove_leftovers(folder: &Path) -> Result<usize, ModelsError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries.map_err(ModelsError::io("read the folder", folder))?,
    };
    let mut count = 0;
    for entry in entries {
        let entry = entry.map_err(ModelsError::io("read the folder", folder))?;
        if !entry.file_name().as_encoded_bytes().starts_with(STAGED_PREFIX.as_bytes()) {
            continue;
        }
        let path = entry.path();
        let is_folder = entry.file_type().map_err(ModelsError::io("read", &path))?.is_dir();
        let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(ModelsError::io("remove", &path))?;
        count += 1;
    }
    Ok(count)
}
