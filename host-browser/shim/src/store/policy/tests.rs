use super::*;

const TOTAL: u64 = 1000;

fn validators(etag: &str) -> Validators {
    Validators { etag: Some(etag.to_owned()), last_modified: None }
}

fn head(status: u16) -> Head {
    Head { status, url: "https://example.org/m.gguf?key=secret".to_owned(), ..Head::default() }
}

fn part(range: &str) -> Head {
    Head { content_range: Some(range.to_owned()), validators: validators("\"a\""), ..head(206) }
}

fn verdict(head: &Head, from: u64) -> Verdict {
    judge(head, &Asked { from, total: TOTAL, known: &validators("\"a\"") })
}

fn code(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Refuse(error) => error.code,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_whole_file_begins_anew() {
    assert_eq!(verdict(&head(200), 0), Verdict::Restart);
    assert_eq!(verdict(&head(200), 500), Verdict::Restart);
}

#[test]
fn the_rest_of_a_file_is_appended_where_it_begins_at_the_cut() {
    assert_eq!(verdict(&part("bytes 500-999/1000"), 500), Verdict::Append);
    assert_eq!(verdict(&part("Bytes 500-999/*"), 500), Verdict::Append);
}

#[test]
fn a_part_that_begins_elsewhere_or_makes_no_sense_is_not_appended() {
    for range in ["bytes 499-999/1000", "bytes 0-999/1000", "bytes 500-1000/1000", "bytes 600-500/1000", "500-999", ""]
    {
        assert_eq!(verdict(&part(range), 500), Verdict::AskForAll, "{range}");
    }
}

#[test]
fn a_part_without_content_range_is_judged_by_its_length() {
    let hidden = |len| Head { content_length: len, ..head(206) };
    assert_eq!(verdict(&hidden(Some(500)), 500), Verdict::Append);
    assert_eq!(verdict(&hidden(None), 500), Verdict::Append);
    assert_eq!(verdict(&hidden(Some(1000)), 500), Verdict::AskForAll);
}

#[test]
fn a_part_of_another_version_is_not_appended() {
    let other = Head { validators: validators("\"b\""), ..part("bytes 500-999/1000") };
    assert_eq!(verdict(&other, 500), Verdict::AskForAll);
}

#[test]
fn a_file_of_another_length_is_refused_before_it_is_read() {
    let longer = Head { content_length: Some(TOTAL + 1), ..head(200) };
    assert_eq!(code(&verdict(&longer, 0)), "wrong-size");
    assert_eq!(code(&verdict(&part("bytes 500-1999/2000"), 500)), "wrong-size");
    let beyond = Head { content_range: Some("bytes */400".to_owned()), ..head(416) };
    assert_eq!(code(&verdict(&beyond, 500)), "wrong-size");
}

#[test]
fn the_length_of_a_compressed_body_is_not_the_files() {
    let zipped = Head { content_length: Some(10), content_encoding: Some("gzip".to_owned()), ..head(200) };
    assert_eq!(verdict(&zipped, 0), Verdict::Restart);
}

#[test]
fn a_range_that_cannot_be_met_makes_it_ask_for_all() {
    assert_eq!(verdict(&head(416), 500), Verdict::AskForAll);
    assert_eq!(code(&verdict(&head(416), 0)), "http-status");
}

#[test]
fn a_part_that_nobody_asked_for_is_refused() {
    assert_eq!(code(&verdict(&part("bytes 0-999/1000"), 0)), "http-status");
}

#[test]
fn a_page_is_refused_by_its_type() {
    for kind in ["text/html", "Text/HTML; charset=utf-8", "application/xhtml+xml"] {
        let page = Head { content_type: Some(kind.to_owned()), ..head(200) };
        assert_eq!(code(&verdict(&page, 0)), "not-a-model", "{kind}");
    }
    let plain = Head { content_type: Some("text/plain".to_owned()), ..head(200) };
    assert_eq!(verdict(&plain, 0), Verdict::Restart);
}

#[test]
fn a_page_is_recognised_by_its_first_bytes() {
    for page in ["<!DOCTYPE html>", "\u{feff}\r\n <html lang=en>", "<?xml version='1.0'?>"] {
        assert_eq!(looks_like(page.as_bytes()), Some("a page"), "{page}");
    }
    assert_eq!(looks_like(b"version https://git-lfs.github.com/spec/v1"), Some("a Git LFS pointer"));
    for model in [&b"GGUF\x03\0\0\0"[..], b"", b"<", b"\xEF\xBB\xBF"] {
        assert_eq!(looks_like(model), None);
    }
}

#[test]
fn a_server_that_is_busy_is_asked_later_and_one_that_has_not_got_it_never() {
    assert_eq!(verdict(&Head { retry_after_s: Some(3), ..head(503) }, 0), Verdict::Later(Some(3000)));
    assert_eq!(verdict(&head(429), 500), Verdict::Later(None));
    for status in [0, 204, 304, 401, 403, 404, 410, 501] {
        assert_eq!(code(&verdict(&head(status), 500)), "http-status", "{status}");
    }
}

#[test]
fn only_strong_tags_and_dates_are_sent_as_if_range() {
    let date = "Sun, 01 Nov 2026 00:00:00 GMT";
    let of = |etag: Option<&str>, date: Option<&str>| {
        let validators = Validators { etag: etag.map(str::to_owned), last_modified: date.map(str::to_owned) };
        validators.if_range().map(str::to_owned)
    };
    assert_eq!(of(Some("\"a\""), Some(date)).as_deref(), Some("\"a\""));
    assert_eq!(of(Some("W/\"a\""), Some(date)).as_deref(), Some(date));
    assert_eq!(of(Some("W/\"a\""), None), None);
}

#[test]
fn waits_double_up_to_a_bound_and_end_with_the_attempts() {
    let mut budget = Budget::new(4, 500.0, 1 << 20);
    assert_eq!(budget.failed(None), Some(500.0));
    assert_eq!(budget.failed(None), Some(1000.0));
    assert_eq!(budget.failed(Some(3_600_000)), Some(LONGEST_DELAY_MS));
    assert_eq!(budget.failed(None), None);
}

#[test]
fn getting_further_forgives_failures_but_a_byte_does_not() {
    let mut budget = Budget::new(2, 1.0, 1 << 20);
    budget.reached(1024);
    assert!(budget.failed(None).is_some());
    budget.reached(1025);
    assert!(budget.failed(None).is_none(), "one byte is no progress");
    budget.reached(2048);
    assert!(budget.failed(None).is_some());
}

#[test]
fn a_server_that_always_begins_anew_and_breaks_off_is_given_up() {
    let mut budget = Budget::new(3, 1.0, 1000);
    let mut answers = 0;
    loop {
        answers += 1;
        for bytes in (0..=500).step_by(50) {
            budget.reached(bytes);
        }
        if budget.failed(None).is_none() {
            break;
        }
    }
    assert_eq!(answers, 3);
}

#[test]
fn messages_name_the_address_without_its_secrets() {
    assert_eq!(public("https://me:pw@example.org/a/b?key=1#x"), "https://example.org/a/b");
    assert_eq!(public("http://[::1]:80"), "http://[::1]:80");
    let error = Trouble::Stalled { after_ms: 1500.0 }.into_error("https://example.org/m?key=secret", TOTAL);
    assert!(error.message.contains("1.5 seconds") && !error.message.contains("secret"), "{}", error.message);
}
