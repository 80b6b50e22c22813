//! The file as a whole: read with everything that is wrong with it, and written as a sample.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::field::{Draft, FIELDS, Field, TABLES};
use super::values::Value;
use super::{Config, Proxy, Traces};
use crate::fault::Refused;

/// Where it is, unless somebody says otherwise.
pub(crate) const FILE: &str = "/etc/remit/agent.toml";
/// The sample has 5 KB.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads it. Where none is, all is as by default, unless it was named.
pub(crate) fn read(path: Option<&Path>) -> anyhow::Result<Config> {
    let file = path.unwrap_or(Path::new(FILE));
    let at = || format!("{}", file.display());
    match file.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && path.is_none() => return Ok(Config::default()),
        Ok(metadata) if metadata.len() > FILE_BYTES_MAX => {
            return Err(Refused::because(vec![format!("{} has more than {FILE_BYTES_MAX} bytes", at())]).into());
        }
        _ => {}
    }
    let text = std::fs::read_to_string(file).with_context(at)?;
    parse(&text).map_err(|wrong| {
        let reasons = wrong.into_iter().map(|(line, why)| format!("{}:{line}: {why}", file.display())).collect();
        Refused {
            next: Some("`remit agent config` prints a sample with every field".to_owned()),
            ..Refused::because(reasons)
        }
        .into()
    })
}

/// Everything that is wrong, by lines.
type Wrong = Vec<(usize, String)>;

pub(super) fn parse(text: &str) -> Result<Config, Wrong> {
    let line = |at: usize| text.get(..at).unwrap_or(text).matches('\n').count() + 1;
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut wrong: Wrong = errors
        .iter()
        .map(|error| (line(error.span().map_or(0, |it| it.start)), error.message().replace('\n', " ")))
        .collect();
    let mut draft = Draft::default();
    let mut take = |within: &str, key: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>| {
        let name = written(within, key.get_ref());
        let taken = match field(within, key.get_ref()) {
            Some(field) => (field.set)(&mut draft, &Value(value.get_ref())).map_err(|why| format!("`{name}`: {why}")),
            None => Err(unknown(within, key.get_ref())),
        };
        taken.err().map(|why| (line(key.span().start), why))
    };
    for (key, value) in table.get_ref() {
        match value.get_ref() {
            DeValue::Table(inner) if is_table(key.get_ref()) => {
                wrong.extend(inner.iter().filter_map(|(name, value)| take(key.get_ref(), name, value)));
            }
            _ => wrong.extend(take("", key, value)),
        }
    }
    let start = |name: &str| {
        table.get_ref().iter().find(|(key, _)| *key.get_ref() == name).map_or(0, |(key, _)| key.span().start)
    };
    let (config, alone) = together(draft);
    wrong.extend(alone.into_iter().map(|(table, why)| (line(start(table)), why)));
    wrong.sort();
    if wrong.is_empty() { Ok(config) } else { Err(wrong) }
}

/// Puts together what only makes sense together, and says what lacks its other part.
fn together(draft: Draft) -> (Config, Vec<(&'static str, String)>) {
    let mut wrong = Vec::new();
    let mut config = draft.config;
    if draft.traces_endpoint.is_none() && draft.traces_headers.is_some() {
        wrong
            .push(("traces", "`traces.headers` without `traces.endpoint`: there is nobody to send them to".to_owned()));
    }
    if draft.proxy_address.is_none() && (draft.proxy_no.is_some() || draft.proxy_credentials.is_some()) {
        wrong.push(("proxy", "`[proxy]` without `address`: there is no proxy".to_owned()));
    }
    let headers = draft.traces_headers;
    config.traces = draft.traces_endpoint.map(|endpoint| Traces { endpoint, headers });
    let (no_proxy, credentials) = (draft.proxy_no.unwrap_or_default(), draft.proxy_credentials);
    config.proxy = draft.proxy_address.map(|address| Proxy { address, no_proxy, credentials });
    (config, wrong)
}

fn field(table: &str, key: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.table == table && field.key == key)
}

fn is_table(name: &str) -> bool {
    TABLES.iter().any(|(table, _)| *table == name)
}

fn written(table: &str, key: &str) -> String {
    if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") }
}

fn unknown(table: &str, key: &str) -> String {
    let name = written(table, key);
    if table.is_empty() && is_table(key) {
        return format!("`{name}` is a table: `[{name}]`");
    }
    if let Some(elsewhere) = FIELDS.iter().find(|field| field.key == key) {
        return match elsewhere.table {
            "" => format!("`{name}` is not known; `{key}` belongs to the top, before the first table"),
            table => format!("`{name}` is not known; `{key}` belongs to `[{table}]`"),
        };
    }
    let known = FIELDS.iter().filter(|field| field.table == table).map(|field| format!("`{}`", field.key));
    let tables = TABLES.iter().filter(|_| table.is_empty()).map(|(table, _)| format!("`[{table}]`"));
    let known: Vec<String> = known.chain(tables).collect();
    format!("`{name}` is not known; here belong {}", known.join(", "))
}

/// All that the file may say, with what holds unless it says otherwise, commented out.
pub(crate) fn sample() -> String {
    let mut text =
        "# How the agent of this machine is set up. Every field is here, commented out: with its default, or with an\n\
                    # example where it says so. After a change: `systemctl reload remit-executor remit-agent`.\n"
            .to_owned();
    let tables = std::iter::once(("", "")).chain(TABLES);
    for (table, about) in tables {
        if !table.is_empty() {
            push(&mut text, &format!("\n{}\n[{table}]\n", commented(about)));
        }
        for field in FIELDS.iter().filter(|field| field.table == table) {
            let example = if field.is_default { "" } else { " # an example" };
            push(&mut text, &format!("\n{}\n#{} = {}{example}\n", commented(field.comment), field.key, field.sample));
        }
    }
    text
}

fn push(text: &mut String, more: &str) {
    // Writing to a string cannot fail.
    let _ = text.write_str(more);
}

fn commented(text: &str) -> String {
    text.lines().map(|line| format!("# {line}")).collect::<Vec<_>>().join("\n")
}
