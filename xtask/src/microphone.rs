//! Whether `auricle` can be built with the microphone.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::Result;

use crate::apt;

/// What the microphone needs to be built on Linux: ALSA's headers, and what finds them.
const PACKAGES: [&str; 2] = ["libasound2-dev", "pkg-config"];

/// What to tell cargo about it, after any command that builds `auricle`: nothing, or to leave it out.
pub(crate) fn flags() -> &'static [&'static str] {
    static CAN_BE_BUILT: OnceLock<bool> = OnceLock::new();
    let can_be_built = CAN_BE_BUILT.get_or_init(|| {
        let there = is_there();
        if !there {
            let packages = PACKAGES.join(" and ");
            eprintln!("the microphone is left out: to have `auricle listen` hear it, install {packages}");
        }
        there
    });
    if *can_be_built { &[] } else { &["--no-default-features"] }
}

/// Installs what is missing, on a CI machine.
pub(crate) fn install_in_ci() -> Result<()> {
    if apt::is_ci() && !is_there() { apt::install(&PACKAGES) } else { Ok(()) }
}

/// Other systems have all that they need.
fn is_there() -> bool {
    !cfg!(target_os = "linux") || pkg_config_finds_alsa()
}

fn pkg_config_finds_alsa() -> bool {
    let mut command = Command::new("pkg-config");
    command.args(["--exists", "alsa"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
