use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use aho_corasick::AhoCorasick;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
use contract::Mask;
use model::Digest;
use zeroize::Zeroizing;

/// The fewest bytes of a form that is looked for. What is left of six bytes embedded in base64 has seven.
const FORM_BYTES_MIN: usize = 6;
/// The fewest bytes at the end of a cut text that are taken for the beginning of a secret.
const TAIL_BYTES_MIN: usize = 3;

/// Finds every form of every secret that was redeemed, and puts `[secret NAME]` in its place. It forgets none while the process
/// lives: what was sent may come back in any later run.
#[derive(Default)]
pub struct Masker {
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    /// What was learned already, so that the second use of a secret costs nothing.
    digests: BTreeSet<Digest>,
    forms: Vec<Form>,
    automaton: Option<Arc<AhoCorasick>>,
}

/// One way in which a secret may appear.
struct Form {
    name: String,
    bytes: Zeroizing<Vec<u8>>,
}

impl Masker {
    /// Masks this from now on, in every form. Backends that send a secret as part of something else (the value of a header)
    /// have that learned too.
    pub fn learn(&self, name: &str, secret: &[u8]) {
        let digest = Digest::of(secret);
        if self.known.read().unwrap_or_else(PoisonError::into_inner).digests.contains(&digest) {
            return;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if !known.digests.insert(digest) {
            return;
        }
        let forms = forms(secret).into_iter().filter(|form| form.len() >= FORM_BYTES_MIN);
        known.forms.extend(forms.map(|bytes| Form { name: name.to_owned(), bytes: Zeroizing::new(bytes) }));
        // Only fails for gigabytes of patterns; then what was known before is still masked.
        if let Ok(automaton) = AhoCorasick::new(known.forms.iter().map(|form| &form.bytes[..])) {
            known.automaton = Some(Arc::new(automaton));
        }
    }

    /// The text without secrets.
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.mask_slice(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// The bytes without secrets.
    pub fn mask_slice<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let Some(automaton) = &known.automaton else { return Cow::Borrowed(bytes) };
        let mut found: Vec<(usize, usize, usize)> = automaton
            .find_overlapping_iter(bytes)
            .map(|found| (found.start(), found.end(), found.pattern().as_usize()))
            .collect();
        if found.is_empty() {
            return Cow::Borrowed(bytes);
        }
        // Two secrets may overlap: masking only one would leave the rest of the other.
        found.sort_by_key(|&(start, end, _)| (start, std::cmp::Reverse(end)));
        let mut masked = Vec::with_capacity(bytes.len());
        let mut done = 0;
        for (start, end, form) in found {
            if start >= done {
                masked.extend_from_slice(bytes.get(done..start).unwrap_or_default());
                let name = known.forms.get(form).map_or("", |form| form.name.as_str());
                masked.extend_from_slice(format!("[secret {name}]").as_bytes());
            }
            done = done.max(end);
        }
        masked.extend_from_slice(bytes.get(done..).unwrap_or_default());
        Cow::Owned(masked)
    }

    /// Masks what was cut at a limit: if it ends in the beginning of a secret, that goes too. Otherwise a guest that chooses the
    /// limit could have all of a secret but its last byte.
    pub fn mask_cut(&self, bytes: &mut Vec<u8>) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let tail = known.forms.iter().map(|form| longest_tail(bytes, &form.bytes)).max().unwrap_or_default();
        drop(known);
        bytes.truncate(bytes.len() - tail);
        self.mask_bytes(bytes);
    }
}

impl Mask for Masker {
    fn is_idle(&self) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).automaton.is_none()
    }

    fn mask_text(&self, text: &mut String) {
        if let Cow::Owned(masked) = self.mask(text) {
            *text = masked;
        }
    }

    fn mask_bytes(&self, bytes: &mut Vec<u8>) {
        if let Cow::Owned(masked) = self.mask_slice(bytes) {
            *bytes = masked;
        }
    }
}

/// How many bytes at the end of `bytes` are the beginning of `form`.
fn longest_tail(bytes: &[u8], form: &[u8]) -> usize {
    let most = form.len().saturating_sub(1).min(bytes.len());
    (TAIL_BYTES_MIN..=most).rev().find(|&length| form.get(..length).is_some_and(|it| bytes.ends_with(it))).unwrap_or(0)
}

