//! Recipes about people.

use crate::managed::Managed;

pub(crate) fn administrators(host: &Managed) {
    host.says("local-administrators", &[], "compliant");
    host.sh("useradd --create-home --shell /bin/bash trainee && usermod --append --groups sudo trainee");
    let evidence = host.finds("local-administrators", &[], &["trainee is an administrator"]);
    assert!(evidence.contains("sudo") && evidence.contains("cannot log in"), "{evidence}");
    host.says("local-administrators", &["--param", r#"allowed=["root", "trainee"]"#], "compliant");
}

/// Somebody tries passwords of root, and the system notes it.
pub(crate) fn failed_logins(host: &Managed) {
    host.says("failed-logins", &["--param", "limit=1"], "compliant");
    host.sh("touch /var/log/btmp && id guest || useradd guest");
    for _ in 0..2 {
        host.sh("! echo wrong | setpriv --reuid=guest --regid=guest --clear-groups su root");
    }
    host.says("failed-logins", &["--param", "limit=3"], "compliant");
    let evidence = host.finds("failed-logins", &["--param", "limit=2"], &["this machine failed 2 times to log in"]);
    assert_eq!(evidence, "as root");
}

pub(crate) fn stale_sessions(host: &Managed) {
    host.sh("systemd-run --quiet --unit=visitor script --quiet --command 'login -f root' /dev/null");
    host.wait_until("who | grep -q root");
    let terminal = host.sh("who | awk '{ print $2 }'").trim().to_owned();
    host.says("stale-sessions", &[], "compliant");
    host.sh(&format!("touch -a -d '2 days ago' /dev/{terminal}"));
    host.finds("stale-sessions", &[], &[&format!("root has not touched {terminal} for 48 hours")]);
    host.says("stale-sessions", &["--param", r#"keep=["root"]"#], "compliant");
    let ran = host.run("stale-sessions", "enforce", &[]);
    assert_eq!((&ran["verdict"], &ran["remedy"]), (&"fixed".into(), &"ended 1 of 1 sessions".into()), "{ran:#}");
    host.wait_until("! pgrep -x login");
}
