//! What a device's owner lets run at all, whoever asks for it. Nothing that is delivered widens it: a run is granted what
//! manifest, approval and this have in common.

use contract::{Class, ScopeGrammar};
use jiff::tz::TimeZone;
use model::Scope;
use model::budget::Budgets;
use serde::{Deserialize, Serialize};

use crate::reboot::RebootPolicy;
use crate::schedule::permit::{Permit, Written};
use crate::{Calendars, Device, Reason, Window};

/// Whom windows are for. What runs of lower classes do is look.
const WINDOWED: [Class; 3] = [Class::L2, Class::L3, Class::L4];

/// `[device]` of host policy, as it is written. What is left out is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct DevicePolicy {
    /// No run risks more than this class.
    pub class_max: Option<Class>,
    /// Names of plugins that may run, with `*` for any part of one.
    pub plugins: Option<Vec<String>>,
    /// Names of publishers whose plugins may run, likewise. What nobody signed has none.
    pub publishers: Option<Vec<String>>,
    /// When runs may start that do more than look: all of these must allow it.
    pub windows: Vec<Calendars>,
    /// What all runs together may use in a day.
    pub budgets: Budgets,
    /// What is done for whoever is logged in when the machine is to be rebooted.
    pub reboots: RebootPolicy,
}

/// Everything that is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct BadPolicy(
    /// One line each, beginning with the field.
    pub Vec<String>,
);

/// What a device's owner lets run, ready to be asked. It holds the rules of time zones as they are now.
#[derive(Clone, Debug)]
pub struct Allowed {
    written: DevicePolicy,
    plugins: Option<Scope>,
    publishers: Option<Scope>,
    /// By class; a class that is not there needs none.
    windows: Vec<(Class, Permit)>,
}

/// A run that somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The plugin's name.
    pub plugin: &'a str,
    /// Who signed it; none where nobody did, whatever its manifest says.
    pub publisher: Option<&'a str>,
    /// What it risks: the highest class of what it is granted and may use in its mode.
    pub class: Class,
    /// The interface that brings that class.
    pub interface: &'a str,
}

impl Allowed {
    /// Reads a policy, or says all that is wrong with it.
    pub fn new(written: &DevicePolicy) -> Result<Self, BadPolicy> {
        let mut problems = Vec::new();
        let mut globs = |field: &str, patterns: Option<&Vec<String>>| {
            let scope = Scope::new(ScopeGrammar::Globs, patterns?.clone());
            scope.map_err(|error| problems.push(format!("{field}: {error}"))).ok()
        };
        let plugins = globs("plugins", written.plugins.as_ref());
        let publishers = globs("publishers", written.publishers.as_ref());
        let device = Device { calendars: written.windows.clone(), ..Device::default() };
        let of_nobody = Written { start: None, expires: None, allowed: &[], blackout: &[], zone: &TimeZone::UTC };
        let mut wrong = Vec::new();
        let windows = WINDOWED.map(|class| (class, Permit::read(&of_nobody, class, &device, &mut wrong)));
        wrong.truncate(wrong.len() / WINDOWED.len());
        problems.extend(wrong.iter().map(|problem| problem.replacen("calendars[", "windows[", 1)));
        problems.extend(written.reboots.check());
        match problems.is_empty() {
            true => Ok(Self { written: written.clone(), plugins, publishers, windows: windows.into() }),
            false => Err(BadPolicy(problems)),
        }
    }

    /// As it was written.
    pub fn written(&self) -> &DevicePolicy {
        &self.written
    }

    /// The windows, as orders have them beside their own: a firing outside them is known beforehand, and what waits for one to
    /// open can. They name whom they are for, because orders that only look have to do with none.
    pub fn calendars(&self) -> Vec<Calendars> {
        let meant = |window: &Window| {
            let classes = WINDOWED.into_iter().filter(|it| window.classes.is_empty() || window.classes.contains(it));
            let classes: Vec<Class> = classes.collect();
            // A window of no class would be one of all.
            (!classes.is_empty()).then(|| Window { classes, ..window.clone() })
        };
        let all = |windows: &[Window]| windows.iter().filter_map(meant).collect();
        let one = |it: &Calendars| Calendars {
            zone: it.zone.clone(),
            allowed: all(&it.allowed),
            blackout: all(&it.blackout),
        };
        self.written.windows.iter().map(one).collect()
    }

