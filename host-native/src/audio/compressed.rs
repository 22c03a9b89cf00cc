//! Compressed audio, through symphonia.

use std::fs::File;
use std::io::{Seek, SeekFrom};

use auricle_conditioning::{Frames, check_rate};
use symphonia::core::audio::{Channels, Position};
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_AC3, CODEC_ID_ALAC, CODEC_ID_EAC3, CODEC_ID_FLAC, CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3,
    CODEC_ID_OPUS, CODEC_ID_SPEEX, CODEC_ID_VORBIS,
};
use symphonia::core::codecs::audio::{AudioCodecId, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatReader, Track, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::packet::Packet;

use super::mp4_edits::{TrackStart, read_track_starts};
use super::source::not_audio;
use super::{AudioError, AudioWarning};

/// The longest silence that stands in for one damaged packet, in seconds: its length is only what the file claims.
const MAX_GAP_S: f64 = 1.0;

/// From how much on an end is missed, in seconds: some packets, which encoders and decoders may count differently.
const MISSING_END_S: f64 = 0.1;

pub(super) struct CompressedDecoder {
    reader: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track_id: u32,
    /// What an MP4 file says of the track's beginning; taken when the rate is known.
    start: Option<TrackStart>,
    /// Frames still to be left out.
    skip_frames: u64,
    name: String,
    format: String,
    duration_s: Option<f64>,
    duration_is_exact: bool,
    /// The first frames, decoded when the file was opened: only they tell rate and channels for certain.
    first: Option<Frames>,
    /// What the last frames were like.
    channels: usize,
    sample_rate_hz: u32,
    frames_given: u64,
    decoded_s: f64,
    done: bool,
    damaged_packets: u64,
    first_damage_ms: u64,
    warnings: Vec<AudioWarning>,
}

impl CompressedDecoder {
    /// Finds out what `file` is, by content, and decodes its first packet. `prefix` is how the file begins.
    pub(super) fn open(mut file: File, prefix: &[u8], name: &str) -> Result<Self, AudioError> {
        let starts = if prefix.get(4..8) == Some(b"ftyp") {
            let read_error = |source| AudioError::Read { name: name.to_owned(), offset: 0, source };
            // Where the boxes cannot be followed, the demuxer tells why.
            let starts = read_track_starts(&mut file).unwrap_or_default();
            file.seek(SeekFrom::Start(0)).map_err(read_error)?;
            starts
        } else {
            Vec::new()
        };
        let stream = MediaSourceStream::new(Box::new(file), Default::default());
        let reader = symphonia::default::get_probe()
            .probe(&Hint::new(), stream, Default::default(), Default::default())
            .map_err(|error| probe_error(error, prefix, name))?;
        let container = container_name(reader.format_info().short_name);
        let track = open_track(reader.as_ref(), container, name)?;
        let codec = track.codec;
        let mut opened = Self {
            reader,
            decoder: track.decoder,
            track_id: track.id,
            start: starts.into_iter().find(|start| start.track_id == track.id),
            skip_frames: 0,
            name: name.to_owned(),
            format: if codec == container { codec.to_owned() } else { format!("{codec} in {container}") },
            duration_s: track.duration_s,
            duration_is_exact: track.duration_is_exact,
            first: None,
            channels: 0,
            sample_rate_hz: 0,
            frames_given: 0,
            decoded_s: 0.0,
            done: false,
            damaged_packets: 0,
            first_damage_ms: 0,
            warnings: Vec::new(),
        };
        let mut first = Frames::default();
        if opened.decode_next(&mut first)? {
            opened.first = Some(first);
        } else if opened.damaged_packets > 0 || !opened.warnings.is_empty() {
            let problem = "not one packet of it can be decoded".to_owned();
            return Err(AudioError::Malformed { name: name.to_owned(), format: opened.format, problem });
        }
        Ok(opened)
    }

    /// Codec and container, by their usual names.
    pub(super) fn format(&self) -> &str {
        &self.format
    }

    /// Channels at the beginning; 0 where the file has no audio.
    pub(super) fn channels(&self) -> usize {
        self.channels
    }

    /// Rate at the beginning; 0 where the file has no audio.
    pub(super) fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }

    /// Length by the file's own account.
    pub(super) fn duration_s(&self) -> Option<f64> {
        self.duration_s
    }

    pub(super) fn warnings(&self) -> &[AudioWarning] {
        &self.warnings
    }

    /// Index of the first frame that the next call gives.
    pub(super) fn position(&self) -> u64 {
        self.frames_given
    }

    /// Replaces `frames` with the next ones. Gives whether there were any. Their rate and channels may differ from those
    /// before: a stream can be made of several.
    pub(super) fn next_frames(&mut self, frames: &mut Frames) -> Result<bool, AudioError> {
        let any = match self.first.take() {
            Some(first) => {
                *frames = first;
                true
            }
            None => self.decode_next(frames)?,
        };
        if any {
            self.frames_given += frames.count() as u64;
        }
        Ok(any)
    }

    fn decode_next(&mut self, frames: &mut Frames) -> Result<bool, AudioError> {
        frames.interleaved.clear();
        while !self.done {
            match self.reader.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track_id => self.decode_packet(&packet, frames)?,
                Ok(Some(_)) => continue,
                Ok(None) => self.end(None),
                // A stream made of several, one after the other.
                Err(Error::ResetRequired) => self.reopen_track()?,
                Err(error) => self.end(Some(error)),
            }
            self.skip(frames);
            if !frames.interleaved.is_empty() {
                self.decoded_s += frames.count() as f64 / f64::from(frames.sample_rate_hz);
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn decode_packet(&mut self, packet: &Packet, frames: &mut Frames) -> Result<(), AudioError> {
        match self.decoder.decode(packet) {
            Ok(buffer) if buffer.frames() == 0 => {}
            Ok(buffer) => {
                let channels = buffer.spec().channels();
                frames.channels = channels.count();
                frames.lfe_channel = lfe_channel(channels);
                frames.sample_rate_hz = buffer.spec().rate();
                buffer.copy_to_vec_interleaved(&mut frames.interleaved);
                check_rate(frames.sample_rate_hz, &self.name)?;
                (self.channels, self.sample_rate_hz) = (frames.channels, frames.sample_rate_hz);
            }
            Err(Error::DecodeError(_) | Error::IoError(_)) => self.replace_packet(packet, frames),
            Err(Error::ResetRequired) => self.decoder.reset(),
            Err(error) => self.end(Some(error)),
        }
        Ok(())
    }

    /// Leaves out what the encoder put before the sound.
    fn skip(&mut self, frames: &mut Frames) {
        if frames.interleaved.is_empty() {
            return;
        }
        if let Some(start) = self.start.take() {
            self.skip_frames = start.skip_frames(frames.sample_rate_hz);
        }
        let skipped = frames.count().min(usize::try_from(self.skip_frames).unwrap_or(usize::MAX));
        frames.interleaved.drain(..skipped * frames.channels);
        self.skip_frames -= skipped as u64;
    }

    /// Silence in place of a packet that cannot be decoded, so that what follows keeps its time.
    fn replace_packet(&mut self, packet: &Packet, frames: &mut Frames) {
        if self.damaged_packets == 0 {
            self.first_damage_ms = self.decoded_ms();
        }
        self.damaged_packets += 1;
        let time_base = self.reader.tracks().iter().find(|track| track.id == self.track_id).and_then(|t| t.time_base);
        let gap = time_base.and_then(|base| base.calc_duration(packet.dur)).map_or(0.0, |time| time.as_secs_f64());
        let count = (gap.clamp(0.0, MAX_GAP_S) * f64::from(self.sample_rate_hz)).round() as usize;
        frames.channels = self.channels;
        frames.lfe_channel = None;
        frames.sample_rate_hz = self.sample_rate_hz;
        frames.interleaved.resize(count * self.channels, 0.0);
    }

    fn decoded_ms(&self) -> u64 {
        (self.decoded_s * 1000.0).round() as u64
    }

    fn end(&mut self, error: Option<Error>) {
        self.done = true;
        if self.damaged_packets > 0 {
            let (packets, first_ms) = (self.damaged_packets, self.first_damage_ms);
            self.warnings.push(AudioWarning::DamagedPackets { packets, first_ms });
        }
        let promised_s = self.duration_s.filter(|_| self.duration_is_exact);
        let problem = match (error, promised_s) {
            (Some(error), _) => describe(error),
            (None, Some(promised_s)) if self.decoded_s + MISSING_END_S < promised_s => {
                format!("it ends there, though it says that it lasts {promised_s:.3} s")
            }
            _ => return,
        };
        self.warnings.push(AudioWarning::BrokenOff { at_ms: self.decoded_ms(), problem });
    }

    fn reopen_track(&mut self) -> Result<(), AudioError> {
        let container = container_name(self.reader.format_info().short_name);
        let track = open_track(self.reader.as_ref(), container, &self.name)?;
        (self.decoder, self.track_id) = (track.decoder, track.id);
        // The file's own account is of its first stream only.
        (self.duration_s, self.duration_is_exact) = (None, false);
        Ok(())
    }
}

struct OpenedTrack {
    decoder: Box<dyn AudioDecoder>,
    id: u32,
    codec: &'static str,
    /// Length by the file's own account, in seconds.
    duration_s: Option<f64>,
    /// Whether the encoder wrote that length down, rather than the demuxer having guessed it from the bit rate.
    duration_is_exact: bool,
}

fn open_track(reader: &dyn FormatReader, container: &'static str, name: &str) -> Result<OpenedTrack, AudioError> {
    let track = reader.default_track(TrackType::Audio).ok_or_else(|| AudioError::Malformed {
        name: name.to_owned(),
        format: container.to_owned(),
        problem: "it has no audio track".to_owned(),
    })?;
    let parameters = track.codec_params.as_ref().and_then(|parameters| parameters.audio());
    let codec = parameters.map_or("an unknown codec", |parameters| codec_name(parameters.codec));
    let unsupported = || AudioError::Unsupported { name: name.to_owned(), format: format!("{codec} in {container}") };
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters.ok_or_else(unsupported)?, &AudioDecoderOptions::default())
        .map_err(|error| match error {
            Error::Unsupported(_) => unsupported(),
            other => {
                let problem = describe(other);
                AudioError::Malformed { name: name.to_owned(), format: codec.to_owned(), problem }
            }
        })?;
    let (duration_s, duration_is_exact) = (duration_s(track), track.delay.is_some());
    Ok(OpenedTrack { decoder, id: track.id, codec, duration_s, duration_is_exact })
}

fn duration_s(track: &Track) -> Option<f64> {
    Some(track.time_base?.calc_duration(track.duration?)?.as_secs_f64())
}

fn lfe_channel(channels: &Channels) -> Option<usize> {
    channels.get_canonical_index_for_positioned_channel(Position::LFE1)
}

fn probe_error(error: Error, prefix: &[u8], name: &str) -> AudioError {
    match error {
        Error::IoError(source) if source.kind() != std::io::ErrorKind::UnexpectedEof => {
            AudioError::Read { name: name.to_owned(), offset: 0, source }
        }
        // What the probe says when it has recognised nothing.
        Error::Unsupported(reason) if reason.starts_with("core (probe)") => not_audio(prefix, name),
        other => AudioError::Malformed { name: name.to_owned(), format: "audio".to_owned(), problem: describe(other) },
    }
}

fn describe(error: Error) -> String {
    match error {
        Error::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "it ends in the middle of a packet or header".to_owned()
        }
        Error::DecodeError(reason) => reason.to_owned(),
        other => other.to_string(),
    }
}

fn container_name(short_name: &'static str) -> &'static str {
    match short_name {
        "mp3" => "MP3",
        "mp2" => "MPEG layer 2",
        "mp1" => "MPEG layer 1",
        "flac" => "FLAC",
        "ogg" => "Ogg",
        "isomp4" => "MP4",
        "aac" => "AAC",
        other => other,
    }
}

fn codec_name(codec: AudioCodecId) -> &'static str {
    match codec {
        CODEC_ID_MP1 => "MPEG layer 1",
        CODEC_ID_MP2 => "MPEG layer 2",
        CODEC_ID_MP3 => "MP3",
        CODEC_ID_FLAC => "FLAC",
        CODEC_ID_VORBIS => "Vorbis",
        CODEC_ID_AAC => "AAC",
        CODEC_ID_OPUS => "Opus",
        CODEC_ID_SPEEX => "Speex",
        CODEC_ID_ALAC => "Apple Lossless",
        CODEC_ID_AC3 => "AC-3",
        CODEC_ID_EAC3 => "Enhanced AC-3",
        _ => "an unknown codec",
    }
}
