//! Files of the origin, which only it sees, written synchronously as a Worker can.
//!
//! `<sha256>.part` grows with the download, and `<sha256>.json` is its record. Once the record says that the file was
//! verified, it is renamed to `<sha256>.gguf`. Where a browser cannot rename, it keeps its name, and the record tells.

use js_sys::Uint8Array;
use wasm_bindgen::prelude::{JsCast, JsValue};
use web_sys::{
    File, FileSystemDirectoryHandle, FileSystemFileHandle, FileSystemGetDirectoryOptions, FileSystemGetFileOptions,
    FileSystemReadWriteOptions, FileSystemSyncAccessHandle,
};

use super::{Failure, Found, Record, cast};
use crate::cancel::Cancel;
use crate::{device, js};

const FOLDER: &str = "auricle-models";

/// How long to wait for a file that a tab just ended had open, in milliseconds, and how often to look: there is nothing
/// to be told by. Its lock is free before its files are.
const BUSY_MS: f64 = 5_000.0;
const BUSY_STEP_MS: f64 = 25.0;

#[derive(Clone)]
pub(crate) struct Opfs {
    folder: FileSystemDirectoryHandle,
}

impl Opfs {
    pub(super) async fn open() -> Result<Self, Failure> {
        if !device::writes_synchronously() {
            return Err(Failure::Other("its files cannot be written synchronously".to_owned()));
        }
        let storage = js::get(&js::global("navigator"), "storage");
        let root: FileSystemDirectoryHandle = cast(js::call(&storage, "getDirectory", &[]).await?)?;
        let options = FileSystemGetDirectoryOptions::new();
        options.set_create(true);
        let folder = js::settle(&root.get_directory_handle_with_options(FOLDER, &options)).await?;
        Ok(Self { folder: cast(folder)? })
    }

    pub(super) async fn find(&self, sha256: &str) -> Result<Option<Found>, Failure> {
        let Some(json) = self.file(&record_name(sha256)).await? else {
            return Ok(None);
        };
        let text = js::settle(&json.text()).await?.as_string().unwrap_or_default();
        let Some(record) = Record::from_json(&text, sha256) else {
            return Ok(None);
        };
        let file = self.contents(sha256).await?;
        Ok(file.map(|file| Found { record, stored_bytes: file.size() as u64 }))
    }

    pub(super) async fn list(&self) -> Result<Vec<Found>, Failure> {
        let names = self.folder.keys();
        let mut list = Vec::new();
        loop {
            let step = js::call(&names, "next", &[]).await?;
            if js::get(&step, "done").is_truthy() {
                return Ok(list);
            }
            let name = js::text(&step, "value").unwrap_or_default();
            if let Some(sha256) = name.strip_suffix(".json") {
                // One that another tab is just writing may not be readable.
                list.extend(self.find(sha256).await.ok().flatten());
            }
        }
    }

    pub(super) async fn delete(&self, sha256: &str) -> Result<bool, Failure> {
        let mut any = false;
        for name in [whole_name(sha256), part_name(sha256), record_name(sha256)] {
            any |= self.remove(&name).await?;
        }
        Ok(any)
    }

    pub(super) async fn read(&self, found: &Found) -> Result<web_sys::Blob, Failure> {
        let file = self.contents(&found.record.sha256).await?.ok_or(Failure::Gone)?;
        if file.size() as u64 >= found.stored_bytes { Ok(file.into()) } else { Err(Failure::Gone) }
    }

    pub(super) async fn write(&self, record: &Record, keep: u64) -> Result<Writer, Failure> {
        if keep == 0 {
            self.remove(&whole_name(&record.sha256)).await?;
        }
        let file = self.file_handle(&part_name(&record.sha256), true).await?;
        let file = file.ok_or(Failure::Gone)?;
        let handle = Handle::open(&file).await?;
        if (handle.0.get_size()? as u64) < keep {
            return Err(Failure::Gone);
        }
        // Bytes of one version must never stand beside the record of another, whenever the tab dies.
        handle.0.truncate_with_f64(keep as f64)?;
        if keep == 0 {
            handle.0.flush()?;
            self.write_record(record).await?;
        }
        Ok(Writer { opfs: self.clone(), record: record.clone(), file, handle, end: keep })
    }

