//! Another version of a plugin, made of one that was built: the same code under another label.

use serde_json::Value;

/// The custom section that has the label.
const SECTION: &str = "remit:manifest";
/// The magic number, and the version.
const HEAD_BYTES: usize = 8;

/// The component with a changed manifest.
pub fn relabelled(component: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut made = component[..HEAD_BYTES].to_vec();
    let (mut at, mut manifest) = (HEAD_BYTES, None);
    while at < component.len() {
        let (length, content) = number(component, at + 1);
        let end = content + length;
        match label(component[at], &component[content..end]) {
            Some(found) => manifest = Some(serde_json::from_slice::<Value>(found).unwrap()),
            None => made.extend(&component[at..end]),
        }
        at = end;
    }
    let mut manifest = manifest.expect("a built plugin has a manifest");
    change(&mut manifest);
    let text = serde_json::to_vec(&manifest).unwrap();
    let content = [&[SECTION.len() as u8][..], SECTION.as_bytes(), &text].concat();
    made.push(0);
    made.extend(bytes_of(content.len()));
    made.extend(content);
    made
}

fn label(id: u8, content: &[u8]) -> Option<&[u8]> {
    let content = content.strip_prefix(&[SECTION.len() as u8]).filter(|_| id == 0)?;
    content.strip_prefix(SECTION.as_bytes())
}

/// A number as WebAssembly writes it (LEB128), and where it ends.
fn number(bytes: &[u8], mut at: usize) -> (usize, usize) {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[at];
        value |= usize::from(byte & 0x7f) << shift;
        (at, shift) = (at + 1, shift + 7);
        if byte < 0x80 {
            return (value, at);
        }
    }
}

fn bytes_of(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
