//! The table of the engine's stages, each beside the least that it could take.

use crate::kernels::Kernels;
use crate::measure::Measurements;
use crate::report::table::aligned;
use crate::sides::{Build, Engine, Runtime, Side};
use crate::stats::median;

/// A stage of a side with a clip.
struct Stage<'a> {
    name: &'a str,
    /// Median, in milliseconds.
    ms: f64,
    /// Thousands of millions of operations, two for each multiplication that is added up.
    operations: f64,
    /// Thousands of millions of operations a second that its best kernel does, or that memory gives weights for.
    peak: f64,
}

impl Stage<'_> {
    /// What it would take at its peak, in milliseconds.
    fn floor_ms(&self) -> f64 {
        self.operations / self.peak * 1e3
    }
}

/// Stages of Auricle beside their floors, for people; empty where no kernels were measured.
#[must_use]
pub fn report(measurements: &Measurements, kernels: &Kernels) -> String {
    let mut lines = vec![
        ["side", "flavour", "clip s", "stage", "ms", "Gop", "Gop/s", "peak Gop/s", "floor ms", "of floor"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for (clip, _) in &measurements.reference_texts {
        for side in Side::all() {
            let Engine::Auricle(runtime, build) = side.engine else { continue };
            let stages = stages(measurements, kernels, side, clip, runtime, build);
            let (ms, floor_ms): (f64, f64) =
                (stages.iter().map(|stage| stage.ms).sum(), stages.iter().map(Stage::floor_ms).sum());
            let names = |stage: &str| [side.name(), side.flavour().to_owned(), (*clip).to_owned(), stage.to_owned()];
            let times = |ms: f64, floor_ms: f64| [format!("{floor_ms:.1}"), format!("{:.0} %", ms / floor_ms * 100.0)];
            for stage in &stages {
                let mut line = names(stage.name).to_vec();
                line.push(format!("{:.1}", stage.ms));
                line.push(format!("{:.2}", stage.operations));
                line.push(format!("{:.1}", stage.operations / stage.ms * 1e3));
                line.push(format!("{:.1}", stage.peak));
                line.extend(times(stage.ms, stage.floor_ms()));
                lines.push(line);
            }
            if !stages.is_empty() {
                let mut line = names("all").to_vec();
                line.push(format!("{ms:.1}"));
                line.extend(["", "", ""].map(str::to_owned));
                line.extend(times(ms, floor_ms));
                lines.push(line);
            }
        }
    }
    if lines.len() == 1 {
        return String::new();
    }
    format!(
        "\nStages beside their floors: the encoder's is the best tile, the decoder's is memory\n\n{}",
        aligned(&lines, 4)
    )
}

fn stages<'a>(
    measurements: &'a Measurements,
    kernels: &Kernels,
    side: Side,
    clip: &str,
    runtime: Runtime,
    build: Build,
) -> Vec<Stage<'a>> {
    // Chromium's engine is Node's.
    let runtime = if runtime == Runtime::Chromium { Runtime::Node } else { runtime };
    let peaks = (kernels.best_int8_rate_of(runtime, build), kernels.stream_rate_of(runtime, build));
    let (Some(best_tile), Some(stream)) = peaks else { return Vec::new() };
    let runs = measurements.fastest(clip, side);
    let Some(first) = runs.first() else { return Vec::new() };
    let figures = first.stages.iter().enumerate().filter_map(|(index, stage)| {
        Some(Stage {
            name: &stage.stage,
            ms: median(runs.iter().filter_map(|run| run.stages.get(index)).map(|stage| stage.ms))?,
            operations: 2.0 * stage.multiply_adds as f64 / 1e9,
            peak: if stage.stage == "decoder" { stream } else { best_tile },
        })
    });
    figures.filter(|stage| stage.operations > 0.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Case, Loop, Speed};
    use crate::protocol::StageFigures;
    use crate::report::tests::measurements;

    #[test]
    fn each_stage_stands_beside_what_it_would_take_at_its_peak() {
        let mut measurements = measurements();
        for run in &mut measurements.runs {
            let stage = |stage: &str, ms| StageFigures { stage: stage.to_owned(), ms, multiply_adds: 1_000_000_000 };
            run.stages = vec![stage("encoder", 40.0), stage("decoder", 100.0)];
        }
        let speed = |case: Case, gop_per_second: f64| Speed {
            runtime: Runtime::Wasmtime,
            build: Build::RelaxedSimd,
            case,
            int8_loop: Loop::ShortSums,
            best_us: case.operations() / gop_per_second / 1e3,
            bits: 0,
        };
        let kernels =
            Kernels { speeds: vec![speed(Case::ALL[0], 100.0), speed(Case::STREAM, 25.0)], ..Kernels::default() };
        let report = report(&measurements, &kernels);
        let words = |name: &str| -> Vec<String> {
            let line = report.lines().find(|line| line.split_whitespace().nth(3) == Some(name)).expect("a line");
            line.split_whitespace().skip(4).map(str::to_owned).collect()
        };
        assert_eq!(words("encoder"), ["40.0", "2.00", "50.0", "100.0", "20.0", "200", "%"]);
        assert_eq!(words("decoder"), ["100.0", "2.00", "20.0", "25.0", "80.0", "125", "%"]);
        assert_eq!(words("all"), ["140.0", "100.0", "140", "%"]);
    }

    #[test]
    fn without_kernels_there_are_no_floors() {
        assert_eq!(report(&measurements(), &Kernels::default()), "");
    }
}
