//! The documents around a plugin, as registries and archives keep them: the CNCF's wasm artifact layout for the component, and a
//! manifest that refers to it (`subject`) for each statement. Pure: nothing is read or sent here.

use std::collections::HashMap;

use model::Digest;
use oci_spec::image::{
    ANNOTATION_REF_NAME, Descriptor, DescriptorBuilder, ImageIndex, ImageIndexBuilder, ImageManifest,
    ImageManifestBuilder, MediaType, OciLayoutBuilder, SCHEMA_VERSION,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;
use crate::package::{
    ATTACHMENTS_MAX, Attachment, COMPONENT_BYTES_MAX, Expected, Label, Package, SIGNATURE_BYTES_MAX, SIGNATURES_MAX,
    STATEMENT_BYTES_MAX,
};

/// The most bytes of a manifest: what the specification has every registry take is 4 MiB, ours are below 4 KiB.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 256 << 10;
/// The most bytes of a list of manifests: others refer to a plugin too, with bills of materials and scans.
pub(crate) const INDEX_BYTES_MAX: u64 = 1 << 20;

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const COMPONENT: &str = "application/wasm";
const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const STATEMENT: &str = "application/vnd.remit.statement.v1+json";
const SIGNATURE: &str = "application/vnd.remit.sshsig.v1";
/// The config of a manifest that needs none.
const NOTHING: &[u8] = b"{}";

/// A manifest, and the blobs that it names.
pub(crate) struct Image<'a> {
    pub(crate) manifest: Vec<u8>,
    pub(crate) blobs: Vec<&'a [u8]>,
    /// As a list of manifests names it.
    pub(crate) descriptor: Descriptor,
}

/// The config of the layout. It says nothing that the manifest in the component does not say better; registries and other tools
/// read it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    /// The layout wants a time, and the same plugin is to have the same digest whenever it is pushed.
    created: &'static str,
    author: &'a str,
    architecture: &'static str,
    os: &'static str,
    layer_digests: [String; 1],
    component: Component<'a>,
}

#[derive(Serialize)]
struct Component<'a> {
    exports: &'a [String],
    imports: &'a [String],
}

/// The config of a plugin.
pub(crate) fn config(package: &Package, label: &Label) -> Result<Vec<u8>, Error> {
    canonical(&Config {
        created: "1970-01-01T00:00:00Z",
        author: &label.vendor,
        architecture: "wasm",
        os: "wasip2",
        layer_digests: [Digest::of(&package.component).to_string()],
        component: Component { exports: &label.exports, imports: &label.imports },
    })
}

/// The manifest of a plugin with this config.
pub(crate) fn plugin<'a>(package: &'a Package, label: &Label, config: &'a [u8]) -> Result<Image<'a>, Error> {
    let manifest = ImageManifestBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageManifest)
        .config(descriptor(CONFIG, config)?)
        .layers([descriptor(COMPONENT, &package.component)?])
        .annotations(label.annotations().into_iter().collect::<HashMap<_, _>>());
    let manifest = canonical(&manifest.build().map_err(unsaid)?)?;
    let descriptor = descriptor(MANIFEST, &manifest)?;
    Ok(Image { manifest, blobs: vec![config, &package.component], descriptor })
}

/// The manifest of a statement about a plugin.
pub(crate) fn attachment<'a>(attachment: &'a Attachment, subject: &Descriptor) -> Result<Image<'a>, Error> {
    let mut layers = vec![descriptor(STATEMENT, &attachment.statement)?];
    for signature in &attachment.signatures {
        layers.push(descriptor(SIGNATURE, signature)?);
    }
    let manifest = ImageManifestBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageManifest)
        .artifact_type(MediaType::Other(STATEMENT.to_owned()))
        .config(descriptor("application/vnd.oci.empty.v1+json", NOTHING)?)
        .layers(layers)
        .subject(subject.clone());
    let manifest = canonical(&manifest.build().map_err(unsaid)?)?;
    let mut descriptor = descriptor(MANIFEST, &manifest)?;
    descriptor.set_artifact_type(Some(MediaType::Other(STATEMENT.to_owned())));
    let mut blobs = vec![NOTHING, &attachment.statement];
    blobs.extend(attachment.signatures.iter().map(Vec::as_slice));
    Ok(Image { manifest, blobs, descriptor })
}

/// A list of manifests.
pub(crate) fn index(manifests: Vec<Descriptor>) -> Result<Vec<u8>, Error> {
    let index = ImageIndexBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageIndex)
        .manifests(manifests);
    canonical(&index.build().map_err(unsaid)?)
}

/// What says that an archive is a layout.
pub(crate) fn marker() -> Result<Vec<u8>, Error> {
    canonical(&OciLayoutBuilder::default().image_layout_version("1.0.0").build().map_err(unsaid)?)
}

