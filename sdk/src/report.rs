use serde::Serialize;

use crate::types::{Finding, Severity};
use crate::{Error, Remedy, Report, Result, Verdict};

/// The most bytes of a fingerprint, PagerDuty's limit for its key.
const FINGERPRINT_BYTES_MAX: usize = 255;
/// The most bytes of a title, the shortest limit among ticket systems.
const TITLE_BYTES_MAX: usize = 255;
/// The most bytes of a target and of a summary.
const LINE_BYTES_MAX: usize = 1 << 10;
/// The most bytes of what shows a finding.
const EVIDENCE_BYTES_MAX: usize = 16 << 10;

impl Finding {
    /// A finding of severity `warning`, by the key that is the same in every run for the same problem. The key also is the target,
    /// until another one is given.
    pub fn new(fingerprint: impl Into<String>, title: impl Into<String>) -> Self {
        let fingerprint = fingerprint.into();
        Self {
            target: fingerprint.clone(),
            fingerprint,
            title: title.into(),
            severity: Severity::Warning,
            ..Self::default()
        }
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// What it is about: a unit, a mount, an update's id.
    #[must_use]
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = target.into();
        self
    }

    /// What shows it, for a person.
    #[must_use]
    pub fn evidence(mut self, evidence: impl Into<String>) -> Self {
        self.evidence = evidence.into();
        self
    }

    /// This plugin's `remediate` can deal with it.
    #[must_use]
    pub fn remediable(mut self) -> Self {
        self.remediable = true;
        self
    }

    /// One more detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.attributes.push((name.to_owned(), value.to_string()));
        self
    }

    /// A detail.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        crate::attribute(&self.attributes, name)
    }
}

/// The value of a name among attributes.
pub fn attribute<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
    attributes.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

impl Report {
    /// As it should be.
    pub fn compliant(summary: impl Into<String>) -> Self {
        Self::of(Verdict::Compliant, summary)
    }

    /// Not as it should be; at least one finding says what.
    pub fn non_compliant(summary: impl Into<String>) -> Self {
        Self::of(Verdict::NonCompliant, summary)
    }

    /// Nothing to say about this machine, and why.
    pub fn not_applicable(reason: impl Into<String>) -> Self {
        Self::of(Verdict::NotApplicable, reason)
    }

    /// It could not be found out, and why.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self::of(Verdict::Unknown, reason)
    }

    fn of(verdict: Verdict, summary: impl Into<String>) -> Self {
        Self { verdict, summary: summary.into(), ..Self::default() }
    }

    /// One finding more.
    #[must_use]
    pub fn finding(mut self, finding: Finding) -> Self {
        self.findings.push(finding);
        self
    }

    /// More findings.
    #[must_use]
    pub fn findings(mut self, findings: impl IntoIterator<Item = Finding>) -> Self {
        self.findings.extend(findings);
        self
    }

    /// Facts worth keeping: whatever serde makes a JSON object of.
    ///
    /// ```
    /// use remit_sdk::prelude::*;
    ///
    /// let report = Report::compliant("").facts(serde_json::json!({ "old-files": 3 }))?;
    /// assert_eq!(report.facts.as_deref(), Some(r#"{"old-files":3}"#));
    /// assert!(Report::compliant("").facts(3).is_err());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn facts(mut self, facts: impl Serialize) -> Result<Self> {
        match serde_json::to_value(facts)? {
            facts @ serde_json::Value::Object(_) => self.facts = Some(facts.to_string()),
            other => return Err(Error::new("facts", format!("facts are a JSON object, not {other}"))),
        }
        Ok(self)
    }

    /// One more detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.attributes.push((name.to_owned(), value.to_string()));
        self
    }

    /// Cuts what is longer than the contract allows: a plugin should not fail because a machine's words are long.
    pub(crate) fn fit(mut self) -> Self {
        cut(&mut self.summary, LINE_BYTES_MAX);
        for finding in &mut self.findings {
            shorten(&mut finding.fingerprint);
            cut(&mut finding.title, TITLE_BYTES_MAX);
            cut(&mut finding.target, LINE_BYTES_MAX);
            cut(&mut finding.evidence, EVIDENCE_BYTES_MAX);
        }
        self
    }
}

impl Remedy {
    /// One line for a person. What was done, the host has recorded.
    pub fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), ..Self::default() }
    }

    /// One more detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.attributes.push((name.to_owned(), value.to_string()));
        self
    }

    pub(crate) fn fit(mut self) -> Self {
        cut(&mut self.summary, LINE_BYTES_MAX);
        self
    }
}

/// Cuts a fingerprint that is too long, such as one with a deep path in it, and tells it from others that begin so by a hash.
fn shorten(fingerprint: &mut String) {
    if fingerprint.len() > FINGERPRINT_BYTES_MAX {
        // FNV-1a: the same for ever, on every platform.
        let hash = fingerprint
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let suffix = format!("~{hash:016x}");
        fingerprint.truncate(fingerprint.floor_char_boundary(FINGERPRINT_BYTES_MAX - suffix.len()));
        fingerprint.push_str(&suffix);
    }
}

/// Cuts a text to so many bytes, with an ellipsis that says so.
pub(crate) fn cut(text: &mut String, bytes_max: usize) {
    const ELLIPSIS: char = '…';
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max - ELLIPSIS.len_utf8()));
        text.push(ELLIPSIS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_fingerprints_stay_apart() {
        let short = |end: &str| {
            let report = Report::non_compliant("").finding(Finding::new("ä".repeat(200) + end, "t")).fit();
            report.findings[0].fingerprint.clone()
        };
        assert!(short("a").len() <= FINGERPRINT_BYTES_MAX);
        assert_eq!(short("a"), short("a"));
        assert_ne!(short("a"), short("b"));
    }

    #[test]
    fn long_words_of_a_machine_are_cut_and_short_ones_stay() {
        let finding = Finding::new("key", "t".repeat(300)).evidence("e");
        let report = Report::non_compliant("s").finding(finding).fit();
        assert_eq!(report.summary, "s");
        assert_eq!(report.findings[0].title.len(), TITLE_BYTES_MAX);
        assert!(report.findings[0].title.ends_with('…'));
        assert_eq!((report.findings[0].evidence.as_str(), report.findings[0].target.as_str()), ("e", "key"));
    }
}
