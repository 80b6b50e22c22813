//! The attacks on a plugin and its documents.

use model::Digest;
use trust::statement::{End, Revocation};
use trust::{Kind, Signed};

use crate::Meets::{self, Codes, Documents};
use crate::documents::{self, Made, day, grants, key, names, sign};
use crate::hardware;
use crate::scene::{Scene, plugin};

/// What the issue calls it, what is done, what it meets, and its control: the same without that one flaw.
pub(crate) struct Row {
    pub(crate) of: &'static str,
    pub(crate) attack: fn(&mut Scene),
    pub(crate) meets: Meets,
    pub(crate) control: fn(&mut Scene),
}

const fn row(of: &'static str, attack: fn(&mut Scene), meets: Meets, control: fn(&mut Scene)) -> Row {
    Row { of, attack, meets, control }
}

fn as_it_is(_: &mut Scene) {}

#[rustfmt::skip]
pub(crate) const OF_BYTES: &[Row] = &[
    row("flipped byte in component", |it| flip(it, b"\x41\x80\x20"), Codes(&["other-bytes", "no-approval"]), as_it_is),
    row("flipped byte in manifest", |it| flip(it, b"Tidies up"), Codes(&["other-bytes", "other-manifest", "no-approval"]), as_it_is),
    row("flipped byte in signature", |it| carry_statement(it, flipped), Codes(&["bad-signature"]), as_it_is),
    row("manifest of another plugin", |it| arrives(it, plugin("inventory", "3.0.0")), Codes(&["other-bytes", "other-manifest", "relabelled", "relabelled", "no-approval"]), |it| arrives(it, plugin("tidy", "1.2.0"))),
    row("renamed", |it| it.said.body.name = documents::name("inventory"), Codes(&["relabelled"]), as_it_is),
    row("older version", |it| it.ran = vec!["1.3.0"], Codes(&["older-version"]), |it| it.ran = vec!["1.1.0"]),
    row("other namespace's key", |it| it.said.by = vec!["other"], Codes(&["other-publisher"]), |it| it.said.by = vec!["other", "remit"]),
    row("`sk-` without touch", |it| by_hardware(it, 0), Codes(&["no-touch"]), |it| by_hardware(it, 1)),
    row("statement of another kind", |it| { let approval = it.approval.signed(); carry_statement(it, move |_| approval.clone()); }, Codes(&["other-kind"]), as_it_is),
];

#[rustfmt::skip]
pub(crate) const OF_FORM: &[Row] = &[
    row("duplicate keys", |it| replace(it, "\"name\":", "\"name\":\"other\",\"name\":"), Codes(&["duplicate-key"]), as_it_is),
    row("trailing data", |it| rewrite(it, |text| format!("{text}{text}")), Codes(&["trailing-data"]), as_it_is),
    row("huge JSON", |it| rewrite(it, |text| format!("{text}{}", " ".repeat(8 << 10))), Codes(&["too-large"]), as_it_is),
    row("huge JSON", |it| rewrite(it, |text| format!("{text}{}", " ".repeat(64 << 20))), Codes(&["too-large"]), as_it_is),
    row("deeply nested JSON", |it| rewrite(it, |_| "[".repeat(4 << 10)), Codes(&["too-deep"]), as_it_is),
    row("non-canonical form", |it| replace(it, "\"name\":", "\"name\": "), Codes(&["not-canonical"]), as_it_is),
    row("non-canonical form", |it| rewrite(it, |text| format!("{text}\n")), Codes(&["not-canonical"]), as_it_is),
    row("non-canonical form", |it| replace(it, "\"tidy\"", "\"t\\u0069dy\""), Codes(&["not-canonical"]), as_it_is),
];

