use super::{Attack, as_it_is, carry, replace, rewrite, sign_with};
use crate::tests::world::{World, sign};
use crate::{Kind, Signed};

/// A signature by a key of a kind that does not count.
const ECDSA: &str = include_str!("ecdsa.sig");

#[rustfmt::skip]
pub(super) const ATTACKS: &[Attack] = &[
    ("a huge statement", |it| rewrite(it, |text| format!("{text}{}", " ".repeat(8 << 10))), &["too-large"], as_it_is),
    ("a statement that was cut", |it| rewrite(it, |text| text[..text.len() - 1].to_owned()), &["not-json"], as_it_is),
    ("nesting without end", |it| rewrite(it, |_| "[".repeat(4 << 10)), &["too-deep"], as_it_is),
    ("two names", |it| replace(it, "\"name\":", "\"name\":\"other\",\"name\":"), &["duplicate-key"], as_it_is),
    ("two statements", |it| rewrite(it, |text| format!("{text}{text}")), &["trailing-data"], as_it_is),
    ("a float", |it| replace(it, "\"size-bytes\":10", "\"size-bytes\":1e1"), &["not-whole"], as_it_is),
    ("a space", |it| replace(it, "\"name\":", "\"name\": "), &["not-canonical"], as_it_is),
    ("a line's end", |it| rewrite(it, |text| format!("{text}\n")), &["not-canonical"], as_it_is),
    ("an approval for a plugin", |it| carry(it, |_| World::new().approval.signed()), &["other-kind"], as_it_is),
    ("a format to come", |it| replace(it, "\"format\":1", "\"format\":2"), &["unsupported-version"], as_it_is),
    ("a field to come", |it| rewrite(it, |text| text.replace('}', ",\"zone\":1}")), &["unknown-field"], as_it_is),
    ("a form that nobody knows", |it| replace(it, "\"component\"", "\"kernel\""), &["wrong-content"], as_it_is),
    ("no format", |it| replace(it, "\"format\":1,", ""), &["wrong-content"], as_it_is),
    ("no signature", |it| it.said.by.clear(), &["no-signature"], as_it_is),
    ("something else in its place", |it| sign_with(it, |_| "Trust me.".to_owned()), &["not-a-signature"], as_it_is),
    ("a huge signature", |it| sign_with(it, |_| "A".repeat(1 << 20)), &["not-a-signature"], as_it_is),
    ("a flood of signatures", |it| it.said.by = vec!["remit"; 17], &["too-many-signatures"], |it| it.said.by = vec!["remit"; 16]),
    ("a signature for another kind", |it| sign_with(it, |it| sign(Kind::Approval, it, "remit")), &["other-namespace"], as_it_is),
    ("a kind of key that does not count", |it| sign_with(it, |_| ECDSA.to_owned()), &["key-kind"], as_it_is),
    ("a flipped byte in the statement", |it| carry(it, renamed), &["bad-signature", "relabelled"], as_it_is),
    ("a flipped byte in the signature", |it| carry(it, flipped), &["bad-signature"], as_it_is),
    ("another plugin's signature", |it| carry(it, other_signature), &["bad-signature"], as_it_is),
];

fn renamed(it: Signed) -> Signed {
    let text = std::str::from_utf8(it.statement()).unwrap().replace("disk-cleanup", "disk-cleanuq");
    Signed::new(text.into_bytes(), it.signatures().to_vec())
}

fn flipped(it: Signed) -> Signed {
    let mut signature = it.signatures()[0].clone();
    let at = signature.find("-----END").unwrap() - 20;
    let other = if signature.as_bytes()[at] == b'A' { "B" } else { "A" };
    signature.replace_range(at..=at, other);
    Signed::new(it.statement().to_vec(), vec![signature])
}

fn other_signature(it: Signed) -> Signed {
    let mut other = World::new();
    other.said.body.name = "other".parse().unwrap();
    Signed::new(it.statement().to_vec(), other.said.signed().signatures().to_vec())
}