/// A manifest's descriptor under a name, as an archive lists it.
pub(crate) fn named(mut descriptor: Descriptor, name: &str) -> Descriptor {
    descriptor.set_annotations(Some([(ANNOTATION_REF_NAME.to_owned(), name.to_owned())].into()));
    descriptor
}

/// The tag under which a registry without an API for it lists what refers to a manifest.
pub(crate) fn fallback_tag(of: Digest) -> String {
    format!("sha256-{}", of.hex())
}

/// The component that a plugin's manifest names.
pub(crate) fn read_plugin(what: &str, manifest: &[u8]) -> Result<Expected, Error> {
    let manifest: ImageManifest = parse(what, manifest, MANIFEST_BYTES_MAX)?;
    check_kind(what, manifest.schema_version(), manifest.media_type().as_ref(), MANIFEST)?;
    let config = manifest.config().media_type().to_string();
    if config != CONFIG {
        return Err(Error::layout(what, format!("its config is `{config}`; a plugin's is `{CONFIG}`")));
    }
    let [layer] = manifest.layers().as_slice() else {
        return Err(Error::layout(what, format!("it has {} layers; a plugin has one", manifest.layers().len())));
    };
    expected(what, layer, COMPONENT, COMPONENT_BYTES_MAX)
}

/// Whether a manifest is a plugin's, right or wrong: it has a plugin's config, and refers to nothing.
pub(crate) fn is_plugin(manifest: &[u8]) -> bool {
    let manifest: Option<ImageManifest> = parse("", manifest, MANIFEST_BYTES_MAX).ok();
    manifest.is_some_and(|it| it.config().media_type().to_string() == CONFIG && it.subject().is_none())
}

/// The statement and the signatures that a manifest names which refers to a plugin.
pub(crate) fn read_attachment(what: &str, manifest: &[u8], of: Digest) -> Result<(Expected, Vec<Expected>), Error> {
    let manifest: ImageManifest = parse(what, manifest, MANIFEST_BYTES_MAX)?;
    check_kind(what, manifest.schema_version(), manifest.media_type().as_ref(), MANIFEST)?;
    let subject = manifest.subject().as_ref().map(|it| it.digest().to_string()).unwrap_or_default();
    if subject != of.to_string() {
        return Err(Error::layout(what, format!("it is about `{subject}`, and {of} was asked for")));
    }
    let Some((statement, signatures)) = manifest.layers().split_first() else {
        return Err(Error::layout(what, "it has no statement"));
    };
    if signatures.len() > SIGNATURES_MAX {
        return Err(Error::TooMany { what: format!("signatures in {what}"), most: SIGNATURES_MAX });
    }
    let statement = expected(what, statement, STATEMENT, STATEMENT_BYTES_MAX)?;
    let signatures = signatures.iter().map(|it| expected(what, it, SIGNATURE, SIGNATURE_BYTES_MAX));
    Ok((statement, signatures.collect::<Result<_, _>>()?))
}

/// A plugin's manifest, as others refer to it.
pub(crate) fn describe(manifest: &[u8]) -> Result<Descriptor, Error> {
    descriptor(MANIFEST, manifest)
}

/// The manifests that a list names.
pub(crate) fn read_index(what: &str, index: &[u8]) -> Result<Vec<Descriptor>, Error> {
    let index: ImageIndex = parse(what, index, INDEX_BYTES_MAX)?;
    check_kind(what, index.schema_version(), index.media_type().as_ref(), INDEX)?;
    Ok(index.manifests().clone())
}

/// Those of a list that hold statements; others refer to a plugin too, and are nobody's business here.
pub(crate) fn statements(what: &str, manifests: &[Descriptor]) -> Result<Vec<Expected>, Error> {
    let ours = |it: &&Descriptor| it.artifact_type().as_ref().is_some_and(|kind| kind.to_string() == STATEMENT);
    let ours = manifests.iter().filter(ours).map(|it| expected(what, it, MANIFEST, MANIFEST_BYTES_MAX));
    let ours: Vec<Expected> = ours.collect::<Result<_, _>>()?;
    match ours.len() > ATTACHMENTS_MAX {
        true => Err(Error::TooMany { what: format!("statements about {what}"), most: ATTACHMENTS_MAX }),
        false => Ok(ours),
    }
}

/// Digest and size of what is described, if it is of this kind and within its limit.
pub(crate) fn expected(what: &str, it: &Descriptor, kind: &str, bytes_max: u64) -> Result<Expected, Error> {
    let found = it.media_type().to_string();
    if found != kind {
        return Err(Error::layout(what, format!("it holds a `{found}` where a plugin has `{kind}`")));
    }
    let digest = it.digest().to_string();
    let digest = digest.parse().map_err(|error| Error::layout(what, format!("{error}")))?;
    let expected = Expected { digest, size: it.size() };
    expected.at_most(what, bytes_max)?;
    Ok(expected)
}

