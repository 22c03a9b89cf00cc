//! Microphones, through the system's own interface.

use std::io::{self, Write};
use std::num::NonZeroU16;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use auricle::audio::FrameConverter;
use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{Device, ErrorKind, FromSample, Host, SampleFormat, SizedSample, StreamConfig};

use super::{PIPE_EXAMPLE, Queue, Source};

/// How much audio waits for a machine that is busy with something else.
const WAITING_S: usize = 30;

/// The system's microphones, and none of the words that ALSA writes to standard error while they are looked for.
fn host() -> Host {
    #[cfg(target_os = "linux")]
    // Where it fails, there are a few lines more.
    let _ = alsa::Output::local_error_handler();
    cpal::default_host()
}

/// Prints the devices that can be listened to; the default one is marked.
pub(crate) fn list_devices() -> Result<()> {
    let host = host();
    let default = host.default_input_device().and_then(|device| device.id().ok());
    let mut out = io::stdout().lock();
    let mut found = false;
    for device in inputs(&host)? {
        let Ok(id) = device.id() else { continue };
        let mark = if Some(&id) == default.as_ref() { "  (default)" } else { "" };
        writeln!(out, "{}  {}{mark}", id.id(), name(&device)).context("standard output: cannot be written to")?;
        found = true;
    }
    if found { Ok(()) } else { Err(anyhow!("there is no microphone: {}", advice())) }
}

/// Begins to listen to the device of that name or id, or to the default one.
pub(crate) fn open(device: Option<&str>) -> Result<Source> {
    let host = host();
    let device = match device {
        Some(wanted) => named(&host, wanted)?,
        None => host.default_input_device().ok_or_else(|| anyhow!("there is no microphone: {}", advice()))?,
    };
    let name = name(&device);
    let failed = |error: cpal::Error| match (error.kind(), reason(&error)) {
        (ErrorKind::PermissionDenied, reason) => {
            anyhow!("{name}: this program may not listen to it: {reason}; allow it in the system's settings")
        }
        (ErrorKind::DeviceBusy, reason) => {
            anyhow!("{name}: another program uses it: {reason}; close that, or {}", advice())
        }
        (_, reason) => anyhow!("{name}: cannot be listened to: {reason}; {}", advice()),
    };
    let supported = device.default_input_config().map_err(failed)?;
    let config: StreamConfig = supported.into();
    let channels =
        NonZeroU16::new(config.channels).ok_or_else(|| anyhow!("{name}: it has no channels; {}", advice()))?;
    let converter = FrameConverter::new(&name, config.sample_rate, channels)?;
    let samples_per_second = config.sample_rate as usize * usize::from(channels.get());
    let queue = Arc::new(Queue::new(WAITING_S * samples_per_second));
    let to = Arc::clone(&queue);
    let stream = match supported.sample_format() {
        SampleFormat::I8 => stream::<i8>(&device, config, &name, to),
        SampleFormat::I16 => stream::<i16>(&device, config, &name, to),
        SampleFormat::I24 => stream::<cpal::I24>(&device, config, &name, to),
        SampleFormat::I32 => stream::<i32>(&device, config, &name, to),
        SampleFormat::I64 => stream::<i64>(&device, config, &name, to),
        SampleFormat::U8 => stream::<u8>(&device, config, &name, to),
        SampleFormat::U16 => stream::<u16>(&device, config, &name, to),
        SampleFormat::U24 => stream::<cpal::U24>(&device, config, &name, to),
        SampleFormat::U32 => stream::<u32>(&device, config, &name, to),
        SampleFormat::U64 => stream::<u64>(&device, config, &name, to),
        SampleFormat::F32 => stream::<f32>(&device, config, &name, to),
        SampleFormat::F64 => stream::<f64>(&device, config, &name, to),
        other => return Err(anyhow!("{name}: its samples are {other}, which are not read; {}", advice())),
    };
    let stream = stream.map_err(failed)?;
    stream.play().map_err(failed)?;
    Ok(Source { name, queue, converter, samples_per_second, is_live: true, keep: Some(Box::new(stream)) })
}

fn stream<T: SizedSample>(
    device: &Device,
    config: StreamConfig,
    name: &str,
    queue: Arc<Queue>,
) -> Result<cpal::Stream, cpal::Error>
where
    f32: FromSample<T>,
{
    let faults = Arc::clone(&queue);
    let name = name.to_owned();
    device.build_input_stream(
        config,
        move |samples: &[T], _: &_| queue.offer(samples.iter().map(|&sample| f32::from_sample_(sample))),
        move |error| match error.kind() {
            // The stream goes on.
            ErrorKind::Xrun => faults.notice("the system lost some audio, since it is busy".to_owned()),
            ErrorKind::DeviceChanged => faults.notice("the system now listens to another device".to_owned()),
            ErrorKind::RealtimeDenied => {}
            _ => faults.end(Some(anyhow!(
                "{name}: it has stopped: {}; plug it in again, or {}",
                reason(&error),
                advice()
            ))),
        },
        None,
    )
}

fn named(host: &Host, wanted: &str) -> Result<Device> {
    let matches = |device: &Device| name(device) == wanted || device.id().is_ok_and(|id| id.id() == wanted);
    let devices: Vec<_> = inputs(host)?.collect();
    let names: Vec<_> = devices.iter().map(name).collect();
    devices.into_iter().find(matches).ok_or_else(|| {
        if names.is_empty() {
            return anyhow!("--device: there is no microphone: {}", advice());
        }
        anyhow!("--device: there is no `{wanted}`; there are: {}", names.join(", "))
    })
}

fn inputs(host: &Host) -> Result<impl Iterator<Item = Device> + use<>> {
    let devices = host.input_devices();
    devices.map_err(|error| anyhow!("the microphones cannot be listed: {}; {}", reason(&error), advice()))
}

fn name(device: &Device) -> String {
    device.description().map_or_else(|_| "microphone".to_owned(), |description| description.name().to_owned())
}

/// What the system says, as a part of a sentence.
fn reason(error: &cpal::Error) -> String {
    error.to_string().trim_end_matches('.').to_owned()
}

fn advice() -> String {
    format!(
        "name another with --device (--list-devices shows them), or pipe the audio in, for instance: {PIPE_EXAMPLE}"
    )
}
