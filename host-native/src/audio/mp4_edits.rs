//! Where the audio of an MP4 track begins.
//!
//! AAC encoders put some tens of milliseconds of their own before the sound, and the track's edit list says how much.
//! symphonia 0.6 does not apply it, so it is read here: times would be late by as much.
//!
//! Boxes are as in ISO/IEC 14496-12, section 4.2; `elst` is 8.6.6, `tkhd` 8.3.2 and `mdhd` 8.4.2.

use std::io::{self, Read, Seek, SeekFrom};

/// How deep boxes are nested on the way to an edit list: `moov`, `trak`, `edts`, `elst`.
const MAX_DEPTH: usize = 4;

/// One track and where its presentation begins.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct TrackStart {
    pub(super) track_id: u32,
    /// How much of the track to leave out, in units of `timescale`.
    skip: u64,
    /// Units a second.
    timescale: u32,
}

impl TrackStart {
    /// How many frames to leave out at this rate.
    pub(super) fn skip_frames(&self, sample_rate_hz: u32) -> u64 {
        let frames = u128::from(self.skip) * u128::from(sample_rate_hz) / u128::from(self.timescale.max(1));
        u64::try_from(frames).unwrap_or(u64::MAX)
    }
}

/// Finds the starts of the tracks that have one. Whatever is malformed is left to symphonia to complain about.
pub(super) fn read_track_starts<R: Read + Seek>(file: &mut R) -> io::Result<Vec<TrackStart>> {
    let end = file.seek(SeekFrom::End(0))?;
    let mut tracks = Vec::new();
    walk(file, 0, end, 0, &mut tracks)?;
    tracks.retain(|track| track.skip > 0 && track.timescale > 0);
    Ok(tracks)
}

fn walk<R: Read + Seek>(
    file: &mut R,
    mut at: u64,
    end: u64,
    depth: usize,
    tracks: &mut Vec<TrackStart>,
) -> io::Result<()> {
    while end - at >= 8 {
        file.seek(SeekFrom::Start(at))?;
        let head: [u8; 8] = read_array(file)?;
        let (header_len, size) = match be_u32(&head) {
            // To the end of the file.
            0 => (8, end - at),
            1 if end - at >= 16 => (16, u64::from_be_bytes(read_array(file)?)),
            size => (8, u64::from(size)),
        };
        if size < header_len || size > end - at {
            return Ok(());
        }
        let body_end = at + size;
        let body = at + header_len;
        match &head[4..] {
            b"moov" | b"edts" | b"mdia" if depth < MAX_DEPTH => walk(file, body, body_end, depth + 1, tracks)?,
            b"trak" if depth < MAX_DEPTH => {
                tracks.push(TrackStart::default());
                walk(file, body, body_end, depth + 1, tracks)?;
            }
            kind @ (b"tkhd" | b"mdhd" | b"elst") => {
                if let Some(track) = tracks.last_mut() {
                    read_leaf(file, kind, body_end - body, track)?;
                }
            }
            _ => {}
        }
        at = body_end;
    }
    Ok(())
}

/// Reads one of the three boxes that matter. The file stands at the box's body, which has `len` bytes.
fn read_leaf<R: Read>(file: &mut R, kind: &[u8], len: u64, track: &mut TrackStart) -> io::Result<()> {
    // Enough for each of them in its longer form.
    let mut body = [0; 40];
    let len = usize::try_from(len).map_or(body.len(), |len| len.min(body.len()));
    file.read_exact(&mut body[..len])?;
    let version_1 = body[0] == 1;
    // Version 1 has two times of 64 bits where version 0 has 32.
    let after_times = if version_1 { 4 + 16 } else { 4 + 8 };
    match kind {
        b"tkhd" if len >= after_times + 4 => track.track_id = be_u32(&body[after_times..]),
        b"mdhd" if len >= after_times + 4 => track.timescale = be_u32(&body[after_times..]),
        // Only the plain case, one edit, which is how encoders tell their delay.
        b"elst" if len >= after_times + 8 && be_u32(&body[4..]) == 1 => {
            let media_time = if version_1 {
                i64::from_be_bytes(std::array::from_fn(|i| body[16 + i]))
            } else {
                i64::from(be_u32(&body[12..]).cast_signed())
            };
            track.skip = u64::try_from(media_time).unwrap_or(0);
        }
        _ => {}
    }
    Ok(())
}

fn read_array<const N: usize>(file: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn be_u32(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn mp4_box(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let mut bytes = (body.len() as u32 + 8).to_be_bytes().to_vec();
        bytes.extend(kind);
        bytes.extend(body);
        bytes
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    fn track(id: u32, timescale: u32, elst: &[u8]) -> Vec<u8> {
        let header = mp4_box(b"tkhd", &words(&[0, 0, 0, id]));
        let edits = mp4_box(b"edts", &mp4_box(b"elst", elst));
        let media = mp4_box(b"mdia", &mp4_box(b"mdhd", &words(&[0, 0, 0, timescale, 0])));
        mp4_box(b"trak", &[header, edits, media].concat())
    }

    fn starts(file: &[u8]) -> Vec<TrackStart> {
        read_track_starts(&mut Cursor::new(file)).unwrap()
    }

    #[test]
    fn the_edit_list_of_each_track_is_found() {
        let video = track(1, 90_000, &words(&[0, 1, 0, 0, 0x1_0000]));
        let audio = track(2, 44_100, &words(&[0, 1, 0, 2_112, 0x1_0000]));
        let file = [mp4_box(b"ftyp", b"M4A "), mp4_box(b"mdat", &[0; 100]), mp4_box(b"moov", &[video, audio].concat())];
        let found = starts(&file.concat());
        assert_eq!(found, [TrackStart { track_id: 2, skip: 2_112, timescale: 44_100 }]);
        assert_eq!(found[0].skip_frames(44_100), 2_112);
        assert_eq!(found[0].skip_frames(22_050), 1_056);
    }

    #[test]
    fn a_version_1_edit_list_is_read() {
        let long = words(&[0x0100_0000, 1, 0, 0, 0, 1_024, 0x1_0000]);
        let file = mp4_box(b"moov", &track(7, 16_000, &long));
        assert_eq!(starts(&file), [TrackStart { track_id: 7, skip: 1_024, timescale: 16_000 }]);
    }

    #[test]
    fn empty_and_multiple_edits_skip_nothing() {
        let empty = mp4_box(b"moov", &track(1, 16_000, &words(&[0, 1, 500, u32::MAX, 0x1_0000])));
        assert_eq!(starts(&empty), []);
        let two = mp4_box(b"moov", &track(1, 16_000, &words(&[0, 2, 0, 9, 0x1_0000, 0, 9, 0x1_0000])));
        assert_eq!(starts(&two), []);
    }

    #[test]
    fn a_file_cut_or_altered_at_any_byte_ends_the_search() {
        let file = mp4_box(b"moov", &track(1, 16_000, &words(&[0, 1, 0, 1_024, 0x1_0000])));
        for at in 0..file.len() {
            let _ = read_track_starts(&mut Cursor::new(&file[..at]));
            for value in [0, 1, 0x7F, 0xFF] {
                let mut altered = file.clone();
                altered[at] = value;
                let _ = read_track_starts(&mut Cursor::new(&altered));
            }
        }
    }
}
