//! `auricle info`: what runs here, and the proof that it cannot carry anything away.

use std::io::Write;

use anyhow::Result;
use auricle::types::EngineInfo;
use auricle::{CacheUse, Digest, Engine, Flavour, Interface, embedded_component};
use clap::Args;
use serde_json::{Value, json};

use super::engine_arguments::EngineArguments;

/// Tell what the engine is: its imports and exports, its hash, its flavour and why it was chosen
#[derive(Args, Debug)]
pub(crate) struct InfoArguments {
    /// Write JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArguments,
}

/// Builds the engine, asks it what it is, and writes all of it to `out`.
pub(crate) fn run(args: &InfoArguments, out: &mut impl Write) -> Result<()> {
    let engine = args.engine.engine()?;
    let about = engine.about()?;
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &as_json(&engine, &about))?;
        writeln!(out)?;
    } else {
        out.write_all(as_text(&engine, &about).as_bytes())?;
    }
    Ok(())
}

/// The two components that are built in, with their sizes and hashes.
fn embedded() -> [(Flavour, usize, Digest); 2] {
    [Flavour::Simd128, Flavour::RelaxedSimd].map(|flavour| {
        let bytes = embedded_component(flavour);
        (flavour, bytes.len(), Digest::of(bytes))
    })
}

fn as_text(engine: &Engine, about: &EngineInfo) -> String {
    let component = engine.component();
    let limits = engine.limits();
    let mut rows = vec![
        ("auricle", env!("CARGO_PKG_VERSION").to_owned()),
        ("engine", format!("{} {}, {}", about.name, about.version, about.flavour)),
        ("models", about.architectures.join(", ")),
        ("flavour", format!("{}: {}", about.flavour, engine.flavour_reason())),
        ("component", component.origin.clone()),
        ("", format!("{} bytes, SHA-256 {}", component.size_bytes, component.sha256)),
    ];
    rows.extend(interfaces("imports", &component.imports));
    rows.extend(interfaces("exports", &component.exports));
    let labels = ["built in", ""];
    rows.extend(labels.into_iter().zip(embedded()).map(|(label, (flavour, bytes, sha256))| {
        (label, format!("{:<12} {bytes} bytes, SHA-256 {sha256}", flavour.name()))
    }));
    rows.push(("cache", cache(engine.cache_use())));
    rows.push((
        "limits",
        format!(
            "{} MiB of memory, {:?} a call, {} MiB an answer",
            limits.memory_bytes >> 20,
            limits.call_deadline,
            limits.result_bytes >> 20
        ),
    ));
    rows.into_iter().map(|(label, value)| format!("{label:<10} {value}\n")).collect()
}

/// One row an interface, and one for each function in it.
fn interfaces(label: &'static str, interfaces: &[Interface]) -> Vec<(&'static str, String)> {
    let names = interfaces.iter().flat_map(|interface| {
        let functions = interface.functions.iter().map(|function| format!("  {function}"));
        std::iter::once(interface.name.clone()).chain(functions)
    });
    let labels = std::iter::once(label).chain(std::iter::repeat(""));
    labels.zip(names).collect()
}

fn cache(used: &CacheUse) -> String {
    match used {
        CacheUse::Loaded(path) => format!("compiled code loaded from {}", path.display()),
        CacheUse::Stored { path, replaced: None } => format!("compiled now, and kept in {}", path.display()),
        CacheUse::Stored { path, replaced: Some(why) } => {
            format!("compiled now, and kept in {}, since what was there could not be used: {why}", path.display())
        }
        CacheUse::Unusable(why) => format!("compiled now, and not kept: {why}"),
        CacheUse::Off => "compiled now, and not kept, as asked".to_owned(),
        other => format!("{other:?}"),
    }
}

fn as_json(engine: &Engine, about: &EngineInfo) -> Value {
    let component = engine.component();
    let limits = engine.limits();
    let interfaces = |list: &[Interface]| -> Vec<Value> {
        list.iter().map(|interface| json!({ "name": interface.name, "functions": interface.functions })).collect()
    };
    let embedded = embedded().map(|(flavour, bytes, sha256)| {
        json!({ "flavour": flavour.name(), "size_bytes": bytes, "sha256": sha256.to_string() })
    });
    let (outcome, path, why) = match engine.cache_use() {
        CacheUse::Loaded(path) => ("loaded", Some(path), None),
        CacheUse::Stored { path, replaced } => ("stored", Some(path), replaced.as_ref()),
        CacheUse::Unusable(why) => ("unusable", None, Some(why)),
        _ => ("off", None, None),
    };
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "engine": {
            "name": about.name,
            "version": about.version,
            "flavour": about.flavour,
            "architectures": about.architectures,
        },
        "flavour_reason": engine.flavour_reason(),
        "component": {
            "origin": component.origin,
            "sha256": component.sha256.to_string(),
            "size_bytes": component.size_bytes,
            "imports": interfaces(&component.imports),
            "exports": interfaces(&component.exports),
        },
        "embedded": embedded,
        "cache": { "outcome": outcome, "path": path, "reason": why },
        "limits": {
            "memory_bytes": limits.memory_bytes,
            "call_deadline_seconds": limits.call_deadline.as_secs_f64(),
            "result_bytes": limits.result_bytes,
        },
    })
}
