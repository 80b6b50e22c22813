//! A secret for a device: nobody else opens it, and nobody says otherwise of it than who sealed it.

use contract::Class;
use model::Digest;

use super::scene::{CREATED, Scene, assignment};
use super::world::{NOW, key, name, private, seat, signed, time};
use super::{attacks::revocation, samples};
use crate::statement::{Assignment, End, SECRET_BYTES_MAX, Secret, read};
use crate::{Signed, Signer, Trust};

const TOKEN: &[u8] = b"tok-0123456789";

fn device() -> Signer {
    Signer::from_seed(&private("device").key_data().ed25519().unwrap().private.to_bytes())
}

fn tenant() -> Digest {
    Scene::new().tenant
}

fn secret(serial: u64, change: impl FnOnce(&mut Secret)) -> Secret {
    let mut body = samples::secret();
    (body.serial, body.sealed) = (serial, String::new());
    change(&mut body);
    body.seal(tenant(), TOKEN).unwrap()
}

fn trust(change: impl FnOnce(&mut Scene)) -> Trust {
    let mut scene = Scene::new();
    change(&mut scene);
    scene.trust().unwrap()
}

fn by(body: &Secret, holder: &str) -> Signed {
    signed(CREATED, body, &[holder])
}

/// What the device has then, by its number.
fn has(trust: &Trust) -> Vec<u64> {
    trust.secrets(&key("device"), time(NOW)).iter().map(|it| it.serial).collect()
}

#[test]
fn only_its_device_opens_it_and_only_as_it_was_sealed() {
    let sealed = secret(1, |_| ());
    assert_eq!(sealed.open(tenant(), &device()).unwrap().as_slice(), TOKEN);
    let other = Signer::from_seed(&[3; 32]);
    assert!(sealed.open(tenant(), &other).is_err());
    assert!(sealed.open(Digest::of(b"another MSP"), &device()).is_err());
    // Another technician cannot take what was sealed for one thing and say that it is for another.
    for change in [
        (|it| it.name = name("other-token")) as fn(&mut Secret),
        |it| it.places = vec!["http:evil.example.com".to_owned()],
        |it| it.serial += 1,
        |it| it.expires = it.expires.plus_days(1),
        |it| it.client = name("globex"),
        |it| it.device = key("other"),
        |it| it.sealed.clear(),
    ] {
        let mut changed = sealed.clone();
        change(&mut changed);
        assert!(changed.open(tenant(), &device()).is_err(), "{changed:?}");
    }
}

#[test]
fn what_is_sealed_says_little_of_its_length_and_is_bounded() {
    let body = || Secret { sealed: String::new(), ..samples::secret() };
    let length = |bytes: usize| body().whole(tenant(), &vec![b'x'; bytes]).len();
    assert_eq!((length(8), length(200), length(300)), (256, 256, 512));
    let seal = |bytes: usize| body().seal(tenant(), &vec![b'x'; bytes]);
    let largest = seal(SECRET_BYTES_MAX).unwrap();
    assert!(crate::statement::write(time(CREATED), &largest).is_ok());
    assert!(seal(SECRET_BYTES_MAX + 1).is_err() && seal(0).is_err());
}

#[test]
fn a_device_has_what_its_client_s_technicians_set_and_the_newest_of_it() {
    let mut believed = trust(|_| ());
    believed.take(&by(&secret(5, |_| ()), "tess"), time(NOW)).unwrap();
    assert_eq!(has(&believed), [5]);
    believed.take(&by(&secret(6, |_| ()), "tess"), time(NOW)).unwrap();
    assert_eq!(has(&believed), [6]);
    let refused = believed.take(&by(&secret(5, |_| ()), "tess"), time(NOW)).unwrap_err();
    assert_eq!(refused[0].code(), "rolled-back");
    let gone = Secret { serial: 7, places: Vec::new(), sealed: String::new(), ..samples::secret() };
    believed.take(&by(&gone, "tess"), time(NOW)).unwrap();
    assert_eq!(has(&believed), [0_u64; 0]);
    // What was replaced is not brought back.
    assert!(believed.take(&by(&secret(6, |_| ()), "tess"), time(NOW)).is_err());
    assert_eq!(has(&believed), [0_u64; 0]);
}

