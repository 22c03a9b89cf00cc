//! The engines that kernels are timed in: wasmtime in this process, Node in one of its own.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use serde::Deserialize;
use wasmtime::{Config, Engine, Linker, Module, OptLevel, Store};

use super::Order;
use crate::place::Place;

/// The most runs that are timed together, whatever the clock says.
const RUNS_MAX: u32 = 1 << 20;

/// What a job took.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
pub struct Time {
    /// The least time of a run, in microseconds.
    pub best_us: f64,
    /// What the first run gave.
    pub bits: u32,
}

/// What Node answers.
#[derive(Debug, Deserialize)]
pub struct Answer {
    /// Its version.
    pub node: String,
    /// Of every job, in their order.
    pub times: Vec<Time>,
}

/// The settings of the native library that change what the code of a kernel is.
fn config(relaxed_simd: bool) -> Config {
    let mut config = Config::new();
    config.cranelift_opt_level(OptLevel::Speed);
    config.epoch_interruption(true);
    config.wasm_relaxed_simd(relaxed_simd);
    config.relaxed_simd_deterministic(false);
    config.cranelift_nan_canonicalization(false);
    config
}

/// Times the jobs in wasmtime.
///
/// # Errors
///
/// Where the module is not one of kernels, or a kernel traps.
pub fn in_wasmtime(module: &Path, relaxed_simd: bool, order: &Order) -> Result<Vec<Time>> {
    time(module, relaxed_simd, order).map_err(|error| anyhow!("{error:#}"))
}

fn time(module: &Path, relaxed_simd: bool, order: &Order) -> wasmtime::Result<Vec<Time>> {
    let engine = Engine::new(&config(relaxed_simd))?;
    let module = Module::from_file(&engine, module)?;
    let mut store = Store::new(&engine, ());
    // Nobody advances the epoch: kernels ask whether their time is up, and it is not.
    store.set_epoch_deadline(1);
    let mut linker = Linker::new(&engine);
    linker.define_unknown_imports_as_traps(&module)?;
    let instance = linker.instantiate(&mut store, &module)?;
    let prepare = instance.get_typed_func::<(u32, u32, u32, u32, u32), ()>(&mut store, "prepare")?;
    let run = instance.get_typed_func::<u32, u32>(&mut store, "run")?;

    let mut times = vec![Time { best_us: f64::INFINITY, bits: 0 }; order.jobs.len()];
    for _ in 0..order.rounds {
        for (&[kernel, a, b, c, short_sums], time) in order.jobs.iter().zip(&mut times) {
            prepare.call(&mut store, (kernel, a, b, c, short_sums))?;
            time.bits = run.call(&mut store, 1)?;
            let round = Instant::now();
            let mut runs = 1;
            while round.elapsed().as_secs_f64() * 1e3 < order.round_ms {
                let start = Instant::now();
                run.call(&mut store, runs)?;
                let took_ms = start.elapsed().as_secs_f64() * 1e3;
                if took_ms >= order.chunk_ms || runs >= RUNS_MAX {
                    time.best_us = time.best_us.min(took_ms * 1e3 / f64::from(runs));
                } else {
                    runs *= 2;
                }
            }
        }
    }
    Ok(times)
}

/// Times the jobs in Node.
///
/// # Errors
///
/// Where Node or the script is missing, or a kernel traps.
pub fn in_node(place: &Place, module: &Path, order: &Order) -> Result<Answer> {
    let mut process = Command::new(place.node())
        .arg(place.script("kernels.mjs")?)
        .arg(module)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting Node")?;
    // Where it has ended, its output tells more than the broken pipe.
    let mut input = process.stdin.take().context("a pipe was asked for")?;
    let _ = input.write_all(&serde_json::to_vec(order)?);
    drop(input);
    let output = process.wait_with_output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    let answer: Answer = serde_json::from_slice(&output.stdout).context("reading what Node says")?;
    ensure!(answer.times.len() == order.jobs.len(), "Node timed {} of {} jobs", answer.times.len(), order.jobs.len());
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timed(text: &str) -> Result<Vec<Time>> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), wat::parse_str(text)?)?;
        in_wasmtime(
            file.path(),
            false,
            &Order { rounds: 2, round_ms: 0.5, chunk_ms: 0.1, jobs: vec![[0, 1, 2, 3, 1], [1, 4, 5, 6, 0]] },
        )
    }

    #[test]
    fn every_job_is_prepared_and_timed() {
        let times = timed(
            r#"(module
                (import "wasi_snapshot_preview1" "clock_time_get" (func (param i32 i64 i32) (result i32)))
                (global $rows (mut i32) (i32.const 0))
                (func (export "prepare") (param i32 i32 i32 i32 i32) (global.set $rows (local.get 1)))
                (func (export "run") (param i32) (result i32)
                    (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
                    (global.get $rows)))"#,
        )
        .expect("timed");
        assert_eq!(times.iter().map(|time| time.bits).collect::<Vec<_>>(), [1, 4]);
        assert!(times.iter().all(|time| time.best_us.is_finite() && time.best_us > 0.0), "{times:?}");
    }

    #[test]
    fn a_module_without_kernels_is_an_error() {
        let error = timed("(module)").expect_err("nothing is exported");
        assert!(format!("{error:#}").contains("prepare"), "{error:#}");
    }
}
