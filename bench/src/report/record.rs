//! The record: a CSV with the machine, all versions, and every run.

use std::io::Write;

use anyhow::Result;

use crate::kernels::{Kernels, Speed};
use crate::machine::Machine;
use crate::measure::Measurements;
use crate::report::Row;
use crate::sides::Side;

/// The columns. What a record has no value for is empty.
///
/// `record` is `machine`, `version`, `size`, `start`, `skipped` (all with `name` and `value`), `run` (each transcription,
/// round 0 to warm up, `repeat` which of those in a row), `stage` (of a `run`; `value` is its milliseconds, `rate` its
/// multiply-adds), `median` (over the rounds, in each of which the fastest `run` counts; `value` is the median of all runs'
/// `total_ms`), `stream` (growth with length), or `kernel`, whose `value` is the least time of a run in microseconds; `rate` is
/// in `unit`, and `of_best` is its share of the best 8-bit rate of that engine.
const COLUMNS: [&str; 21] = [
    "record",
    "side",
    "flavour",
    "threads",
    "clip",
    "audio_s",
    "round",
    "encode_ms",
    "decode_ms",
    "total_ms",
    "tokens",
    "peak_mib",
    "wasm_mib",
    "text_ok",
    "name",
    "value",
    "int8_loop",
    "rate",
    "unit",
    "of_best",
    "repeat",
];

/// Writes it.
///
/// # Errors
///
/// Where the writer fails.
pub fn write(
    out: impl Write,
    machine: &Machine,
    measurements: &Measurements,
    rows: &[Row],
    kernels: &Kernels,
) -> Result<()> {
    let mut csv = Csv(out);
    csv.write_record(COLUMNS)?;
    let facts = [
        ("date", machine.date.clone()),
        ("processor", machine.processor.clone()),
        ("cores", machine.cores.to_string()),
        ("system", machine.system.clone()),
    ];
    for (name, value) in facts {
        csv.write_record(named("machine", None, name, &value))?;
    }
    for (name, version) in &machine.versions {
        csv.write_record(named("version", None, name, version))?;
    }
    for (flavour, bytes) in &machine.component_bytes {
        csv.write_record(named("size", None, &format!("component_bytes {flavour}"), &bytes.to_string()))?;
    }
    for (side, why) in &measurements.skipped {
        csv.write_record(named("skipped", Some(*side), "reason", why))?;
    }
    for start in &measurements.starts {
        let figures = [
            ("process_start_to_ready_ms", Some(start.total_ms)),
            ("engine_ms", Some(start.ready.engine_ms)),
            ("engine_uncached_ms", start.uncached_engine_ms),
            ("model_ms", Some(start.ready.load_ms)),
        ];
        for (name, value) in figures {
            if let Some(value) = value {
                csv.write_record(named("start", Some(start.side), name, &format!("{value:.2}")))?;
            }
        }
    }
    for run in &measurements.runs {
        let reference = measurements.reference_texts.iter().find(|(clip, _)| *clip == run.clip);
        let mut record = named("run", Some(run.side), "", "");
        record[4] = run.clip.to_owned();
        record[5] = format!("{:.3}", run.audio_s);
        record[6] = run.round.to_string();
        times(&mut record, [run.encode_ms, run.decode_ms, run.total_ms], run.tokens);
        record[11] = mib(run.peak_mib);
        record[12] = mib(run.wasm_mib);
        record[13] = reference.is_some_and(|(_, text)| *text == run.text).to_string();
        record[20] = run.repeat.to_string();
        csv.write_record(record)?;
        for stage in &run.stages {
            let mut record = named("stage", Some(run.side), &stage.stage, &format!("{:.3}", stage.ms));
            record[4] = run.clip.to_owned();
            record[6] = run.round.to_string();
            record[17] = stage.multiply_adds.to_string();
            record[18] = "multiply-adds".to_owned();
            record[20] = run.repeat.to_string();
            csv.write_record(record)?;
        }
    }
    for row in rows {
        let mut record = named("median", Some(row.key), "all_ms", &format!("{:.2}", row.all_ms));
        record[4] = row.clip.to_owned();
        record[5] = format!("{:.3}", row.audio_s);
        times(&mut record, [row.encode_ms, row.decode_ms, row.total_ms], row.tokens);
        record[11] = mib(row.peak_mib);
        record[12] = mib(row.wasm_mib);
        record[13] = row.text_ok.to_string();
        csv.write_record(record)?;
    }
    for stream in &measurements.growth {
        let mut record = named("stream", Some(Side::REFERENCE), "", "");
        record[5] = stream.audio_s.to_string();
        record[6] = stream.round.to_string();
        times(&mut record, [stream.encode_ms, stream.decode_ms, stream.total_ms], stream.tokens);
        csv.write_record(record)?;
    }
    for speed in &kernels.speeds {
        csv.write_record(of_kernel(kernels, speed))?;
    }
    for why in &kernels.skipped {
        csv.write_record(named("skipped", None, "kernels", why))?;
    }
    Ok(csv.0.flush()?)
}

