//! Which devices an order means: an expression that each device finds true of itself.

use expression::{Expression, Problem};

use crate::facts::{Asked, Facts, NAMES};

/// The most steps that an expression may take on the largest facts there are: a pattern on each volume's mount point fits, and every
/// volume compared with every other does not.
const STEPS_MAX: u64 = 2_500_000;

/// Which devices are meant.
///
/// ```
/// let target = fleet::Target::read(r#"client == "acme" && volumes.exists(v, v.free_pct < 10.0)"#);
/// assert!(target.is_ok());
/// let wrong = fleet::Target::read("clint == 1 && volumes.free_pct < 10").unwrap_err();
/// assert_eq!(wrong.len(), 2);
/// ```
#[derive(Clone, Debug)]
pub struct Target(Option<Expression>);

/// Whether a device is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// Nobody can say: it is not meant, and says so.
    Undecided {
        /// The facts that were asked for and are absent, as in `os.family`.
        absent: Vec<String>,
        /// What the expression failed at.
        why: String,
    },
}

impl Target {
    /// Reads an expression; an empty one means every device. Or says all that is wrong with it: also that it would take too long
    /// on some device, so that no device has to find out.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let expression = Expression::read(text, NAMES)?;
        let steps = expression.steps(&Facts::largest().values());
        if steps > STEPS_MAX {
            let text =
                format!("may take {steps} steps on a device with much to look at, at most {STEPS_MAX} are taken");
            return Err(vec![Problem { place: None, text }]);
        }
        Ok(Self(Some(expression)))
    }

    /// Whether this device is meant.
    pub fn ask(&self, asked: &Asked) -> Answer {
        let Some(expression) = &self.0 else { return Answer::Yes };
        let values = asked.values();
        // Facts that are larger than the largest were left out.
        match expression.answer(&values) {
            Ok(true) => Answer::Yes,
            Ok(false) => Answer::No,
            Err(why) => Answer::Undecided { absent: expression.absent(&values), why },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::tests::{facts, place};

    fn ask(text: &str) -> Answer {
        Target::read(text).unwrap_or_else(|problems| panic!("{text}: {problems:?}")).ask(&facts().asked(Some(&place())))
    }

    #[test]
    fn devices_are_meant_or_not_or_nobody_can_say() {
        for (text, expected) in [
            ("", Answer::Yes),
            (
                "client == 'acme' && os.family == 'debian' && 'ring1' in tags && volumes.exists(v, v.free_pct < 10.0)",
                Answer::Yes,
            ),
            ("volumes.exists(v, v.free_pct < 10)", Answer::Yes),
            ("volumes.exists(v, v.free_pct < 5.0)", Answer::No),
            ("volumes.all(v, v.size_bytes > 1000000000)", Answer::Yes),
            ("interfaces.exists(i, i.addresses.exists(a, a.startsWith('10.')))", Answer::Yes),
            ("reboot.pending", Answer::No),
            ("os.version.matches('^12[.]') && agent.version == '0.1.0'", Answer::Yes),
            ("client == 'globex' && packages.updates > 0", Answer::No),
        ] {
            assert_eq!(ask(text), expected, "{text}");
        }
        for (text, expected) in [
            ("packages.updates > 0", &["packages.updates"][..]),
            ("hardware.is_virtual", &["hardware"]),
            ("!hardware.is_virtual", &["hardware"]),
            ("client == 'acme' && packages.updates > 0", &["packages.updates"]),
            ("hardware.vendor == 'x' || os.kernel == 'y'", &["hardware", "os.kernel"]),
            ("hostname.startsWith('web') && size(interfaces[7].name) > 1", &[]),
        ] {
            let Answer::Undecided { absent, why } = ask(text) else { panic!("{text} was decided") };
            assert_eq!(absent, expected, "{text}");
            assert!(!why.is_empty());
        }
        let nobodys = Target::read("client != 'acme'").unwrap().ask(&facts().asked(None));
        assert!(matches!(nobodys, Answer::Undecided { absent, .. } if absent == ["client"]));
    }

    #[test]
    fn bombs_are_refused_where_they_are_read() {
        for bomb in [
            "volumes.all(a, volumes.all(b, a.mount != b.mount))",
            "interfaces.all(a, volumes.exists(b, a.name == b.mount))",
            "interfaces.exists(i, i.addresses.exists(a, a.matches('(a|aa){1,20}b')))",
            "interfaces.map(i, interfaces) == []",
            "size(interfaces.map(i, i.addresses).map(i, i.map(a, a + a + a))) > 3",
        ] {
            let problems = Target::read(bomb).unwrap_err();
            assert!(problems[0].text.contains("steps on a device"), "{bomb}: {problems:?}");
        }
        for fine in [
            "volumes.exists(v, v.mount.matches('^/srv/.*') && v.free_pct < 10.0)",
            "interfaces.exists(i, i.addresses.exists(a, a.startsWith('10.')))",
            "size(volumes.filter(v, v.free_pct < 10.0)) > 1",
            "tags.exists(a, tags.exists(b, a != b))",
        ] {
            let target = Target::read(fine).unwrap_or_else(|problems| panic!("{fine}: {problems:?}"));
            let began = Instant::now();
            assert!(!matches!(target.ask(&Facts::largest()), Answer::Undecided { .. }), "{fine}");
            assert!(began.elapsed() < Duration::from_secs(5), "{fine}: {:?}", began.elapsed());
        }
    }
}
