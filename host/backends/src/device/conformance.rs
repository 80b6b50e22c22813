//! What every backend of `device` does alike, that the real one says what this machine's own tools say, and what it makes of
//! recorded machines.

use std::sync::Arc;

use contract::device::{
    Backend, GetHardware, GetIdentity, GetLoad, GetOs, GetRebootState, ListNetworkInterfaces, ListVolumes, Volume,
};
use model::DeviceId;

use crate::testing::context;

use super::{Fixture, Memory, Overlay, PlannedReboot};

const FIXTURE: &str = r#"
[identity]
hostname = "web-1"
attributes = { domain = "example.com" }
[[volumes]]
mount = "/srv"
free-bytes = 1_000
[[network-interfaces]]
name = "eth1"
"#;

fn attribute<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
    attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn memory() -> Memory {
    Memory::new(toml::from_str(FIXTURE).unwrap())
}

async fn suite(device: &dyn Backend) {
    let cx = context();
    let identity = device.get_identity(&cx, &GetIdentity {}).await.unwrap();
    identity.device_id.parse::<DeviceId>().unwrap();
    assert_eq!(identity, device.get_identity(&cx, &GetIdentity {}).await.unwrap(), "an identity stays");
    assert!(!identity.hostname.is_empty() && !identity.timezone.is_empty() && !identity.role.is_empty());

    let os = device.get_os(&cx, &GetOs {}).await.unwrap();
    assert!(!os.name.is_empty() && !os.arch.is_empty() && !os.kernel.is_empty());

    let hardware = device.get_hardware(&cx, &GetHardware {}).await.unwrap();
    assert!(hardware.physical_cores >= 1 && hardware.physical_cores <= hardware.logical_cores);

    let load = device.get_load(&cx, &GetLoad {}).await.unwrap();
    assert!((0.0..=100.0).contains(&load.cpu_percent));
    assert!(load.memory_used_bytes <= load.memory_total_bytes);
    assert_eq!(load.memory_total_bytes, hardware.memory_bytes);

    let volumes = device.list_volumes(&cx, &ListVolumes {}).await.unwrap();
    assert!(!volumes.is_empty());
    let mut mounts: Vec<_> = volumes.iter().map(|volume| &volume.mount).collect();
    mounts.dedup();
    assert_eq!(mounts.len(), volumes.len());
    // A server that is gone leaves its mount behind.
    let is_gone = |volume: &Volume| attribute(&volume.attributes, "error").is_some();
    assert!(volumes.iter().all(|it| it.free_bytes <= it.size_bytes && (it.size_bytes > 0) != is_gone(it)));

    let interfaces = device.list_network_interfaces(&cx, &ListNetworkInterfaces {}).await.unwrap();
    for address in interfaces.iter().flat_map(|interface| &interface.addresses) {
        address.parse::<ipnet::IpNet>().unwrap();
    }

    let reboot = device.get_reboot_state(&cx, &GetRebootState {}).await.unwrap();
    assert_eq!(reboot.pending, !reboot.reasons.is_empty());
    assert!(reboot.booted_ms > 1_500_000_000_000);

    for attributes in [identity.attributes, os.attributes, hardware.attributes, load.attributes, reboot.attributes] {
        let mut names: Vec<_> = attributes.iter().map(|(name, _)| name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), attributes.len(), "each name at most once: {attributes:?}");
    }
}

#[tokio::test]
async fn memory_conforms() {
    suite(&memory()).await;
}

#[tokio::test]
async fn a_fixture_says_what_matters_and_nothing_unknown() {
    let memory = memory();
    let identity = memory.get_identity(&context(), &GetIdentity {}).await.unwrap();
    assert_eq!((identity.hostname.as_str(), identity.role.as_str()), ("web-1", "server"));
    assert_eq!(identity.attributes, [("domain".to_owned(), "example.com".to_owned())]);
    let volume = memory.list_volumes(&context(), &ListVolumes {}).await.unwrap().remove(0);
    assert_eq!((volume.mount.as_str(), volume.free_bytes), ("/srv", 1_000));
    for bad in ["[identity]\nhost-name = 'x'", "[disks]", "[[volumes]]\nfree-bytes = 'x'"] {
        toml::from_str::<Fixture>(bad).unwrap_err();
    }
}

