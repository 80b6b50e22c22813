//! What every backend of `device-people` does alike, that the real one says what getent and id say, and what it makes of
//! recorded machines.

use contract::device_people::{Backend, ListLogins, ListSessions, ListUsers, Login, User};
use contract::types::ErrorKind;

use crate::testing::context;

use super::{Fixture, Memory};

fn memory() -> Memory {
    Memory::new(
        toml::from_str(
            r#"
            [[users]]
            name = "root"
            uid = "0"
            administrator = true
            [[users]]
            last-login-ms = 1
            [[sessions]]
            remote = true
            attributes = { remote-host = "192.0.2.1" }
            [[logins]]
            at-ms = 10
            [[logins]]
            at-ms = 30
            success = false
            [[logins]]
            at-ms = 20
            "#,
        )
        .unwrap(),
    )
}

async fn logins(people: &dyn Backend, since_ms: u64, limit: u32) -> Vec<Login> {
    people.list_logins(&context(), &ListLogins { since_ms, limit }).await.unwrap()
}

async fn users(people: &dyn Backend) -> Vec<User> {
    people.list_users(&context(), &ListUsers {}).await.unwrap()
}

async fn suite(people: &dyn Backend) {
    let users = users(people).await;
    let root = users.iter().find(|user| user.uid == "0").unwrap();
    assert!(root.name == "root" && root.administrator && !root.groups.is_empty());
    let sessions = people.list_sessions(&context(), &ListSessions {}).await.unwrap();
    let states = ["active", "idle", "locked", "disconnected"];
    assert!(sessions.iter().all(|session| !session.user.is_empty() && states.contains(&session.state.as_str())));
    let all = logins(people, 0, 5_000).await;
    assert!(all.is_sorted_by_key(|login| std::cmp::Reverse(login.at_ms)), "latest first");
    assert_eq!(logins(people, 0, 1).await, all.iter().take(1).cloned().collect::<Vec<_>>());
    assert_eq!(logins(people, u64::MAX, 5_000).await, []);
    for limit in [0, 5_001] {
        let error = people.list_logins(&context(), &ListLogins { since_ms: 0, limit }).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Invalid, "limit"));
    }
}

