//! The component's unit tests, run as WebAssembly: only there do the SIMD kernels exist.
//!
//! `cargo xtask test` compiles them for both flavours and names the modules in `AURICLE_GUEST_TESTS_SIMD128` and
//! `AURICLE_GUEST_TESTS_RELAXED`. Without it these tests skip, except in CI.

use wasmtime::{Caller, Engine, Extern, Linker, Memory, Module, Store};

/// errno values of WASI preview 1.
const SUCCESS: i32 = 0;
const BADF: i32 = 8;

/// What the test harness has done.
#[derive(Default)]
struct Process {
    output: Vec<u8>,
    exit_code: Option<i32>,
}

fn memory(caller: &mut Caller<'_, Process>) -> Memory {
    caller.get_export("memory").and_then(Extern::into_memory).expect("a WASI program exports its memory")
}

fn write_u32(caller: &mut Caller<'_, Process>, at: i32, value: u32) {
    let memory = memory(caller);
    memory.write(caller, at as usize, &value.to_le_bytes()).expect("the program gave a valid pointer");
}

/// As much of WASI preview 1 as Rust's test harness needs: one argument, an output and an exit.
fn wasi(engine: &Engine) -> wasmtime::Result<Linker<Process>> {
    let name = "wasi_snapshot_preview1";
    let mut linker = Linker::new(engine);
    let empty_list = |mut caller: Caller<'_, Process>, count: i32, bytes: i32| -> i32 {
        write_u32(&mut caller, count, 0);
        write_u32(&mut caller, bytes, 0);
        SUCCESS
    };
    linker.func_wrap(name, "environ_sizes_get", empty_list)?;
    linker.func_wrap(name, "environ_get", |_: i32, _: i32| SUCCESS)?;
    linker.func_wrap(name, "args_sizes_get", empty_list)?;
    linker.func_wrap(name, "args_get", |_: i32, _: i32| SUCCESS)?;
    linker.func_wrap(name, "clock_time_get", |mut caller: Caller<'_, Process>, _: i32, _: i64, at: i32| {
        write_u32(&mut caller, at, 0);
        write_u32(&mut caller, at + 4, 0);
        SUCCESS
    })?;
    linker.func_wrap(name, "random_get", |mut caller: Caller<'_, Process>, at: i32, length: i32| {
        let memory = memory(&mut caller);
        memory.data_mut(&mut caller)[at as usize..][..length as usize].fill(0x5a);
        SUCCESS
    })?;
    linker.func_wrap(
        name,
        "fd_write",
        |mut caller: Caller<'_, Process>, _: i32, vectors: i32, count: i32, written: i32| {
            let memory = memory(&mut caller);
            let data = memory.data(&caller);
            let word = |at: usize| u32::from_le_bytes(data[at..][..4].try_into().expect("four bytes")) as usize;
            let mut output = Vec::new();
            for vector in 0..count as usize {
                let at = vectors as usize + 8 * vector;
                output.extend_from_slice(&data[word(at)..][..word(at + 4)]);
            }
            let length = output.len() as u32;
            caller.data_mut().output.extend(output);
            write_u32(&mut caller, written, length);
            SUCCESS
        },
    )?;
    linker.func_wrap(name, "fd_fdstat_get", |_: i32, _: i32| BADF)?;
    linker.func_wrap(name, "fd_prestat_get", |_: i32, _: i32| BADF)?;
    linker.func_wrap(name, "proc_exit", |mut caller: Caller<'_, Process>, code: i32| -> wasmtime::Result<()> {
        caller.data_mut().exit_code = Some(code);
        Err(wasmtime::Error::msg("exit"))
    })?;
    Ok(linker)
}

/// Runs the module's tests and gives what they print.
fn run(variable: &str) {
    let Some(path) = std::env::var_os(variable) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{variable} must be set in CI");
        println!("skipped: {variable} is not set; run `cargo xtask test`");
        return;
    };
    let engine = Engine::default();
    let module = Module::from_file(&engine, &path).expect("cargo built a WebAssembly module");
    let mut linker = wasi(&engine).expect("no name is defined twice");
    // Anything else would be a file or the network, which unit tests have no use for.
    linker.define_unknown_imports_as_traps(&module).expect("functions only");
    let mut store = Store::new(&engine, Process::default());
    let outcome = linker
        .instantiate(&mut store, &module)
        .and_then(|instance| instance.get_typed_func::<(), ()>(&mut store, "_start"))
        .and_then(|start| start.call(&mut store, ()));
    let process = store.into_data();
    let output = String::from_utf8_lossy(&process.output);
    let passed = outcome.is_ok() || process.exit_code == Some(0);
    assert!(passed, "{output}\n{outcome:?}");
    let kernel_test = "the_kernel_agrees_with_its_reference_bit_for_bit_over_odd_shapes ... ok";
    assert!(output.contains(kernel_test), "the kernels were not tested:\n{output}");
}

#[test]
fn component_unit_tests_pass_as_webassembly_with_simd128() {
    run("AURICLE_GUEST_TESTS_SIMD128");
}

#[test]
fn component_unit_tests_pass_as_webassembly_with_relaxed_simd() {
    run("AURICLE_GUEST_TESTS_RELAXED");
}
