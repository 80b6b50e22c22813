use agent::Watch;
use serde_json::json;

use super::{Shell, start};

#[tokio::test]
async fn a_file_system_is_filled_freed_and_filled_again() {
    let _root = tests::need_root!();
    let folder = tempfile::tempdir().unwrap();
    let mount = folder.path().join("mount");
    let mut shell = Shell::new("");
    shell.run(&format!("cd {}; truncate -s 32M image; mkfs.ext4 -q -m 0 image; mkdir mount", folder.path().display()));
    shell.run("mount -o loop image mount");
    let path = shell.path(&mount);
    let watch = |below: &str, clear| Watch::DiskFree { path: path.clone(), below: below.into(), clear };
    let mut told = start(watch("30%", Some("60%".into())));
    let mut lower = start(watch("1MiB", None));
    let mut elsewhere =
        start(Watch::DiskFree { path: folder.path().join("nowhere"), below: "100%".into(), clear: None });
    told.silence().await;
    // 32 MiB, of which ext4 takes a few: 20 of them leave less than a third, but more than 1 MiB.
    let fill = |name: &str, mib: usize| std::fs::write(path.join(name), vec![1; mib << 20]).unwrap();
    fill("a", 10);
    fill("b", 10);
    let notice = told.raised().await;
    assert_eq!(notice.subject, path.to_str().unwrap());
    let (free, total) = (notice.data["free-bytes"].as_u64().unwrap(), notice.data["total-bytes"].as_u64().unwrap());
    assert!(free < total * 3 / 10 && free > 1 << 20 && total < 32 << 20, "{notice:?}");
    // Between the two lines nothing is told.
    std::fs::remove_file(path.join("a")).unwrap();
    told.silence().await;
    std::fs::remove_file(path.join("b")).unwrap();
    assert!(told.cleared().await.data["free-percent"].as_f64().unwrap() >= 60.0);
    fill("a", 22);
    assert_eq!(told.raised().await.data["path"], json!(path));
    lower.nothing();
    elsewhere.nothing();
}
