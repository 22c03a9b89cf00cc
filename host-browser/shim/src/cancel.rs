//! Waiting that an `AbortSignal` ends, and time.

use js_sys::futures::JsFuture;
use js_sys::{Array, Function, Object, Promise};
use wasm_bindgen::prelude::{JsCast, JsValue, UnwrapThrowExt};
use web_sys::AbortSignal;

use crate::js;

/// What ended waiting other than that which was waited for.
#[derive(Debug, Clone)]
pub(crate) enum Interrupt {
    /// The signal's reason.
    Cancelled(JsValue),
    TimedOut,
    /// What was waited for failed.
    Failed(JsValue),
}

/// The caller's signal, if it gave one.
pub(crate) struct Cancel {
    signal: Option<AbortSignal>,
}

impl Cancel {
    pub(crate) fn new(signal: &JsValue) -> Self {
        Self { signal: signal.dyn_ref().cloned() }
    }

    /// Where there is no signal.
    pub(crate) fn never() -> Self {
        Self::new(&JsValue::UNDEFINED)
    }

    /// The caller's signal itself.
    pub(crate) fn signal(&self) -> Option<&AbortSignal> {
        self.signal.as_ref()
    }

    /// Fails with the signal's reason once it has fired.
    pub(crate) fn check(&self) -> Result<(), JsValue> {
        match &self.signal {
            Some(signal) if signal.aborted() => Err(signal.reason()),
            _ => Ok(()),
        }
    }

    /// Waits for a promise, until the signal fires or so many milliseconds are over.
    pub(crate) async fn wait(&self, promise: &Promise, timeout_ms: Option<f64>) -> Result<JsValue, Interrupt> {
        self.check().map_err(Interrupt::Cancelled)?;
        let timer = timeout_ms.map(Timer::new);
        let fired = Fired::new(self.signal.as_ref());
        let racers = Array::of2(promise, &fired.promise);
        if let Some(timer) = &timer {
            racers.push(&timer.over);
        }
        let first = JsFuture::from(Promise::race(&racers)).await;
        self.check().map_err(Interrupt::Cancelled)?;
        let first = first.map_err(Interrupt::Failed)?;
        if timer.is_some_and(|timer| Object::is(&first, &timer.tag)) { Err(Interrupt::TimedOut) } else { Ok(first) }
    }

    /// Waits so many milliseconds. Fails with the signal's reason if it fires before.
    pub(crate) async fn sleep(&self, ms: f64) -> Result<(), JsValue> {
        let (never, _) = deferred();
        match self.wait(&never, Some(ms)).await {
            Err(Interrupt::Cancelled(reason)) => Err(reason),
            _ => Ok(()),
        }
    }
}

/// That a signal fires, for as long as it is waited for. Anew for every wait: what has raced against a promise is kept as long
/// as that is, and would be every piece of a download.
struct Fired<'a> {
    promise: Promise,
    signal: Option<&'a AbortSignal>,
    /// The promise's own function is the listener, so that there is no closure to keep alive.
    listener: Function,
}

impl<'a> Fired<'a> {
    fn new(signal: Option<&'a AbortSignal>) -> Self {
        let (promise, listener) = deferred();
        if let Some(signal) = signal {
            let _ = signal.add_event_listener_with_callback("abort", &listener);
        }
        Self { promise, signal, listener }
    }
}

impl Drop for Fired<'_> {
    fn drop(&mut self) {
        if let Some(signal) = self.signal {
            let _ = signal.remove_event_listener_with_callback("abort", &self.listener);
        }
    }
}

/// A promise and what resolves it.
pub(crate) fn deferred() -> (Promise, Function) {
    let mut resolve = None;
    let promise = Promise::new(&mut |resolver, _| resolve = Some(resolver));
    // The executor has run by now.
    (promise, resolve.expect_throw("a promise calls its executor at once"))
}

/// A timeout that is cleared when it is no longer waited for.
struct Timer {
    /// Resolves to `tag`.
    over: Promise,
    /// Like nothing else there is.
    tag: Object,
    id: JsValue,
}

impl Timer {
    fn new(ms: f64) -> Self {
        let (over, resolve) = deferred();
        let tag = Object::new();
        let id = js::method(&js_sys::global(), "setTimeout")
            .and_then(|set| set.call3(&js_sys::global(), &resolve, &JsValue::from_f64(ms), &tag).ok())
            .unwrap_or(JsValue::UNDEFINED);
        Self { over, tag, id }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(clear) = js::method(&js_sys::global(), "clearTimeout") {
            let _ = clear.call1(&js_sys::global(), &self.id);
        }
    }
}