#[tokio::test]
async fn memory_conforms() {
    suite(&memory()).await;
    let since = logins(&memory(), 20, 9).await;
    assert_eq!(since.iter().map(|login| login.at_ms).collect::<Vec<_>>(), [30, 20]);
    for bad in ["[[users]]\nuser = 'x'", "[[people]]"] {
        toml::from_str::<Fixture>(bad).unwrap_err();
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use contract::device_people::Session;

    use super::super::linux::Linux;
    use super::*;
    use crate::Shared;
    use crate::facts::utmp::tests::bytes;
    use crate::testing::{Recorded, shared, shared_masking_people, tool};

    fn attribute<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
        attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    #[tokio::test]
    async fn this_machine_conforms() {
        suite(&*super::super::real(&shared())).await;
    }

    #[tokio::test]
    async fn users_are_those_of_getent_and_id() {
        let found = users(&Linux::new(&shared())).await;
        let known = tool(&["getent", "-s", "files", "passwd"]);
        assert_eq!(known.lines().count(), found.len());
        for (line, user) in known.lines().zip(&found) {
            let fields: Vec<&str> = line.split(':').collect();
            assert_eq!((fields[0], fields[2]), (user.name.as_str(), user.uid.as_str()));
            assert_eq!(attribute(&user.attributes, "home"), Some(fields[5]));
            let mut groups: Vec<_> = user.groups.clone();
            let mut expected: Vec<String> =
                tool(&["id", "-Gn", &user.name]).split_whitespace().map(str::to_owned).collect();
            assert_eq!(groups[0], tool(&["id", "-gn", &user.name]).trim());
            groups.sort();
            expected.sort();
            assert_eq!(groups, expected, "{}", user.name);
        }
    }

    fn machine() -> Recorded {
        let recorded = Recorded::new(&[
            (
                "etc/passwd",
                "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/usr/sbin/nologin\nann:x:1000:1000:Ann Example,,,:/home/ann:/bin/bash\n\
                 bob:x:1001:100::/home/bob:/bin/sh\ncat:x:1002:100::/home/cat:/bin/sh\ndan:x:1003:100::/home/dan:/bin/sh\neve:x:1004:100::/../home/bob:/bin/sh\n",
            ),
            ("etc/group", "root:x:0:\ndaemon:x:1:\nsudo:x:27:ann,dan\nusers:x:100:\nann:x:1000:\n"),
            (
                "etc/shadow",
                "root:*:20000::::::\ndaemon:*:20000::::::\nann:$y$x:20000:0:99999:7:::\nbob:!$y$x:20000::::::\n\
                 cat:!:20000::::::\ndan:$y$x:20000:::::20454:\neve:!:20000::::::\n",
            ),
            ("home/bob/.ssh/authorized_keys", "ssh-ed25519 AAAA\n"),
            ("home/cat/.ssh/authorized_keys", "ssh-ed25519 AAAA\n"),
            ("proc/5/stat", ""),
        ]);
        let mut lastlog = vec![0; 292 * 1_001];
        lastlog[292_000..292_004].copy_from_slice(&1_700_000_000_i32.to_ne_bytes());
        recorded.add("var/log/lastlog", &lastlog);
        recorded
    }

    #[tokio::test]
    async fn an_account_is_enabled_if_somebody_could_log_in() {
        let recorded = machine();
        let found = users(&Linux::at(recorded.root(), &shared())).await;
        let enabled: Vec<_> = found.iter().filter(|it| it.enabled).map(|it| it.name.as_str()).collect();
        // root has neither password nor key, bob is locked in spite of his key, dan has expired, eve's home leads elsewhere.
        assert_eq!(enabled, ["ann", "cat"]);
        let administrators: Vec<_> = found.iter().filter(|it| it.administrator).map(|it| it.name.as_str()).collect();
        assert_eq!(administrators, ["root", "ann", "dan"]);
        let ann = found.iter().find(|it| it.name == "ann").unwrap();
        assert_eq!(ann.groups, ["ann", "sudo"]);
        assert_eq!(ann.last_login_ms, Some(1_700_000_000_000));
        assert_eq!(attribute(&ann.attributes, "full-name"), Some("Ann Example"));
        assert_eq!(attribute(&ann.attributes, "password-changed-ms"), Some("1728000000000"));
        assert_eq!(found.iter().find(|it| it.name == "bob").unwrap().last_login_ms, None);
    }

    #[tokio::test]
    async fn logins_know_when_they_ended_and_what_failed() {
        let recorded = Recorded::new(&[]);
        let mut wtmp = bytes(2, 0, b"~", b"reboot", b"", 100);
        wtmp.extend(bytes(7, 5, b"pts/0", b"ann", b"192.0.2.1", 200));
        wtmp.extend(bytes(8, 5, b"pts/0", b"", b"", 250));
        wtmp.extend(bytes(7, 6, b"tty1", b"bob", b"", 300));
        wtmp.extend(bytes(2, 0, b"~", b"reboot", b"", 400));
        wtmp.extend(bytes(7, 7, b"tty1", b"bob", b"", 500));
        recorded.add("var/log/wtmp", &wtmp);
        recorded.add("var/log/btmp", &bytes(6, 8, b"ssh:notty", b"\xff\xfe", b"203.0.113.9", 450));
        let people = Linux::at(recorded.root(), &shared());
        let seen: Vec<_> = logins(&people, 0, 9)
            .await
            .into_iter()
            .map(|it| (it.user, it.at_ms, it.success, attribute(&it.attributes, "ended-ms").map(str::to_owned)))
            .collect();
        let ended = |ms: &str| Some(ms.to_owned());
        assert_eq!(
            seen,
            [
                ("bob".to_owned(), 500_000, true, None),
                ("\u{fffd}\u{fffd}".to_owned(), 450_000, false, None),
                ("bob".to_owned(), 300_000, true, ended("400000")),
                ("ann".to_owned(), 200_000, true, ended("250000")),
            ]
        );
        assert_eq!(logins(&people, 300_000, 9).await.len(), 3);
    }

    async fn sessions(recorded: &Recorded, shared: &Shared) -> Vec<Session> {
        Linux::at(recorded.root(), shared).list_sessions(&context(), &ListSessions {}).await.unwrap()
    }

    #[tokio::test]
    async fn sessions_come_from_logind_and_where_it_is_not_from_utmp() {
        let recorded = machine();
        let session = |state: &str, class: &str| {
            format!(
                "USER=ann\nSTATE={state}\nREMOTE=1\nREMOTE_HOST=192.0.2.1\nTTY=pts/0\nLEADER=5\nCLASS={class}\nREALTIME=1700000000000000\n"
            )
        };
        let mut utmp = bytes(7, 5, b"pts/0", b"ann", b"192.0.2.1", 1_700_000_000);
        utmp.extend(bytes(7, 99, b"pts/9", b"bob", b"", 1_700_000_000));
        recorded.add("run/utmp", &utmp);
        let found = sessions(&recorded, &shared()).await;
        assert_eq!(found.len(), 1, "process 99 is gone: {found:?}");
        assert_eq!((found[0].user.as_str(), found[0].remote, found[0].started_ms), ("ann", true, 1_700_000_000_000));

        recorded.add("run/systemd/sessions/3", session("active", "user").as_bytes());
        recorded.add("run/systemd/sessions/3.ref", b"");
        let found = sessions(&recorded, &shared()).await;
        assert_eq!(found.len(), 1, "told once: {found:?}");
        assert_eq!(attribute(&found[0].attributes, "session-id"), Some("3"));
        assert_eq!(found[0].state, "active");

        recorded.add("run/systemd/sessions/3", session("online", "user").as_bytes());
        assert_eq!(sessions(&recorded, &shared()).await[0].state, "disconnected");
        recorded.add("run/systemd/sessions/3", session("closing", "user").as_bytes());
        assert_eq!(sessions(&recorded, &shared()).await, []);
    }

    #[tokio::test]
    async fn a_terminal_that_nobody_reads_is_idle() {
        let recorded = machine();
        recorded.add("run/utmp", &bytes(7, 5, b"pts/0", b"ann", b"", 1_700_000_000));
        recorded.add("dev/pts/0", b"");
        for (read, state, idle) in [("2025-12-31 23:59:00", "active", 60), ("2025-12-31 23:00:00", "idle", 3_600)] {
            let terminal = recorded.root().path("dev/pts/0");
            tool(&["touch", "-a", "-d", &format!("{read} UTC"), terminal.to_str().unwrap()]);
            let found = sessions(&recorded, &shared()).await;
            assert_eq!((found[0].state.as_str(), found[0].idle_seconds), (state, idle));
        }
    }

    #[tokio::test]
    async fn people_are_masked_where_policy_says_so() {
        let recorded = machine();
        recorded.add("run/utmp", &bytes(7, 5, b"pts/0", b"ann", b"192.0.2.1", 1_700_000_000));
        let mut btmp = bytes(6, 8, b"ssh:notty", b"hunter2", b"", 450);
        btmp.extend(bytes(6, 8, b"ssh:notty", b"root", b"", 451));
        recorded.add("var/log/btmp", &btmp);
        let masking = shared_masking_people();
        let people = Linux::at(recorded.root(), &masking);
        let (found, sessions, logins) =
            (users(&people).await, sessions(&recorded, &masking).await, logins(&people, 0, 9).await);
        let shown = format!("{found:?} {sessions:?} {logins:?}");
        for word in ["\"ann\"", "Ann Example", "/home/ann", "\"bob\"", "hunter2"] {
            assert!(!shown.contains(word), "{word} in {shown}");
        }
        let plain = users(&Linux::at(recorded.root(), &shared())).await;
        assert!(format!("{plain:?}").contains("Ann Example"), "and without the flag it is there");
        assert_eq!(sessions[0].user, found[2].name, "the same everywhere on this device");
        assert_eq!(found[2].groups, [found[2].name.as_str(), "sudo"]);
        assert_eq!((logins[0].user.as_str(), found[0].name.as_str()), ("root", "root"));
    }
}
