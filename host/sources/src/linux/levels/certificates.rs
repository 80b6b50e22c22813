use std::path::Path;
use std::time::{Duration, SystemTime};

use agent::Watch;
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;

use super::start;

/// Ten days.
const WITHIN: Duration = Duration::from_hours(240);

/// A certificate that is valid for so long from now on.
fn certificate(name: &str, valid: Duration) -> String {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.not_before = (SystemTime::now() - Duration::from_hours(48)).into();
    params.not_after = (SystemTime::now() + valid).into();
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

fn replace(path: &Path, content: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, content).unwrap();
    std::fs::rename(new, path).unwrap();
}

fn watch(path: &Path) -> Watch {
    Watch::CertificateExpiring { path: path.to_owned(), within: "10d".into() }
}

#[tokio::test]
async fn a_certificate_crosses_its_line_is_renewed_and_the_next_one_crosses_it() {
    let folder = tempfile::tempdir().unwrap();
    let (path, far) = (folder.path().join("site.pem"), folder.path().join("far.pem"));
    let soon = certificate("site", WITHIN + Duration::from_secs(4));
    std::fs::write(&path, format!("{soon}{}", certificate("issuer", WITHIN * 10))).unwrap();
    std::fs::write(&far, certificate("far", WITHIN + Duration::from_mins(5))).unwrap();
    let (mut told, mut nothing) = (start(watch(&path)), start(watch(&far)));
    tokio::time::sleep(Duration::from_secs(1)).await;
    told.nothing();
    let first = told.raised().await;
    assert!(first.subject.starts_with(&format!("{}#", path.display())), "{first:?}");
    assert_eq!((&first.data["days-left"], &first.data["is-expired"]), (&json!(9), &json!(false)));
    assert_eq!(first.data["subject"], json!("CN=site"));
    let not_after_ms = first.data["not-after-ms"].as_i64().unwrap();
    assert_eq!(first.at_ms.max(not_after_ms - 864_000_000), first.at_ms, "not before its time");
    replace(&path, &certificate("site", WITHIN * 10));
    assert_eq!(told.cleared().await.subject, first.subject);
    replace(&path, &certificate("site", Duration::from_hours(1)));
    let second = told.raised().await;
    assert_ne!(second.subject, first.subject);
    assert_eq!(second.data["days-left"], json!(0));
    nothing.nothing();
}

#[tokio::test]
async fn in_a_folder_each_certificate_is_by_itself_and_files_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let expired = format!("{}{}", certificate("a", Duration::from_hours(1)), certificate("b", Duration::from_hours(2)));
    std::fs::write(folder.path().join("bundle.pem"), expired).unwrap();
    std::fs::write(folder.path().join("readme"), "no certificate").unwrap();
    std::fs::write(folder.path().join("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let mut told = start(watch(folder.path()));
    let mut names: Vec<String> = Vec::new();
    for _ in 0..2 {
        names.push(told.raised().await.data["subject"].as_str().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(names, ["CN=a", "CN=b"]);
    let late = folder.path().join("late.pem");
    std::fs::write(&late, certificate("late", Duration::from_hours(3))).unwrap();
    let raised = told.raised().await;
    std::fs::remove_file(&late).unwrap();
    assert_eq!(told.cleared().await.subject, raised.subject);
    told.nothing();
}

#[tokio::test]
async fn what_has_expired_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.pem");
    let mut told = start(watch(&path));
    std::fs::write(&path, "-----BEGIN CERTIFICATE-----\n").unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    told.nothing();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.not_before = (SystemTime::now() - Duration::from_hours(48)).into();
    params.not_after = (SystemTime::now() - Duration::from_hours(30)).into();
    let old = params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    std::fs::write(&path, old).unwrap();
    let notice = told.raised().await;
    assert_eq!((&notice.data["days-left"], &notice.data["is-expired"]), (&json!(-2), &json!(true)));
}
