use std::borrow::Cow;

use model::{Manifest, manifest};
use wasm_encoder::{ComponentSection, CustomSection};

/// The component with the manifest inside: from then on its digest covers both.
pub fn embed(mut component: Vec<u8>, manifest: &Manifest) -> Vec<u8> {
    let section = CustomSection { name: Cow::Borrowed(manifest::SECTION), data: Cow::Owned(manifest.to_section()) };
    section.append_to_component(&mut component);
    component
}
