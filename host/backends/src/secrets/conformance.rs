//! What the vault and the twin do alike, and what a vault refuses to trust.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::Arc;

use contract::secrets::{Backend, DescribeSecret, OpenBasic, OpenBearer, OpenHeader, OpenPassword};
use contract::types::{Error, ErrorKind};
use contract::{Mask, SecretUse, SecretWay};
use model::{Clock, ManualClock};
use tempfile::TempDir;

use crate::testing::context;

use super::{FixtureSecret, Keep, Place, Redeem, Secrets, Vault, VaultError};

const TOKEN: &str = "tok-0123456789";

fn place(text: &str) -> Place {
    text.parse().unwrap()
}

fn vault() -> (TempDir, PathBuf, Vault) {
    let scratch = TempDir::new().unwrap();
    let folder = scratch.path().join("secrets");
    let vault = Vault::new(&folder);
    (scratch, folder, vault)
}

fn header(header: &str, prefix: &str) -> OpenHeader {
    OpenHeader { name: "halo-token".into(), header: header.into(), prefix: prefix.into() }
}

async fn suite(secrets: &Secrets, clock: &ManualClock) {
    let cx = context();
    let name = || "halo-token".to_owned();
    let info = secrets.describe_secret(&cx, &DescribeSecret { name: name() }).await.unwrap();
    assert_eq!((info.name.as_str(), info.set_ms, info.expires_ms), ("halo-token", 1_000, Some(9_000)));
    assert_eq!(info.places, ["http:api.example.com", "account:backup"]);

    let opened = secrets.open_bearer(&cx, &OpenBearer { name: name() }).await.unwrap();
    assert_eq!(opened, SecretUse { name: name(), way: SecretWay::Bearer });
    let opened = secrets.open_basic(&cx, &OpenBasic { name: name(), user: "me".into() }).await.unwrap();
    assert_eq!(opened.way, SecretWay::Basic { user: "me".into() });
    let opened = secrets.open_header(&cx, &header("X-Api-Key", "Token ")).await.unwrap();
    assert_eq!(opened.way, SecretWay::Header { header: "x-api-key".into(), prefix: "Token ".into() });
    secrets.open_password(&cx, &OpenPassword { name: name() }).await.unwrap();

    let refused = |error: Error| (error.kind, error.code);
    let call = OpenBearer { name: "other".into() };
    assert_eq!(secrets.open_bearer(&cx, &call).await.unwrap_err().kind, ErrorKind::NotFound);
    for name in ["", "../x", ".hidden", "A"] {
        let call = OpenBearer { name: name.into() };
        let error = secrets.open_bearer(&cx, &call).await.unwrap_err();
        assert_eq!(refused(error), (ErrorKind::Invalid, "secret-name".into()), "{name}");
    }
    let call = OpenBasic { name: name(), user: "a:b".into() };
    let error = secrets.open_basic(&cx, &call).await.unwrap_err();
    assert_eq!(refused(error), (ErrorKind::Invalid, "user".into()));
    for (call, code) in [
        (header("Host", ""), "header"),
        (header("a b", ""), "header"),
        (header("Proxy-Authorization", ""), "header"),
        (header("X-Key", "a\r\nb"), "prefix"),
    ] {
        let error = secrets.open_header(&cx, &call).await.unwrap_err();
        assert_eq!(refused(error), (ErrorKind::Invalid, code.into()), "{call:?}");
    }

    let error = secrets.redeem("halo-token", &place("http:evil.example.com")).unwrap_err();
    assert_eq!(refused(error), (ErrorKind::Denied, "place".into()));
    assert!(secrets.masker().is_idle(), "what is not redeemed need not be masked");
    let secret = secrets.redeem("halo-token", &place("http:api.example.com")).unwrap();
    assert_eq!(secret.expose(), TOKEN.as_bytes());
    assert!(!format!("{secret:?}").contains(TOKEN));
    assert_eq!(secrets.masker().mask(&format!("it is {TOKEN}.")), "it is [secret halo-token].");

    clock.advance(8_000);
    let error = secrets.redeem("halo-token", &place("http:api.example.com")).unwrap_err();
    assert_eq!(refused(error), (ErrorKind::Denied, "secret-expired".into()));
    assert!(secrets.open_bearer(&cx, &OpenBearer { name: name() }).await.is_err());
    assert!(secrets.describe_secret(&cx, &DescribeSecret { name: name() }).await.is_ok(), "so that a plugin can tell");
}

#[tokio::test]
async fn the_vault_conforms() {
    let (_scratch, _, vault) = vault();
    let places = [place("http:api.example.com"), place("account:backup")];
    vault.set("halo-token", TOKEN.as_bytes(), &places, Some(9_000), 1_000).unwrap();
    let clock = Arc::new(ManualClock::new(1_000));
    suite(&Secrets::new(vault, clock.clone() as Arc<dyn Clock>), &clock).await;
}

