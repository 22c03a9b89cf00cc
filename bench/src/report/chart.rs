//! The chart: total time of each side, one group of bars a clip, as SVG that reads well on light and on dark pages.

use std::fmt::Write;

use crate::machine::Machine;
use crate::report::Row;
use crate::sides::{Build, Engine, Runtime, Side};

const WIDTH: f64 = 805.0;
/// Where bars begin.
const LEFT: f64 = 295.0;
/// What is kept free for the figure behind the longest bar.
const RIGHT: f64 = 80.0;
const BAR_HEIGHT: f64 = 16.0;
const BAR_STEP: f64 = 22.0;
const HEADING_STEP: f64 = 34.0;
const TOP: f64 = 34.0;
const FOOT: f64 = 44.0;

/// Colours for light pages, and in the query those for dark ones; the background is the page's.
const STYLE: &str = "\
text{font:13px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#24292f}\
.heading{font-weight:600}.note{font-size:11px;fill:#57606a}\
.auricle{fill:#0969da}.before{fill:#bf8700}.peer{fill:#8c959f}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.note{fill:#9198a1}\
.auricle{fill:#4493f8}.before{fill:#d29922}.peer{fill:#656c76}}";

/// Draws the rows; each clip has a scale of its own. The scalar build, which is not shipped, is left out.
#[must_use]
pub fn svg(machine: &Machine, rows: &[Row]) -> String {
    let shown: Vec<_> = rows.iter().filter(|row| !row.key.is_slow()).collect();
    let mut clips: Vec<_> = shown.iter().map(|row| (row.clip, row.audio_s)).collect();
    clips.dedup();
    let mut body = String::new();
    let mut y = TOP;
    for (clip, audio_s) in clips {
        let rows: Vec<_> = shown.iter().filter(|row| row.clip == clip).collect();
        let longest = rows.iter().map(|row| row.total_ms).fold(f64::MIN_POSITIVE, f64::max);
        let _ = write!(body, r#"<text class="heading" x="12" y="{y}">{audio_s:.0} s of speech</text>"#);
        y += 12.0;
        for row in rows {
            let width = (row.total_ms / longest * (WIDTH - LEFT - RIGHT)).max(1.0);
            let middle = y + BAR_HEIGHT * 0.76;
            let _ = write!(
                body,
                r#"<text x="{}" y="{middle:.1}" text-anchor="end">{}</text><rect class="{}" x="{LEFT}" y="{y}" width="{width:.1}" height="{BAR_HEIGHT}" rx="2"/><text x="{:.1}" y="{middle:.1}">{:.0} ms</text>"#,
                LEFT - 8.0,
                escaped(&label(row.key)),
                class(row.key),
                LEFT + width + 6.0,
                row.total_ms,
            );
            y += BAR_STEP;
        }
        y += HEADING_STEP;
    }
    let height = y - HEADING_STEP + FOOT;
    let note = format!("Median time to transcribe, less is better. {}, {}.", machine.processor, machine.date);
    let title = "Time to transcribe 10 s and 30 s of speech: Auricle and its peers";
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img"><title>{title}</title><style>{STYLE}</style>{body}<text class="note" x="12" y="{}">{}</text></svg>
"#,
        height - 14.0,
        escaped(&note),
    )
}

fn label(side: Side) -> String {
    match side.engine {
        Engine::Auricle(runtime, build) => {
            let build = if build == Build::RelaxedSimd { "relaxed SIMD" } else { build.name() };
            format!("Auricle, {}, {build}", runtime_label(runtime))
        }
        Engine::Candle => "Auricle on candle's f32, wasmtime".to_owned(),
        Engine::OrtNative => format!("ONNX Runtime, native{}", threads_label(side)),
        Engine::OrtWeb(runtime) => format!("ONNX Runtime Web, {}{}", runtime_label(runtime), threads_label(side)),
    }
}

fn threads_label(side: Side) -> String {
    if side.threads > 1 { format!(", {} threads", side.threads) } else { String::new() }
}

fn runtime_label(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Wasmtime => "wasmtime",
        Runtime::Node => "Node",
        Runtime::Chromium => "Chromium",
    }
}

fn class(side: Side) -> &'static str {
    match side.engine {
        Engine::Auricle(..) => "auricle",
        Engine::Candle => "before",
        Engine::OrtNative | Engine::OrtWeb(_) => "peer",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::report::rows;
    use crate::report::tests::measurements;

    fn machine() -> Machine {
        Machine {
            date: "2024-02-29".to_owned(),
            processor: "A & B <fast>".to_owned(),
            cores: 2,
            system: "linux x86_64".to_owned(),
            versions: BTreeMap::new(),
            component_bytes: BTreeMap::new(),
        }
    }

    #[test]
    fn chart_is_well_formed_and_has_a_bar_for_each_row_in_proportion() {
        let rows = rows(&measurements());
        let svg = svg(&machine(), &rows);
        let document = roxmltree::Document::parse(&svg).expect("well-formed");
        let bars: Vec<f64> = document
            .descendants()
            .filter(|node| node.has_tag_name("rect"))
            .map(|bar| bar.attribute("width").expect("a width").parse().expect("a number"))
            .collect();
        assert_eq!(bars.len(), rows.len());
        assert!((bars[1] / bars[0] - rows[1].total_ms / rows[0].total_ms).abs() < 0.01, "{bars:?}");
        assert!(bars.iter().all(|width| LEFT + width + RIGHT <= WIDTH + 0.1), "{bars:?}");
        assert!(document.descendants().any(|node| node.text().is_some_and(|text| text.contains("A & B <fast>"))));
    }

    #[test]
    fn chart_of_nothing_is_still_a_picture() {
        roxmltree::Document::parse(&svg(&machine(), &[])).expect("well-formed");
    }
}