#[tokio::test]
async fn the_overlay_conforms_and_shows_what_planned_changes_would_leave_pending() {
    let planned = Arc::new(PlannedReboot::default());
    let overlay = Overlay::new(Arc::new(memory()), Arc::clone(&planned));
    suite(&overlay).await;
    planned.plan("kernel");
    planned.plan("kernel");
    let state = overlay.get_reboot_state(&context(), &GetRebootState {}).await.unwrap();
    assert_eq!((state.pending, state.reasons), (true, vec!["kernel".to_owned()]));
    assert_eq!(state.attributes, [("planned".to_owned(), "kernel".to_owned())]);
    suite(&overlay).await;
}

#[tokio::test]
async fn a_planned_restart_leaves_no_service_stale() {
    let stale =
        "[reboot-state]\npending = true\nreasons = ['services-stale']\nattributes = { services = 'cron,nginx' }";
    let planned = Arc::new(PlannedReboot::default());
    let overlay = Overlay::new(Arc::new(Memory::new(toml::from_str(stale).unwrap())), Arc::clone(&planned));
    let state = async || overlay.get_reboot_state(&context(), &GetRebootState {}).await.unwrap();
    planned.renew("ssh");
    assert_eq!(state().await.attributes, [("services".to_owned(), "cron,nginx".to_owned())]);
    planned.renew("nginx");
    assert_eq!(state().await.attributes, [("services".to_owned(), "cron".to_owned())]);
    assert!(state().await.pending);
    planned.renew("cron");
    let done = state().await;
    assert_eq!((done.pending, done.reasons.len(), done.attributes.len()), (false, 0, 0));
}

#[cfg(target_os = "linux")]
mod linux {
    use contract::device::RebootState;

    use super::super::linux::Linux;
    use super::*;
    use crate::testing::{Recorded, shared, tool};

    #[tokio::test]
    async fn this_machine_conforms() {
        let real = super::super::real(&shared());
        suite(&*real).await;
        suite(&Overlay::new(real, Arc::default())).await;
    }

    #[tokio::test]
    async fn the_id_is_made_once_and_survives_the_backend() {
        let shared = shared();
        let id = super::super::device_id(&shared).unwrap();
        assert_eq!(super::super::device_id(&shared).unwrap(), id);
        let identity = Linux::new(&shared).get_identity(&context(), &GetIdentity {}).await.unwrap();
        assert_eq!(identity.device_id, id.to_string());
        assert_ne!(super::super::device_id(&crate::testing::shared()).unwrap(), id);
    }

    #[tokio::test]
    async fn it_says_what_uname_nproc_and_free_say() {
        let (device, cx) = (Linux::new(&shared()), context());
        let identity = device.get_identity(&cx, &GetIdentity {}).await.unwrap();
        assert_eq!(identity.hostname, tool(&["uname", "-n"]).trim());
        let os = device.get_os(&cx, &GetOs {}).await.unwrap();
        assert_eq!(
            (os.kernel.as_str(), os.arch.as_str()),
            (tool(&["uname", "-r"]).trim(), tool(&["uname", "-m"]).trim())
        );
        let hardware = device.get_hardware(&cx, &GetHardware {}).await.unwrap();
        assert_eq!(hardware.logical_cores.to_string(), tool(&["nproc", "--all"]).trim());
        let free = tool(&["free", "--bytes"]);
        let total = free.lines().find_map(|line| line.strip_prefix("Mem:")?.split_whitespace().next()).unwrap();
        assert_eq!(hardware.memory_bytes.to_string(), total);
        let booted_ms = device.get_reboot_state(&cx, &GetRebootState {}).await.unwrap().booted_ms;
        let since: jiff::civil::DateTime = tool(&["uptime", "--since"]).trim().parse().unwrap();
        let since_ms = since.to_zoned(jiff::tz::TimeZone::system()).unwrap().timestamp().as_millisecond();
        assert!(booted_ms.abs_diff(u64::try_from(since_ms).unwrap()) < 3_000);
    }

