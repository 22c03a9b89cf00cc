//! What was measured, for people and for programs.

pub mod chart;
pub mod floor;
pub mod kernels;
pub mod record;
pub mod table;

use serde::Serialize;

use crate::measure::{Measurements, Run};
use crate::sides::Side;
use crate::stats::median;

/// One side with one clip: medians of the fastest transcription of each round, as `--json` writes them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The side's name.
    pub side: String,
    /// The component's flavour, or how the peer computes.
    pub flavour: &'static str,
    /// The clip's name: its length in whole seconds.
    pub clip: &'static str,
    /// Its length in seconds.
    pub audio_s: f64,
    /// Threads that the side may use.
    pub threads: usize,
    /// Front end, encoder and cross-attention, in milliseconds.
    pub encode_ms: f64,
    /// Decoder, in milliseconds.
    pub decode_ms: f64,
    /// Everything, in milliseconds.
    pub total_ms: f64,
    /// Decoder passes, that of the end token included.
    pub tokens: u64,
    /// The process's peak of resident memory, or WebAssembly's memory in a browser, in MiB.
    pub peak_mib: Option<f64>,
    /// Whether every run gave the text of Auricle in wasmtime.
    pub text_ok: bool,
    /// The median of all transcriptions, in milliseconds.
    #[serde(skip)]
    pub all_ms: f64,
    /// The side itself.
    #[serde(skip)]
    pub key: Side,
    /// WebAssembly's memory in MiB.
    #[serde(skip)]
    pub wasm_mib: Option<f64>,
}

impl Row {
    /// Milliseconds of the decoder for each of its passes.
    #[must_use]
    pub fn token_ms(&self) -> f64 {
        self.decode_ms / self.tokens.max(1) as f64
    }

    /// Time to transcribe a second of audio, in seconds.
    #[must_use]
    pub fn real_time_factor(&self) -> f64 {
        self.total_ms / 1e3 / self.audio_s
    }
}

/// Medians, clip by clip, in the order of the runs.
#[must_use]
pub fn rows(measurements: &Measurements) -> Vec<Row> {
    let mut keys: Vec<(&'static str, Side)> = Vec::new();
    for run in &measurements.runs {
        if !keys.contains(&(run.clip, run.side)) {
            keys.push((run.clip, run.side));
        }
    }
    keys.into_iter().filter_map(|(clip, side)| row(measurements, clip, side)).collect()
}

fn row(measurements: &Measurements, clip: &'static str, side: Side) -> Option<Row> {
    let runs: Vec<&Run> = measurements.runs.iter().filter(|run| run.clip == clip && run.side == side).collect();
    let fastest = measurements.fastest(clip, side);
    let first = fastest.first()?;
    let text = measurements.reference_texts.iter().find(|(name, _)| *name == clip).map(|(_, text)| text);
    let largest = |figure: fn(&Run) -> Option<f64>| runs.iter().filter_map(|run| figure(run)).reduce(f64::max);
    Some(Row {
        side: side.name(),
        flavour: side.flavour(),
        clip,
        audio_s: first.audio_s,
        threads: side.threads,
        encode_ms: median(fastest.iter().map(|run| run.encode_ms))?,
        decode_ms: median(fastest.iter().map(|run| run.decode_ms))?,
        total_ms: median(fastest.iter().map(|run| run.total_ms))?,
        tokens: first.tokens,
        peak_mib: largest(|run| run.peak_mib),
        text_ok: runs.iter().all(|run| Some(&run.text) == text),
        all_ms: median(runs.iter().filter(|run| run.round > 0).map(|run| run.total_ms))?,
        key: side,
        wasm_mib: largest(|run| run.wasm_mib),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Two rounds, of which the second has another try, and a slow first one, of two sides, of which one, a peer, writes
    /// something else.
    pub(crate) fn measurements() -> Measurements {
        let sides = Side::all();
        let peer = *sides.iter().find(|side| side.is_peer()).expect("a peer");
        let run = |side: Side, [round, repeat]: [usize; 2], total_ms: f64, text: &str| Run {
            side,
            clip: "10",
            audio_s: 10.0,
            round,
            repeat,
            encode_ms: total_ms * 0.75,
            decode_ms: total_ms * 0.25,
            total_ms,
            tokens: 20,
            peak_mib: Some(60.0 + round as f64),
            wasm_mib: (!side.is_peer()).then_some(50.0),
            text: text.to_owned(),
            stages: Vec::new(),
        };
        let mut runs = Vec::new();
        for (turn, ms) in [([0, 0], 900.0), ([1, 0], 200.0), ([2, 0], 320.0), ([2, 1], 300.0)] {
            runs.push(run(Side::REFERENCE, turn, ms, "One, two & <three>."));
            runs.push(run(peer, turn, ms * 2.0, "One, too & <three>."));
        }
        Measurements {
            runs,
            reference_texts: vec![("10", "One, two & <three>.".to_owned())],
            skipped: vec![(sides[1], "there is no such engine".to_owned())],
            ..Measurements::default()
        }
    }

    #[test]
    fn medians_are_of_the_fastest_in_each_round_but_the_one_to_warm_up_and_memory_takes_the_largest() {
        let rows = rows(&measurements());
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].total_ms, rows[0].peak_mib, rows[0].text_ok), (250.0, Some(62.0), true));
        assert_eq!((rows[1].total_ms, rows[1].text_ok), (500.0, false));
        assert_eq!(rows[0].all_ms, 300.0);
        assert_eq!(rows[0].token_ms(), 250.0 * 0.25 / 20.0);
        assert_eq!(rows[0].real_time_factor(), 0.025);
    }

    #[test]
    fn json_has_exactly_the_agreed_fields() {
        let json = serde_json::to_value(rows(&measurements())).expect("JSON");
        let keys: Vec<_> = json[0].as_object().expect("an object").keys().map(String::as_str).collect();
        let mut agreed = [
            "side",
            "flavour",
            "clip",
            "audio_s",
            "threads",
            "encode_ms",
            "decode_ms",
            "total_ms",
            "tokens",
            "peak_mib",
            "text_ok",
        ];
        agreed.sort_unstable();
        let mut keys = keys;
        keys.sort_unstable();
        assert_eq!(keys, agreed);
    }
}