#[test]
fn nobody_else_sets_one() {
    let mut believed = trust(|it| {
        it.world.roster.body.technicians.push(seat("lee", "lee", &["acme"], Class::L1));
    });
    for (who, code) in [("gus", "out-of-scope"), ("lee", "out-of-scope"), ("rob", "other-role"), ("eve", "unknown-key")]
    {
        let refused = believed.take(&by(&secret(5, |_| ()), who), time(NOW)).unwrap_err();
        assert!(refused.iter().any(|it| it.code() == code), "{who}: {refused:?}");
    }
    // Another client's technician says it of their own client, and the device is not theirs.
    believed.take(&by(&secret(9, |it| it.client = name("globex")), "gus"), time(NOW)).unwrap();
    assert_eq!(has(&believed), [0_u64; 0]);
    // The control; and the word about another client's took none of its numbers.
    believed.take(&by(&secret(5, |_| ()), "tess"), time(NOW)).unwrap();
    assert_eq!(has(&believed), [5]);
    // A device that is another client's now has none of the first one's.
    let mut moved = read::<Assignment>(assignment("globex", "gus").statement()).unwrap().body;
    moved.serial = 2;
    believed.take(&signed(CREATED, &moved, &["gus"]), time(NOW)).unwrap();
    assert_eq!(has(&believed), [9]);
}

#[test]
fn a_stolen_key_s_secrets_go_and_hold_no_number() {
    let mut believed = trust(|_| ());
    believed.take(&by(&secret(u64::from(u32::MAX), |_| ()), "tess"), time(NOW)).unwrap();
    believed.take(&revocation(End::Compromised, CREATED, &["rob"], |it| it.keys.push(key("tess"))), time(NOW)).unwrap();
    assert_eq!(has(&believed), [0_u64; 0]);
    believed.take(&by(&secret(6, |_| ()), "tom"), time(NOW)).unwrap();
    assert_eq!(has(&believed), [6]);
}

#[test]
fn it_ends_with_its_time() {
    let mut believed = trust(|_| ());
    believed.take(&by(&secret(5, |it| it.expires = time("2026-11-22T13:00:00Z")), "tess"), time(NOW)).unwrap();
    let at = |text: &str| believed.secrets(&key("device"), time(text)).len();
    assert_eq!((at("2026-11-22T12:59:59Z"), at("2026-11-22T13:00:00Z")), (1, 0));
}

#[test]
fn what_a_statement_may_say_is_bounded() {
    let wrong = |change: fn(&mut Secret)| {
        let mut body = samples::secret();
        change(&mut body);
        crate::statement::write(time(CREATED), &body).err().map(|it| it.to_string())
    };
    assert_eq!(wrong(|_| ()), None, "the control");
    assert_eq!(wrong(|it| (it.places, it.sealed) = (Vec::new(), String::new())), None, "it is gone");
    assert_eq!(wrong(|it| it.places = (0..64).map(|at| format!("notify:{at}")).collect()), None);
    for (change, what) in [
        ((|it| it.places = (0..65).map(|at| format!("notify:{at}")).collect()) as fn(&mut Secret), "`places`"),
        (|it| it.places.clear(), "`places`"),
        (|it| it.places = vec!["a b".to_owned()], "`places`"),
        (|it| it.sealed.clear(), "`places`"),
        (|it| it.sealed = "not base64!".to_owned(), "`sealed`"),
        (|it| it.sealed = "A".repeat(27 << 10), "`sealed`"),
        (|it| it.name = name("a@b"), "`name`"),
        (|it| it.device = super::hardware::key(), "`device`"),
    ] {
        assert!(wrong(change).is_some_and(|it| it.contains(what)), "{what}: {:?}", wrong(change));
    }
}

/// What was sealed once opens for ever.
#[test]
fn what_was_sealed_then_opens_now() {
    assert_eq!(samples::secret().open(Digest::of(b"the root"), &device()).unwrap().as_slice(), TOKEN);
}