    #[tokio::test]
    async fn its_volumes_are_those_of_findmnt() {
        let volumes = Linux::new(&shared()).list_volumes(&context(), &ListVolumes {}).await.unwrap();
        let json =
            tool(&["findmnt", "--real", "--json", "--bytes", "--list", "--output", "TARGET,SOURCE,FSTYPE,SIZE,AVAIL"]);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let known = json["filesystems"].as_array().unwrap();
        for volume in volumes.iter().filter(|it| attribute(&it.attributes, "error").is_none()) {
            let found = known.iter().find(|it| it["target"] == volume.mount.as_str()).unwrap();
            assert_eq!(
                (&found["source"], &found["fstype"]),
                (&volume.device.as_str().into(), &volume.filesystem.as_str().into())
            );
            assert_eq!(found["size"].as_u64().unwrap(), volume.size_bytes);
            assert!(found["avail"].as_u64().unwrap().abs_diff(volume.free_bytes) < 1 << 30, "others write meanwhile");
        }
        assert!(volumes.iter().any(|volume| volume.mount == "/"));
    }

    #[tokio::test]
    async fn its_interfaces_are_those_of_ip() {
        let interfaces =
            Linux::new(&shared()).list_network_interfaces(&context(), &ListNetworkInterfaces {}).await.unwrap();
        let known: serde_json::Value = serde_json::from_str(&tool(&["ip", "-json", "address"])).unwrap();
        assert_eq!(known.as_array().unwrap().len(), interfaces.len());
        for known in known.as_array().unwrap() {
            let interface = interfaces.iter().find(|it| known["ifname"] == it.name.as_str()).unwrap();
            let mut addresses: Vec<String> = known["addr_info"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| format!("{}/{}", it["local"].as_str().unwrap(), it["prefixlen"]))
                .collect();
            addresses.sort();
            assert_eq!(interface.addresses, addresses);
            assert_eq!(attribute(&interface.attributes, "mtu"), Some(known["mtu"].to_string().as_str()));
        }
        let routes: serde_json::Value =
            serde_json::from_str(&tool(&["ip", "-json", "-4", "route", "show", "default"])).unwrap();
        for route in routes.as_array().unwrap() {
            let interface = interfaces.iter().find(|it| route["dev"] == it.name.as_str()).unwrap();
            let gateways = attribute(&interface.attributes, "gateway").unwrap();
            assert!(gateways.split(',').any(|gateway| route["gateway"] == gateway));
        }
    }

    async fn reboot_state(recorded: &Recorded) -> RebootState {
        Linux::at(recorded.root(), &shared()).get_reboot_state(&context(), &GetRebootState {}).await.unwrap()
    }

    fn machine(kernel: &str) -> Recorded {
        Recorded::new(&[("proc/sys/kernel/osrelease", kernel), ("proc/stat", "cpu 1 2 3 4\nbtime 1767225600\n")])
    }

    #[tokio::test]
    async fn a_newer_kernel_of_the_same_flavour_wants_a_reboot() {
        let recorded = machine("6.1.0-9-amd64");
        recorded.add("boot/vmlinuz-6.1.0-9-amd64", b"");
        recorded.add("boot/vmlinuz-6.5.0-1-rt-amd64", b"");
        let state = reboot_state(&recorded).await;
        assert_eq!((state.pending, state.booted_ms), (false, 1_767_225_600_000));
        recorded.add("boot/vmlinuz-6.1.0-10-amd64", b"");
        let state = reboot_state(&recorded).await;
        assert_eq!(state.reasons, ["kernel"]);
        assert_eq!(attribute(&state.attributes, "installed-kernel"), Some("6.1.0-10-amd64"));
        recorded.add(".dockerenv", b"");
        assert!(!reboot_state(&recorded).await.pending, "a container boots no kernel");
    }

