//! What may be watched at all. An order that asks for something else is refused when it is read, not when nothing ever happens.

use std::path::Path;

use regex::bytes::{Regex, RegexBuilder};

use crate::{Rising, Threshold, text};

use super::{Log, Watch};

/// The longest name of a unit that systemd knows, with its suffix.
const UNIT_BYTES_MAX: usize = 255;
/// What may be a unit.
const UNIT_SUFFIXES: [&str; 11] =
    ["service", "socket", "target", "device", "mount", "automount", "swap", "timer", "path", "slice", "scope"];
/// The longest name of a file, and so of a program.
const FILE_NAME_BYTES_MAX: usize = 255;
/// The longest path that Linux opens.
const PATH_BYTES_MAX: usize = 4_095;
/// The longest name of a user: what `useradd` takes.
const USER_BYTES_MAX: usize = 256;
/// The longest pattern: what a person still reads.
const PATTERN_BYTES_MAX: usize = 1 << 10;
/// The most that a pattern may take when it is compiled, and once more while it searches: fifty of them fit into the agent's memory.
const COMPILED_BYTES_MAX: usize = 256 << 10;

impl Watch {
    /// All that is wrong with it, a line each, which begins with the field.
    pub fn check(&self) -> Vec<String> {
        let problems = match self {
            Self::DiskFree { path, below, clear } => {
                let threshold = Threshold::falling(below, clear.as_deref()).err().unwrap_or_default();
                return absolute("path", path).into_iter().chain(threshold).collect();
            }
            Self::MemoryFree { below, clear } => {
                return Threshold::falling(below, clear.as_deref()).err().unwrap_or_default();
            }
            Self::Load { above, clear } => return Rising::number(above, clear.as_deref()).err().unwrap_or_default(),
            Self::Pressure { resource: _, above, clear } => {
                return Rising::percentage(above, clear.as_deref()).err().unwrap_or_default();
            }
            Self::ServiceState { service: name, state: _ } => [service(name), None],
            Self::Process { name, is_present: _ } => [program(name), None],
            Self::FileChange { path } => [absolute("path", path), None],
            Self::LogMatch { log, pattern } => [self::log(log), log_pattern(pattern).err()],
            Self::Login { user: name } => [name.as_deref().and_then(user), None],
            Self::CertificateExpiring { path, within } => {
                [absolute("path", path), text::duration_ms(within).err().map(|problem| format!("within: {problem}"))]
            }
            Self::ListeningPort { port, loopback: _ } => {
                [port.filter(|&port| port == 0).map(|_| "port: expected 1 to 65535".to_owned()), None]
            }
            Self::RunFinished { order, plugin } => [
                order.as_deref().and_then(|order| slug("order", order)),
                plugin.as_deref().and_then(|plugin| slug("plugin", plugin)),
            ],
            Self::Emitted { name } => [slug("name", name), None],
            Self::AccountChange { only_admins: _ }
            | Self::UpdatesAvailable { only_security: _ }
            | Self::Boot
            | Self::Resume
            | Self::NetworkChange
            | Self::RebootPending => [None, None],
        };
        problems.into_iter().flatten().collect()
    }
}

/// Reads the pattern of a `log-match`, or says what is wrong with it. It searches bytes: a log may hold anything.
pub fn log_pattern(pattern: &str) -> Result<Regex, String> {
    if pattern.is_empty() || pattern.len() > PATTERN_BYTES_MAX {
        return Err(format!("pattern: it has {} bytes: expected 1 to {PATTERN_BYTES_MAX}", pattern.len()));
    }
    let regex = RegexBuilder::new(pattern).size_limit(COMPILED_BYTES_MAX).dfa_size_limit(COMPILED_BYTES_MAX).build();
    regex.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => {
            "pattern: it repeats too much: expected one that takes less than 256 KiB when it is compiled".to_owned()
        }
        // Its last line says what; those before show where, over several lines.
        other => {
            let text = other.to_string();
            let problem = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            format!("pattern: `{pattern}` is no regular expression: {problem}")
        }
    })
}