#[tokio::test]
async fn the_twin_conforms() {
    let fixture: BTreeMap<String, FixtureSecret> = toml::from_str(
        r#"
        [halo-token]
        value = "tok-0123456789"
        places = ["http:API.example.com:443", "account:backup"]
        set-ms = 1000
        expires-ms = 9000
        "#,
    )
    .unwrap();
    let clock = Arc::new(ManualClock::new(1_000));
    suite(&Secrets::in_memory(&fixture, clock.clone() as Arc<dyn Clock>), &clock).await;
}

#[test]
fn of_two_vaults_the_first_that_has_a_secret_counts() {
    let ((_first, _, own), (_second, _, others)) = (vault(), vault());
    let places = [place("http:api.example.com")];
    others.set("halo-token", b"of others", &places, None, 1).unwrap();
    others.set("theirs", b"theirs alone", &places, None, 1).unwrap();
    let clock = Arc::new(ManualClock::new(1_000)) as Arc<dyn Clock>;
    let secrets = Secrets::of_vaults(vec![own.clone(), others], clock);
    let redeemed = |name: &str| secrets.redeem(name, &places[0]).map(|it| it.expose().to_vec());
    assert_eq!(redeemed("halo-token").unwrap(), b"of others");
    own.set("halo-token", b"of this machine", &places, None, 1).unwrap();
    assert_eq!(redeemed("halo-token").unwrap(), b"of this machine");
    assert_eq!(redeemed("theirs").unwrap(), b"theirs alone");
    assert_eq!(redeemed("nobody-s").unwrap_err().kind, ErrorKind::NotFound);
}

#[test]
fn a_vault_is_written_and_listed_without_bytes() {
    let (_scratch, folder, vault) = vault();
    assert_eq!(vault.list().unwrap(), []);
    assert!(!vault.remove("b").unwrap());
    for name in ["b", "a"] {
        vault.set(name, TOKEN.as_bytes(), &[place("notify:on-call")], None, 5).unwrap();
    }
    vault.set("a", b"another one", &[place("account:x")], None, 6).unwrap();
    let listed = vault.list().unwrap();
    let shown = serde_json::to_string(&listed).unwrap();
    assert_eq!(
        shown,
        r#"[{"name":"a","set-ms":6,"expires-ms":null,"places":["account:x"]},{"name":"b","set-ms":5,"expires-ms":null,"places":["notify:on-call"]}]"#
    );
    assert!(vault.remove("b").unwrap());
    assert_eq!(vault.list().unwrap().len(), 1);
    let mode = |path: &PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&folder), mode(&folder.join("a"))), (0o700, 0o600));
}

#[test]
fn a_vault_takes_no_nonsense() {
    let (_scratch, folder, vault) = vault();
    let somewhere = [place("account:x")];
    for (name, secret, places) in [
        ("../a", TOKEN, &somewhere[..]),
        ("a", "short", &somewhere[..]),
        ("a", &"x".repeat(16_385), &somewhere[..]),
        ("a", TOKEN, &[]),
    ] {
        let result = vault.set(name, secret.as_bytes(), places, None, 1);
        assert!(matches!(result, Err(VaultError::Invalid(_))), "{name}");
    }
    assert!(!folder.exists());
    vault.set("a", "x".repeat(16_384).as_bytes(), &somewhere, None, 1).unwrap();
    assert!(vault.get("a").unwrap().is_some());
}

#[test]
fn a_vault_that_others_may_touch_is_not_trusted() {
    let (scratch, folder, vault) = vault();
    let file = folder.join("a");
    vault.set("a", TOKEN.as_bytes(), &[place("account:x")], None, 1).unwrap();
    let chmod = |path: &PathBuf, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    let is_unsafe = || matches!(vault.get("a"), Err(VaultError::Unsafe { .. }));
    assert!(!is_unsafe());

    chmod(&file, 0o640);
    assert!(is_unsafe());
    chmod(&file, 0o600);
    chmod(&folder, 0o750);
    assert!(is_unsafe());
    chmod(&folder, 0o700);
    assert!(!is_unsafe());

    std::fs::hard_link(&file, folder.join("second")).unwrap();
    assert!(is_unsafe());
    std::fs::remove_file(folder.join("second")).unwrap();
    assert!(!is_unsafe());

    let elsewhere = scratch.path().join("elsewhere");
    std::fs::rename(&file, &elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    assert!(is_unsafe());
    std::fs::remove_file(&file).unwrap();
    std::fs::rename(&elsewhere, &file).unwrap();
    assert!(!is_unsafe());

    let moved = scratch.path().join("moved");
    std::fs::rename(&folder, &moved).unwrap();
    symlink(&moved, &folder).unwrap();
    assert!(is_unsafe());
}
