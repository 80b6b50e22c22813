//! Recipes about files.

use crate::managed::Managed;

pub(crate) fn clear_caches(host: &Managed) {
    host.says("clear-caches", &[], "not-applicable");
    host.write("/srv/cache/thumbs/a.png", "old");
    host.write("/srv/cache/thumbs/b.png", "new");
    host.says("clear-caches", &[], "compliant");
    host.sh("touch -d '60 days ago' /srv/cache/thumbs/a.png");
    let dry = host.run("clear-caches", "dry-run", &[]);
    assert_eq!(dry["verdict"], "planned");
    let tied = ["--plan", dry["run"].as_str().unwrap()];
    let ran = host.acts("clear-caches", &tied, "fixed", &["cache/thumbs/a.png"]);
    assert_eq!(host.sh("ls /srv/cache/thumbs"), "b.png\n");
    host.remit(&["undo", ran["run"].as_str().unwrap()]);
    assert_eq!(host.sh("cat /srv/cache/thumbs/a.png"), "old");
}

pub(crate) fn backup_age(host: &Managed) {
    host.says("backup-age", &[], "not-applicable");
    host.sh("mkdir /srv/backups");
    host.finds("backup-age", &[], &["there is no backup in backups"]);
    host.write("/srv/backups/db/a.tar.gz", "a backup");
    host.write("/srv/backups/db/b.tar.gz", "an older one");
    host.sh("touch -d '50 hours ago' /srv/backups/db/a.tar.gz && touch -d '80 hours ago' /srv/backups/db/b.tar.gz");
    let evidence = host.finds("backup-age", &[], &["the newest backup in backups is 50 hours old"]);
    assert!(evidence.starts_with("db/a.tar.gz: 8 bytes"), "{evidence}");
    host.says("backup-age", &["--param", "hours=51"], "compliant");
    host.finds(
        "backup-age",
        &["--param", "hours=51", "--param", "bytes=9"],
        &["the newest backup in backups is too small"],
    );
}

pub(crate) fn log_search(host: &Managed) {
    host.says("log-search", &[], "not-applicable");
    host.write("/srv/logs/app/app.log", "started\nterrors of the night\n");
    host.says("log-search", &[], "compliant");
    host.sh("echo 'ERROR: no database' >>/srv/logs/app/app.log");
    let evidence = host.finds("log-search", &[], &["app/app.log has 1 lines that match"]);
    assert_eq!(evidence, "ERROR: no database");
    host.sh("touch -d '2 days ago' /srv/logs/app/app.log");
    host.says("log-search", &[], "not-applicable");
}