fn absolute(field: &str, path: &Path) -> Option<String> {
    let is_path = path.is_absolute()
        && !path.components().any(|part| part == std::path::Component::ParentDir)
        && path.as_os_str().len() <= PATH_BYTES_MAX
        && !path.as_os_str().as_encoded_bytes().contains(&0);
    (!is_path)
        .then(|| format!("{field}: `{}`: expected an absolute path without `..`, such as `/var/log`", path.display()))
}

fn log(log: &Log) -> Option<String> {
    match log {
        Log::File(path) => absolute("log.file", path),
        Log::Journal(unit) if unit == "*" || is_unit(unit) => None,
        Log::Journal(unit) => {
            Some(format!("log.journal: `{unit}`: expected a unit, such as `ssh.service`, or `*` for all of them"))
        }
    }
}

fn is_unit(name: &str) -> bool {
    let suffix = name.rsplit_once('.').map(|(_, suffix)| suffix);
    is_unit_name(name) && suffix.is_some_and(|suffix| UNIT_SUFFIXES.contains(&suffix))
}

fn is_unit_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b":_.\\@-".contains(&byte);
    !name.is_empty() && name.len() <= UNIT_BYTES_MAX && name.bytes().all(is_plain) && !name.starts_with(['.', '-', '@'])
}

fn service(name: &str) -> Option<String> {
    let is_service =
        is_unit_name(name) && name.len() + ".service".len() <= UNIT_BYTES_MAX && !is_unit(name) && !name.ends_with('@');
    (!is_service).then(|| format!("service: `{name}`: expected its name without a suffix, such as `nginx`"))
}

fn program(name: &str) -> Option<String> {
    let is_program =
        !name.is_empty() && name.len() <= FILE_NAME_BYTES_MAX && !name.contains(['/', '\0']) && name.trim() == name;
    (!is_program).then(|| format!("name: `{name}`: expected a program's name without folders, such as `nginx`"))
}

fn user(name: &str) -> Option<String> {
    let is_user = !name.is_empty()
        && name.len() <= USER_BYTES_MAX
        && !name.contains(|it: char| it.is_whitespace() || it.is_control() || it == ':' || it == '/');
    (!is_user).then(|| format!("user: `{name}`: expected the name of a user, such as `root`"))
}

