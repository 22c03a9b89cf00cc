//! The tables on standard output.

use std::fmt::Write;

use crate::machine::Machine;
use crate::measure::{Measurements, Stream};
use crate::report::Row;
use crate::sides::{Build, Engine, Runtime, Side};
use crate::stats::median;
use crate::text::words_apart;

/// Everything that was measured, for people.
#[must_use]
pub fn report(machine: &Machine, measurements: &Measurements, rows: &[Row]) -> String {
    let mut out = self::machine(machine);
    out += "\nMedians over the rounds, in each of which the fastest transcription counts; `all ms` is the median of all of them.\n";
    out += "A ratio below 1 is faster than the peer of its column.\n\n";
    out += &figures(rows);
    out += &texts(measurements);
    out += "\nStart-up: process start to first poll possible\n\n";
    out += &starts(measurements);
    if !measurements.growth.is_empty() {
        out += &format!("\nGrowth with length, {}\n\n", Side::REFERENCE);
        out += &growth(&measurements.growth);
    }
    out += &simd(rows);
    for (side, why) in &measurements.skipped {
        out += &format!("\nskipped: {side}: {why}");
    }
    out
}

/// What it was measured on.
#[must_use]
pub fn machine(machine: &Machine) -> String {
    let mut out = format!("{}: {}, {} cores, {}\n", machine.date, machine.processor, machine.cores, machine.system);
    for (name, version) in &machine.versions {
        out += &format!("  {name} {version}\n");
    }
    for (flavour, bytes) in &machine.component_bytes {
        out += &format!("  component {flavour}: {bytes} bytes\n");
    }
    out
}

fn figures(rows: &[Row]) -> String {
    let mut peers = Vec::new();
    for row in rows.iter().filter(|row| row.key.is_peer()) {
        if !peers.contains(&row.key) {
            peers.push(row.key);
        }
    }
    let fixed = [
        "side",
        "flavour",
        "threads",
        "clip s",
        "encode ms",
        "ms/token",
        "total ms",
        "all ms",
        "RTF",
        "peak MiB",
        "wasm MiB",
        "text",
    ];
    let mut header: Vec<String> = fixed.map(str::to_owned).into();
    header.extend(peers.iter().map(|peer| {
        let threads = if peer.threads > 1 { format!(" {}t", peer.threads) } else { String::new() };
        format!("/ {}{threads}", peer.name())
    }));
    let mut lines = vec![header];
    for row in rows {
        let mut line = vec![
            row.side.clone(),
            row.flavour.to_owned(),
            row.threads.to_string(),
            row.clip.to_owned(),
            format!("{:.0}", row.encode_ms),
            format!("{:.2}", row.token_ms()),
            format!("{:.0}", row.total_ms),
            format!("{:.0}", row.all_ms),
            format!("{:.4}", row.real_time_factor()),
            optional(row.peak_mib),
            optional(row.wasm_mib),
            if row.text_ok { "same" } else { "differs" }.to_owned(),
        ];
        line.extend(peers.iter().map(|peer| {
            let of_peer = rows.iter().find(|other| other.key == *peer && other.clip == row.clip);
            of_peer.map_or_else(|| "-".to_owned(), |other| format!("{:.2}", row.total_ms / other.total_ms))
        }));
        lines.push(line);
    }
    aligned(&lines, 2)
}

/// Texts that differ from the reference, each once with the sides that wrote it.
fn texts(measurements: &Measurements) -> String {
    let mut out = String::new();
    for (clip, reference) in &measurements.reference_texts {
        let mut others: Vec<(&str, Vec<Side>)> = Vec::new();
        for run in measurements.runs.iter().filter(|run| run.clip == *clip && run.text != *reference) {
            match others.iter_mut().find(|(text, _)| *text == run.text) {
                Some((_, sides)) if sides.contains(&run.side) => {}
                Some((_, sides)) => sides.push(run.side),
                None => others.push((&run.text, vec![run.side])),
            }
        }
        if others.is_empty() {
            continue;
        }
        let words = reference.split_whitespace().count();
        let _ = writeln!(out, "\n{clip} s, {}: {reference}", Side::REFERENCE);
        for (text, sides) in others {
            let sides = sides.iter().map(Side::to_string).collect::<Vec<_>>().join(", ");
            let _ = writeln!(out, "{} of {words} words differ in {sides}: {text}", words_apart(reference, text));
        }
    }
    out
}