/// Writes CSV as RFC 4180 has it. A library would bring serde's default features, with which wasmtime would be compiled a
/// second time.
struct Csv<W>(W);

impl<W: Write> Csv<W> {
    fn write_record(&mut self, fields: [impl AsRef<str>; COLUMNS.len()]) -> std::io::Result<()> {
        let fields = fields.each_ref().map(|field| match field.as_ref() {
            plain if !plain.contains([',', '"', '\r', '\n']) => plain.to_owned(),
            other => format!("\"{}\"", other.replace('"', "\"\"")),
        });
        writeln!(self.0, "{}", fields.join(","))
    }
}

/// A record with nothing but its kind, its side, and a value with a name.
fn named(kind: &str, side: Option<Side>, name: &str, value: &str) -> [String; COLUMNS.len()] {
    let mut record = [const { String::new() }; COLUMNS.len()];
    record[0] = kind.to_owned();
    if let Some(side) = side {
        record[1] = side.name();
        record[2] = side.flavour().to_owned();
        record[3] = side.threads.to_string();
    }
    record[14] = name.to_owned();
    record[15] = value.to_owned();
    record
}

/// A record of one case in one build and engine.
fn of_kernel(kernels: &Kernels, speed: &Speed) -> [String; COLUMNS.len()] {
    let name = format!("{} {}", speed.case.kernel.name(), speed.case.shape());
    let mut record = named("kernel", None, &name, &format!("{:.2}", speed.best_us));
    record[1] = format!("auricle-{}", speed.runtime.name());
    record[2] = speed.build.name().to_owned();
    record[3] = "1".to_owned();
    record[16] = speed.int8_loop.name().to_owned();
    record[17] = format!("{:.3}", speed.rate());
    record[18] = speed.case.unit().to_owned();
    record[19] = kernels.of_best_tile(speed).map(|share| format!("{share:.3}")).unwrap_or_default();
    record
}

/// Fills in the columns from `encode_ms` to `tokens`.
fn times(record: &mut [String; COLUMNS.len()], ms: [f64; 3], tokens: u64) {
    for (column, ms) in record[7..10].iter_mut().zip(ms) {
        *column = format!("{ms:.2}");
    }
    record[10] = tokens.to_string();
}

fn mib(value: Option<f64>) -> String {
    value.map(|value| format!("{value:.1}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::kernels::tests::kernels;
    use crate::report::rows;
    use crate::report::tests::measurements;

    #[test]
    fn record_holds_machine_versions_every_run_and_the_medians() {
        let machine = Machine {
            date: "2024-02-29".to_owned(),
            processor: "A, \"fast\" one".to_owned(),
            cores: 2,
            system: "linux x86_64".to_owned(),
            versions: BTreeMap::from([("wasmtime".to_owned(), "1.2.3".to_owned())]),
            component_bytes: BTreeMap::from([("simd128".to_owned(), 1_000)]),
        };
        let measurements = measurements();
        let mut bytes = Vec::new();
        write(&mut bytes, &machine, &measurements, &rows(&measurements), &kernels()).expect("written");
        let text = String::from_utf8(bytes).expect("UTF-8");
        let records: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(records[0], COLUMNS);
        // Only the processor's name, which is quoted, has a comma.
        assert!(text.contains(",processor,\"A, \"\"fast\"\" one\",,,,,\n"), "{text}");
        assert!(records.iter().all(|record| record.len() == COLUMNS.len() + usize::from(record[14] == "processor")));
        let of = |kind: &str| records.iter().filter(|record| record[0] == kind).collect::<Vec<_>>();
        assert_eq!(of("version")[0][15], "1.2.3");
        assert_eq!(of("run").len(), measurements.runs.len());
        let median = of("median");
        assert_eq!((median[0][9], median[0][13], median[1][13]), ("250.00", "true", "false"));
        assert_eq!(of("skipped")[0][15], "there is no such engine");
        assert_eq!(of("skipped")[1][15], "kernels in node/scalar: there is no node");
        let kernel = of("kernel");
        assert_eq!(kernel[1][1..4], ["auricle-wasmtime", "relaxed-simd", "1"]);
        assert_eq!(kernel[1][14..], ["multiply 32 × 288×288", "100.00", "long-dot", "53.084", "Gop/s", "0.500", ""]);
        assert_eq!(kernel[2][14..], ["pick 1 × 32768", "8.00", "", "4.096", "Gvalue/s", "", ""]);
    }

    #[test]
    fn what_has_commas_quotes_or_line_breaks_is_quoted_and_nothing_else_is() {
        let mut csv = Csv(Vec::new());
        csv.write_record(named("skipped", None, "plain text", "it said:\r\n\"a, b\"")).expect("written");
        let text = String::from_utf8(csv.0).expect("UTF-8");
        assert_eq!(text, "skipped,,,,,,,,,,,,,,plain text,\"it said:\r\n\"\"a, b\"\"\",,,,,\n");
    }
}
