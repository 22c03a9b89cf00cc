//! One file, from wherever it is, to the sink: verified.

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::prelude::JsValue;

use super::backend::{Backend, Failure, Found, Memory};
use super::download::{Download, record};
use super::feed::Feed;
use super::keeper::Keeper;
use super::options::{From, Options, Wanted};
use super::policy::Validators;
use super::progress::Progress;
use super::tabs::{Channel, Lock, Mode};
use super::types::Sink;
use super::{Shared, verify};
use crate::cancel::Cancel;
use crate::js;

/// How often to look for the file again, where it is whole whenever the lock is held and cannot be read when others may.
const ROUNDS: usize = 3;

/// How the file was obtained.
pub(crate) struct Obtained {
    pub(crate) fetched_bytes: u64,
    pub(crate) kind: &'static str,
}

pub(crate) struct Obtaining<'a> {
    shared: &'a Shared,
    wanted: &'a Wanted,
    options: &'a Options,
    cancel: &'a Cancel,
    progress: Rc<RefCell<Progress>>,
    feed: Feed,
}

impl<'a> Obtaining<'a> {
    pub(crate) fn new(
        shared: &'a Shared,
        wanted: &'a Wanted,
        options: &'a Options,
        cancel: &'a Cancel,
        sink: Sink,
    ) -> Self {
        let feed = Feed::new(sink, wanted.bytes);
        Self { shared, wanted, options, cancel, progress: Rc::default(), feed }
    }

    /// Reads the file from the store beside other tabs, or downloads what is missing while they wait.
    ///
    /// Fails with the signal's reason, and with what the sink threw at a file that is right.
    pub(crate) async fn run(mut self) -> Result<Obtained, JsValue> {
        for _ in 0..ROUNDS {
            let shared = self.lock(Mode::Shared).await?;
            let mut suspect = false;
            if let Some((place, found)) = self.find_whole().await? {
                if self.read_whole(&place, &found).await? {
                    return self.found_whole(place.kind());
                }
                suspect = true;
            }
            drop(shared);
            let _exclusive = self.lock(Mode::Exclusive).await?;
            if let Some((place, found)) = self.find_whole().await? {
                // Another tab has just downloaded it, or put it right: it is read beside the others.
                if !suspect || verify(&place, &found).await.unwrap_or(false) {
                    continue;
                }
                let _ = place.delete(&self.wanted.sha256).await;
            }
            return self.download().await;
        }
        let _exclusive = self.lock(Mode::Exclusive).await?;
        let _ = self.shared.backend.delete(&self.wanted.sha256).await;
        self.download().await
    }

    fn found_whole(self, kind: &'static str) -> Result<Obtained, JsValue> {
        self.feed.check_sink()?;
        Ok(Obtained { fetched_bytes: 0, kind })
    }

    /// Waits for the lock, and tells meanwhile how far the tab is that has it.
    async fn lock(&self, mode: Mode) -> Result<Option<Lock>, JsValue> {
        if matches!(self.shared.backend, Backend::Memory(_)) {
            // Nothing is shared with other tabs, and nothing need be waited for.
            return Ok(None);
        }
        let progress = self.progress.clone();
        let tell = self.options.teller(self.wanted.bytes);
        let _listening = Channel::wait(&self.wanted.sha256, move |mut report| {
            report.loaded_bytes = progress.borrow_mut().heard(report.loaded_bytes);
            tell(report);
        });
        Lock::take(&self.wanted.sha256, mode, self.cancel).await.map(Some)
    }

    /// Where the whole file is, if it is.
    async fn find_whole(&self) -> Result<Option<(Backend, Found)>, JsValue> {
        for place in [&self.shared.backend, &Backend::Memory(Memory)] {
            let found = self.shared.tolerate(place.find(&self.wanted.sha256).await)?.flatten();
            if let Some(found) = found.filter(|found| found.is_whole() && found.record.bytes == self.wanted.bytes) {
                return Ok(Some((place.clone(), found)));
            }
        }
        Ok(None)
    }