/// Every form in which a secret is likely to come back: as it is, in base64 (alone and inside something longer), in hex, in a
/// URL, in JSON.
fn forms(secret: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::from([secret.to_vec()]);
    for engine in [BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD] {
        forms.insert(engine.encode(secret).into_bytes());
    }
    for before in 0..3 {
        forms.extend([BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD].map(|engine| embedded(&engine, secret, before)));
    }
    forms.extend([hex::encode(secret).into_bytes(), hex::encode_upper(secret).into_bytes()]);
    for space in ["%20", "+"] {
        forms.insert(percent(secret, space, false));
        forms.insert(percent(secret, space, true));
    }
    if let Ok(text) = std::str::from_utf8(secret) {
        let json = serde_json::to_string(text).unwrap_or_default();
        let json = json.trim_start_matches('"').strip_suffix('"').unwrap_or_default();
        forms.extend([json.as_bytes().to_vec(), json.replace('/', "\\/").into_bytes()]);
    }
    forms
}

/// The characters that base64 has for a secret however it is surrounded, where `before` bytes (modulo three) come before it.
fn embedded(engine: &impl Engine, secret: &[u8], before: usize) -> Vec<u8> {
    let padded: Zeroizing<Vec<u8>> =
        Zeroizing::new(std::iter::repeat_n(0, before).chain(secret.iter().copied()).collect());
    let text = engine.encode(&*padded).into_bytes();
    let first = (before * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    text.get(first..last).unwrap_or_default().to_vec()
}

fn percent(secret: &[u8], space: &str, lower: bool) -> Vec<u8> {
    let mut text = Vec::with_capacity(secret.len() * 3);
    for &byte in secret {
        match byte {
            b' ' => text.extend_from_slice(space.as_bytes()),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => text.push(byte),
            _ if lower => text.extend_from_slice(format!("%{byte:02x}").as_bytes()),
            _ => text.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"p@ss/w\xc3\xb6rd \"1\"";

    fn masker() -> Masker {
        let masker = Masker::default();
        masker.learn("halo", SECRET);
        masker
    }

    #[test]
    fn nothing_learned_is_nothing_masked() {
        let masker = Masker::default();
        assert!(masker.is_idle());
        assert!(matches!(masker.mask("p@ss"), Cow::Borrowed("p@ss")));
        assert!(matches!(super::tests::masker().mask("no secret here"), Cow::Borrowed(_)));
    }

    #[test]
    fn every_form_is_masked() {
        let masker = masker();
        let text = std::str::from_utf8(SECRET).unwrap();
        let lower = "p%40ss%2fw%c3%b6rd%20%221%22";
        for form in [
            text.to_owned(),
            BASE64_STANDARD.encode(SECRET),
            BASE64_STANDARD_NO_PAD.encode(SECRET),
            BASE64_URL_SAFE.encode(SECRET),
            hex::encode(SECRET),
            hex::encode_upper(SECRET),
            lower.to_owned(),
            "p%40ss%2Fw%C3%B6rd%20%221%22".to_owned(),
            "p%40ss%2Fw%C3%B6rd+%221%22".to_owned(),
            "p@ss/wörd \\\"1\\\"".to_owned(),
            "p@ss\\/wörd \\\"1\\\"".to_owned(),
        ] {
            let masked = masker.mask(&format!("<{form}>")).into_owned();
            let bare = masked.replace('=', "");
            assert_eq!(bare, "<[secret halo]>", "{form}");
        }
    }

    #[test]
    fn base64_of_something_longer_hides_it_too() {
        let masker = masker();
        for before in ["", "a", "ab", "abc", "user:"] {
            let whole = [before.as_bytes(), SECRET, b"after"].concat();
            let masked = masker.mask(&BASE64_STANDARD.encode(&whole)).into_owned();
            assert!(masked.contains("[secret halo]"), "{before}: {masked}");
        }
    }

    #[test]
    fn overlapping_secrets_leave_nothing_over() {
        let masker = Masker::default();
        masker.learn("a", b"abcdefgh");
        masker.learn("b", b"efghijkl");
        assert_eq!(masker.mask("<abcdefghijkl>"), "<[secret a]>");
        assert_eq!(masker.mask("<efghijkl>"), "<[secret b]>");
    }

    #[test]
    fn what_is_cut_in_the_middle_of_a_secret_ends_before_it() {
        let masker = Masker::default();
        masker.learn("a", b"abcdefgh");
        let cut = |text: &[u8]| {
            let mut bytes = text.to_vec();
            masker.mask_cut(&mut bytes);
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(cut(b"x abcdefg"), "x ");
        assert_eq!(cut(b"x abc"), "x ");
        assert_eq!(cut(b"x ab"), "x ab");
        assert_eq!(cut(b"x abcdefgh"), "x [secret a]");
        assert_eq!(cut(b"x other"), "x other");
    }

    #[test]
    fn bytes_that_are_no_text_are_masked() {
        let mut bytes = [b"\xff\xfe", SECRET, b"\xff"].concat();
        masker().mask_bytes(&mut bytes);
        assert_eq!(bytes, b"\xff\xfe[secret halo]\xff");
    }
}
