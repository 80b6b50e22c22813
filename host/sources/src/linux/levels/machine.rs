use agent::{Resource, Watch};
use serde_json::json;

use super::{Shell, start};

/// So many wait at once for a disk that does not answer.
const WAITING: u32 = 400;

fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

fn available_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

/// A disk in a file of a file system that is frozen: whoever writes to it waits, which the kernel counts as load and as pressure,
/// and takes no processor from anybody.
#[tokio::test]
async fn a_disk_that_hangs_is_load_and_pressure_each_time() {
    let _root = tests::need_root!();
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Shell::new("fsfreeze -u outer 2>/dev/null || :; wait; losetup -d \"$disk\"; umount outer");
    shell.run(&format!("cd {}; truncate -s 64M image; mkfs.ext4 -q image; mkdir outer", folder.path().display()));
    shell.run("mount -o loop image outer; truncate -s 32M outer/disk; disk=$(losetup --find --show outer/disk)");
    let write = "dd if=/dev/zero of=\"$disk\" bs=4k count=1 oflag=direct 2>/dev/null";
    let freeze = format!("fsfreeze -f outer; for it in $(seq {WAITING}); do {write} & done");

    let processors = std::fs::read_to_string("/proc/stat").unwrap();
    let processors = processors.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu ")).count();
    let above = (load() + f64::from(WAITING) / 3.0) / f64::from(u32::try_from(processors).unwrap());
    let mut loaded = start(Watch::Load { above: above.to_string(), clear: None });
    let mut lower = start(Watch::Load { above: (above * 4.0).to_string(), clear: Some("0".into()) });
    let pressure = |above: &str, clear: &str| Watch::Pressure {
        resource: Resource::Io,
        above: above.into(),
        clear: Some(clear.into()),
    };
    let mut pressed = start(pressure("40%", "35%"));
    let mut never = start(pressure("99.9%", "0%"));
    loaded.nothing();

    shell.run(&freeze);
    let notice = pressed.raised().await;
    assert_eq!((notice.subject.as_str(), &notice.data["resource"]), ("io", &json!("io")));
    let notice = loaded.raised().await;
    assert!(notice.data["load-by-processor"].as_f64().unwrap() >= (above * 100.0).floor() / 100.0, "{notice:?}");
    assert_eq!(notice.data["processors"], json!(processors));
    shell.run("fsfreeze -u outer; wait");
    loaded.cleared().await;
    pressed.cleared().await;
    shell.run(&freeze);
    loaded.raised().await;
    pressed.raised().await;
    lower.nothing();
    never.nothing();
}

#[tokio::test]
async fn memory_is_taken_given_back_and_taken_again() {
    let available = available_bytes();
    // Others use memory meanwhile: what is taken here is more than they.
    let take = || vec![1_u8; usize::try_from(available / 6).unwrap()];
    let mib = |bytes: u64| format!("{}MiB", bytes >> 20);
    let (below, clear) = (mib(available - available / 9), mib(available - available / 12));
    let mut told = start(Watch::MemoryFree { below: below.clone(), clear: Some(clear) });
    let mut lower = start(Watch::MemoryFree { below: mib(available / 20), clear: None });
    told.silence().await;
    let taken = take();
    let notice = told.raised().await;
    assert!(notice.data["available-bytes"].as_u64().unwrap() < available - available / 9, "{notice:?}");
    assert!(notice.data["total-bytes"].as_u64().unwrap() >= available, "{notice:?}");
    drop(taken);
    told.cleared().await;
    let taken = take();
    told.raised().await;
    assert_eq!(taken.first(), Some(&1));
    lower.nothing();
}
