//! Models and sessions, and the contract's errors.

use std::io::{self, Read};
use std::thread;

use auricle::types::Partials;
use auricle::{CacheFolder, Engine, Error, MAX_BLOCK_SAMPLES, Model, Session};

use crate::guest::{Guest, failing_with};

fn engine_of(guest: Guest) -> Engine {
    guest.engine().build().unwrap()
}

fn load(engine: &Engine) -> Model {
    engine.load_model_from_reader(&b"model"[..], None).unwrap()
}

#[test]
fn whole_loop_runs_through_every_call() {
    let model = load(&engine_of(Guest::silent()));
    let mut session = model.session(model.default_options()).unwrap();
    session.push_audio(&[]).unwrap();
    session.push_audio(&[0.5; 1600]).unwrap();
    session.set_partials(Partials::Economical).unwrap();
    session.drain(|event| panic!("a silent engine hears nothing, not {event:?}")).unwrap();
    session.finish().unwrap();
    assert!(!session.poll(u32::MAX).unwrap().more);
    session.reset().unwrap();
    assert_eq!(session.metrics().unwrap().audio_samples, 0);
    assert_eq!(model.info().name, "");
    assert!(model.load_metrics().elapsed_ns > 0, "the guest reads the clock");
}

#[test]
fn every_error_of_the_contract_has_its_own_variant_and_leaves_the_session_alive() {
    let names: Vec<String> = (0..10)
        .map(|case| {
            let model = load(&engine_of(Guest::silent().with("[method]session.push-audio", failing_with(case))));
            let mut session = model.session(model.default_options()).unwrap();
            let error = session.push_audio(&[0.0]).unwrap_err();
            assert!(!error.is_fatal(), "{error}");
            session.finish().unwrap();
            format!("{error:?}").split('(').next().unwrap_or_default().to_owned()
        })
        .collect();
    assert_eq!(
        names,
        [
            "MalformedModel",
            "UnsupportedModel",
            "IncompleteModel",
            "LimitExceeded",
            "InvalidAudio",
            "BufferFull",
            "InvalidOption",
            "UnsupportedOption",
            "InvalidState",
            "Internal"
        ]
    );
}

#[test]
fn error_while_loading_ends_the_loading() {
    for function in ["[method]model-loader.write", "load-model"] {
        let engine = engine_of(Guest::silent().with(function, failing_with(0)));
        let error = engine.load_model_from_reader(&b"model"[..], None).unwrap_err();
        assert!(matches!(error, Error::MalformedModel(_)), "{error}");
    }
}

#[test]
fn reader_that_fails_is_an_error_of_reading() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the line went dead"))
        }
    }
    let error = engine_of(Guest::silent()).load_model_from_reader(Broken, None).unwrap_err();
    assert!(matches!(&error, Error::Read(_)) && error.to_string().contains("the line went dead"), "{error}");
}

#[test]
fn model_file_that_is_missing_or_a_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine_of(Guest::silent());
    for path in [folder.path().join("missing.gguf"), folder.path().to_owned()] {
        let error = engine.load_model(&path).unwrap_err();
        assert!(matches!(&error, Error::Io { path: named, .. } if *named == path), "{error}");
    }
}

#[test]
fn model_larger_than_one_chunk_arrives_whole() {
    // Adds up the lengths of all chunks, and has the loader's last word give the sum as the size of the file.
    let guest = Guest::silent()
        .with(
            "[method]model-loader.write",
            "(i32.store (i32.const 6144) (i32.add (i32.load (i32.const 6144)) (local.get 2))) (i32.const 1024)",
        )
        .with("[method]model.load-metrics", "(i32.const 6144)");
    let bytes = vec![7; (3 << 20) + 5];
    let model = engine_of(guest).load_model_from_reader(bytes.as_slice(), Some(bytes.len() as u64)).unwrap();
    assert_eq!(model.load_metrics().file_bytes, bytes.len() as u64);
}

#[test]
fn oversized_block_is_refused_and_costs_nothing() {
    let model = load(&engine_of(Guest::silent()));
    let mut session = model.session(model.default_options()).unwrap();
    let block = vec![0.0; MAX_BLOCK_SAMPLES + 1];
    assert!(matches!(session.push_audio(&block), Err(Error::BlockTooLarge { .. })));
    session.push_audio(&block[1..]).unwrap();
}

#[test]
fn engine_that_promises_work_and_does_none_does_not_hold_its_host() {
    // `poll.more` stands behind the result's tag, the list of events and the number of steps.
    let body = "(i32.store8 (i32.const 7188) (i32.const 1)) (i32.const 7168)";
    let model = load(&engine_of(Guest::silent().with("[method]session.poll-transcript", body)));
    let mut session = model.session(model.default_options()).unwrap();
    assert!(matches!(session.drain(|_| {}), Err(Error::Internal(_))));
}

#[test]
fn embedded_engine_refuses_what_is_no_model_and_goes_on_to_the_next() {
    let engine = Engine::builder().cache(CacheFolder::Off).build().unwrap();
    for bytes in [&b""[..], b"GG", b"RIFF\x00\x00\x00\x00WAVEfmt ", &[0xff; 4096]] {
        let error = engine.load_model_from_reader(bytes, Some(bytes.len() as u64)).unwrap_err();
        assert!(matches!(error, Error::MalformedModel(_) | Error::IncompleteModel(_)), "{error}");
    }
}

#[test]
fn sessions_outlive_their_model() {
    let model = load(&engine_of(Guest::silent()));
    let mut session = model.session(model.default_options()).unwrap();
    drop(model);
    session.push_audio(&[0.0]).unwrap();
    session.finish().unwrap();
}

#[test]
fn one_engine_serves_many_threads() {
    fn shareable<T: Send + Sync>() {}
    shareable::<Engine>();
    shareable::<Model>();
    shareable::<Session>();

    let engine = engine_of(Guest::silent());
    let model = load(&engine);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let own = load(&engine);
                for model in [&own, &model] {
                    let mut session = model.session(model.default_options()).unwrap();
                    for _ in 0..100 {
                        session.push_audio(&[0.0; 16]).unwrap();
                        session.poll(1).unwrap();
                    }
                }
            });
        }
    });
}