    /// Everything that speaks against a run that would start now; budgets aside, which are in a ledger.
    pub fn against(&self, wanted: &Wanted<'_>, now_ms: i64) -> Vec<Reason> {
        let mut reasons = self.against_ever(wanted);
        if let Some(permit) = self.windows_of(wanted.class) {
            reasons.extend(permit.admits(now_ms).err());
        }
        reasons
    }

    /// The same for a run that goes on: it began in its window.
    pub fn against_ever(&self, wanted: &Wanted<'_>) -> Vec<Reason> {
        let Wanted { plugin, publisher, class, interface } = *wanted;
        let policy = |what: String| Reason::Policy { what };
        let mut reasons = Vec::new();
        if let Some(most) = self.written.class_max.filter(|most| class > *most) {
            reasons.push(policy(format!("`{interface}` is of class {class}, and `class-max` is {most}")));
        }
        if self.plugins.as_ref().is_some_and(|plugins| !plugins.allows(plugin)) {
            reasons.push(policy(format!("`plugins` does not have `{plugin}`")));
        }
        match (&self.publishers, publisher) {
            (Some(publishers), Some(publisher)) if !publishers.allows(publisher) => {
                reasons.push(policy(format!("`publishers` does not have `{publisher}`")));
            }
            (Some(_), None) => {
                reasons.push(policy("`publishers` says whose plugins may run, and nobody signed this one".to_owned()));
            }
            _ => {}
        }
        reasons
    }

    /// What windows have against something of this class at a time.
    pub fn admits(&self, class: Class, at_ms: i64) -> Result<(), Reason> {
        self.windows_of(class).map_or(Ok(()), |permit| permit.admits(at_ms))
    }

    /// Whether a run of this class may start now, as far as windows say.
    pub fn is_open(&self, class: Class, now_ms: i64) -> bool {
        self.windows_of(class).is_none_or(|permit| permit.admits(now_ms).is_ok())
    }

    /// When a run of this class may start again that no window allows now.
    pub fn opens_ms(&self, class: Class, now_ms: i64) -> Option<i64> {
        self.windows_of(class)?.opens_ms(now_ms)
    }

