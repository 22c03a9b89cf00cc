//! A download, from where it was cut, through failures, to the verified file.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Object, Promise, Uint8Array};
use wasm_bindgen::prelude::{JsCast, JsValue};
use web_sys::{AbortController, ReadableStreamDefaultReader, Response};

use super::backend::Record;
use super::feed::Feed;
use super::keeper::Keeper;
use super::options::{From, Options, Wanted};
use super::policy::{self, Asked, Budget, Head, Trouble, Validators, Verdict};
use super::progress::Progress;
use super::tabs::Channel;
use crate::cancel::{Cancel, Interrupt};
use crate::error::ShimError;
use crate::js;

/// How many first bytes tell a page from a model.
const FIRST_BYTES: usize = 64;

/// How long the end of a body is waited for, in milliseconds, once the whole file is there.
const END_MS: f64 = 1_000.0;

/// How an attempt ended, if not with an error.
enum Ending {
    Whole,
    /// It may go better another time; the server may say when, in milliseconds.
    Trouble(Trouble, Option<u64>),
}

pub(crate) struct Download<'a> {
    pub(crate) wanted: &'a Wanted,
    pub(crate) options: &'a Options,
    pub(crate) cancel: &'a Cancel,
    pub(crate) progress: Rc<RefCell<Progress>>,
    pub(crate) channel: Channel,
    pub(crate) feed: &'a mut Feed,
    pub(crate) keeper: Keeper<'a>,
    /// What the server told of the bytes that are there.
    pub(crate) known: Validators,
    /// Bytes that came over the network.
    pub(crate) fetched: u64,
    /// Whether the bytes are of more than one answer.
    pub(crate) joined: bool,
    /// What there is is worth nothing.
    pub(crate) ask_for_all: bool,
    /// Whether to leave out `If-Range`: some servers of other origins do not allow it to be sent.
    pub(crate) plain_range: bool,
}