    async fn write_record(&self, record: &Record) -> Result<(), Failure> {
        let file = self.file_handle(&record_name(&record.sha256), true).await?.ok_or(Failure::Gone)?;
        let handle = Handle::open(&file).await?;
        let json = record.to_json();
        handle.write(&Uint8Array::from(json.as_bytes()), 0)?;
        handle.0.truncate_with_f64(json.len() as f64)?;
        Ok(handle.0.flush()?)
    }

    /// The file itself, by whichever name it goes.
    async fn contents(&self, sha256: &str) -> Result<Option<File>, Failure> {
        match self.file(&whole_name(sha256)).await? {
            Some(file) => Ok(Some(file)),
            None => self.file(&part_name(sha256)).await,
        }
    }

    async fn file(&self, name: &str) -> Result<Option<File>, Failure> {
        let Some(handle) = self.file_handle(name, false).await? else {
            return Ok(None);
        };
        match js::settle(&handle.get_file()).await {
            Ok(file) => cast(file).map(Some),
            Err(error) => absent(error, None),
        }
    }

    async fn file_handle(&self, name: &str, create: bool) -> Result<Option<FileSystemFileHandle>, Failure> {
        let options = FileSystemGetFileOptions::new();
        options.set_create(create);
        match js::settle(&self.folder.get_file_handle_with_options(name, &options)).await {
            Ok(handle) => cast(handle).map(Some),
            Err(error) => absent(error, None),
        }
    }

    async fn remove(&self, name: &str) -> Result<bool, Failure> {
        match js::settle(&self.folder.remove_entry(name)).await {
            Ok(_) => Ok(true),
            Err(error) => absent(error, false),
        }
    }
}

fn whole_name(sha256: &str) -> String {
    format!("{sha256}.gguf")
}

fn part_name(sha256: &str) -> String {
    format!("{sha256}.part")
}

fn record_name(sha256: &str) -> String {
    format!("{sha256}.json")
}

/// That a file is not there is an answer, and no failure.
fn absent<T>(error: JsValue, answer: T) -> Result<T, Failure> {
    if js::text(&error, "name").as_deref() == Some("NotFoundError") { Ok(answer) } else { Err(error.into()) }
}

/// A file that is open, until it is dropped.
struct Handle(FileSystemSyncAccessHandle);

impl Handle {
    async fn open(file: &FileSystemFileHandle) -> Result<Self, Failure> {
        let give_up_ms = js::now_ms() + BUSY_MS;
        loop {
            match js::settle(&file.create_sync_access_handle()).await {
                Ok(handle) => return cast(handle).map(Self),
                Err(error) => {
                    let busy = js::text(&error, "name").as_deref() == Some("NoModificationAllowedError");
                    if !busy || js::now_ms() > give_up_ms {
                        return Err(error.into());
                    }
                }
            }
            Cancel::never().sleep(BUSY_STEP_MS).await?;
        }
    }

    fn write(&self, bytes: &Uint8Array, at: u64) -> Result<(), Failure> {
        let options = FileSystemReadWriteOptions::new();
        options.set_at(at as f64);
        let written = self.0.write_with_buffer_source_and_options(bytes.unchecked_ref(), &options)?;
        // Less is written where there is no more room.
        if written == f64::from(bytes.length()) { Ok(()) } else { Err(Failure::Quota) }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

pub(crate) struct Writer {
    opfs: Opfs,
    record: Record,
    file: FileSystemFileHandle,
    handle: Handle,
    end: u64,
}

impl Writer {
    pub(super) fn append(&mut self, bytes: &Uint8Array) -> Result<(), Failure> {
        self.handle.write(bytes, self.end)?;
        self.end += u64::from(bytes.length());
        Ok(())
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn flush(&self) -> Result<(), Failure> {
        Ok(self.handle.0.flush()?)
    }

    pub(super) async fn complete(self) -> Result<(), Failure> {
        let Self { opfs, mut record, file, handle, .. } = self;
        handle.0.flush()?;
        drop(handle);
        record.verified = true;
        opfs.write_record(&record).await?;
        // Some browsers cannot rename. The record tells all the same.
        let name = JsValue::from_str(&whole_name(&record.sha256));
        let _ = js::call(&file, "move", &[&name]).await;
        // It may have been deleted meanwhile, and the record made a new one.
        opfs.contents(&record.sha256).await?.map(drop).ok_or(Failure::Gone)
    }
}