    fn windows_of(&self, class: Class) -> Option<&Permit> {
        self.windows.iter().find(|(of, _)| *of == class).map(|(_, permit)| permit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22, a Sunday, at noon.
    const NOON_MS: i64 = 1_795_348_800_000;

    fn policy(text: &str) -> Allowed {
        Allowed::new(&toml::from_str(text).unwrap()).unwrap()
    }

    const WANTED: Wanted<'_> =
        Wanted { plugin: "disk-cleanup", publisher: Some("acme"), class: Class::L3, interface: "patch-install" };

    fn codes(text: &str, wanted: Wanted<'_>) -> Vec<&'static str> {
        policy(text).against(&wanted, NOON_MS).iter().map(Reason::code).collect()
    }

    #[test]
    fn what_is_left_out_is_not_limited() {
        assert_eq!(codes("", WANTED), [""; 0]);
        assert_eq!(codes("", Wanted { publisher: None, class: Class::L4, ..WANTED }), [""; 0]);
    }

    #[test]
    fn each_limit_refuses_and_its_neighbour_does_not() {
        for (text, is_allowed) in [
            ("class-max = 'L3'", true),
            ("class-max = 'L2'", false),
            ("plugins = ['disk-*']", true),
            ("plugins = ['disk-cleanup', 'other']", true),
            ("plugins = ['disk']", false),
            ("plugins = []", false),
            ("publishers = ['ac*']", true),
            ("publishers = ['acme-too']", false),
            ("windows = [{ zone = 'UTC', allowed = [{ weekly = 'sun 11:00-13:00' }] }]", true),
            ("windows = [{ zone = 'UTC', allowed = [{ weekly = 'sun 13:00-14:00' }] }]", false),
            ("windows = [{ zone = 'UTC', allowed = [{ weekly = 'sun 13:00-14:00', classes = ['L4'] }] }]", true),
            ("windows = [{ zone = 'UTC', blackout = [{ weekly = 'sun 11:00-13:00' }] }]", false),
        ] {
            assert_eq!(codes(text, WANTED).is_empty(), is_allowed, "{text}");
        }
    }

    #[test]
    fn all_that_speaks_against_it_is_told() {
        let text = "class-max = 'L0'\nplugins = []\npublishers = ['x']\n\
                    windows = [{ zone = 'UTC', allowed = [{ weekly = 'mon 11:00-13:00' }] }]";
        assert_eq!(codes(text, WANTED), ["policy", "policy", "policy", "window"]);
        let said: Vec<String> =
            policy(text).against_ever(&Wanted { publisher: None, ..WANTED }).iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|line| line.contains("`patch-install` is of class L3")), "{said:?}");
        assert!(said.iter().any(|line| line.contains("nobody signed this one")), "{said:?}");
    }

    #[test]
    fn windows_are_not_for_who_only_looks() {
        let text = "windows = [{ zone = 'UTC', allowed = [{ weekly = 'mon 11:00-13:00' }] }]";
        for class in [Class::L0, Class::L1] {
            assert_eq!(codes(text, Wanted { class, ..WANTED }), [""; 0]);
        }
        assert_eq!(codes(text, Wanted { class: Class::L2, ..WANTED }), ["window"]);
        assert_eq!(policy(text).against_ever(&WANTED), [], "nor for a run that goes on");
    }

    #[test]
    fn orders_have_the_same_windows() {
        use crate::{Schedule, Trigger};
        let trigger = Trigger { cron: "0 * * * *".to_owned(), zone: "UTC".to_owned(), ..Trigger::default() };
        let (sunday, monday) = ("weekly = 'sun 11:00-13:00'", "weekly = 'mon 11:00-13:00'");
        for window in [
            format!("allowed = [{{ {sunday} }}]"),
            format!("allowed = [{{ {monday} }}]"),
            format!("allowed = [{{ {monday}, classes = ['L3'] }}]"),
            format!("allowed = [{{ {monday}, classes = ['L0', 'L1'] }}]"),
            format!("blackout = [{{ {sunday} }}]"),
            format!("blackout = [{{ {sunday}, classes = ['L1', 'L4'] }}]"),
            format!("blackout = [{{ {sunday}, classes = ['L0'] }}]"),
        ] {
            let policy = policy(&format!("windows = [{{ zone = 'UTC', {window} }}]"));
            let device = Device { calendars: policy.calendars(), ..Device::default() };
            for class in [Class::L0, Class::L1, Class::L2, Class::L3, Class::L4] {
                let schedule = Schedule::new(&trigger, "x", class, &device).unwrap();
                let asked = policy.against(&Wanted { class, ..WANTED }, NOON_MS);
                assert_eq!(schedule.admits(NOON_MS).err().as_slice(), asked, "{window} {class}");
            }
        }
    }

    #[test]
    fn it_says_when_it_opens() {
        let opens = |text: &str| policy(text).opens_ms(Class::L3, NOON_MS).map(|ms| (ms - NOON_MS) / 60_000);
        assert_eq!(opens("windows = [{ zone = 'UTC', allowed = [{ weekly = 'mon 11:00-13:00' }] }]"), Some(23 * 60));
        let two = "windows = [{ zone = 'UTC', allowed = [{ weekly = 'daily 11:00-14:00' }], \
                   blackout = [{ weekly = 'sun 10:00-13:30' }] }]";
        assert_eq!(opens(two), Some(90), "when the blackout ends");
        let never = "windows = [{ zone = 'UTC', allowed = [{ dates = '2020-01-01/2020-01-02' }] }]";
        assert_eq!(opens(never), None);
    }

    #[test]
    fn all_that_is_wrong_is_told_once() {
        let written: DevicePolicy = toml::from_str(
            "plugins = ['[']\nwindows = [{ zone = 'UTC' }, { zone = 'Nowhere', allowed = [{ weekly = 'x' }] }]",
        )
        .unwrap();
        let BadPolicy(problems) = Allowed::new(&written).unwrap_err();
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].starts_with("plugins: ") && problems[1].starts_with("windows[1].zone: "), "{problems:?}");
        assert!(problems[2].starts_with("windows[1].allowed[0].weekly: "), "{problems:?}");
    }
}
