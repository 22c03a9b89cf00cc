//! The cache of compiled components: what is loaded from it, and what never is.

use std::fs;
use std::path::{Path, PathBuf};

use auricle::{CacheFolder, CacheUse, Engine, Flavour};

use crate::guest::Guest;

fn build(guest: &Guest, folder: &Path) -> Engine {
    guest.engine().cache(CacheFolder::At(folder.to_owned())).build().unwrap()
}

/// Fills a new cache and gives it with its entry.
fn filled() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("made/by the library");
    let engine = build(&Guest::silent(), &folder);
    let CacheUse::Stored { path, replaced: None } = engine.cache_use() else { panic!("{:?}", engine.cache_use()) };
    (parent, folder, path.clone())
}

#[test]
fn second_engine_loads_what_the_first_one_stored() {
    let (_parent, folder, entry) = filled();
    let second = build(&Guest::silent(), &folder);
    assert_eq!(*second.cache_use(), CacheUse::Loaded(entry));
    second.about().unwrap();
}

#[test]
fn another_component_or_another_flavour_is_another_entry() {
    let (_parent, folder, entry) = filled();
    let other = build(&Guest::silent().with_first_pages(3), &folder);
    let restricted = Guest::silent().engine().flavour(Flavour::Simd128).cache(CacheFolder::At(folder)).build().unwrap();
    for engine in [other, restricted] {
        let CacheUse::Stored { path, replaced: None } = engine.cache_use() else { panic!("{:?}", engine.cache_use()) };
        assert_ne!(*path, entry);
    }
}

#[test]
fn entry_with_any_part_changed_is_never_loaded_and_is_replaced() {
    let (_parent, folder, entry) = filled();
    let whole = fs::read(&entry).unwrap();
    // Magic, key, digest, length, and the first, a middle and the last byte of the code.
    for at in [0, 15, 16, 47, 48, 79, 80, 87, 88, whole.len() / 2, whole.len() - 1] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(&entry, &changed).unwrap();
        let engine = build(&Guest::silent(), &folder);
        assert!(
            matches!(engine.cache_use(), CacheUse::Stored { replaced: Some(_), .. }),
            "byte {at}: {:?}",
            engine.cache_use()
        );
        assert_eq!(*build(&Guest::silent(), &folder).cache_use(), CacheUse::Loaded(entry.clone()), "byte {at}");
    }
}

#[test]
fn entry_of_any_other_length_is_never_loaded() {
    let (_parent, folder, entry) = filled();
    let whole = fs::read(&entry).unwrap();
    let longer = [whole.as_slice(), b"x"].concat();
    for wrong in [&whole[..0], &whole[..10], &whole[..88], &whole[..whole.len() - 1], &longer] {
        fs::write(&entry, wrong).unwrap();
        let engine = build(&Guest::silent(), &folder);
        assert!(matches!(engine.cache_use(), CacheUse::Stored { replaced: Some(_), .. }), "{:?}", engine.cache_use());
    }
}

#[test]
fn entry_of_another_component_under_this_name_is_never_loaded() {
    let (_parent, folder, entry) = filled();
    let other = build(&Guest::silent().with_first_pages(3), &folder);
    let CacheUse::Stored { path: foreign, .. } = other.cache_use() else { panic!("{:?}", other.cache_use()) };
    fs::copy(foreign, &entry).unwrap();
    let engine = build(&Guest::silent(), &folder);
    let CacheUse::Stored { replaced: Some(why), .. } = engine.cache_use() else { panic!("{:?}", engine.cache_use()) };
    assert!(why.contains("something else"), "{why}");
}

#[test]
fn old_entries_are_removed_when_there_are_many() {
    let folder = tempfile::tempdir().unwrap();
    for pages in 2..14 {
        build(&Guest::silent().with_first_pages(pages), folder.path());
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 8);
    let newest = build(&Guest::silent().with_first_pages(13), folder.path());
    assert!(matches!(newest.cache_use(), CacheUse::Loaded(_)));
}

#[test]
fn folder_that_cannot_be_made_costs_only_the_cache() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let engine = build(&Guest::silent(), &file.path().join("cache"));
    assert!(matches!(engine.cache_use(), CacheUse::Unusable(_)), "{:?}", engine.cache_use());
    engine.about().unwrap();
}

#[cfg(unix)]
#[test]
fn folder_is_made_for_its_user_alone_and_not_used_when_others_may_write_to_it() {
    use std::os::unix::fs::PermissionsExt as _;

    let (_parent, folder, _) = filled();
    let mode = |folder: &Path| fs::metadata(folder).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for shared in [0o720, 0o702, 0o777] {
        fs::set_permissions(&folder, fs::Permissions::from_mode(shared)).unwrap();
        let engine = build(&Guest::silent(), &folder);
        let CacheUse::Unusable(why) = engine.cache_use() else { panic!("{:?}", engine.cache_use()) };
        assert!(why.contains("other users may write"), "{why}");
    }
}
