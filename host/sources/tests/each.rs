//! Each source has a test against the real thing: a case of `Watch` without a row here does not compile, and a row whose test is
//! gone fails.

use agent::Watch;

macro_rules! tested {
    ($($case:pat => $file:literal, $test:literal;)*) => {
        /// Every case, and no wildcard.
        fn is_listed(watch: &Watch) -> bool {
            match watch { $($case => true,)* }
        }

        const TESTS: &[(&str, &str, &str)] = &[$((stringify!($case), $file, $test)),*];
    };
}

tested! {
    Watch::DiskFree { .. } => "src/linux/levels/disk.rs", "a_file_system_is_filled_freed_and_filled_again";
    Watch::ServiceState { .. } => "tests/asked.rs", "a_service_fails_is_stopped_is_started_and_comes_later";
    Watch::Process { .. } => "src/linux/levels/process.rs", "a_process_is_started_killed_and_started_again";
    Watch::FileChange { .. } => "src/linux/tests/files.rs", "of_ten_thousand_changes_in_a_second_the_last_is_told";
    Watch::LogMatch { .. } => "src/linux/tests/logs.rs", "a_log_that_is_renamed_under_load_is_read_line_by_line_once";
    Watch::Login { .. } => "tests/managed.rs", "logins_accounts_and_ports_are_told_as_real_programs_make_them";
    Watch::AccountChange { .. } => "src/linux/tests/accounts.rs", "what_useradd_and_its_like_do_is_told_and_never_a_hash";
    Watch::Boot => "tests/managed.rs", "a_boot_and_a_reboot_are_told_once_each";
    Watch::Resume => "tests/namespaces.rs", "a_machine_that_slept_is_told_of_once";
    Watch::NetworkChange => "src/linux/tests/network.rs", "interfaces_addresses_and_default_routes_are_told_and_no_other_route";
    Watch::ListeningPort { .. } => "src/linux/tests/ports.rs", "a_port_that_is_opened_is_told_with_who_opened_it";
    Watch::UpdatesAvailable { .. } => "tests/asked.rs", "updates_come_are_installed_and_come_again";
    Watch::RebootPending => "tests/asked.rs", "a_reboot_is_waited_for_is_not_and_is_again";
    Watch::CertificateExpiring { .. } =>
        "src/linux/levels/certificates.rs", "a_certificate_crosses_its_line_is_renewed_and_the_next_one_crosses_it";
    Watch::Load { .. } => "src/linux/levels/machine.rs", "a_disk_that_hangs_is_load_and_pressure_each_time";
    Watch::MemoryFree { .. } => "src/linux/levels/machine.rs", "memory_is_taken_given_back_and_taken_again";
    Watch::Pressure { .. } => "src/linux/levels/machine.rs", "a_disk_that_hangs_is_load_and_pressure_each_time";
    // The agent tells these itself: no source does.
    Watch::RunFinished { .. } | Watch::Emitted { .. } => "tests/each.rs", "what_the_agent_tells_itself_has_no_source";
}

#[test]
fn each_source_has_a_test_that_is_there() {
    assert!(is_listed(&Watch::Boot));
    for (case, file, test) in TESTS {
        let path = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{case}: {path}: {error}"));
        let found =
            text.split("\nfn ").chain(text.split("\nasync fn ")).any(|rest| rest.starts_with(&format!("{test}(")));
        assert!(found, "{case}: {file} has no `{test}`");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_the_agent_tells_itself_has_no_source() {
    use std::sync::Arc;

    use sources::{Asked, Error, Sink, Surroundings};

    let around = Surroundings::new(Arc::new(model::SystemClock), "/nonexistent".into(), Asked::nothing());
    for watch in [Watch::Emitted { name: "done".into() }, Watch::RunFinished { order: None, plugin: None }] {
        let (to, _kept) = tokio::sync::mpsc::channel(1);
        let ended = sources::watch(watch, around.clone(), Sink::new("order", to), Default::default()).await;
        assert!(matches!(ended, Err(Error::Unsupported { .. })), "{ended:?}");
    }
}
