//! What a host keeps of plugins, and what becomes of it when somebody lays a hand on it: it is worked out anew, and what was laid there
//! is never mapped.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use runtime::{Engine, Options};
use wasmtime::{Config, ModuleVersionStrategy};

use crate::Attack;
use crate::documents::Made;
use crate::scene::{Place, Scene, about, plugin};

pub(crate) const ATTACKS: &[Attack] = &[
    ("cache file replaced", |of| rebuilt(of, flipped)),
    ("cache file replaced", |of| rebuilt(of, emptied)),
    ("cache file replaced", |of| rebuilt(of, of_another_plugin)),
    ("cache file replaced", |of| rebuilt(of, linked)),
    ("cache file replaced", |of| rebuilt(of, of_another_engine)),
    ("cache file replaced", |of| rebuilt(of, key_of_others)),
    ("cache file replaced", |of| rebuilt(of, key_that_others_read)),
    ("cache file replaced", |of| rebuilt(of, key_that_is_a_link)),
];

#[test]
fn code_that_was_laid_into_the_cache_is_not_mapped() {
    ATTACKS.iter().for_each(|(of, attack)| attack(of));
}

/// A machine on which the plugin ran, and another one whose code is there too.
fn warm() -> (Place, PathBuf, PathBuf) {
    let mut scene = Scene::new();
    let other = plugin("tidy", "1.1.0");
    scene.approval.body.plugins.push(about(&other).digest);
    let place = scene.laid();
    let said = Made { body: about(&other), ..scene.said.clone() };
    place.lay("other.wasm", &other, &said.signed());
    place.lay("tidy.wasm", &scene.plugin, &scene.said.signed());
    place.run("other.wasm", "acme").ran.expect(0);
    let first = place.run("tidy.wasm", "acme");
    assert_eq!((first.ran.code, first.compiled, first.mapped), (Some(0), 1, 1), "{}", first.ran);
    let of = |plugin: &[u8], ending: &str| entry(&place, &about(plugin).digest.hex(), ending);
    let (code, other) = (of(&scene.plugin, ".cwasm"), of(&other, ".cwasm"));
    (place, code, other)
}

fn compiled(place: &Place) -> PathBuf {
    place.remit.state().join("compiled")
}

fn entry(place: &Place, digest: &str, ending: &str) -> PathBuf {
    let files = fs::read_dir(compiled(place)).unwrap().map(|file| file.unwrap().path());
    let is_it = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(digest) && name.ends_with(ending)
    };
    files.into_iter().find(is_it).unwrap()
}

/// What was touched is compiled again, once; and then it is kept again.
fn rebuilt(of: &str, attack: fn(&Path, &Path)) {
    let (place, code, other) = warm();
    let run = || {
        let played = place.run("tidy.wasm", "acme");
        assert_eq!((played.ran.code, played.mapped), (Some(0), 1), "{of}\n{}", played.ran);
        played.compiled
    };
    assert_eq!(run(), 0, "the control: what nobody touched is not compiled again");
    attack(&code, &other);
    assert_eq!(run(), 1, "{of}: it is worked out anew");
    assert_eq!(run(), 0, "{of}: and kept again");
    assert!(code.symlink_metadata().unwrap().is_file());
    let mode = |path: &Path| path.symlink_metadata().unwrap().mode() & 0o777;
    assert_eq!((mode(&compiled(&place)), mode(&compiled(&place).join("key"))), (0o700, 0o600), "{of}");
}

fn flipped(code: &Path, _: &Path) {
    let mut bytes = fs::read(code).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(code, bytes).unwrap();
}

fn emptied(code: &Path, _: &Path) {
    fs::write(code, []).unwrap();
}

/// Sealed by this very host, for something else.
fn of_another_plugin(code: &Path, other: &Path) {
    fs::copy(other, code).unwrap();
}