    /// Reads a file that is stored whole. Gives whether it is right.
    async fn read_whole(&mut self, place: &Backend, found: &Found) -> Result<bool, JsValue> {
        self.feed.begin();
        match self.replay(place, found, true).await? {
            Ok(()) if self.feed.digest() == self.wanted.sha256 => return Ok(true),
            Ok(()) => self.options.notify("corrupt", "the stored model is damaged; it is downloaded again"),
            Err(_) => self.options.notify("evicted", "the stored model is no longer there; it is downloaded again"),
        }
        Ok(false)
    }

    /// Gives the sink what is stored.
    async fn replay(&mut self, place: &Backend, found: &Found, whole: bool) -> Result<Result<(), Failure>, JsValue> {
        let mut reader = match place.read(found).await {
            Ok(reader) => reader,
            Err(failure) => return Ok(Err(failure)),
        };
        loop {
            self.cancel.check()?;
            match reader.next().await {
                Ok(Some(bytes)) => {
                    let length = u64::from(bytes.length());
                    self.feed.push(&bytes);
                    let report = self.progress.borrow_mut().add(js::now_ms(), length, self.feed.bytes());
                    if let Some(report) = report {
                        self.options.tell(report, self.wanted.bytes, From::Store, whole);
                    }
                }
                Ok(None) => break,
                Err(failure) => return Ok(Err(failure)),
            }
        }
        let report = self.progress.borrow().report();
        self.options.tell(report, self.wanted.bytes, From::Store, whole);
        Ok(Ok(()))
    }

    /// Downloads what is missing. The lock is held.
    async fn download(mut self) -> Result<Obtained, JsValue> {
        if self.shared.auto && matches!(self.shared.backend, Backend::Memory(_)) {
            let message = "the browser keeps no models here; it will be downloaded again at the next visit";
            self.options.notify("memory-store", message);
        }
        self.feed.begin();
        let known = self.resume().await?;
        let keep = self.feed.bytes();
        let record = record(self.wanted, &known);
        let keeper = Keeper::open(self.shared, self.options, record, keep).await?;
        if keep == self.wanted.bytes {
            // It came whole, but its tab died before it could say so.
            let kind = keeper.complete().await;
            return self.found_whole(kind);
        }
        let progress = self.progress.clone();
        let now = progress.clone();
        let download = Download {
            wanted: self.wanted,
            options: self.options,
            cancel: self.cancel,
            progress,
            channel: Channel::lead(&self.wanted.sha256, move || now.borrow().report()),
            feed: &mut self.feed,
            keeper,
            known,
            fetched: 0,
            joined: keep > 0,
            ask_for_all: false,
            plain_range: false,
        };
        let (kind, fetched_bytes) = download.run().await?;
        Ok(Obtained { fetched_bytes, kind })
    }

    /// Gives the sink what there is of a download that was cut. Gives what the server told of it. Where it is of no use,
    /// the file begins anew.
    async fn resume(&mut self) -> Result<Validators, JsValue> {
        let place = self.shared.backend.clone();
        let found = self.shared.tolerate(place.find(&self.wanted.sha256).await)?.flatten();
        let fits = |found: &Found| {
            let (record, bytes) = (&found.record, found.stored_bytes);
            // One that was whole once and is shorter now is damaged.
            !record.verified && record.bytes == self.wanted.bytes && (1..=record.bytes).contains(&bytes)
        };
        let Some(found) = found.filter(fits) else {
            return Ok(Validators::default());
        };
        let complete = found.stored_bytes == self.wanted.bytes;
        match self.replay(&place, &found, false).await? {
            Ok(()) if !complete || self.feed.digest() == self.wanted.sha256 => {
                // Another server's tags say nothing here.
                let same = found.record.url == self.wanted.url;
                Ok(if same { found.record.validators } else { Validators::default() })
            }
            _ => {
                let _ = place.delete(&self.wanted.sha256).await;
                self.feed.begin();
                Ok(Validators::default())
            }
        }
    }
}
