//! What a guest may take: memory, time and the size of its answers. All three always hold.

use std::time::{Duration, Instant};

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{ResourceLimiter, Store};

use crate::bindings;

/// What one instance may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most linear memory, in bytes, model included. A guest of 32 bits cannot have more than 4 GiB in any case.
    pub memory_bytes: u64,
    /// The longest that one call of the contract may run.
    pub call_deadline: Duration,
    /// The most bytes that the engine may hand back in one call (wasmtime's *hostcall fuel*). What goes into the engine
    /// is not counted: the program has it in memory already.
    pub result_bytes: usize,
}

impl Default for Limits {
    /// 1 GiB, 30 seconds and 16 MiB: much more than a model of a few hundred million weights and its longest transcript
    /// take, and little enough for a machine not to suffer.
    fn default() -> Self {
        Self { memory_bytes: 1 << 30, call_deadline: Duration::from_secs(30), result_bytes: 16 << 20 }
    }
}

/// The most tables that a component's core modules may have, and the most elements of one.
const MOST_TABLES: usize = 16;
const MOST_TABLE_ELEMENTS: usize = 1 << 16;
/// The most memories and core instances of one component; one made from a Rust module has one and four.
const MOST_MEMORIES: usize = 4;
const MOST_INSTANCES: usize = 32;

/// What a store carries for the host: the clock the guest reads and the account of its memory.
pub(crate) struct HostState {
    started: Instant,
    pub(crate) memory: MemoryAccount,
}

impl HostState {
    /// Makes a store that is held to `limits`. Its deadline must be set before each call.
    pub(crate) fn store(engine: &wasmtime::Engine, limits: &Limits) -> Store<Self> {
        let memory = MemoryAccount { limit_bytes: limits.memory_bytes, ..MemoryAccount::default() };
        let mut store = Store::new(engine, Self { started: Instant::now(), memory });
        store.limiter(|state| &mut state.memory);
        store.epoch_deadline_trap();
        store.set_hostcall_fuel(limits.result_bytes);
        store
    }

    /// Offers the guest all that it gets: the clock.
    pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Self>> {
        let mut linker = Linker::new(engine);
        bindings::Engine::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
        Ok(linker)
    }
}

impl bindings::wasi::clocks::monotonic_clock::Host for HostState {
    fn now(&mut self) -> u64 {
        // 584 years from the start of the instance.
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Counts all linear memory of a store, and remembers what it refused: a guest that gets no memory may trap, and then
/// this is the reason.
#[derive(Default)]
pub(crate) struct MemoryAccount {
    limit_bytes: u64,
    /// What was granted. It never falls, as linear memory does not shrink; growth that was granted and that the system
    /// could then not provide stays in it.
    granted_bytes: u64,
    refused_bytes: Option<u64>,
}

impl MemoryAccount {
    /// What the guest would have had, had it not been refused since this was last asked.
    pub(crate) fn take_refusal(&mut self) -> Option<u64> {
        self.refused_bytes.take()
    }
}

impl ResourceLimiter for MemoryAccount {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let growth = (desired as u64).saturating_sub(current as u64);
        let total = self.granted_bytes.saturating_add(growth);
        if total > self.limit_bytes || maximum.is_some_and(|maximum| desired > maximum) {
            self.refused_bytes = Some(total);
            return Ok(false);
        }
        self.granted_bytes = total;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.refused_bytes = Some(self.granted_bytes);
        Ok(())
    }

    fn table_growing(&mut self, _current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= maximum.map_or(MOST_TABLE_ELEMENTS, |maximum| maximum.min(MOST_TABLE_ELEMENTS)))
    }

    fn instances(&self) -> usize {
        MOST_INSTANCES
    }

    fn tables(&self) -> usize {
        MOST_TABLES
    }

    fn memories(&self) -> usize {
        MOST_MEMORIES
    }
}
