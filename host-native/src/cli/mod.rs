//! The command line: results go to standard output, everything else to standard error.
//!
//! Exit codes: 0 all went well; 1 something failed, after everything else was tried; 2 the arguments make no sense.

mod engine_arguments;
mod formats;
mod info;
mod models;
mod transcribe;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

/// Speech to text in a sealed WebAssembly component: the audio stays on this machine.
#[derive(Debug, Parser)]
#[command(name = "auricle", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write down what is said in recordings
    Transcribe(transcribe::TranscribeArguments),
    /// List, get, import, look into and remove models
    Models(models::ModelsArguments),
    /// Show the component that runs: its imports and exports, its hash, its flavour and why
    Info(info::InfoArguments),
}

/// Runs the command that the arguments name.
pub(crate) fn run() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Transcribe(arguments) => {
            if let Some(fault) = arguments.fault() {
                let error = Arguments::command().error(ErrorKind::ArgumentConflict, fault);
                // Where standard error cannot be written, the exit code still tells.
                let _ = error.print();
                return ExitCode::from(2);
            }
            transcribe::run(&arguments)
        }
        Command::Models(arguments) => models::run(&arguments).map(|()| true),
        Command::Info(arguments) => info::run(&arguments, &mut std::io::stdout().lock()).map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("auricle: {error:#}");
            ExitCode::FAILURE
        }
    }
}
