//! What a server's answer means for a download that may have begun before, and how often to try again.

use crate::error::{Class, ShimError};

/// What a server says to tell one version of a file from another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Validators {
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
}

impl Validators {
    /// What to send as `If-Range`: a strong tag or a date. A weak tag would always be answered with the whole file.
    pub(crate) fn if_range(&self) -> Option<&str> {
        self.etag.as_deref().filter(|tag| tag.starts_with('"')).or(self.last_modified.as_deref())
    }

    /// Whether both tell, and do not tell the same.
    fn contradict(&self, other: &Self) -> bool {
        let differ = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
        differ(&self.etag, &other.etag) || differ(&self.last_modified, &other.last_modified)
    }
}

/// The beginning of an answer. Across origins, the browser hides headers that the server does not expose.
#[derive(Debug, Clone, Default)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Where it came from in the end, for messages.
    pub(crate) url: String,
    pub(crate) content_type: Option<String>,
    pub(crate) content_range: Option<String>,
    pub(crate) content_length: Option<u64>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) retry_after_s: Option<u64>,
    pub(crate) validators: Validators,
}

/// What is known when an answer comes.
#[derive(Debug, Clone)]
pub(crate) struct Asked<'a> {
    /// The first byte that was asked for; 0 where the whole file was.
    pub(crate) from: u64,
    /// The file's length.
    pub(crate) total: u64,
    /// Of what has come so far.
    pub(crate) known: &'a Validators,
}

/// What to do with an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// Its body goes on where the file ends so far.
    Append,
    /// Its body is the whole file: what came before is void.
    Restart,
    /// It is of no use: what came before is void, and the whole file must be asked for.
    AskForAll,
    /// The server cannot now; it may say when, in milliseconds.
    Later(Option<u64>),
    /// It will not get better.
    Refuse(ShimError),
}

/// Says what an answer means.
pub(crate) fn judge(head: &Head, asked: &Asked<'_>) -> Verdict {
    match head.status {
        200 | 206 if is_page(head) => {
            let found = head.content_type.as_deref().unwrap_or_default();
            Verdict::Refuse(not_a_model(&head.url, &format!("its type is {found}")))
        }
        200 => match head.content_length {
            // The length of a compressed body says nothing of the file's.
            Some(len) if head.content_encoding.is_none() && len != asked.total => {
                Verdict::Refuse(wrong_size(&head.url, asked.total, len))
            }
            _ => Verdict::Restart,
        },
        206 if asked.from > 0 => judge_part(head, asked),
        416 if asked.from > 0 => match range_total(head) {
            Some(len) if len != asked.total => Verdict::Refuse(wrong_size(&head.url, asked.total, len)),
            _ => Verdict::AskForAll,
        },
        408 | 425 | 429 | 500 | 502..=504 => Verdict::Later(head.retry_after_s.map(|s| s.saturating_mul(1000))),
        status => Verdict::Refuse(http_status(&head.url, status)),
    }
}

fn judge_part(head: &Head, asked: &Asked<'_>) -> Verdict {
    if asked.known.contradict(&head.validators) {
        return Verdict::AskForAll;
    }
    let Some(text) = &head.content_range else {
        // Hidden, or missing: the length may still tell, and the digest will.
        let fits = head.content_length.is_none_or(|len| len == asked.total - asked.from);
        return if fits { Verdict::Append } else { Verdict::AskForAll };
    };
    match parse_content_range(text) {
        Some(ContentRange { total: Some(total), .. }) if total != asked.total => {
            Verdict::Refuse(wrong_size(&head.url, asked.total, total))
        }
        Some(ContentRange { first: Some(first), .. }) if first == asked.from => Verdict::Append,
        _ => Verdict::AskForAll,
    }
}

/// Whether the type is one of pages. Servers give models any type but these.
fn is_page(head: &Head) -> bool {
    let kind = head.content_type.as_deref().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    ["text/html", "application/xhtml+xml"].iter().any(|page| kind.eq_ignore_ascii_case(page))
}

/// What a file's first bytes look like, if like something that servers give in place of a model.
pub(crate) fn looks_like(first: &[u8]) -> Option<&'static str> {
    let first = first.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(first).trim_ascii_start();
    let begins = |with: &str| first.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()));
    if begins("<!doctype") || begins("<html") || begins("<head") || begins("<?xml") {
        Some("a page")
    } else if begins("version https://git-lfs") {
        Some("a Git LFS pointer")
    } else {
        None
    }
}

#[derive(Debug, PartialEq, Eq)]
struct ContentRange {
    first: Option<u64>,
    total: Option<u64>,
}