/// The very same bytes, where somebody else may change them between one look and the next.
fn linked(code: &Path, _: &Path) {
    let elsewhere = code.with_extension("elsewhere");
    fs::rename(code, &elsewhere).unwrap();
    symlink(elsewhere, code).unwrap();
}

/// What another version of wasmtime, another configuration or another processor had compiled, under this engine's name.
fn of_another_engine(code: &Path, _: &Path) {
    let name = code.file_name().unwrap().to_str().unwrap();
    let (digest, _) = name.split_once('-').unwrap();
    fs::rename(code, code.with_file_name(format!("{digest}-0123456789abcdef.cwasm"))).unwrap();
}

fn key_of_others(code: &Path, _: &Path) {
    fs::write(code.with_file_name("key"), [7; 32]).unwrap();
}

/// Somebody may have read it, and have sealed what they like.
fn key_that_others_read(code: &Path, _: &Path) {
    fs::set_permissions(code.with_file_name("key"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(code.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
}

fn key_that_is_a_link(code: &Path, _: &Path) {
    let key = code.with_file_name("key");
    let elsewhere = code.with_file_name("elsewhere");
    fs::rename(&key, &elsewhere).unwrap();
    symlink(elsewhere, key).unwrap();
}

/// Code has its engine in its name: what another version of wasmtime, another configuration or another processor had compiled is not
/// even looked at.
#[test]
fn code_is_kept_by_the_engine_that_it_is_for() {
    let of = |engine: &wasmtime::Engine| {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    };
    let (_place, code, _) = warm();
    let own = Engine::new(Options { pooled: false, ..Options::default() }).unwrap();
    assert!(code.to_str().unwrap().ends_with(&format!("-{}.cwasm", of(own.wasmtime()))), "{}", code.display());
    let with = |change: fn(&mut Config)| {
        let mut config = Config::new();
        change(&mut config);
        of(&wasmtime::Engine::new(&config).unwrap())
    };
    let other_version = |it: &mut Config| {
        it.module_version(ModuleVersionStrategy::Custom("another".to_owned())).unwrap();
    };
    let other_configuration = |it: &mut Config| {
        it.cranelift_nan_canonicalization(true);
    };
    // Named, a target has none of the features that this machine's processor has beyond it.
    let other_processor = |it: &mut Config| {
        it.target("x86_64-unknown-linux-gnu").unwrap();
    };
    let all = [with(|_| ()), with(other_version), with(other_configuration), with(other_processor)];
    assert_eq!(all[0], with(|_| ()), "the control");
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{all:?}");
}

#[test]
fn a_label_that_was_laid_into_the_cache_is_not_believed() {
    let (place, code, other) = warm();
    let label =
        |of: &Path| entry(&place, of.file_name().unwrap().to_str().unwrap().split_once('-').unwrap().0, ".label");
    let (label, other) = (label(&code), label(&other));
    let whole = fs::read(&label).unwrap();
    fs::copy(other, &label).unwrap();
    let played = place.run("tidy.wasm", "acme");
    assert_eq!((played.ran.code, played.compiled, played.mapped), (Some(0), 0, 1), "{}", played.ran);
    assert_eq!(fs::read(&label).unwrap(), whole, "it was read out of the plugin again, and kept again");
}

#[test]
fn a_cache_that_others_write_to_is_refused() {
    let (place, ..) = warm();
    let others_may = |mode: u32| fs::set_permissions(compiled(&place), fs::Permissions::from_mode(mode)).unwrap();
    others_may(0o770);
    let met = place.run("tidy.wasm", "acme");
    assert_eq!((met.ran.code, met.compiled, met.mapped, met.is_entered), (Some(1), 0, 0, false), "{}", met.ran);
    assert!(met.ran.stderr.contains("others may write to it"), "{}", met.ran);
    others_may(0o700);
    let control = place.run("tidy.wasm", "acme");
    assert_eq!((control.ran.code, control.compiled, control.mapped), (Some(0), 0, 1), "{}", control.ran);
}
