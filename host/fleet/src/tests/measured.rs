//! What things take, with `--nocapture`; and that none of them takes what nobody would wait for.

use std::time::{Duration, Instant};

use model::{Digest, Outcome, Verdict};
use trust::Signed;

use super::world::{World, order, pinned, report, time};
use super::{device, facts, place};
use crate::{Certificate, Question, Target, Tree, sample};

/// Of a debug build, on a machine that does something else as well.
const ENOUGH: Duration = Duration::from_secs(20);

fn measured<T>(what: &str, times: u32, mut work: impl FnMut() -> T) {
    let began = Instant::now();
    (0..times).for_each(|_| drop(work()));
    eprintln!("{:>10.1?}  {what}", began.elapsed() / times);
    assert!(began.elapsed() < ENOUGH * times, "{what}");
}

#[test]
fn what_a_device_verifies_is_bounded() {
    let (trust, _) = pinned();
    let (world, digest, count) = (World::new(64), Digest::of(b"the signed order"), 10_000);
    let drawn = sample(digest, 0, count, 64);
    let mut devices: Vec<_> = (0..count).map(device).collect();
    for (leaf, own) in drawn.iter().zip(world.devices()) {
        devices[*leaf as usize] = own;
    }
    let tree = Tree::new(&devices);
    let next = Tree::new(&[device(count)]);
    let body = trust::statement::Order { tenant: trust.pin(), ..order(&[&tree, &next]) };
    let results: Vec<Signed> = (0..64)
        .map(|at| {
            let ended = "2026-11-22T12:10:00Z";
            let mut body = report(digest, &world.key(at), Outcome::Completed, Verdict::Fixed, ended);
            body.tenant = trust.pin();
            world.sign(at, &body)
        })
        .collect();
    let question = Question { trust: &trust, order: digest, body: &body, ring: 0 };
    let own = world.devices();
    let result = |device: &crate::Device| results.get(own.iter().position(|it| it == device)?).cloned();
    let certificate = Certificate::make(&question, &devices, result).unwrap().write();
    eprintln!("{:>10}  bytes of a certificate of 64 among 10,000", certificate.len());
    let now = time("2026-11-22T13:00:00Z");
    measured("a certificate of 64 among 10,000", 5, || question.answered(&certificate, now).unwrap());
    let proof = tree.prove(7_777).unwrap();
    assert_eq!(proof.path.len(), 14);
    measured("a proof among 10,000", 100, || assert!(proof.holds(&devices[7_777], count, tree.root())));
    measured("a tree of 10,000", 3, || Tree::new(&devices));
    let text = "client == 'acme' && os.family == 'debian' && 'ring1' in tags && volumes.exists(v, v.free_pct < 10.0)";
    measured("an expression, read", 20, || Target::read(text).unwrap());
    let (target, asked) = (Target::read(text).unwrap(), facts().asked(Some(&place())));
    measured("an expression, asked", 200, || target.ask(&asked));
    let largest = crate::Facts::largest();
    for costly in [
        "volumes.exists(v, v.mount.matches('^/srv/.*[a-z]+$'))",
        "interfaces.exists(i, i.addresses.exists(a, a.startsWith('10.') || a.contains('::') || a.endsWith('/32')))",
        "interfaces.map(i, size(i.name) + size(i.mac)).exists(n, n == 7)",
    ] {
        let target = Target::read(costly).unwrap();
        measured(costly, 5, || target.ask(&largest));
    }
}