    #[tokio::test]
    async fn a_package_that_wants_a_reboot_is_named() {
        let recorded = machine("6.1.0-9-amd64");
        assert!(!reboot_state(&recorded).await.pending);
        recorded.add("run/reboot-required", b"*** System restart required ***\n");
        recorded.add("run/reboot-required.pkgs", b"dbus\nlibc6\ndbus\n");
        let state = reboot_state(&recorded).await;
        assert_eq!(state.reasons, ["package-manager"]);
        assert_eq!(attribute(&state.attributes, "packages"), Some("dbus,libc6"));
        assert!(attribute(&state.attributes, "since-ms").is_some());
    }

    /// A process of this group that runs this file, and reads one that is deleted and not run.
    fn running(recorded: &Recorded, pid: u32, group: &str, file: &str) {
        let maps = format!(
            "55d0c0000000-55d0c0001000 r-xp 00000000 08:01 100 {file}\n\
             55d0c0002000-55d0c0003000 r--p 00000000 08:01 101 /usr/share/data (deleted)\n\
             7ffe00000000-7ffe00021000 rw-p 00000000 00:00 0 [stack]\n"
        );
        recorded.add(&format!("proc/{pid}/maps"), maps.as_bytes());
        recorded.add(&format!("proc/{pid}/cgroup"), group.as_bytes());
    }

    #[tokio::test]
    async fn services_that_run_what_was_replaced_are_named() {
        let recorded = machine("6.1.0-9-amd64");
        recorded.add("proc/1/cgroup", b"0::/init.scope\n");
        running(&recorded, 10, "0::/system.slice/fresh.service\n", "/usr/sbin/fresh");
        running(&recorded, 11, "0::/system.slice/jit.service\n", "/tmp/jit (deleted)");
        running(&recorded, 12, "0::/system.slice/shm.service\n", "/dev/zero (deleted)");
        running(&recorded, 13, "0::/user.slice/user-1000.slice/user@1000.service/a.service\n", "/usr/bin/x (deleted)");
        running(&recorded, 14, "0::/init.scope\n", "/usr/lib/systemd/systemd (deleted)");
        recorded.add("proc/15/cgroup", b"0::/system.slice/kernel-thread.service\n");
        assert!(!reboot_state(&recorded).await.pending);
        running(&recorded, 20, "0::/system.slice/nginx.service\n", "/usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)");
        running(&recorded, 21, "0::/system.slice/nginx.service/worker\n", "/usr/sbin/nginx (deleted)");
        running(&recorded, 22, "4:pids:/x.service\n1:name=systemd:/system.slice/cron.service\n", "/lib/a b (deleted)");
        let state = reboot_state(&recorded).await;
        assert_eq!((state.pending, state.reasons), (true, vec!["services-stale".to_owned()]));
        assert_eq!(attribute(&state.attributes, "services"), Some("cron,nginx"));
    }

    #[tokio::test]
    async fn a_host_in_a_container_has_its_own_services_and_not_those_around_it() {
        let recorded = machine("6.1.0-9-amd64");
        recorded.add("proc/1/cgroup", b"1:name=systemd:/system.slice/outer.service/payload/init.scope\n");
        let inner = "1:name=systemd:/system.slice/outer.service/payload/system.slice/inner.service\n";
        running(&recorded, 10, inner, "/usr/sbin/inner (deleted)");
        running(&recorded, 11, "1:name=systemd:/system.slice/outer.service\n", "/usr/sbin/outer (deleted)");
        let state = reboot_state(&recorded).await;
        assert_eq!(attribute(&state.attributes, "services"), Some("inner"));
        // And one whose processes are a container's is not asked.
        recorded.link("proc/self/ns/pid", "pid:[1]");
        recorded.link("proc/10/ns/pid", "pid:[2]");
        assert!(!reboot_state(&recorded).await.pending);
    }

