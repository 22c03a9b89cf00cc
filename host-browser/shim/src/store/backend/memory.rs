//! In this Worker's memory: as long as the Worker lives, and for it alone.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use js_sys::Uint8Array;

use super::{Found, Record};

struct Entry {
    record: Record,
    /// Who writes it. An earlier writer's bytes are not taken any more.
    writer: u64,
    /// By where each begins in the file.
    pieces: BTreeMap<u64, Uint8Array>,
    end: u64,
}

thread_local! {
    static WRITERS: Cell<u64> = const { Cell::new(0) };
    static ENTRIES: RefCell<BTreeMap<String, Entry>> = const { RefCell::new(BTreeMap::new()) };
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory;

impl Memory {
    pub(crate) fn find(self, sha256: &str) -> Option<Found> {
        ENTRIES.with_borrow(|entries| entries.get(sha256).map(found))
    }

    pub(crate) fn list(self) -> Vec<Found> {
        ENTRIES.with_borrow(|entries| entries.values().map(found).collect())
    }

    pub(crate) fn delete(self, sha256: &str) -> bool {
        ENTRIES.with_borrow_mut(|entries| entries.remove(sha256)).is_some()
    }

    /// The bytes that begin there.
    pub(crate) fn piece(self, sha256: &str, at: u64) -> Option<Uint8Array> {
        // A copy: what is given out is the receiver's to keep.
        ENTRIES.with_borrow(|entries| entries.get(sha256)?.pieces.get(&at).map(|piece| piece.slice(0, piece.length())))
    }

    /// Pieces are kept whole: `keep` is where one ends, as it always is where all that is there is kept.
    pub(crate) fn write(self, record: &Record, keep: u64) -> Writer {
        let writer = WRITERS.get() + 1;
        WRITERS.set(writer);
        ENTRIES.with_borrow_mut(|entries| {
            let fresh = || Entry { record: record.clone(), writer, pieces: BTreeMap::new(), end: 0 };
            let entry = entries.entry(record.sha256.clone()).or_insert_with(fresh);
            if keep == 0 || entry.end != keep {
                *entry = fresh();
            }
            entry.writer = writer;
        });
        Writer { sha256: record.sha256.clone(), writer }
    }
}

fn found(entry: &Entry) -> Found {
    Found { record: entry.record.clone(), stored_bytes: entry.end }
}

pub(crate) struct Writer {
    sha256: String,
    writer: u64,
}

impl Writer {
    pub(crate) fn append(&self, bytes: &Uint8Array) {
        // A copy: the sink may do with its own as it likes, such as transfer it.
        let piece = bytes.slice(0, bytes.length());
        self.with_entry(|entry| {
            entry.end += u64::from(piece.length());
            entry.pieces.insert(entry.end - u64::from(piece.length()), piece);
        });
    }

    pub(crate) fn complete(self) {
        self.with_entry(|entry| entry.record.verified = true);
    }

    fn with_entry(&self, change: impl FnOnce(&mut Entry)) {
        ENTRIES.with_borrow_mut(|entries| {
            if let Some(entry) = entries.get_mut(&self.sha256).filter(|entry| entry.writer == self.writer) {
                change(entry);
            }
        });
    }
}
