//! `auricle-bench`: what `cargo xtask bench` and `cargo xtask bless-bits` run once everything is set up.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use auricle_bench::bits;
use auricle_bench::clips::Clip;
use auricle_bench::engine::{self, EngineArguments};
use auricle_bench::kernels::{self, Kernels};
use auricle_bench::machine::Machine;
use auricle_bench::measure::{Measurements, Plan, measure};
use auricle_bench::place::Place;
use auricle_bench::report::{self, chart, record, rows, table};
use auricle_bench::sides::Side;
use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask bench --",
    bin_name = "cargo xtask bench --",
    about = "Measures Auricle beside its peers",
    args_conflicts_with_subcommands = true
)]
struct Arguments {
    #[command(subcommand)]
    task: Option<Task>,
    #[command(flatten)]
    bench: BenchArguments,
}

#[derive(Subcommand)]
enum Task {
    /// Be a side: Auricle in wasmtime
    #[command(hide = true)]
    Engine(EngineArguments),
    /// Write the bits that every engine gives now into testdata/golden-bits.json
    #[command(hide = true)]
    BlessBits,
}

#[derive(Args)]
struct BenchArguments {
    /// How many rounds, after one to warm up
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=1000), value_name = "N")]
    runs: u16,
    /// How often in a row each side transcribes a clip in a round: the fastest counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100), value_name = "N")]
    repeats: u16,
    /// These sides only, by the names that --list shows; a name without flavour is all of its flavours
    #[arg(long, value_delimiter = ',', value_name = "SIDE,…")]
    sides: Vec<String>,
    /// These clips only
    #[arg(long, value_delimiter = ',', value_name = "SECONDS,…")]
    clips: Vec<String>,
    /// List sides and clips, and measure nothing
    #[arg(long)]
    list: bool,
    /// Measure the kernels only, one by one: without this they follow where --sides and --clips leave nothing out
    #[arg(long, conflicts_with_all = ["runs", "repeats", "sides", "clips", "json", "svg"])]
    kernels: bool,
    /// Write the medians there, as an array of objects
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the chart there
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write the record there, and not to bench/results/DATE.csv (of --kernels: DATE-kernels.csv)
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let place = Place::new(std::env::current_exe().context("finding this program")?);
    match &arguments.task {
        Some(Task::Engine(engine)) => engine::serve(engine),
        Some(Task::BlessBits) => bits::bless(&place),
        None => bench(&place, &arguments.bench),
    }
}

fn bench(place: &Place, arguments: &BenchArguments) -> Result<()> {
    if arguments.list {
        Side::all().iter().for_each(|side| println!("{side}"));
        println!("clips: {}", Clip::MEASURED.map(|clip| clip.name).join(", "));
        println!("kernels: with all of these, or alone with --kernels");
        return Ok(());
    }
    if arguments.kernels {
        return bench_kernels(place, arguments);
    }
    let plan = Plan {
        sides: chosen(&Side::all(), &arguments.sides, |side, wanted| side.is(wanted))?,
        clips: chosen(&Clip::MEASURED, &arguments.clips, |clip, wanted| clip.name == wanted)?,
        rounds: arguments.runs.into(),
        repeats: arguments.repeats.into(),
    };
    let measurements = measure(place, &plan)?;
    let all = arguments.sides.is_empty() && arguments.clips.is_empty();
    let kernels = if all { kernels::measure(place) } else { Kernels::default() };
    let machine = Machine::new(place, &measurements.starts);
    let rows = rows(&measurements);
    println!("{}", table::report(&machine, &measurements, &rows));
    println!("{}", report::kernels::report(&kernels));
    println!("{}", report::floor::report(&measurements, &kernels));

    let csv = arguments.csv.clone().unwrap_or_else(|| place.repository(&format!("bench/results/{}.csv", machine.date)));
    record::write(create(&csv)?, &machine, &measurements, &rows, &kernels)?;
    eprintln!("record: {}", csv.display());
    if let Some(path) = &arguments.json {
        serde_json::to_writer_pretty(create(path)?, &rows).with_context(|| format!("writing {}", path.display()))?;
    }
    if let Some(path) = &arguments.svg {
        fs::write(path, chart::svg(&machine, &rows)).with_context(|| format!("writing {}", path.display()))?;
    }
    ensure!(!rows.is_empty(), "nothing could be measured");
    Ok(())
}

/// Measures kernels and nothing else. Their record is a file of its own, so that no whole one is lost.
fn bench_kernels(place: &Place, arguments: &BenchArguments) -> Result<()> {
    let kernels = kernels::measure(place);
    let mut machine = Machine::new(place, &[]);
    machine.versions.extend(kernels.versions.iter().cloned());
    let nothing = Measurements::default();
    println!("{}{}", table::machine(&machine), report::kernels::report(&kernels));

    let name = format!("bench/results/{}-kernels.csv", machine.date);
    let csv = arguments.csv.clone().unwrap_or_else(|| place.repository(&name));
    record::write(create(&csv)?, &machine, &nothing, &[], &kernels)?;
    eprintln!("record: {}", csv.display());
    ensure!(!kernels.speeds.is_empty(), "no kernel could be measured");
    Ok(())
}

/// Those of `all` that are wanted, or all where nothing in particular is.
fn chosen<T: Copy>(all: &[T], wanted: &[String], is: impl Fn(&T, &str) -> bool) -> Result<Vec<T>> {
    for name in wanted {
        ensure!(
            all.iter().any(|item| is(item, name)),
            "there is no {name}: `cargo xtask bench -- --list` shows what there is"
        );
    }
    Ok(all.iter().copied().filter(|item| wanted.is_empty() || wanted.iter().any(|name| is(item, name))).collect())
}

/// A file, with the folder that it is in.
fn create(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    File::create(path).with_context(|| format!("writing {}", path.display()))
}
