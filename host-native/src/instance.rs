//! One instance of the component, and the one way into it: under its limits, and never again after it was lost.

use std::sync::{Mutex, MutexGuard};

use wasmtime::{Store, Trap};

use crate::bindings;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::limits::HostState;

/// A store with the engine instantiated in it, until a call is lost in it.
pub(crate) struct Instance {
    engine: Engine,
    live: Option<Live>,
}

struct Live {
    store: Store<HostState>,
    bindings: bindings::Engine,
}

impl Instance {
    pub(crate) fn new(engine: Engine) -> Result<Self> {
        let runtime = engine.pre().engine().clone();
        let mut store = HostState::store(&runtime, engine.limits());
        store.set_epoch_deadline(engine.ticker().deadline_ticks());
        let bindings = {
            let _running = engine.ticker().run();
            engine.pre().instantiate(&mut store)
        };
        match bindings {
            Ok(bindings) => Ok(Self { engine, live: Some(Live { store, bindings }) }),
            Err(e) if e.is::<Trap>() => Err(lost(&engine, &mut store, "instantiation", &e)),
            // What traps nothing and refuses no memory is a function of another type than the contract's.
            Err(e) => Err(match store.data_mut().memory.take_refusal() {
                Some(requested) => memory_limit(&engine, "instantiation", requested),
                None => engine.component().not_the_contract(format!("{e:#}")),
            }),
        }
    }

    /// Calls the function of the contract that is named `call`. Whatever it fails with costs the instance: the
    /// contract's own errors are values to this.
    pub(crate) fn call<R>(
        &mut self,
        call: &'static str,
        function: impl FnOnce(&mut Store<HostState>, &bindings::Engine) -> wasmtime::Result<R>,
    ) -> Result<R> {
        let live = self.live.as_mut().ok_or(Error::InstanceLost)?;
        // What was refused to an earlier call, which then did without, is no reason for this one to fail.
        live.store.data_mut().memory.take_refusal();
        live.store.set_epoch_deadline(self.engine.ticker().deadline_ticks());
        let result = {
            let _running = self.engine.ticker().run();
            function(&mut live.store, &live.bindings)
        };
        match result {
            Ok(value) => Ok(value),
            Err(e) => {
                let error = lost(&self.engine, &mut live.store, call, &e);
                // Frees its memory now, and not when the last session is dropped.
                self.live = None;
                Err(error)
            }
        }
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.live.is_none()
    }
}

/// Gives the instance of a model, for one call.
pub(crate) fn lock(instance: &Mutex<Instance>) -> MutexGuard<'_, Instance> {
    instance.lock().unwrap_or_else(|poisoned| {
        // A panic in the middle of a call: nobody knows what the guest has done by then.
        let mut instance = poisoned.into_inner();
        instance.live = None;
        instance
    })
}

/// Tells why a call was lost.
fn lost(engine: &Engine, store: &mut Store<HostState>, call: &'static str, e: &wasmtime::Error) -> Error {
    if let Some(Trap::Interrupt) = e.downcast_ref::<Trap>() {
        return Error::DeadlineExceeded { call, deadline: engine.limits().call_deadline };
    }
    match store.data_mut().memory.take_refusal() {
        Some(requested) => memory_limit(engine, call, requested),
        None => Error::Trapped { call, reason: format!("{e:#}") },
    }
}

fn memory_limit(engine: &Engine, call: &'static str, requested_bytes: u64) -> Error {
    Error::MemoryLimit { call, requested_bytes, limit_bytes: engine.limits().memory_bytes }
}