#[rustfmt::skip]
pub(crate) const OF_DOCUMENTS: &[Row] = &[
    row("expired", |it| it.roster.body.expires = day(-1), Codes(&["expired"]), |it| it.roster.body.expires = day(1)),
    row("not yet valid", |it| it.said.days = 1, Codes(&["not-yet-valid"]), |it| it.said.days = -1),
    row("revoked", |it| revoke(it, End::Compromised, -1, |it, of| it.plugins.push(of)), Codes(&["revoked"]), |it| revoke(it, End::Compromised, -1, |it, _| it.plugins.push(Digest::of(b"another")))),
    row("retired key", |it| revoke(it, End::Retired, -101, |it, _| it.keys.push(key("remit"))), Codes(&["key-retired"]), |it| revoke(it, End::Retired, -99, |it, _| it.keys.push(key("remit")))),
    row("one person's two keys for a threshold of two", |it| { it.brings_all = true; it.roster.by = vec!["ann", "ann-2"]; }, Documents(&["too-few-people", "no-roster"], &["no-roster", "no-roster", "no-approval"]), |it| { it.brings_all = true; it.roster.by = vec!["ann-2", "ben"]; }),
    row("approval for another client", |it| it.approval.body.clients = names(&["globex"]), Codes(&["other-client"]), |it| it.approval.body.clients = names(&["globex", "acme"])),
    row("approval for fewer capabilities", |it| it.approval.body.grants = grants(&[("device", &[])]), Codes(&["not-granted"]), as_it_is),
    row("approval for fewer capabilities", |it| it.approval.body.grants.add("files-write", vec!["logs".into()]), Codes(&["not-granted"]), |it| it.approval.body.grants.add("files-write", vec!["logs".into(), "scratch".into()])),
    row("approval expired", |it| it.approval.body.expires = day(-1), Codes(&["expired"]), |it| it.approval.body.expires = day(1)),
    row("roster rolled back", |it| { without_publisher(it); it.later.push(it.roster.signed()); }, Documents(&["rolled-back"], &["unknown-key"]), |it| it.later.push(it.roster.signed())),
];

/// One bit of the file, where these bytes are.
fn flip(scene: &mut Scene, at: &'static [u8]) {
    scene.carry = std::sync::Arc::new(move |bytes| {
        let at = bytes.windows(at.len()).position(|it| it == at).expect("it is there") + at.len() / 2;
        bytes[at] ^= 1;
    });
}

fn arrives(scene: &mut Scene, other: Vec<u8>) {
    scene.carry = std::sync::Arc::new(move |bytes| bytes.clone_from(&other));
}

fn carry_statement(scene: &mut Scene, change: impl Fn(Signed) -> Signed + 'static) {
    scene.carry_statement = std::sync::Arc::new(change);
}

fn flipped(it: Signed) -> Signed {
    let mut signature = it.signatures()[0].clone();
    let at = signature.find("-----END").unwrap() - 20;
    let other = if signature.as_bytes()[at] == b'A' { "B" } else { "A" };
    signature.replace_range(at..=at, other);
    Signed::new(it.statement().to_vec(), vec![signature])
}

fn by_hardware(scene: &mut Scene, flags: u8) {
    carry_statement(scene, move |it| {
        let signature = hardware::sign(Kind::Plugin, it.statement(), flags);
        Signed::new(it.statement().to_vec(), vec![signature])
    });
}

/// Other bytes, which the publisher signs: it is their form that is refused.
fn rewrite(scene: &mut Scene, change: impl Fn(&str) -> String + 'static) {
    carry_statement(scene, move |it| {
        let bytes = change(std::str::from_utf8(it.statement()).unwrap()).into_bytes();
        let signature = sign(Kind::Plugin, &bytes, "remit");
        Signed::new(bytes, vec![signature])
    });
}

fn replace(scene: &mut Scene, what: &'static str, with: &'static str) {
    rewrite(scene, move |text| {
        assert!(text.contains(what), "{what} in {text}");
        text.replace(what, with)
    });
}

fn revoke(scene: &mut Scene, end: End, days: i64, change: fn(&mut Revocation, Digest)) {
    let mut body = Revocation { end, plugins: vec![], keys: vec![], statements: vec![], reason: "a test".to_owned() };
    change(&mut body, scene.said.body.digest);
    scene.later.push(Made::new(body, days, &["rob"]).signed());
}

/// The next roster leaves the publisher out.
fn without_publisher(scene: &mut Scene) {
    let mut next = scene.roster.clone();
    next.body.serial += 1;
    next.body.publishers.retain(|it| it.holder.as_str() != "remit");
    scene.later.push(next.signed());
}
