//! The README says what is so: its commands, its options and its models.

use std::collections::{BTreeMap, BTreeSet};

use assert_cmd::Command;
use auricle::models::catalog;

const README: &str = include_str!("../../README.md");

/// A command's words and its options.
type Commands = BTreeMap<String, BTreeSet<String>>;

/// What `auricle … --help` prints.
fn help(command: &str) -> String {
    let output = Command::cargo_bin("auricle").unwrap().args(command.split_whitespace()).arg("--help").unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The words that look like options, `-q` and `--quiet`.
fn options(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let is_option =
        |word: &&str| word.starts_with('-') && word.trim_start_matches('-').starts_with(char::is_alphabetic);
    words.filter(is_option).map(str::to_owned)
}

/// Adds the commands below `command` that do something themselves, by their help.
fn add_offered(command: &str, offered: &mut Commands) {
    let help = help(command);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<_> =
        listed.filter_map(|line| line.split_whitespace().next()).filter(|&name| name != "help").collect();
    if names.is_empty() {
        // An option's own line begins with it and, where the line tells more, two spaces set that apart.
        let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
        let own = lines.flat_map(|line| options(line.split("  ").next().unwrap_or_default()));
        offered.insert(command.to_owned(), own.filter(|option| option != "-h" && option != "--help").collect());
    }
    for name in names {
        add_offered(format!("{command} {name}").trim(), offered);
    }
}

#[test]
fn command_table_lists_every_command_with_exactly_the_options_it_has() {
    let mut offered = Commands::new();
    add_offered("", &mut offered);
    let mut documented = Commands::new();
    for row in README.lines().filter(|line| line.starts_with("| `auricle ")) {
        let row = row.replace("\\|", "/");
        let [_, synopses, cell, ..] = row.split('|').collect::<Vec<_>>()[..] else { panic!("cells in {row}") };
        // A row can be of several commands, and a command can have several rows.
        for synopsis in synopses.split('`').filter_map(|part| part.strip_prefix("auricle ")) {
            let is_name = |word: &&str| word.starts_with(|c: char| c.is_ascii_lowercase());
            let words: Vec<_> = synopsis.split_whitespace().take_while(is_name).collect();
            documented.entry(words.join(" ")).or_default().extend(options(cell));
        }
    }
    assert_eq!(documented, offered);
}

#[test]
fn the_two_commands_stand_alone_and_name_a_recording_that_is_there() {
    let lines: Vec<_> = README.lines().collect();
    for command in ["cargo xtask run -- transcribe testdata/jfk.wav", "cargo xtask test"] {
        assert!(lines.windows(3).any(|lines| lines == ["```sh", command, "```"]), "{command}");
    }
    assert!(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/jfk.wav").is_file());
}

#[test]
fn every_model_of_the_catalog_is_listed_with_its_licence_and_sizes() {
    for model in &catalog().models {
        let row = README.lines().find(|line| line.starts_with(&format!("| `{}` |", model.name)));
        let row = row.unwrap_or_else(|| panic!("{} is missing", model.name));
        assert!(row.contains(&model.license), "{row}");
        for file in &model.files {
            let entry = format!("`{}` {:.0} MB", file.quantization, file.size_bytes as f64 / 1e6);
            assert!(row.contains(&entry), "{entry} in {row}");
        }
    }
}
