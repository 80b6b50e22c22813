use contract::Class;
use model::{Digest, Mode};
use semver::Version;

use super::{Attack, as_it_is, revocation};
use crate::Names;
use crate::statement::{End, Form};
use crate::tests::world::{World, grants, name, names};

const EARLY: &str = "2026-07-15T00:00:00Z";
const LATE: &str = "2026-09-01T00:00:00Z";

#[rustfmt::skip]
pub(super) const ATTACKS: &[Attack] = &[
    ("a flipped byte in the plugin", |it| it.plugin.digest = Digest::of(b"the plugim"), &["other-bytes", "no-approval"], as_it_is),
    ("other bytes, approved too", |it| { it.plugin.digest = Digest::of(b"another"); it.approval.body.plugins.push(it.plugin.digest); }, &["other-bytes"], |it| it.approval.body.plugins.push(Digest::of(b"another"))),
    ("another size", |it| it.plugin.size_bytes = 11, &["relabelled"], as_it_is),
    ("a flipped byte in the manifest", |it| it.plugin.manifest = Digest::of(b"its manifesu"), &["other-manifest"], as_it_is),
    ("the manifest of another plugin", other_manifest, &["other-manifest", "relabelled"], as_it_is),
    ("renamed", |it| it.said.body.name = name("inventory"), &["relabelled"], as_it_is),
    ("an older one as a newer", |it| it.said.body.version = Version::new(1, 3, 0), &["relabelled"], as_it_is),
    ("a script as a component", |it| it.plugin.form = Form::Script, &["relabelled"], |it| { it.plugin.form = Form::Script; it.said.body.form = Form::Script; }),
    ("for a host to come", |it| { it.plugin.contract = Some(Version::new(99, 0, 0)); it.said.body.contract = it.plugin.contract.clone(); }, &["other-contract"], as_it_is),
    ("an older version", |it| it.ran = vec![Version::new(1, 3, 0)], &["older-version"], |it| { it.ran = vec![Version::new(1, 3, 0)]; it.is_downgrade_meant = true; it.approval.body.downgrade = true; }),
    ("an older version that nobody means", |it| { it.ran = vec![Version::new(1, 3, 0)]; it.approval.body.downgrade = true; }, &["older-version"], |it| it.ran = vec![Version::new(1, 2, 0)]),
    ("an older version that nobody approved", |it| { it.ran = vec![Version::new(1, 3, 0)]; it.is_downgrade_meant = true; }, &["older-version"], as_it_is),
    ("a plugin that was revoked", |it| end(it, End::Compromised, LATE, "rob"), &["revoked"], as_it_is),
    ("a plugin that its publisher revoked", |it| end(it, End::Compromised, LATE, "remit"), &["revoked"], |it| end(it, End::Compromised, LATE, "other")),
    ("a plugin approved after it was retired", |it| end(it, End::Retired, EARLY, "remit"), &["retired"], |it| end(it, End::Retired, LATE, "remit")),
    ("a plugin that nobody approved", |it| it.approval.body.plugins = vec![Digest::of(b"another")], &["no-approval"], as_it_is),
    ("an approval for another client", |it| it.approval.body.clients = names(&["globex"]), &["other-client"], |it| it.approval.body.clients = names(&["globex", "acme"])),
    ("an approval for some client, and nobody's device", |it| it.client = None, &["other-client"], |it| { it.client = None; it.approval.body.clients = Names::All; }),
    ("an approval for nobody", |it| it.approval.body.clients = names(&[]), &["other-client"], as_it_is),
    ("an approval for other devices", |it| it.tags = vec![name("desktop")], &["other-tags"], |it| { it.tags.clear(); it.approval.body.tags = Names::All; }),
    ("an approval to look", |it| it.approval.body.modes = vec![Mode::Detect, Mode::DryRun], &["other-mode"], |it| { it.approval.body.modes = vec![Mode::Detect]; it.mode = Mode::Detect; }),
    ("an approval of fewer capabilities", |it| it.approval.body.grants = grants(&[("device", &[]), ("files", &["scratch"])]), &["not-granted"], as_it_is),
    ("an approval of another scope", |it| it.approval.body.grants.add("files-write", vec!["logs".into()]), &["not-granted"], |it| it.approval.body.grants.add("files-write", vec!["logs".into(), "scratch".into()])),
    ("a plugin that asks for more", |it| it.wishes.add("service-control", vec!["nginx".into()]), &["not-granted"], |it| { it.wishes.add("service-control", vec!["nginx".into()]); it.approval.body.grants.add("service-control", vec!["ngin*".into()]); }),
    ("a client that does not want the mode", |it| it.policy.body.modes = vec![Mode::Detect], &["policy-forbids"], |it| { it.policy.body.modes = vec![Mode::Detect]; it.mode = Mode::Detect; }),
    ("a client that does not want the publisher", |it| it.policy.body.publishers = names(&["other"]), &["policy-forbids"], |it| it.policy.body.publishers = Names::All),
    ("a client that does not want the class", |it| it.policy.body.class_max = Class::L1, &["policy-forbids"], as_it_is),
    ("a client that wants an interface never", |it| it.policy.body.never = vec!["files".into()], &["policy-forbids"], |it| it.policy.body.never = vec!["power".into()]),
];

fn other_manifest(world: &mut World) {
    world.plugin.manifest = Digest::of(b"of inventory");
    world.plugin.name = name("inventory");
}

fn end(world: &mut World, end: End, created: &str, by: &str) {
    let digest = world.plugin.digest;
    world.later.push(revocation(end, created, &[by], |it| it.plugins.push(digest)));
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let mut world = World::new();
    world.said.by = vec!["other"];
    world.plugin.manifest = Digest::of(b"another");
    world.approval.body.clients = names(&["globex"]);
    world.approval.body.grants = grants(&[]);
    world.policy.body.class_max = Class::L0;
    let met: Vec<&str> = world.outcome().unwrap_err().into_iter().collect();
    assert_eq!(met, ["not-granted", "other-client", "other-manifest", "other-publisher", "policy-forbids"]);
}

#[test]
fn what_is_approved_is_the_plugin_with_what_both_sides_say_until_the_first_document_expires() {
    let mut world = World::new();
    world.wishes.add("files", vec!["scratch".into(), "logs".into()]);
    let approved = world.outcome().unwrap();
    assert_eq!((approved.plugin(), approved.mode()), (&world.plugin, Mode::Enforce));
    assert_eq!(approved.grants(), &world.approval.body.grants, "`logs` was not granted: there it answers `denied`");
    assert_eq!((approved.approval().as_str(), approved.reviewer().as_str()), ("cleanup", "rob"));
    assert_eq!(approved.until(), world.approval.body.expires);
}

#[test]
fn past_every_expiry_what_reads_still_reads() {
    let mut world = World::new();
    let past = crate::tests::world::time("2026-11-21T00:00:00Z");
    world.root.body.expires = past;
    world.roster.body.expires = past;
    world.approval.body.expires = past;
    world.policy.body.expires = past;
    assert_eq!(world.outcome().unwrap_err().into_iter().collect::<Vec<_>>(), ["expired"]);
    world.mode = Mode::DryRun;
    assert!(world.outcome().is_ok(), "a mutator can only answer `planned`");
    world.mode = Mode::Enforce;
    world.wishes = grants(&[("device", &[]), ("files", &["scratch"])]);
    assert!(world.outcome().is_ok());
}