/// As plugins and orders are called: it becomes the name of a file.
fn slug(field: &str, name: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_slug = !name.is_empty() && name.len() <= 64 && name.bytes().all(is_plain);
    (!is_slug).then(|| format!("{field}: `{name}`: expected 1 to 64 lower-case letters, digits and hyphens"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn problems(watch: &Value) -> Vec<String> {
        serde_json::from_value::<Watch>(watch.clone()).unwrap().check()
    }

    /// A watch that is right, and what each field must not be.
    fn table() -> Vec<(Value, Vec<(&'static str, Value)>)> {
        let long = |count: usize| Value::from("a".repeat(count));
        vec![
            (
                json!({"type": "disk-free", "path": "/", "below": "10%", "clear": "15%"}),
                vec![
                    ("path", json!("var")),
                    ("path", json!("/var/../etc")),
                    ("path", json!("/a\0b")),
                    ("path", Value::from(format!("/{}", "a".repeat(4_095)))),
                    ("below", json!("10")),
                    ("below", json!("0%")),
                    ("clear", json!("5%")),
                    ("clear", json!("1GiB")),
                ],
            ),
            (
                json!({"type": "service-state", "service": "getty@tty1", "state": "failed"}),
                vec![
                    ("service", json!("")),
                    ("service", json!("nginx.service")),
                    ("service", json!("getty@")),
                    ("service", json!("a/b")),
                    ("service", json!("-a")),
                    ("service", long(248)),
                ],
            ),
            (json!({"type": "service-state", "service": "a".repeat(247), "state": "running"}), vec![]),
            (json!({"type": "service-state", "service": "php8.2-fpm", "state": "stopped"}), vec![]),
            (
                json!({"type": "process", "name": "Web Content", "is-present": true}),
                vec![
                    ("name", json!("/usr/sbin/nginx")),
                    ("name", json!("")),
                    ("name", json!(" nginx")),
                    ("name", long(256)),
                ],
            ),
            (json!({"type": "file-change", "path": "/etc/passwd"}), vec![("path", json!("etc"))]),
            (
                json!({"type": "log-match", "log": {"file": "/var/log/syslog"}, "pattern": "Out of memory"}),
                vec![
                    ("log.file", json!({"file": "syslog"})),
                    ("pattern", json!("")),
                    ("pattern", json!("(")),
                    ("pattern", json!("(?=a)")),
                    ("pattern", json!("(a{1000}){1000}")),
                    ("pattern", long(1_025)),
                ],
            ),
            (
                json!({"type": "log-match", "log": {"journal": "ssh.service"}, "pattern": "a".repeat(1_024)}),
                vec![
                    ("log.journal", json!({"journal": "ssh"})),
                    ("log.journal", json!({"journal": "ssh service"})),
                    ("log.journal", json!({"journal": "**"})),
                ],
            ),
            (json!({"type": "log-match", "log": {"journal": "*"}, "pattern": "a"}), vec![]),
            (json!({"type": "login"}), vec![]),
            (
                json!({"type": "login", "user": "Ann.Lee@example"}),
                vec![("user", json!("")), ("user", json!("a b")), ("user", json!("a:b")), ("user", long(257))],
            ),
            (json!({"type": "account-change", "only-admins": true}), vec![]),
            (json!({"type": "boot"}), vec![]),
            (json!({"type": "resume"}), vec![]),
            (json!({"type": "network-change"}), vec![]),
            (json!({"type": "listening-port", "port": 65_535}), vec![("port", json!(0))]),
            (json!({"type": "updates-available"}), vec![]),
            (json!({"type": "reboot-pending"}), vec![]),
            (
                json!({"type": "certificate-expiring", "path": "/etc/ssl/a.pem", "within": "30d"}),
                vec![("path", json!("a.pem")), ("within", json!("30")), ("within", json!("a month"))],
            ),
            (
                json!({"type": "load", "above": "1.5", "clear": "1"}),
                vec![("above", json!("150%")), ("above", json!("-1")), ("clear", json!("2"))],
            ),
            (
                json!({"type": "memory-free", "below": "512MiB", "clear": "1GiB"}),
                vec![("below", json!("512")), ("clear", json!("10%"))],
            ),
            (
                json!({"type": "pressure", "resource": "memory", "above": "20%", "clear": "5%"}),
                vec![("above", json!("20")), ("above", json!("100%")), ("clear", json!("30%"))],
            ),
            (
                json!({"type": "run-finished", "order": "clean", "plugin": "disk-cleanup"}),
                vec![("order", json!("Clean up")), ("plugin", json!("../x"))],
            ),
            (json!({"type": "run-finished"}), vec![]),
            (json!({"type": "emitted", "name": "backup-done"}), vec![("name", json!("")), ("name", long(65))]),
        ]
    }

    #[test]
    fn each_flaw_is_said_with_its_field_and_without_it_nothing_is() {
        for (right, flaws) in table() {
            assert_eq!(problems(&right), Vec::<String>::new(), "{right}");
            for (field, value) in flaws {
                let mut wrong = right.clone();
                wrong[field.split('.').next().unwrap()] = value;
                let said = problems(&wrong);
                assert_eq!(said.len(), 1, "{wrong}: {said:?}");
                assert!(said[0].starts_with(&format!("{field}: ")) && !said[0].contains('\n'), "{wrong}: {said:?}");
            }
        }
    }

    #[test]
    fn all_flaws_are_said_at_once() {
        let both = json!({"type": "log-match", "log": {"file": "x"}, "pattern": "("});
        assert_eq!(problems(&both).len(), 2);
        let all = json!({"type": "disk-free", "path": "x", "below": "y", "clear": "z"});
        assert_eq!(problems(&all).len(), 3);
        let both = json!({"type": "run-finished", "order": "A", "plugin": "B"});
        assert_eq!(problems(&both).len(), 2);
    }
}
