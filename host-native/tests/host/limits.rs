//! The three limits, and what is left after one was met.

use std::time::{Duration, Instant};

use auricle::{Engine, Error, Model};

use crate::guest::{Guest, LOOP};

fn load(engine: &Engine) -> Model {
    engine.load_model_from_reader(&b"model"[..], None).expect("a silent engine takes every model")
}

#[test]
fn trap_is_typed_and_costs_the_model_and_its_sessions_until_it_is_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, b"model").unwrap();
    let engine = Guest::silent().trapping_in("[method]session.finish").engine().build().unwrap();
    let mut model = engine.load_model(&path).unwrap();
    let mut session = model.session(model.default_options()).unwrap();
    let mut other = model.session(model.default_options()).unwrap();

    let error = session.finish().unwrap_err();
    assert!(
        matches!(&error, Error::Trapped { call: "session.finish", reason } if reason.contains("unreachable")),
        "{error}"
    );
    assert!(error.is_fatal() && model.is_lost());
    assert!(matches!(session.poll(1), Err(Error::InstanceLost)));
    assert!(matches!(other.push_audio(&[0.0]), Err(Error::InstanceLost)));
    assert!(matches!(model.session(model.default_options()), Err(Error::InstanceLost)));

    model.rebuild().unwrap();
    assert!(!model.is_lost());
    model.session(model.default_options()).unwrap().push_audio(&[0.0]).unwrap();
    assert!(matches!(other.metrics(), Err(Error::InstanceLost)));
}

#[test]
fn model_from_a_reader_cannot_be_rebuilt_and_stays_as_it_is() {
    let mut model = load(&Guest::silent().engine().build().unwrap());
    assert!(matches!(model.rebuild(), Err(Error::NotRebuildable)));
    model.session(model.default_options()).unwrap();
}

#[test]
fn failed_rebuild_leaves_the_model_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, b"model").unwrap();
    let mut model = Guest::silent().engine().build().unwrap().load_model(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(model.rebuild(), Err(Error::Io { .. })));
    model.session(model.default_options()).unwrap();
}

#[test]
fn trap_while_loading_is_typed() {
    let engine = Guest::silent().trapping_in("[method]model-loader.write").engine().build().unwrap();
    let error = engine.load_model_from_reader(&b"model"[..], None).unwrap_err();
    assert!(matches!(error, Error::Trapped { call: "model-loader.write", .. }), "{error}");
}

#[test]
fn trap_in_a_destructor_is_found_by_the_next_call() {
    let model = load(&Guest::silent().with_trapping_session_destructor().engine().build().unwrap());
    drop(model.session(model.default_options()).unwrap());
    assert!(matches!(model.session(model.default_options()), Err(Error::InstanceLost)));
}

#[test]
fn endless_call_is_stopped_at_its_deadline() {
    let deadline = Duration::from_millis(100);
    let guest = Guest::silent().looping_in("[method]session.poll-transcript");
    let model = load(&guest.engine().call_deadline(deadline).build().unwrap());
    let mut session = model.session(model.default_options()).unwrap();
    let begin = Instant::now();
    let error = session.poll(1).unwrap_err();
    assert!(begin.elapsed() >= deadline);
    let Error::DeadlineExceeded { call: "session.poll-transcript", deadline: told } = error else { panic!("{error}") };
    assert_eq!(told, deadline);
    assert!(error.is_fatal() && model.is_lost());
}

#[test]
fn endless_call_while_loading_is_stopped_at_its_deadline() {
    let guest = Guest::silent().looping_in("[constructor]model-loader");
    let engine = guest.engine().call_deadline(Duration::from_millis(20)).build().unwrap();
    let error = engine.load_model_from_reader(&b""[..], None).unwrap_err();
    assert!(matches!(error, Error::DeadlineExceeded { call: "[constructor]model-loader", .. }), "{error}");
}

#[test]
fn instantiation_is_held_to_the_deadline_and_its_trap_is_typed() {
    let about = |start| {
        let guest = Guest::silent().starting_with(start);
        guest.engine().call_deadline(Duration::from_millis(20)).build().unwrap().about().unwrap_err()
    };
    let endless = about(LOOP);
    assert!(matches!(endless, Error::DeadlineExceeded { call: "instantiation", .. }), "{endless}");
    let trapping = about("(unreachable)");
    assert!(matches!(trapping, Error::Trapped { call: "instantiation", .. }), "{trapping}");
}

#[test]
fn deadline_is_for_one_call_and_not_for_all_together() {
    let deadline = Duration::from_millis(100);
    let model = load(&Guest::silent().engine().call_deadline(deadline).build().unwrap());
    let mut session = model.session(model.default_options()).unwrap();
    let begin = Instant::now();
    while begin.elapsed() < 4 * deadline {
        session.poll(1).unwrap();
    }
}

/// Takes memory until it gets no more, and then does `end`.
fn hungry(end: &str) -> String {
    format!("(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) {end}")
}

#[test]
fn guest_that_traps_for_want_of_memory_is_told_from_other_traps() {
    let limit = 8 << 20;
    let guest = Guest::silent().with("[method]session.finish", hungry("(unreachable)"));
    let model = load(&guest.engine().memory_limit_bytes(limit).build().unwrap());
    let error = model.session(model.default_options()).unwrap().finish().unwrap_err();
    let Error::MemoryLimit { call: "session.finish", requested_bytes, limit_bytes } = error else { panic!("{error}") };
    assert_eq!(limit_bytes, limit);
    assert!(requested_bytes > limit);
}

#[test]
fn guest_that_does_without_the_memory_goes_on_and_later_traps_are_not_blamed_on_it() {
    let guest = Guest::silent()
        .with("[method]session.poll-transcript", hungry("(i32.const 1024)"))
        .trapping_in("[method]session.finish");
    let model = load(&guest.engine().memory_limit_bytes(8 << 20).build().unwrap());
    let mut session = model.session(model.default_options()).unwrap();
    session.poll(1).unwrap();
    assert!(matches!(session.finish(), Err(Error::Trapped { .. })));
}

#[test]
fn audio_that_finds_no_memory_in_the_guest_is_a_typed_error() {
    let model = load(&Guest::silent().engine().memory_limit_bytes(1 << 20).build().unwrap());
    let mut session = model.session(model.default_options()).unwrap();
    let error = session.push_audio(&vec![0.0; 1 << 20]).unwrap_err();
    assert!(matches!(error, Error::MemoryLimit { call: "session.push-audio", .. }), "{error}");
}

#[test]
fn component_that_begins_beyond_the_memory_limit_is_not_instantiated() {
    let engine = Guest::silent().with_first_pages(64).engine().memory_limit_bytes(1 << 20).build().unwrap();
    let error = engine.load_model_from_reader(&b""[..], None).unwrap_err();
    assert!(matches!(error, Error::MemoryLimit { call: "instantiation", requested_bytes: 4_194_304, .. }), "{error}");
}

#[test]
fn answer_beyond_the_result_limit_is_not_copied() {
    // A name of 60 000 zero bytes, which end where the record begins.
    let body = "(i32.store (i32.const 60004) (i32.const 60000)) (i32.const 60000)";
    let guest = Guest::silent().with("about", body);
    assert_eq!(guest.engine().build().unwrap().about().unwrap().name.len(), 60_000);
    let error = guest.engine().result_limit_bytes(59_999).build().unwrap().about().unwrap_err();
    assert!(matches!(&error, Error::Trapped { call: "about", reason } if reason.contains("too much data")), "{error}");
}
