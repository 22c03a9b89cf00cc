//! Where the bytes come from, and what kind they are.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::path::Path;

use auricle_conditioning::is_wav;

use super::{AudioError, MAX_STREAM_BYTES};

/// How much of a file is looked at to tell what it is.
const PREFIX_LEN: usize = 4096;

/// An opened file or stream, told apart by its first bytes; nothing is consumed of it.
pub(super) enum Source {
    /// A WAV file. `len` is the whole file's length in bytes, where known.
    Wav { reader: Box<dyn Read + Send>, len: Option<u64> },
    /// Anything else that may be audio.
    Other { file: File, prefix: Vec<u8> },
}

/// Opens a path: a regular file, or a stream such as a named pipe.
pub(super) fn open(path: &Path, name: &str) -> Result<Source, AudioError> {
    let open_error = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => AudioError::NotFound { name: name.to_owned() },
        io::ErrorKind::IsADirectory => AudioError::IsDirectory { name: name.to_owned() },
        _ => AudioError::Open { name: name.to_owned(), source },
    };
    // Asked before opening: Windows refuses to open a directory without saying that it is one.
    let metadata = std::fs::metadata(path).map_err(open_error)?;
    if metadata.is_dir() {
        return Err(AudioError::IsDirectory { name: name.to_owned() });
    }
    let mut file = File::open(path).map_err(open_error)?;
    if !metadata.is_file() {
        return from_reader(Box::new(file), name);
    }
    let prefix = read_prefix(&mut file, name)?;
    file.seek(SeekFrom::Start(0)).map_err(|source| read_error(name, 0, source))?;
    match classify(&prefix, name)? {
        Kind::Wav => Ok(Source::Wav { reader: Box::new(file), len: Some(metadata.len()) }),
        Kind::Other => Ok(Source::Other { file, prefix }),
    }
}

/// Takes a stream. WAV is read as it comes; what needs seeking goes to an unnamed temporary file, which the operating
/// system deletes when it is closed, and which takes at most `MAX_STREAM_BYTES`.
pub(super) fn from_reader(mut reader: Box<dyn Read + Send>, name: &str) -> Result<Source, AudioError> {
    let prefix = read_prefix(&mut reader, name)?;
    match classify(&prefix, name)? {
        Kind::Wav => Ok(Source::Wav { reader: Box::new(Cursor::new(prefix).chain(reader)), len: None }),
        Kind::Other => Ok(Source::Other { file: spool(&prefix, reader, name)?, prefix }),
    }
}

fn read_error(name: &str, offset: u64, source: io::Error) -> AudioError {
    AudioError::Read { name: name.to_owned(), offset, source }
}

fn read_prefix(reader: &mut dyn Read, name: &str) -> Result<Vec<u8>, AudioError> {
    let mut prefix = Vec::with_capacity(PREFIX_LEN);
    reader.take(PREFIX_LEN as u64).read_to_end(&mut prefix).map_err(|source| read_error(name, 0, source))?;
    Ok(prefix)
}

fn spool(prefix: &[u8], mut reader: Box<dyn Read + Send>, name: &str) -> Result<File, AudioError> {
    let spool_error = |source| AudioError::Spool { name: name.to_owned(), source };
    let mut file = tempfile::tempfile().map_err(spool_error)?;
    file.write_all(prefix).map_err(spool_error)?;
    let mut spooled = prefix.len() as u64;
    // Not `io::copy`, whose error does not tell which side failed.
    let mut block = vec![0; 64 * 1024];
    loop {
        let count = match reader.read(&mut block) {
            Ok(0) => break,
            Ok(count) => count,
            Err(source) if source.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(read_error(name, spooled, source)),
        };
        spooled += count as u64;
        if spooled > MAX_STREAM_BYTES {
            return Err(AudioError::StreamTooLong { name: name.to_owned() });
        }
        file.write_all(&block[..count]).map_err(spool_error)?;
    }
    file.seek(SeekFrom::Start(0)).map_err(spool_error)?;
    Ok(file)
}

enum Kind {
    Wav,
    Other,
}

/// Containers that people have audio in, and that are not read here: their first bytes, and their name.
const KNOWN_UNSUPPORTED: [(&[u8], &str); 10] = [
    (b"RIFX", "big-endian WAV (RIFX)"),
    (b"FORM", "AIFF"),
    (b"caff", "Core Audio Format (CAF)"),
    (b"\x1A\x45\xDF\xA3", "Matroska or WebM"),
    (b"\x30\x26\xB2\x75\x8E\x66\xCF\x11", "Windows Media (ASF, WMA)"),
    (b"#!AMR", "AMR"),
    (b"wvpk", "WavPack"),
    (b"MAC ", "Monkey's Audio"),
    (b".snd", "Sun audio (AU)"),
    (b"MThd", "MIDI"),
];

fn classify(prefix: &[u8], name: &str) -> Result<Kind, AudioError> {
    if prefix.is_empty() {
        return Err(AudioError::Empty { name: name.to_owned() });
    }
    if is_wav(prefix, name)? {
        return Ok(Kind::Wav);
    }
    if let Some((_, format)) = KNOWN_UNSUPPORTED.iter().find(|(magic, _)| prefix.starts_with(magic)) {
        return Err(AudioError::Unsupported { name: name.to_owned(), format: (*format).to_owned() });
    }
    if is_text(prefix) {
        return Err(not_audio(prefix, name));
    }
    Ok(Kind::Other)
}

/// The error for bytes that nothing here can read. `prefix` is the beginning of the file.
pub(super) fn not_audio(prefix: &[u8], name: &str) -> AudioError {
    let found = if is_text(prefix) {
        let start: String = String::from_utf8_lossy(prefix).chars().take(24).collect();
        format!("the text {start:?}")
    } else {
        let bytes: Vec<String> = prefix.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        format!("the bytes {}", bytes.join(" "))
    };
    AudioError::NotAudio { name: name.to_owned(), found }
}

/// Whether all of it is UTF-8 without control characters; a character cut off at the end is forgiven.
fn is_text(prefix: &[u8]) -> bool {
    let valid = match std::str::from_utf8(prefix) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&prefix[..error.valid_up_to()]).unwrap_or(""),
        Err(_) => return false,
    };
    !valid.is_empty() && !valid.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\x0c'))
}
