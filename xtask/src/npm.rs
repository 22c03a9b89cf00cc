//! Packages from npm, and what runs with them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{check, root};

/// A folder with a `package.json` and its lockfile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Npm(pub(crate) &'static str);

impl Npm {
    /// Where it is.
    pub(crate) fn folder(self) -> PathBuf {
        root().join(self.0)
    }

    /// `npm` in the folder, with these arguments.
    pub(crate) fn npm(self, arguments: &[&str]) -> Command {
        // Windows finds a script only by its whole name.
        let mut command = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
        command.current_dir(self.folder()).args(arguments);
        command
    }

    /// A program of an installed package, or Node.
    pub(crate) fn exec(self, program: &str) -> Command {
        self.npm(&["exec", "--offline", "--", program])
    }

    /// Installs the packages, where those that are there are not those of the lockfile.
    pub(crate) fn install(self) -> Result<()> {
        let lockfile = self.folder().join("package-lock.json");
        let lockfile = fs::read(&lockfile).with_context(|| format!("reading {}", lockfile.display()))?;
        let installed = self.folder().join("node_modules/.installed-lockfile");
        if fs::read(&installed).ok().as_ref() != Some(&lockfile) {
            // No package needs a script of its own to be installed.
            check(&mut self.npm(&["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"]))
                .context("npm comes with Node.js")?;
            fs::write(&installed, &lockfile).with_context(|| format!("writing {}", installed.display()))?;
        }
        Ok(())
    }

    /// Checks the types of the JavaScript, or makes JavaScript of TypeScript, as this configuration says.
    pub(crate) fn tsc(self, configuration: &str) -> Result<()> {
        check(self.exec("tsc").args(["--project", configuration]))
    }
}

/// Whether there is an npm.
pub(crate) fn runs() -> bool {
    Npm("").npm(&["--version"]).output().is_ok_and(|output| output.status.success())
}
