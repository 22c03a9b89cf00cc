//! What the tabs of one origin share: a lock for each file, and what the one that downloads tells the others.

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::{Closure, JsCast, JsValue};
use web_sys::{BroadcastChannel, MessageEvent};

use super::progress::Report;
use crate::cancel::{Cancel, Interrupt, deferred};
use crate::js;

/// Who may hold a lock beside its holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Other readers.
    Shared,
    /// Nobody.
    Exclusive,
}

/// A lock, until it is dropped. The browser gives it back, too, when the tab dies.
pub(crate) struct Lock {
    /// Where the browser has no locks, as over plain http, every tab is on its own.
    release: Option<Function>,
}

impl Lock {
    /// Waits for the lock. Fails with the signal's reason, and with what the browser says.
    pub(crate) async fn take(sha256: &str, mode: Mode, cancel: &Cancel) -> Result<Self, JsValue> {
        cancel.check()?;
        let locks = js::get(&js::global("navigator"), "locks");
        let Some(request) = js::method(&locks, "request") else {
            return Ok(Self { release: None });
        };
        let (held, release) = deferred();
        let (granted, grant) = deferred();
        let on_grant = Closure::once(move |_: JsValue| -> Promise {
            let _ = grant.call0(&JsValue::UNDEFINED);
            held
        });
        let mode = if mode == Mode::Shared { "shared" } else { "exclusive" };
        let options = js::object(&[("mode", mode.into())]);
        if let Some(signal) = cancel.signal() {
            js::set(&options, "signal", signal);
        }
        let name = JsValue::from_str(&format!("auricle:model:{sha256}"));
        let done: Promise = request.call3(&locks, &name, &options, on_grant.as_ref())?.dyn_into()?;
        // `done` settles first only where the lock is not granted at all.
        let first = Promise::race(&js_sys::Array::of2(&granted, &done));
        let lock = Self { release: Some(release) };
        match cancel.wait(&first, None).await {
            Err(Interrupt::Cancelled(error) | Interrupt::Failed(error)) => Err(error),
            Ok(_) | Err(Interrupt::TimedOut) => Ok(lock),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(release) = &self.release {
            let _ = release.call0(&JsValue::UNDEFINED);
        }
    }
}

/// What tabs tell each other of one file. One that begins to wait asks, and the one that leads tells.
pub(crate) struct Channel {
    /// Missing in old browsers: then nothing is told.
    channel: Option<BroadcastChannel>,
    _listener: Closure<dyn FnMut(MessageEvent)>,
}

impl Channel {
    /// For the tab that leads: `now` is asked how far it is.
    pub(crate) fn lead(sha256: &str, now: impl Fn() -> Report + 'static) -> Self {
        Self::open(sha256, move |channel, message| {
            if js::get(message, "ask").is_truthy() {
                tell(channel, now());
            }
        })
    }

    /// For a tab that waits: `heard` gets what the one that leads tells.
    pub(crate) fn wait(sha256: &str, heard: impl Fn(Report) + 'static) -> Self {
        let waiting = Self::open(sha256, move |_, message| {
            if let Some(loaded_bytes) = js::whole(message, "loadedBytes") {
                let bytes_per_second = js::get(message, "bytesPerSecond").as_f64().unwrap_or(0.0);
                heard(Report { loaded_bytes, bytes_per_second });
            }
        });
        if let Some(channel) = &waiting.channel {
            let _ = channel.post_message(&js::object(&[("ask", true.into())]));
        }
        waiting
    }

    fn open(sha256: &str, heard: impl Fn(&BroadcastChannel, &JsValue) + 'static) -> Self {
        let there = js::is_there(&js::global("BroadcastChannel"));
        let channel = there.then(|| BroadcastChannel::new(&format!("auricle:model:{sha256}")).ok()).flatten();
        let own = channel.clone();
        let listener = Closure::new(move |event: MessageEvent| {
            if let Some(channel) = &own {
                heard(channel, &event.data());
            }
        });
        if let Some(channel) = &channel {
            channel.set_onmessage(Some(listener.as_ref().unchecked_ref()));
        }
        Self { channel, _listener: listener }
    }

    pub(crate) fn tell(&self, report: Report) {
        if let Some(channel) = &self.channel {
            tell(channel, report);
        }
    }
}

fn tell(channel: &BroadcastChannel, report: Report) {
    let message = js::object(&[
        ("loadedBytes", (report.loaded_bytes as f64).into()),
        ("bytesPerSecond", report.bytes_per_second.into()),
    ]);
    let _ = channel.post_message(&message);
}

impl Drop for Channel {
    fn drop(&mut self) {
        if let Some(channel) = &self.channel {
            channel.set_onmessage(None);
            channel.close();
        }
    }
}