/// Reads `bytes 5-9/10`, `bytes 5-9/*` and `bytes */10`.
fn parse_content_range(text: &str) -> Option<ContentRange> {
    let (unit, rest) = text.trim().split_once(' ')?;
    let (range, total) = rest.trim().split_once('/')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let total = if total.trim() == "*" { None } else { Some(total.trim().parse().ok()?) };
    if range.trim() == "*" {
        return Some(ContentRange { first: None, total });
    }
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last && total.is_none_or(|total| last < total)).then_some(ContentRange { first: Some(first), total })
}

fn range_total(head: &Head) -> Option<u64> {
    parse_content_range(head.content_range.as_deref()?)?.total
}

/// How often a download may still fail. Failures count only since it last got further.
#[derive(Debug)]
pub(crate) struct Budget {
    attempts: u32,
    first_delay_ms: f64,
    failures: u32,
    /// Where it had got when failures were last forgiven.
    reached: u64,
    /// How much further it must get for that: a server that gives a byte at a time must not be asked a million times.
    step: u64,
}

/// The longest wait between two attempts, in milliseconds, whatever the server asks for.
const LONGEST_DELAY_MS: f64 = 30_000.0;

impl Budget {
    pub(crate) fn new(attempts: u32, first_delay_ms: f64, total: u64) -> Self {
        Self { attempts, first_delay_ms, failures: 0, reached: 0, step: (total / 1024).max(1) }
    }

    /// The file has come so far.
    pub(crate) fn reached(&mut self, bytes: u64) {
        if bytes >= self.reached.saturating_add(self.step) {
            self.reached = bytes;
            self.failures = 0;
        }
    }

    /// Counts a failure. Gives how long to wait before the next attempt, in milliseconds; nothing where it was the last.
    pub(crate) fn failed(&mut self, asked_ms: Option<u64>) -> Option<f64> {
        self.failures += 1;
        if self.failures >= self.attempts {
            return None;
        }
        let doubled = self.first_delay_ms * f64::from(1_u32 << (self.failures - 1).min(16));
        Some(doubled.max(asked_ms.unwrap_or(0) as f64).min(LONGEST_DELAY_MS))
    }
}

/// Why an attempt came to nothing, that may go better another time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Trouble {
    /// The connection failed, with the browser's words for it.
    Network(String),
    /// Nothing came for so long.
    Stalled { after_ms: f64 },
    /// The body ended early, as if all were well.
    EndedEarly { bytes: u64 },
    /// The server says it cannot now.
    Status(u16),
    /// The server does not go on where it was asked to.
    Useless,
}

impl Trouble {
    /// The error, when it is given up.
    pub(crate) fn into_error(self, url: &str, total: u64) -> ShimError {
        let kept = "what has come is kept: check the connection and try again";
        match self {
            Self::Network(problem) => {
                let message = format!("the download from {} was cut off ({problem}); {kept}", public(url));
                ShimError::new(Class::Download, "network", message)
            }
            Self::Stalled { after_ms } => {
                let seconds = after_ms / 1000.0;
                let message = format!("nothing came from {} for {seconds} seconds; {kept}", public(url));
                ShimError::new(Class::Download, "stalled", message)
            }
            Self::EndedEarly { bytes } => wrong_size(url, total, bytes),
            Self::Status(status) => http_status(url, status),
            Self::Useless => {
                let message = format!("{} does not give the file from where it was cut; {kept}", public(url));
                ShimError::new(Class::Download, "network", message)
            }
        }
    }
}

pub(crate) fn http_status(url: &str, status: u16) -> ShimError {
    let advice = if status == 404 { "check the model's address" } else { "try again later, or check the server" };
    let message = format!("{} answered with status {status}; {advice}", public(url));
    ShimError::new(Class::Download, "http-status", message).number("status", f64::from(status))
}

pub(crate) fn not_a_model(url: &str, found: &str) -> ShimError {
    let message = format!("what {} gives is no model: {found}; check the model's address", public(url));
    ShimError::new(Class::Download, "not-a-model", message)
}

pub(crate) fn wrong_size(url: &str, expected: u64, found: u64) -> ShimError {
    let message = format!(
        "what {} gives has {found} bytes, and the model has {expected}; check the model's address and version",
        public(url)
    );
    let error = ShimError::new(Class::Download, "wrong-size", message);
    error.number("expectedBytes", expected as f64).number("foundBytes", found as f64)
}

pub(crate) fn wrong_digest(url: &str, expected: &str, found: &str) -> ShimError {
    let message = format!(
        "what {} gives is not the model: its SHA-256 is {found}, and should be {expected}; \
         nothing of it is kept: check the model's address and version",
        public(url)
    );
    ShimError::new(Class::Download, "wrong-digest", message).text("expected", expected).text("found", found)
}

/// The address without what may be secret: name and password, query and fragment.
pub(crate) fn public(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    match bare.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            format!("{scheme}://{}{path}", host.rsplit('@').next().unwrap_or_default())
        }
        None => bare.to_owned(),
    }
}

#[cfg(test)]
mod tests;
