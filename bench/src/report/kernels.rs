//! The table of kernels.

use crate::kernels::{Case, Kernels, Loop};
use crate::report::table::aligned;
use crate::sides::{Build, Runtime};

/// What stands beside each other: builds, and the loops that they have. The names are spread over three columns.
const GROUPS: [([&str; 3], Build, Loop); 4] = [
    (["relaxed", "short", "sums"], Build::RelaxedSimd, Loop::ShortSums),
    (["relaxed", "long", "dot"], Build::RelaxedSimd, Loop::LongDot),
    (["simd128", "", ""], Build::Simd128, Loop::Only),
    (["scalar", "", ""], Build::Scalar, Loop::Only),
];

/// Everything that was measured of kernels, for people; empty where nothing was.
#[must_use]
pub fn report(kernels: &Kernels) -> String {
    let mut out = String::new();
    for runtime in [Runtime::Wasmtime, Runtime::Node] {
        if let Some(best) = kernels.best_int8_rate(runtime) {
            out += &format!("\nKernels in {}; the best tile does {best:.1} Gop/s\n\n", runtime.name());
            out += &figures(kernels, runtime);
        }
    }
    for speed in kernels.with_other_bits() {
        out += &format!("\nother bits: {speed}");
    }
    for why in &kernels.skipped {
        out += &format!("\nskipped: {why}");
    }
    out
}

fn figures(kernels: &Kernels, runtime: Runtime) -> String {
    let mut groups: Vec<String> = ["", "", ""].map(str::to_owned).into();
    let mut header: Vec<String> = ["kernel", "shape", "G is"].map(str::to_owned).into();
    for (names, ..) in GROUPS {
        groups.extend(names.map(str::to_owned));
        header.extend(["µs", "G", "of best"].map(str::to_owned));
    }
    let mut lines = vec![groups, header];
    for case in Case::ALL {
        let mut line = vec![case.kernel.name().to_owned(), case.shape(), case.unit().to_owned()];
        for (_, build, int8_loop) in GROUPS {
            // A kernel without a choice stands with the first of the loops.
            let of_group = |wanted: Loop| wanted == int8_loop || (wanted, int8_loop) == (Loop::Only, Loop::ShortSums);
            let speed = kernels.speeds.iter().find(|speed| {
                speed.runtime == runtime && speed.case == case && speed.build == build && of_group(speed.int8_loop)
            });
            let share = speed.and_then(|speed| kernels.of_best_tile(speed));
            line.push(optional(speed.map(|speed| format!("{:.1}", speed.best_us))));
            line.push(optional(speed.map(|speed| format!("{:.2}", speed.rate()))));
            line.push(optional(share.map(|share| format!("{:.0} %", share * 100.0))));
        }
        lines.push(line);
    }
    aligned(&lines, 3)
}

fn optional(cell: Option<String>) -> String {
    cell.unwrap_or_else(|| "-".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::tests::kernels;

    #[test]
    fn the_table_shows_each_loop_and_leaves_out_engines_without_figures() {
        let report = report(&kernels());
        let words = |start: &str| {
            let line = report.lines().find(|line| line.starts_with(start)).expect("a line");
            line.split_whitespace().collect::<Vec<_>>()
        };
        assert!(report.contains("Kernels in wasmtime; the best tile does 106.2 Gop/s"), "{report}");
        assert!(!report.contains("Kernels in node"), "{report}");
        let product = words("multiply       32 × 288×288 ");
        let figures = ["Gop/s", "50.0", "106.17", "100", "%", "100.0", "53.08", "50", "%", "200.0", "26.54", "25", "%"];
        assert_eq!(product[4..], [&figures[..], &["-", "-", "-"]].concat());
        assert_eq!(words("pick")[4..7], ["Gvalue/s", "8.0", "4.10"]);
        assert!(report.ends_with("skipped: kernels in node/scalar: there is no node"), "{report}");
    }

    #[test]
    fn nothing_is_shown_of_nothing() {
        assert_eq!(report(&Kernels::default()), "");
    }
}
