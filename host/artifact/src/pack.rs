use std::borrow::Cow;

use model::{Manifest, Package, manifest, packages};
use wasm_encoder::{ComponentSection, CustomSection};

/// The component with the manifest inside, and with the packages that it was linked of: from then on its digest covers them.
pub fn embed(mut component: Vec<u8>, manifest: &Manifest, of: &[Package]) -> Vec<u8> {
    let packages = (!of.is_empty()).then(|| (packages::SECTION, packages::to_section(of)));
    for (name, data) in packages.into_iter().chain([(manifest::SECTION, manifest.to_section())]) {
        let section = CustomSection { name: Cow::Borrowed(name), data: Cow::Owned(data) };
        section.append_to_component(&mut component);
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, verify_local};

    const MANIFEST: &str = r#"{
        "plugin": { "name": "a", "version": "1.0.0", "publisher": "me", "description": "It looks.", "license": "MIT" }
    }"#;

    /// A component that exports an instance without anything as `detection`.
    fn component() -> Vec<u8> {
        let mut component = wasm_encoder::Component::new();
        let mut instances = wasm_encoder::ComponentInstanceSection::new();
        instances.export_items(Vec::<(&str, wasm_encoder::ComponentExportKind, u32)>::new());
        component.section(&instances);
        let mut exports = wasm_encoder::ComponentExportSection::new();
        exports.export("msp:automation/detection@1.0.0", wasm_encoder::ComponentExportKind::Instance, 0, None);
        component.section(&exports);
        component.finish()
    }

    #[test]
    fn what_was_linked_is_bound_by_the_digest_and_each_section_is_there_once() {
        let manifest = Manifest::from_section(MANIFEST.as_bytes()).unwrap();
        let linked = [Package::new("serde", "1.0.0", Some("MIT OR Apache-2.0"))];
        let embedded = embed(component(), &manifest, &linked);
        let (with, without) = (verify_local(embedded.clone(), None).unwrap(), embed(component(), &manifest, &[]));
        assert_eq!(with.packages(), linked);
        let without = verify_local(without, None).unwrap();
        assert_eq!(without.packages(), []);
        assert_ne!(with.digest(), without.digest());
        let twice = |bytes| matches!(verify_local(bytes, None), Err(Error::Twice(_)));
        assert!(twice(embed(embedded.clone(), &manifest, &[])), "two manifests");
        assert!(!twice(embedded));
        let mut wrong = component();
        CustomSection { name: Cow::Borrowed(packages::SECTION), data: Cow::Borrowed(b"{") }
            .append_to_component(&mut wrong);
        assert!(matches!(verify_local(embed(wrong, &manifest, &[]), None), Err(Error::Packages { .. })));
    }
}