impl Download<'_> {
    /// Downloads what is missing. Gives where the file is kept now.
    ///
    /// Fails with the signal's reason, with the errors of `policy`, and with those of storage that the caller insists on.
    pub(crate) async fn run(mut self) -> Result<(&'static str, u64), JsValue> {
        let mut budget = Budget::new(self.options.attempts, self.options.retry_delay_ms, self.wanted.bytes);
        let mut digest_retried = false;
        loop {
            let (trouble, asked_ms) = match self.attempt(&mut budget).await {
                Ok(Ending::Trouble(trouble, asked_ms)) => (trouble, asked_ms),
                Ok(Ending::Whole) => {
                    let found = self.feed.digest();
                    if found == self.wanted.sha256 {
                        break;
                    }
                    if !self.joined || digest_retried {
                        self.keeper.discard().await;
                        return Err(policy::wrong_digest(&self.wanted.url, &self.wanted.sha256, &found).into());
                    }
                    // Parts of different versions, that the server did not tell apart.
                    digest_retried = true;
                    self.ask_for_all = true;
                    self.options.notify("corrupt", "the parts of the download do not fit together; it begins anew");
                    continue;
                }
                Err(error) => {
                    // What has come is kept, whatever the reason.
                    let _ = self.keeper.flush().await;
                    return Err(error);
                }
            };
            self.keeper.flush().await?;
            let error = trouble.into_error(&self.wanted.url, self.wanted.bytes);
            let Some(wait_ms) = budget.failed(asked_ms) else {
                return Err(error.into());
            };
            self.options.notify("retrying", &error.message);
            self.cancel.sleep(wait_ms).await?;
        }
        let report = self.progress.borrow().report();
        self.options.tell(report, self.wanted.bytes, From::Network, false);
        self.channel.tell(report);
        self.keeper.flush().await?;
        let kind = self.keeper.complete().await;
        self.feed.check_sink()?;
        Ok((kind, self.fetched))
    }

    /// One request, and as much of its answer as comes.
    async fn attempt(&mut self, budget: &mut Budget) -> Result<Ending, JsValue> {
        let from = if self.ask_for_all { 0 } else { self.feed.bytes() };
        let connection = Connection(AbortController::new()?);
        let response = match self.request(from, &connection).await? {
            Ok(response) => response,
            Err(trouble) => return Ok(Ending::Trouble(trouble, None)),
        };
        let head = head_of(&response);
        match policy::judge(&head, &Asked { from, total: self.wanted.bytes, known: &self.known }) {
            Verdict::Append => self.joined = true,
            Verdict::Restart => self.ask_for_all = true,
            Verdict::AskForAll => {
                self.ask_for_all = true;
                return Ok(Ending::Trouble(Trouble::Useless, None));
            }
            Verdict::Later(asked_ms) => return Ok(Ending::Trouble(Trouble::Status(head.status), asked_ms)),
            Verdict::Refuse(error) => return Err(error.into()),
        }
        let Some(body) = response.body() else {
            return Ok(Ending::Trouble(Trouble::EndedEarly { bytes: from }, None));
        };
        let reader: ReadableStreamDefaultReader = body.get_reader().dyn_into()?;
        self.take(&reader, head, budget).await
    }

    /// Asks for the file from this byte on.
    async fn request(&mut self, from: u64, connection: &Connection) -> Result<Result<Response, Trouble>, JsValue> {
        let headers = Object::new();
        if from > 0 {
            js::set(&headers, "range", &format!("bytes={from}-").into());
            if let Some(if_range) = self.known.if_range().filter(|_| !self.plain_range) {
                js::set(&headers, "if-range", &if_range.into());
            }
        }
        // The browser's own cache would keep the model a second time.
        let init = js::object(&[
            ("headers", headers.into()),
            ("cache", "no-store".into()),
            ("signal", connection.0.signal().into()),
        ]);
        let fetch = js::method(&js_sys::global(), "fetch")
            .ok_or_else(|| ShimError::new(crate::error::Class::Download, "network", "this browser has no fetch"))?;
        let promise: Promise = fetch.call2(&js_sys::global(), &self.wanted.url.as_str().into(), &init)?.dyn_into()?;
        match self.cancel.wait(&promise, Some(self.options.stall_timeout_ms)).await {
            Ok(response) => Ok(Ok(response.dyn_into()?)),
            Err(Interrupt::Cancelled(reason)) => Err(reason),
            Err(Interrupt::TimedOut) => Ok(Err(self.stalled())),
            Err(Interrupt::Failed(error)) => {
                self.plain_range |= from > 0;
                Ok(Err(Trouble::Network(js::describe(&error))))
            }
        }
    }

    /// Takes the body as it comes.
    async fn take(
        &mut self,
        reader: &ReadableStreamDefaultReader,
        head: Head,
        budget: &mut Budget,
    ) -> Result<Ending, JsValue> {
        // Until they are told from a page, the first bytes of a file replace nothing.
        let mut first = self.ask_for_all.then(Vec::new);
        loop {
            let step = match self.cancel.wait(&reader.read(), Some(self.options.stall_timeout_ms)).await {
                Ok(step) => step,
                Err(Interrupt::Cancelled(reason)) => return Err(reason),
                Err(Interrupt::TimedOut) => return Ok(Ending::Trouble(self.stalled(), None)),
                Err(Interrupt::Failed(error)) => {
                    return Ok(Ending::Trouble(Trouble::Network(js::describe(&error)), None));
                }
            };
            let done = js::get(&step, "done").is_truthy();
            let mut bytes: Uint8Array = js::get(&step, "value").dyn_into().unwrap_or_default();
            self.fetched += u64::from(bytes.length());
            if let Some(before) = &mut first {
                before.extend(bytes.to_vec());
                if before.len() < FIRST_BYTES && !done {
                    continue;
                }
                if let Some(found) = policy::looks_like(before) {
                    return Err(policy::not_a_model(&head.url, &format!("it is {found}")).into());
                }
                bytes = Uint8Array::from(&before[..]);
                first = None;
                self.restart(&head).await?;
            }
            if let Some(ending) = self.give(&bytes, done, &head, budget).await? {
                if matches!(ending, Ending::Whole) && !done {
                    // So that the connection ends as it should. What else comes is not the file's.
                    let _ = self.cancel.wait(&reader.read(), Some(END_MS)).await;
                }
                return Ok(ending);
            }
        }
    }

    /// Gives bytes to sink and storage. Gives how the attempt ended, if it did.
    async fn give(
        &mut self,
        bytes: &Uint8Array,
        done: bool,
        head: &Head,
        budget: &mut Budget,
    ) -> Result<Option<Ending>, JsValue> {
        let total = self.wanted.bytes;
        let end = self.feed.bytes() + u64::from(bytes.length());
        if end > total {
            self.keeper.discard().await;
            return Err(policy::wrong_size(&head.url, total, end).into());
        }
        if bytes.length() > 0 {
            // Storage first: the sink may do with the bytes as it likes.
            self.keeper.append(bytes).await?;
            self.feed.push(bytes);
            budget.reached(end);
            let report = self.progress.borrow_mut().add(js::now_ms(), u64::from(bytes.length()), end);
            if let Some(report) = report {
                self.options.tell(report, total, From::Network, false);
                self.channel.tell(report);
            }
        }
        Ok(match (end == total, done) {
            (true, _) => Some(Ending::Whole),
            (false, true) => Some(Ending::Trouble(Trouble::EndedEarly { bytes: end }, None)),
            (false, false) => None,
        })
    }

    /// The file begins anew, with this answer.
    async fn restart(&mut self, head: &Head) -> Result<(), JsValue> {
        self.ask_for_all = false;
        self.joined = false;
        self.known = head.validators.clone();
        self.feed.begin();
        self.keeper.restart(record(self.wanted, &self.known)).await?;
        Ok(())
    }

    fn stalled(&self) -> Trouble {
        Trouble::Stalled { after_ms: self.options.stall_timeout_ms }
    }
}

/// What is written down of a file that begins to come.
pub(crate) fn record(wanted: &Wanted, validators: &Validators) -> Record {
    Record {
        sha256: wanted.sha256.clone(),
        name: wanted.name.clone(),
        url: wanted.url.clone(),
        bytes: wanted.bytes,
        validators: validators.clone(),
        verified: false,
    }
}

/// What ends a request when it is dropped, whatever the reason.
struct Connection(AbortController);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn head_of(response: &Response) -> Head {
    let headers = response.headers();
    let header = |name: &str| headers.get(name).ok().flatten();
    let number = |name: &str| header(name)?.trim().parse().ok();
    Head {
        status: response.status(),
        url: response.url(),
        content_type: header("content-type"),
        content_range: header("content-range"),
        content_length: number("content-length"),
        content_encoding: header("content-encoding").filter(|coding| coding != "identity"),
        retry_after_s: number("retry-after"),
        validators: Validators { etag: header("etag"), last_modified: header("last-modified") },
    }
}
