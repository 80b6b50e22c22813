//! A hub whose machine is lost, put elsewhere out of a backup: a real agent carries on.

use std::net::TcpListener;

use serde_json::json;
use tests::hub::Hub;

use super::real::{Desk, join, start};
use super::*;

#[test]
fn an_agent_goes_on_with_a_hub_that_came_out_of_a_backup_elsewhere() {
    let mut site = Site::new();
    let parcel = travels(&mut site);
    let (folder, elsewhere) = (site.msp.folder.join("hub"), site.msp.folder.join("elsewhere"));
    let (hub, desk, authority) = start(&mut site, &folder);
    let _halves = join(&mut site, &hub, &desk, authority);
    // The root's keys say where the hub is, and where it will be.
    let there = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let addresses = [&hub.address, &there].map(|it| format!("https://{it}"));
    let ca = hub.ca.to_str().unwrap().to_owned();
    site.msp.ok(&["hub", "announce", &addresses[0], &addresses[1], "--authority", &ca, "--key", "ann"]);
    site.msp.ok(&["sign", "hub.statement", "--key", "ben"]);
    desk.hand_over(&trust::file::read(&site.msp.folder.join("hub.statement")).unwrap());
    let (_, signed) = site.order(&parcel.about, |_| ());
    let first = desk.give(&site, &signed, &parcel);
    desk.results(&site, first);
    site.msp.ok(&["hub", "backup", "all", "--folder", folder.to_str().unwrap()]);
    // The hub has this one, and its backup has not.
    let (_, later) = site.order(&parcel.about, |_| ());
    let second = desk.give(&site, &later, &parcel);
    desk.results(&site, second);
    assert!(wait_for(|| site.status().is_some_and(|it| it["hub"]["to-say"] == 0)), "{}", site.log());
    drop(hub);
    fs::remove_dir_all(&folder).unwrap();

    let to = elsewhere.to_str().unwrap().to_owned();
    site.msp.ok(&["hub", "restore", "all", "--folder", &to, "--listen", &there]);
    let hub = Hub::start(&site.msp.remit, &elsewhere);
    let desk = Desk::open(&mut site, &hub, authority);
    // What the technician gave since is given again, and runs nowhere again: its result is the one that the device kept.
    assert_eq!(desk.give(&site, &later, &parcel), second);
    let results = desk.results(&site, second);
    assert_eq!((results.len(), &results[0]["outcome"]), (1, &json!("completed")), "{}", site.log());
    let (_, signed) = site.order(&parcel.about, |_| ());
    let third = desk.give(&site, &signed, &parcel);
    desk.results(&site, third);
    assert_eq!(desk.results(&site, first).len(), 1);
    assert_eq!(site.runs(), 3, "{}", site.log());
    hub.stop();
    site.msp.ok(&["hub", "doctor", "--folder", &to]);
}
