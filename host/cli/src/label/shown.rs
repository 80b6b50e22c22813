//! The label as a person reads it. What its publisher wrote stays within its line.

use std::collections::BTreeMap;

use tabled::Tabled;

use super::{Asked, Label};
use crate::output::{self, one_line};

#[derive(Tabled)]
struct Row {
    capability: String,
    class: String,
    reveals: &'static str,
    #[tabled(rename = "functions used")]
    functions: String,
    #[tabled(rename = "granted by")]
    granted: String,
    reason: String,
}

impl Label {
    /// All of it, for a person.
    pub(crate) fn shown(&self) -> String {
        let mut lines = vec![
            format!("{} {} by {} ({})", self.name, self.version, one_line(&self.publisher), self.trust),
            one_line(&self.description).into_owned(),
            format!(
                "{}, a {} of {} bytes, licence {}",
                self.digest,
                self.form,
                self.size_bytes,
                one_line(&self.license)
            ),
        ];
        lines.extend(self.support.iter().map(|it| format!("support: {}", one_line(it))));
        lines.push(String::new());
        match self.capabilities.is_empty() {
            true => lines.push("it asks for nothing".to_owned()),
            false => lines.push(output::rows(&self.capabilities.iter().map(row).collect::<Vec<_>>())),
        }
        lines.push(String::new());
        lines.push(match self.remediates {
            true => "it can put right what it finds".to_owned(),
            false => "it only looks: it has nothing that puts right".to_owned(),
        });
        lines.extend(self.notes().into_iter().map(|it| format!("note: {it}")));
        lines.extend(self.parameters());
        let raised = self.limits.rows().into_iter().filter(|(limit, value)| *value != limit.default);
        lines.extend(raised.map(|(limit, value)| format!("limit: {} {value} (default {})", limit.name, limit.default)));
        lines.extend(self.linked());
        lines.extend(self.changed());
        lines.join("\n")
    }

    /// Where it asks for more than it shows to need.
    pub(crate) fn notes(&self) -> Vec<String> {
        let unused = self.capabilities.iter().filter(|it| it.unused);
        let unused = unused.map(|it| format!("it asks for `{}` and never imports it", it.interface));
        let unbounded = self.capabilities.iter().filter(|it| it.unbounded);
        let unbounded =
            unbounded.map(|it| format!("it asks for all there is of `{}`: its scope has `*`", it.interface));
        unused.chain(unbounded).collect()
    }

    fn parameters(&self) -> Option<String> {
        let of = self.parameters.get("properties")?.as_object().filter(|it| !it.is_empty())?;
        let one = |(name, schema): (&String, &serde_json::Value)| match schema.get("default") {
            Some(default) => format!("{} (else {})", one_line(name), one_line(&default.to_string())),
            None => one_line(name).into_owned(),
        };
        Some(format!("parameters: {}", of.iter().map(one).collect::<Vec<_>>().join(", ")))
    }

    /// Its packages, counted by licence.
    fn linked(&self) -> Option<String> {
        let licenses = self.licenses();
        let total: usize = licenses.values().sum();
        let by_license: Vec<String> = licenses.iter().map(|(it, count)| format!("{count} {}", one_line(it))).collect();
        (total > 0).then(|| format!("packages linked: {total} ({})", by_license.join(", ")))
    }

    /// How many packages have each licence.
    pub(super) fn licenses(&self) -> BTreeMap<&str, usize> {
        let mut licenses = BTreeMap::new();
        for package in &self.packages {
            *licenses.entry(package.license.as_deref().unwrap_or("of no licence that it names")).or_insert(0) += 1;
        }
        licenses
    }

    /// Its changelog; what is more than an address has a margin, and looks like nothing of ours.
    fn changed(&self) -> Vec<String> {
        let Some(text) = &self.changelog else { return Vec::new() };
        match text.trim().split_once('\n') {
            None => vec![format!("changelog: {}", one_line(text.trim()))],
            Some(_) => {
                let lines = text.trim().lines().map(|line| format!("  | {}", one_line(line)));
                std::iter::once("changelog:".to_owned()).chain(lines).collect()
            }
        }
    }
}

fn row(asked: &Asked) -> Row {
    Row {
        capability: one_line(&asked.capability).into_owned(),
        class: asked.class.to_string(),
        reveals: if asked.reveals_people { "people" } else { "" },
        functions: one_line(&asked.functions.join(", ")).into_owned(),
        granted: asked.granted.iter().map(super::Granted::shown).collect::<Vec<_>>().join("\n"),
        reason: one_line(&asked.reason).into_owned(),
    }
}
