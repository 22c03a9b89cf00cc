//! Raw audio on standard input, as ffmpeg, arecord and sox pipe it.

use std::io::{self, Read};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::thread;

use anyhow::Result;
use auricle::audio::{AudioError, AudioWarning, FrameConverter, MAX_SOURCE_RATE_HZ, MIN_SOURCE_RATE_HZ};
use clap::{Args, ValueEnum};

use super::{Queue, Source};
use crate::cli::input::STDIN_NAME;

/// How much audio the reader is ahead of the engine at most: from there on the pipe waits.
const AHEAD_S: usize = 2;

/// What standard input holds, where it holds no file.
#[derive(Debug, Clone, Args)]
pub(crate) struct PcmArguments {
    /// Take standard input for raw samples, and transcribe them as they come
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub(crate) stdin_format: Option<SampleFormat>,
    /// Samples a second of that, in Hz
    #[arg(long, value_name = "HZ", default_value_t = auricle::SAMPLE_RATE_HZ, requires = "stdin_format",
          value_parser = clap::value_parser!(u32).range(i64::from(MIN_SOURCE_RATE_HZ)..=i64::from(MAX_SOURCE_RATE_HZ)))]
    rate: u32,
    /// Channels of that, interleaved
    #[arg(long, value_name = "N", default_value = "1", requires = "stdin_format")]
    channels: NonZeroU16,
}

/// How a sample is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SampleFormat {
    /// 16-bit signed integers, little-endian
    S16le,
    /// 32-bit floats, little-endian
    F32le,
}

impl SampleFormat {
    fn bytes(self) -> usize {
        match self {
            Self::S16le => 2,
            Self::F32le => 4,
        }
    }

    /// Appends the samples of these bytes, a whole number of them.
    fn decode(self, bytes: &[u8], out: &mut Vec<f32>) {
        match self {
            Self::S16le => {
                let samples = bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
                out.extend(samples.map(|sample| f32::from(sample) / 32_768.0));
            }
            Self::F32le => out.extend(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))),
        }
    }
}

/// The most samples of all channels that wait between the reader of standard input and the engine: 16 MiB.
const QUEUED_SAMPLES_MAX: usize = 1 << 22;

impl PcmArguments {
    /// Begins to read standard input, if it is raw audio.
    pub(crate) fn open(&self) -> Result<Option<Source>> {
        let Some(format) = self.stdin_format else { return Ok(None) };
        let converter = FrameConverter::new(STDIN_NAME, self.rate, self.channels)?;
        let samples_per_second = self.rate as usize * usize::from(self.channels.get());
        // A pipe waits where there is no room: whatever rate and channels are asked for, so much is enough.
        let queue = Arc::new(Queue::new((AHEAD_S * samples_per_second).min(QUEUED_SAMPLES_MAX)));
        let frame_bytes = format.bytes() * usize::from(self.channels.get());
        thread::spawn({
            let queue = Arc::clone(&queue);
            // Not joined: whoever ends the queue early leaves it waiting for input that may never come.
            move || read(&mut io::stdin().lock(), format, frame_bytes, &queue)
        });
        Ok(Some(Source {
            name: STDIN_NAME.to_owned(),
            queue,
            converter,
            samples_per_second,
            is_live: false,
            keep: None,
        }))
    }
}

/// Puts what comes into the queue as soon as it is there, up to its end.
fn read(input: &mut impl Read, format: SampleFormat, frame_bytes: usize, queue: &Queue) {
    let mut bytes = vec![0; 1 << 16];
    let mut samples = Vec::new();
    let mut held = 0;
    let mut total = 0_u64;
    loop {
        let count = match input.read(&mut bytes[held..]) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => {
                let name = STDIN_NAME.to_owned();
                return queue.end(Some(AudioError::Read { name, offset: total, source }.into()));
            }
        };
        total += count as u64;
        let present = held + count;
        let whole = present / format.bytes() * format.bytes();
        samples.clear();
        format.decode(&bytes[..whole], &mut samples);
        if !queue.put(&samples) {
            return;
        }
        bytes.copy_within(whole..present, 0);
        held = present - whole;
    }
    if total == 0 {
        return queue.end(Some(AudioError::Empty { name: STDIN_NAME.to_owned() }.into()));
    }
    let left = total % frame_bytes as u64;
    if left > 0 {
        queue.notice(AudioWarning::PartialFrame { bytes: left }.to_string());
    }
    queue.end(None);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes in pieces of these lengths, over and over.
    struct Trickle<'a> {
        bytes: &'a [u8],
        lengths: &'a [usize],
        reads: usize,
    }

    impl Read for Trickle<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let len = self.lengths[self.reads % self.lengths.len()].min(self.bytes.len()).min(out.len());
            self.reads += 1;
            out[..len].copy_from_slice(&self.bytes[..len]);
            self.bytes = &self.bytes[len..];
            Ok(len)
        }
    }

    fn taken(
        bytes: &[u8],
        lengths: &[usize],
        format: SampleFormat,
        frame_bytes: usize,
    ) -> (Vec<f32>, super::super::News) {
        let queue = Queue::new(1 << 16);
        read(&mut Trickle { bytes, lengths, reads: 0 }, format, frame_bytes, &queue);
        let mut samples = Vec::new();
        let (news, ended) = queue.take(&mut samples, true);
        assert!(ended);
        (samples, news)
    }

    #[test]
    fn samples_are_the_same_wherever_the_pipe_cuts_them() {
        let integers: Vec<u8> = [i16::MIN, -1, 0, 1, i16::MAX].iter().flat_map(|n| n.to_le_bytes()).collect();
        let floats: Vec<u8> = [-1.0_f32, 0.25, 1e-9].iter().flat_map(|n| n.to_le_bytes()).collect();
        for lengths in [&[1][..], &[3], &[2, 5, 1], &[100]] {
            let (samples, news) = taken(&integers, lengths, SampleFormat::S16le, 2);
            assert_eq!(samples, [-1.0, -1.0 / 32_768.0, 0.0, 1.0 / 32_768.0, 32_767.0 / 32_768.0]);
            assert!(news.notices.is_empty() && news.fault.is_none(), "{news:?}");
            assert_eq!(taken(&floats, lengths, SampleFormat::F32le, 4).0, [-1.0, 0.25, 1e-9]);
        }
    }

    #[test]
    fn an_incomplete_last_frame_is_told_and_an_empty_pipe_is_a_fault() {
        let (samples, news) = taken(&[0; 7], &[4], SampleFormat::S16le, 4);
        assert_eq!(samples.len(), 3);
        assert!(matches!(&news.notices[..], [notice] if notice.contains("last 3 bytes")), "{news:?}");
        let (_, news) = taken(&[], &[4], SampleFormat::F32le, 4);
        assert!(news.fault.unwrap().to_string().contains("is empty"));
    }
}