    async fn volumes(mountinfo: &str) -> Vec<Volume> {
        let recorded = Recorded::new(&[
            ("proc/filesystems", "nodev\tsysfs\nnodev\ttmpfs\n\text4\n\tvfat\n"),
            ("proc/self/mountinfo", mountinfo),
            ("data/x", ""),
            ("mnt/with space/x", ""),
        ]);
        Linux::at(recorded.root(), &shared()).list_volumes(&context(), &ListVolumes {}).await.unwrap()
    }

    #[tokio::test]
    async fn pseudo_file_systems_and_second_mounts_are_left_out() {
        let found = volumes(
            "22 27 0:21 / /proc rw - proc proc rw\n\
             24 27 0:6 / /run rw - tmpfs tmpfs rw\n\
             27 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n\
             28 27 8:2 / /data rw - ext4 /dev/sda2 rw\n\
             29 27 8:2 /sub /d rw - ext4 /dev/sda2 rw\n\
             this line is broken\n\
             30 27 0:50 / /mnt/with\\040space rw - nfs4 nas:/export rw\n\
             31 27 8:9 / /gone ro - vfat /dev/sdb1 ro\n",
        )
        .await;
        let seen: Vec<_> = found.iter().map(|it| (it.mount.as_str(), it.device.as_str())).collect();
        assert_eq!(
            seen,
            [("/", "/dev/sda1"), ("/data", "/dev/sda2"), ("/gone", "/dev/sdb1"), ("/mnt/with space", "nas:/export")]
        );
        let gone = found.iter().find(|it| it.mount == "/gone").unwrap();
        assert_eq!((gone.size_bytes, gone.read_only), (0, true));
        assert_eq!(attribute(&gone.attributes, "error"), Some("errno-2"));
    }

    #[tokio::test]
    async fn at_most_256_volumes_come_back() {
        let lines = |count: usize| -> String {
            (0..count).map(|at| format!("{at} 1 9:{at} / /m{at} rw - ext4 /dev/md{at} rw\n")).collect()
        };
        assert_eq!(volumes(&lines(256)).await.len(), 256);
        assert_eq!(volumes(&lines(257)).await.len(), 256);
    }

    #[tokio::test]
    async fn names_of_other_machines_are_read_as_they_are() {
        let recorded = Recorded::new(&[
            (
                "etc/os-release",
                "NAME='A \"B\"'\nID=\"debian\"\nVERSION_ID=\"12\"\n# x=y\nVERSION_CODENAME=bookworm\nbroken\n",
            ),
            ("etc/debian_version", "12.7\n"),
            ("proc/sys/kernel/hostname", "host\n"),
            ("run/systemd/container", "lxc\n"),
        ]);
        recorded.add("proc/sys/kernel/osrelease", b"6.1.0\xff-x\n");
        recorded.link("etc/localtime", "../usr/share/zoneinfo/Europe/Vienna");
        let (device, cx) = (Linux::at(recorded.root(), &shared()), context());
        let os = device.get_os(&cx, &GetOs {}).await.unwrap();
        assert_eq!((os.name.as_str(), os.version.as_str(), os.kernel.as_str()), ("A \"B\"", "12.7", "6.1.0\u{fffd}-x"));
        assert_eq!(attribute(&os.attributes, "codename"), Some("bookworm"));
        let identity = device.get_identity(&cx, &GetIdentity {}).await.unwrap();
        assert_eq!((identity.timezone.as_str(), identity.role.as_str()), ("Europe/Vienna", "container"));
        assert_eq!(identity.hostname, "host");
    }

    #[tokio::test]
    async fn a_pipe_in_place_of_a_file_does_not_hang() {
        let recorded = Recorded::new(&[("proc/sys/kernel/hostname", "host")]);
        tool(&["mkfifo", recorded.root().path("proc/stat").to_str().unwrap()]);
        let device = Linux::at(recorded.root(), &shared());
        let read = device.get_reboot_state(&context(), &GetRebootState {}).await.unwrap_err();
        assert_eq!(read.code, "io", "{read}");
    }
}