fn check_kind(what: &str, schema: u32, found: Option<&MediaType>, kind: &str) -> Result<(), Error> {
    match found.map(ToString::to_string) {
        Some(found) if found != kind => Err(Error::layout(what, format!("it is a `{found}`, and no `{kind}`"))),
        _ if schema != SCHEMA_VERSION => Err(Error::layout(what, format!("its schema version is {schema}, and not 2"))),
        _ => Ok(()),
    }
}

fn parse<T: DeserializeOwned>(what: &str, bytes: &[u8], bytes_max: u64) -> Result<T, Error> {
    if bytes.len() as u64 > bytes_max {
        return Err(Error::TooLarge { what: what.to_owned(), bytes_max });
    }
    serde_json::from_slice(bytes).map_err(|error| Error::layout(what, format!("its manifest cannot be read: {error}")))
}

fn descriptor(kind: &str, bytes: &[u8]) -> Result<Descriptor, Error> {
    let digest: oci_spec::image::Digest = Digest::of(bytes).to_string().parse().map_err(unsaid)?;
    DescriptorBuilder::default().media_type(kind).digest(digest).size(bytes.len() as u64).build().map_err(unsaid)
}

/// Members in one order: a map's would be another each time.
fn canonical(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json_canonicalizer::to_vec(value).map_err(|error| Error::layout("what is to be sent", error.to_string()))
}

fn unsaid(error: oci_spec::OciSpecError) -> Error {
    Error::layout("what is to be sent", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package() -> Package {
        let attachment = Attachment { statement: b"{\"kind\":\"plugin\"}".to_vec(), signatures: vec![b"sig".to_vec()] };
        Package { component: b"\0asm".to_vec(), attachments: vec![attachment] }
    }

    fn label() -> Label {
        Label { title: "one".to_owned(), version: "1.2.3".to_owned(), vendor: "example".to_owned(), ..Label::default() }
    }

    #[test]
    fn a_plugin_is_described_the_same_way_each_time() {
        let (package, label) = (package(), label());
        let config = config(&package, &label).unwrap();
        let manifests: Vec<Vec<u8>> = (0..20).map(|_| plugin(&package, &label, &config).unwrap().manifest).collect();
        assert!(manifests.windows(2).all(|two| two[0] == two[1]));
        let text = String::from_utf8(manifests[0].clone()).unwrap();
        assert!(text.contains("\"org.opencontainers.image.version\":\"1.2.3\""), "{text}");
        assert!(!text.contains("image.description"), "what is not said is left out: {text}");
        assert_eq!(read_plugin("it", &manifests[0]).unwrap(), Expected::of(&package.component));
    }

    #[test]
    fn a_statement_refers_to_its_plugin_and_to_no_other() {
        let (package, label) = (package(), label());
        let config = config(&package, &label).unwrap();
        let subject = plugin(&package, &label, &config).unwrap();
        let image = attachment(&package.attachments[0], &subject.descriptor).unwrap();
        let (statement, signatures) = read_attachment("it", &image.manifest, Digest::of(&subject.manifest)).unwrap();
        assert_eq!(statement, Expected::of(&package.attachments[0].statement));
        assert_eq!(signatures, [Expected::of(b"sig")]);
        let error = read_attachment("it", &image.manifest, Digest::of(b"another")).unwrap_err();
        assert!(error.to_string().contains("it is about"), "{error}");
    }

    #[test]
    fn what_is_no_plugin_says_why() {
        let (package, label) = (package(), label());
        let config = config(&package, &label).unwrap();
        let manifest = String::from_utf8(plugin(&package, &label, &config).unwrap().manifest).unwrap();
        let refused = |from: &str, to: &str| {
            assert!(manifest.contains(from), "{from}");
            read_plugin("it", manifest.replace(from, to).as_bytes()).unwrap_err().to_string()
        };
        read_plugin("it", manifest.as_bytes()).expect("the control");
        for (from, to, why) in [
            (CONFIG, "application/vnd.oci.image.config.v1+json", "its config is"),
            (COMPONENT, "application/vnd.oci.image.layer.v1.tar", "it holds a"),
            (MANIFEST, INDEX, "and no"),
            ("\"schemaVersion\":2", "\"schemaVersion\":1", "schema version"),
            ("\"schemaVersion\":2", "\"schemaVersion\":2,\"schemaVersion\":2", "duplicate"),
            ("\"size\":4", "\"size\":67108865", "more than"),
            ("\"layers\":[", "\"layers\":[],\"x\":[", "0 layers"),
            (&Digest::of(b"\0asm").to_string(), &format!("sha512:{}", "0".repeat(128)), "is not a digest"),
        ] {
            let error = refused(from, to);
            assert!(error.contains(why), "{to}: {error}");
        }
    }
}