fn starts(measurements: &Measurements) -> String {
    let header = ["side", "start ms", "engine ms", "engine ms, no cache", "model ms"];
    let mut lines: Vec<Vec<String>> = vec![header.map(str::to_owned).into()];
    for start in &measurements.starts {
        lines.push(vec![
            start.side.to_string(),
            format!("{:.0}", start.total_ms),
            format!("{:.0}", start.ready.engine_ms),
            optional(start.uncached_engine_ms),
            format!("{:.0}", start.ready.load_ms),
        ]);
    }
    aligned(&lines, 1)
}

fn growth(streams: &[Stream]) -> String {
    let header = ["audio s", "encode ms", "ms/token", "tokens", "total ms", "RTF"];
    let mut lines: Vec<Vec<String>> = vec![header.map(str::to_owned).into()];
    let mut lengths: Vec<_> = streams.iter().map(|stream| stream.audio_s).collect();
    lengths.dedup();
    for audio_s in lengths {
        let counted = || streams.iter().filter(|stream| stream.audio_s == audio_s && stream.round > 0);
        let of = |figure: fn(&Stream) -> f64| median(counted().map(figure)).unwrap_or(f64::NAN);
        let total_ms = of(|stream| stream.total_ms);
        lines.push(vec![
            audio_s.to_string(),
            format!("{:.0}", of(|stream| stream.encode_ms)),
            format!("{:.2}", of(|stream| stream.decode_ms / stream.tokens.max(1) as f64)),
            format!("{:.0}", of(|stream| stream.tokens as f64)),
            format!("{total_ms:.0}"),
            format!("{:.4}", total_ms / 1e3 / f64::from(audio_s)),
        ]);
    }
    aligned(&lines, 0)
}

/// What SIMD is worth in wasmtime.
fn simd(rows: &[Row]) -> String {
    let find = |build: Build, clip: &str| {
        rows.iter().find(|row| row.key.engine == Engine::Auricle(Runtime::Wasmtime, build) && row.clip == clip)
    };
    let mut out = String::new();
    for scalar in rows.iter().filter(|row| row.key.engine == Engine::Auricle(Runtime::Wasmtime, Build::Scalar)) {
        for build in Build::SHIPPED {
            if let Some(row) = find(build, scalar.clip) {
                let times = scalar.total_ms / row.total_ms;
                out += &format!("\n{} is {times:.1} times as fast as scalar, {} s", build.name(), scalar.clip);
            }
        }
    }
    if out.is_empty() { out } else { out + "\n" }
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.0}"))
}

/// Columns of one width each; the first `left` are names, the others numbers.
pub(super) fn aligned(lines: &[Vec<String>], left: usize) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut out = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column < left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        out += cells.collect::<Vec<_>>().join("  ").trim_end();
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::rows;
    use crate::report::tests::measurements;

    #[test]
    fn report_shows_ratios_differing_words_and_what_was_skipped() {
        let measurements = measurements();
        let rows = rows(&measurements);
        let figures = figures(&rows);
        let lines: Vec<_> = figures.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
        assert_eq!(lines[0][lines[0].len() - 1], "ort-native");
        assert_eq!(lines[1][lines[1].len() - 2..], ["same", "0.50"]);
        assert_eq!(lines[2][lines[2].len() - 2..], ["differs", "1.00"]);
        assert!(texts(&measurements).contains("1 of 4 words differ"), "{}", texts(&measurements));
    }

    #[test]
    fn names_align_left_and_numbers_right() {
        let lines = [vec!["a".to_owned(), "1".to_owned()], vec!["bb".to_owned(), "10".to_owned()]];
        assert_eq!(aligned(&lines, 1), "a    1\nbb  10\n");
    }
}
