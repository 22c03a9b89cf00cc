//! The command line: results go to standard output, everything else to standard error.
//!
//! Exit codes: 0 all went well; 1 something failed, after everything else was tried; 2 the arguments make no sense.

mod engine_arguments;
mod events;
mod feed;
mod formats;
mod info;
mod input;
mod jobs;
mod listen;
mod live;
mod models;
mod output;
mod progress;
mod replay;
mod report;
mod session_arguments;
#[cfg(test)]
mod testing;
mod transcribe;
mod transcriber;
mod transcript;

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
    Transcribe(Box<transcribe::TranscribeArguments>),
    /// Write down what is said into a microphone, while it is said
    Listen(Box<listen::ListenArguments>),
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
                return no_sense("transcribe", fault);
            }
            transcribe::run(&arguments)
        }
        Command::Listen(arguments) => listen::run(&arguments).map(|()| true),
        Command::Models(arguments) => models::run(&arguments).map(|()| true),
        Command::Info(arguments) => info::run(&arguments, &mut std::io::stdout().lock()).map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if report::is_broken_pipe(&error) => ExitCode::FAILURE,
        Err(error) => {
            report::failure(&error);
            ExitCode::FAILURE
        }
    }
}

/// Says what is wrong with the arguments of a command, as clap does.
fn no_sense(command: &str, fault: impl std::fmt::Display) -> ExitCode {
    let mut all = Arguments::command();
    // Gives the commands their full names, for the line on usage.
    all.build();
    let mut named = all.find_subcommand(command).cloned().unwrap_or(all);
    // Where standard error cannot be written, the exit code still tells.
    let _ = named.error(ErrorKind::ArgumentConflict, fault).print();
    ExitCode::from(2)
}
