//! A page of tables in which each row ends with its test.

use std::collections::BTreeSet;

/// Fails where a row of the page has no test, or a test in these files no row.
pub(crate) fn check(page: &str, files: &[&str], rows_min: usize) {
    let there: BTreeSet<&str> = files.iter().copied().flat_map(tests).collect();
    let named = named(page).unwrap_or_else(|row| panic!("no test: {row}"));
    assert!(named.len() >= rows_min);
    let missing: Vec<_> = named.difference(&there).collect();
    let unnamed: Vec<_> = there.difference(&named).collect();
    assert!(missing.is_empty() && unnamed.is_empty(), "no such test: {missing:?}; no row: {unnamed:?}");
}

/// The names of the tests in the last cells of all rows; an error names a row that has none.
fn named(page: &str) -> Result<BTreeSet<&str>, String> {
    let rows = page.lines().filter(|line| line.starts_with('|') && !line.starts_with("| ---"));
    let rows = rows.filter(|line| !line.ends_with("| test |"));
    rows.map(|row| {
        let cell = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default().trim();
        let name = cell.strip_prefix('`').and_then(|cell| cell.strip_suffix('`'));
        name.filter(|name| !name.is_empty()).ok_or_else(|| row.to_owned())
    })
    .collect()
}

fn tests(source: &str) -> BTreeSet<&str> {
    let after = source.split("#[test]").skip(1);
    after.map(|text| text.trim_start().strip_prefix("fn ").unwrap().split('(').next().unwrap()).collect()
}

#[test]
fn a_row_without_a_test_is_found() {
    let page = "| when | test |\n| --- | --- |\n| a | `one` |\n";
    assert_eq!(named(page), Ok(BTreeSet::from(["one"])));
    for bad in ["| b | |\n", "| b | none yet |\n", "| b | `` |\n"] {
        assert!(named(&format!("{page}{bad}")).is_err(), "{bad}");
    }
    assert_eq!(tests("#[test]\nfn one() {}\n\n    #[test]\n    fn two() {}"), BTreeSet::from(["one", "two"]));
}
