//! How an archive is changed so that it is still one.

use std::io::Read as _;

use tests::fuzz::{Dice, change};

/// Changes an archive's bytes, or what is in one of its files: then the digests that name it are changed with it, or no change would
/// ever come further than to the first digest that does not hold.
pub(crate) fn change_archive(input: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    let mut files = files(input);
    if files.is_empty() || dice.below(2) == 0 {
        return change(input, other, dice);
    }
    let at = dice.below(files.len());
    change(&mut files[at].1, other, dice);
    // Two manifests lie between a blob and the index.
    for _ in 0..3 {
        for at in 0..files.len() {
            let Some(old) = files[at].0.strip_prefix("blobs/sha256/").map(str::to_owned) else { continue };
            let new = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&files[at].1));
            let size = files[at].1.len();
            files[at].0 = format!("blobs/sha256/{new}");
            for (_, bytes) in files.iter_mut().filter(|_| old != new) {
                rename(bytes, &old, &new, size);
            }
        }
    }
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes) in &files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        if archive.append_data(&mut header, path, bytes.as_slice()).is_err() {
            return;
        }
    }
    *input = archive.into_inner().unwrap();
}

/// The files of an archive, as far as it has any.
fn files(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().into_iter().flatten().map_while(Result::ok);
    let files = entries.filter(|entry| entry.header().entry_type().is_file()).map_while(|mut entry| {
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).ok()?;
        Some((String::from_utf8_lossy(&entry.path_bytes()).into_owned(), bytes))
    });
    files.collect()
}

/// Says another digest in a document, and the size beside it.
fn rename(document: &mut Vec<u8>, old: &str, new: &str, size: usize) {
    let Ok(text) = std::str::from_utf8(document) else { return };
    let Some(at) = text.find(old) else { return };
    let mut text = text.replace(old, new);
    if let Some(from) = text[at..].find("\"size\":").map(|from| at + from + 7) {
        let to = text[from..].find(|it: char| !it.is_ascii_digit()).map_or(text.len(), |to| from + to);
        text.replace_range(from..to, &size.to_string());
    }
    *document = text.into_bytes();
}
