//! Keeps a download while it comes, and finds another place when one fails.

use js_sys::Uint8Array;

use super::Shared;
use super::backend::{Backend, Failure, Found, Memory, Record, Writer};
use super::options::Options;
use crate::error::ShimError;

/// What the page is told where nothing outlasts this Worker.
const MEMORY: &str = "memory";

pub(crate) struct Keeper<'a> {
    shared: &'a Shared,
    options: &'a Options,
    place: Backend,
    /// Nothing, where no place would have it.
    writer: Option<Writer>,
    record: Record,
    /// How many bytes it was given.
    end: u64,
}

impl<'a> Keeper<'a> {
    /// Goes on after the first `keep` bytes of what is stored, or begins anew where that is 0.
    ///
    /// Fails where storage does, if the caller insists on this kind of it.
    pub(crate) async fn open(
        shared: &'a Shared,
        options: &'a Options,
        record: Record,
        keep: u64,
    ) -> Result<Self, ShimError> {
        let place = shared.backend.clone();
        let mut keeper = Self { shared, options, place, writer: None, record, end: keep };
        match keeper.place.write(&keeper.record, keep).await {
            Ok(writer) => keeper.writer = Some(writer),
            Err(failure) => {
                keeper.may_fall_back(&failure)?;
                keeper.move_to_memory(keep, Vec::new(), None).await;
            }
        }
        Ok(keeper)
    }

    /// Begins anew, with a file of this record.
    pub(crate) async fn restart(&mut self, record: Record) -> Result<(), ShimError> {
        self.end = 0;
        self.record = record;
        // Closed first: a file is open once.
        self.writer = None;
        match self.place.write(&self.record, 0).await {
            Ok(writer) => self.writer = Some(writer),
            Err(failure) => {
                self.may_fall_back(&failure)?;
                self.move_to_memory(0, Vec::new(), None).await;
            }
        }
        Ok(())
    }

    pub(crate) async fn append(&mut self, bytes: &Uint8Array) -> Result<(), ShimError> {
        let before = self.end;
        self.end += u64::from(bytes.length());
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        if let Err(failure) = writer.append(bytes).await {
            self.fall_back(failure, Some((before, bytes))).await?;
        }
        Ok(())
    }

    /// Sees to it that what has come outlasts this tab.
    pub(crate) async fn flush(&mut self) -> Result<(), ShimError> {
        if let Some(writer) = &mut self.writer
            && let Err(failure) = writer.flush().await
        {
            self.fall_back(failure, None).await?;
        }
        Ok(())
    }

    /// The file is whole, and verified. Gives where it is kept. Where it cannot be after all, the sink has it all the same.
    pub(crate) async fn complete(self) -> &'static str {
        let Some(writer) = self.writer else {
            return MEMORY;
        };
        let Err(failure) = writer.complete().await else {
            return self.place.kind();
        };
        let problem = failure.into_error().message;
        self.options.notify("memory-store", &format!("the model is loaded, but not kept: {problem}"));
        let _ = self.place.delete(&self.record.sha256).await;
        MEMORY
    }

    /// Nothing of it is worth keeping.
    pub(crate) async fn discard(&mut self) {
        self.writer = None;
        let _ = self.place.delete(&self.record.sha256).await;
    }

    async fn fall_back(&mut self, failure: Failure, last: Option<(u64, &Uint8Array)>) -> Result<(), ShimError> {
        let Some(writer) = self.writer.take() else {
            return Ok(());
        };
        let (stored, rest) = writer.salvage();
        self.may_fall_back(&failure)?;
        self.move_to_memory(stored, rest, last).await;
        Ok(())
    }

    /// Fails where the caller insists on this kind of storage.
    fn may_fall_back(&self, failure: &Failure) -> Result<(), ShimError> {
        let error = failure.clone().into_error();
        if !self.shared.auto || matches!(self.place, Backend::Memory(_)) {
            return Err(error);
        }
        self.options.notify("memory-store", &format!("the model is kept in memory only: {}", error.message));
        Ok(())
    }

    /// Moves what is stored into memory, so that this Worker at least can load it again: the first `stored` bytes, `rest`
    /// after them, and `last`, which begins at its number, where that is not in `rest`. Where the first are lost, nothing
    /// is kept.
    async fn move_to_memory(&mut self, stored: u64, rest: Vec<u8>, last: Option<(u64, &Uint8Array)>) {
        let place = std::mem::replace(&mut self.place, Backend::Memory(Memory));
        let writer = Memory.write(&self.record, 0);
        let found = Found { record: self.record.clone(), stored_bytes: stored };
        let mut moved = 0;
        if stored > 0
            && let Ok(mut reader) = place.read(&found).await
        {
            while let Ok(Some(bytes)) = reader.next().await {
                moved += u64::from(bytes.length());
                writer.append(&bytes);
            }
        }
        if !rest.is_empty() && moved == stored {
            moved += rest.len() as u64;
            writer.append(&Uint8Array::from(&rest[..]));
        }
        if let Some((at, bytes)) = last
            && moved == at
        {
            moved += u64::from(bytes.length());
            writer.append(bytes);
        }
        let _ = place.delete(&self.record.sha256).await;
        if moved == self.end {
            self.writer = Some(Writer::Memory(writer));
        } else {
            Memory.delete(&self.record.sha256);
        }
    }
}
