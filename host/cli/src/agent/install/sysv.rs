//! Scripts for where systemd does not run.

use super::Plan;

/// A script.
pub(super) struct Script {
    pub(super) name: &'static str,
    pub(super) text: String,
}

/// What is started with the machine, in this order.
pub(super) const NAMES: &[&str] = &["remit-executor", "remit-agent"];

/// There is no journal to keep what they say.
pub(super) const ROTATION: &str = "# Written by `remit agent install`.\n\
    /var/log/remit-executor.log /var/log/remit-agent.log {\n    weekly\n    rotate 4\n    size 10M\n    missingok\n    notifempty\n    compress\n    copytruncate\n}\n";

pub(super) fn all(plan: &Plan) -> Vec<Script> {
    let user = &plan.config.user;
    let metrics = plan.metrics_folder().map(|it| it.display().to_string()).unwrap_or_default();
    let of = |name: &'static str, about: &str, after: &str, user: &str, arguments: &str, folder: &str| Script {
        name,
        text: SCRIPT
            .replace("@NAME@", name)
            .replace("@ABOUT@", about)
            .replace("@AFTER@", after)
            .replace("@USER@", user)
            .replace("@ARGUMENTS@", arguments)
            .replace("@RUN@", &quoted(&plan.config.run_dir.display().to_string()))
            .replace("@FOLDER@", &quoted(folder))
            .replace("@PROGRAM@", &quoted(&plan.program.display().to_string())),
    };
    vec![
        of(
            "remit-executor",
            "runs plugins on schedule and on events",
            "$local_fs $syslog $time",
            "root",
            "agent run",
            "",
        ),
        of(
            "remit-agent",
            "the half of the agent that speaks to the network",
            "$local_fs $network remit-executor",
            user,
            "agent run --half network",
            &metrics,
        ),
    ]
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

const SCRIPT: &str = r##"#!/bin/sh
### BEGIN INIT INFO
# Provides:          @NAME@
# Required-Start:    @AFTER@
# Required-Stop:     $local_fs
# Should-Start:      dbus
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: Remit: @ABOUT@
# Description:       Written by `remit agent install`, which writes it again.
### END INIT INFO

# What ends by itself is not started again: where that matters, start it from /etc/inittab with `respawn`.

NAME=@NAME@
PROGRAM=@PROGRAM@
RUN=@RUN@
FOLDER=@FOLDER@
PIDFILE=/run/$NAME.pid
LOG=/var/log/$NAME.log
PATH=/usr/sbin:/usr/bin:/sbin:/bin
# How long a run under way has to be stopped and recorded.
STOP_S_MAX=90

# The process of the pid file, if it runs this program. One that was replaced since it was started is it too.
running() {
    read -r pid <"$PIDFILE" 2>/dev/null || return 1
    case $pid in '' | *[!0-9]*) return 1 ;; esac
    exe=$(readlink "/proc/$pid/exe" 2>/dev/null) || return 1
    [ "$exe" = "$PROGRAM" ] || [ "$exe" = "$PROGRAM (deleted)" ]
}

start() {
    if running; then
        echo "$NAME is running already, as $pid"
        return 0
    fi
    if [ ! -x "$PROGRAM" ]; then
        echo "$NAME: $PROGRAM is not there" >&2
        return 5
    fi
    rm -f "$PIDFILE"
    install -d -m 0755 "$RUN"
    [ -z "$FOLDER" ] || install -d -m 0755 -o @USER@ -g @USER@ "$FOLDER"
    touch "$LOG" && chmod 0640 "$LOG"
    start-stop-daemon --start --quiet --background --no-close --make-pidfile --pidfile "$PIDFILE" \
        --chuid @USER@ --chdir / --startas "$PROGRAM" -- @ARGUMENTS@ >>"$LOG" 2>&1 || return 1
    # What cannot start says so at once.
    sleep 1
    if running; then
        echo "$NAME is running, as $pid"
        return 0
    fi
    echo "$NAME did not start; see $LOG" >&2
    return 1
}

stop() {
    if ! running; then
        rm -f "$PIDFILE"
        echo "$NAME is not running"
        return 0
    fi
    kill -TERM "$pid"
    waited=0
    while running; do
        if [ "$waited" -ge "$((STOP_S_MAX * 10))" ]; then
            echo "$NAME does not stop, and is killed" >&2
            kill -KILL "$pid"
            sleep 1
            break
        fi
        sleep 0.1
        waited=$((waited + 1))
    done
    rm -f "$PIDFILE"
    echo "$NAME is stopped"
}

case $1 in
start) start ;;
stop) stop ;;
restart | force-reload) stop && start ;;
reload)
    if ! running; then
        echo "$NAME is not running" >&2
        exit 7
    fi
    kill -HUP "$pid"
    ;;
status)
    if running; then
        echo "$NAME is running, as $pid"
    elif [ -e "$PIDFILE" ]; then
        echo "$NAME is not running, and left $PIDFILE"
        exit 1
    else
        echo "$NAME is not running"
        exit 3
    fi
    ;;
*)
    echo "Usage: $0 {start|stop|status|restart|reload|force-reload}" >&2
    exit 2
    ;;
esac
"##;
