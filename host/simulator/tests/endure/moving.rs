//! A hub whose machine is lost is put elsewhere out of a backup that was made while it worked: its devices carry on.

use std::process::Command;

use model::{Clock as _, SystemClock};
use simulator::msp;
use tests::built;
use trust::Time;
use trust::statement;

use super::site::{Given, PATIENCE, Serving, Site, address, counted, doctor, until, wrong};

const DEVICES: u32 = 12;

fn remit(args: &[&str]) {
    let ran = Command::new(built::remit()).args(args).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
}

#[test]
fn a_hub_goes_on_elsewhere_and_what_its_backup_has_not_comes_again() {
    let mut site = Site::new();
    let (old, new) = (site.path(), site.folder.path().join("elsewhere"));
    let hub = Serving::start(&old, None).unwrap();
    let token = site.runtime.block_on(site.token(DEVICES));
    // The root says where the hub is, and will be.
    let there = address();
    let addresses = [there, site.listen].map(|it| format!("https://{it}")).to_vec();
    let now = Time::from_ms(SystemClock.now_ms());
    let statement =
        statement::Hub { serial: 1, expires: now.plus_days(30), addresses, authorities: vec![site.authority] };
    let statement = msp::signed(now, &statement, &["ann", "ben"]);
    site.runtime.block_on(async { site.technician("boss").await.put(&statement).await }).unwrap();
    let crew = site.crew_there(token, DEVICES);
    let stands = || crew.counts().stands();

    let carry_out = |site: &Site, given: &Given| {
        let done = site.runtime.block_on(async { tokio::time::timeout(PATIENCE, site.carry_out(given)).await });
        done.expect("it is carried out").unwrap();
    };
    let before = site.order(DEVICES);
    carry_out(&site, &before);
    // The backup is made while devices answer; what is under way then is not over in it.
    let under_way = site.order(DEVICES);
    let file = site.folder.path().join("backup");
    site.runtime.block_on(async {
        let tess = site.technician("tess").await;
        tess.give(&under_way.signed, &under_way.rings, &site.plugin).await.unwrap();
    });
    remit(&["hub", "backup", file.to_str().unwrap(), "--folder", old.to_str().unwrap()]);
    carry_out(&site, &under_way);
    let after = site.order(DEVICES);
    carry_out(&site, &after);
    until(|| stands().values().all(|it| it.waiting == 0), "everything is told");
    let known = counted(&old);
    hub.kill();
    std::fs::remove_dir_all(&old).unwrap();

    let (file, there) = (file.to_str().unwrap().to_owned(), there.to_string());
    remit(&["hub", "restore", &file, "--folder", new.to_str().unwrap(), "--listen", &there]);
    let lost = counted(&new);
    assert!(lost.values().flatten().count() < known.values().flatten().count(), "the backup is older: the control");
    site.listen = there.parse().unwrap();
    let hub = Serving::start(&new, None).unwrap();
    // What was under way ends by what devices tell again; what the backup has not is handed over again, and runs nowhere twice.
    carry_out(&site, &under_way);
    carry_out(&site, &after);
    let last = site.order(DEVICES);
    carry_out(&site, &last);
    let given = [before, under_way, after, last];
    until(|| wrong(&stands(), &given, &counted(&new)).is_empty(), "what the backup has not comes again");
    hub.stop();
    assert_eq!(doctor(&new), [""; 0]);
}
