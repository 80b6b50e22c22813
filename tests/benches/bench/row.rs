//! A row of the table, and its bar.

use std::fmt;

use serde::Serialize;
use tabled::settings::Style;
use tabled::{Table, Tabled};

use crate::sample::Sample;

/// One line of the table.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Row {
    /// As the command line takes it.
    pub(crate) name: &'static str,
    /// What is measured.
    pub(crate) work: &'static str,
    /// What it is compared with.
    pub(crate) peer: &'static str,
    pub(crate) unit: Unit,
    pub(crate) baseline: Sample,
    pub(crate) subject: Sample,
    /// The subject's median, in medians of the baseline.
    pub(crate) ratio: f64,
    /// What must hold; none for a figure that stands beside another one.
    pub(crate) bar: Option<Bar>,
    pub(crate) holds: bool,
    /// How often it was measured.
    pub(crate) tries: u32,
}

/// What the figures are in.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unit {
    Microseconds,
    Bytes,
    Count,
}

/// The most that a subject's median may be.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Bar {
    /// So many times the baseline's.
    Times(f64),
    /// A figure of its own, in the row's unit: the baseline only stands beside it.
    Within(f64),
    /// So many times the baseline's, and in any case no more than a figure of its own.
    TimesWithin {
        /// As above.
        times: f64,
        /// In the row's unit.
        most: f64,
    },
    /// So much more than the baseline's.
    More {
        /// In the row's unit.
        by: f64,
        /// What it is for.
        because: &'static str,
    },
}

impl Row {
    /// A row without words, and without a bar.
    pub(crate) fn new(unit: Unit, baseline: Sample, subject: Sample) -> Self {
        let ratio = subject.median / baseline.median;
        Self { name: "", work: "", peer: "", unit, baseline, subject, ratio, bar: None, holds: true, tries: 1 }
    }

    /// With its bar looked at.
    pub(crate) fn judged(mut self) -> Self {
        let (baseline, subject) = (self.baseline.median, self.subject.median);
        self.holds = match self.bar {
            None => true,
            Some(Bar::Times(times)) => subject <= baseline * times,
            Some(Bar::Within(most)) => subject <= most,
            Some(Bar::TimesWithin { times, most }) => subject <= (baseline * times).min(most),
            Some(Bar::More { by, .. }) => subject <= baseline + by,
        };
        self
    }
}

/// The rows for a person.
pub(crate) fn table(rows: &[Row]) -> impl fmt::Display {
    #[derive(Tabled)]
    struct Line {
        row: &'static str,
        work: &'static str,
        remit: String,
        peer: &'static str,
        #[tabled(rename = "")]
        baseline: String,
        ratio: String,
        bar: String,
        holds: String,
    }
    let line = |row: &Row| Line {
        row: row.name,
        work: row.work,
        remit: row.unit.shown(row.subject.median),
        peer: row.peer,
        baseline: row.unit.shown(row.baseline.median),
        ratio: format!("{:.2}", row.ratio),
        bar: row.bar.map_or_else(|| "none".to_owned(), |bar| bar.shown(row.unit)),
        holds: match (row.bar, row.holds) {
            (None, _) => String::new(),
            (_, true) if row.tries > 1 => format!("yes, at try {}", row.tries),
            (_, true) => "yes".to_owned(),
            (_, false) => format!("NO, {} tries", row.tries),
        },
    };
    let mut table = Table::new(rows.iter().map(line));
    table.with(Style::sharp());
    table
}

impl Unit {
    fn shown(self, value: f64) -> String {
        match self {
            Self::Microseconds if value >= 1_000.0 => format!("{:.2} ms", value / 1_000.0),
            Self::Microseconds => format!("{value:.2} µs"),
            Self::Bytes => format!("{:.1} KiB", value / 1_024.0),
            Self::Count => format!("{value:.0}"),
        }
    }
}

impl Bar {
    fn shown(self, unit: Unit) -> String {
        match self {
            Self::Times(times) => format!("≤ {times} ×"),
            Self::Within(most) => format!("≤ {}", unit.shown(most)),
            Self::TimesWithin { times, most } => format!("≤ {times} ×, ≤ {}", unit.shown(most)),
            Self::More { by, because } => format!("≤ it + {} {because}", unit.shown(by)),
        }
    }
}
