//! The command line: arguments, and what goes to which stream.

mod models;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "auricle", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List, get, import, look into and remove models
    Models(models::ModelsArguments),
}

pub(crate) fn run() -> ExitCode {
    let Command::Models(arguments) = Arguments::parse().command;
    match models::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("auricle: {error:#}");
            ExitCode::FAILURE
        }
    }
}
