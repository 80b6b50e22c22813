use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::Filter;
use crate::{Change, Notice, Reason};

/// What bombs may take, in a debug build on a machine that does something else as well.
const ENOUGH: Duration = Duration::from_secs(5);

fn notice(data: Value) -> Notice {
    let Value::Object(data) = data else { panic!("an object") };
    Notice { at_ms: 1_795_000_000_000, subject: "/var".to_owned(), change: Change::Raised, data, cause: None }
}

fn facts() -> Map<String, Value> {
    let Value::Object(facts) = json!({ "client": "acme", "os": "linux", "tags": ["server", "db"] }) else { panic!() };
    facts
}

fn ask(text: &str, data: Value) -> Result<(), Option<String>> {
    let filter = Filter::read(text).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
    filter.check("disk-free", &notice(data), &facts()).map_err(|reason| match reason {
        Reason::Filter { failed } => failed,
        other => panic!("{other}"),
    })
}

fn refused(text: &str) -> String {
    Filter::read(text).err().unwrap_or_else(|| panic!("{text} was read")).join("\n")
}

#[test]
fn filters_see_the_event_and_the_device() {
    let data = || json!({ "free": 5_000_000_000_u64, "percent": 9.5, "packages": [{ "name": "linux-image" }, { "name": "vim" }] });
    for text in [
        "event.type == 'disk-free' && event.subject == '/var' && event.change == 'raised'",
        "event.at > 1700000000000",
        "event.data.free < 6000000000 && event.data.free + 1 == 5000000001",
        "event.data.percent < 10 && event.data.percent > 9.0",
        "event.data.packages.exists(it, it.name.startsWith('linux-'))",
        "event.data['packages'][1].name.matches('^v.m$') && matches(event.subject, 'var')",
        "'db' in device.tags && device.client == \"acme\"",
        "!has(event.data.line) || event.data.line.contains('error')",
        "size(event.data.packages.filter(it, it.name != 'vim')) == 1",
        "event.data.packages.map(it, it.name) == ['linux-image', 'vim']",
        "event.data.packages.all(one, event.data.packages.exists(other, one.name == other.name))",
    ] {
        assert_eq!(ask(text, data()), Ok(()), "{text}");
        assert_eq!(ask(&format!("!({text})"), data()), Err(None), "{text}");
    }
}

#[test]
fn what_cannot_be_answered_says_why() {
    for (text, why) in [
        ("event.data.user == 'root'", "No such key: user"),
        ("event.data.free", "a int, not a bool"),
        ("event.data.free > 'much'", "no matching overload"),
        ("event.data.free / 0 == 1", "Division by zero"),
        ("event.data.list[7] == 1", "Index out of bounds"),
        ("int('x') == 1", "int"),
        ("event.data.free.matches('1')", ""),
    ] {
        let told =
            ask(text, json!({ "free": 1, "list": [1] })).unwrap_err().unwrap_or_else(|| panic!("{text} said no"));
        assert!(told.contains(why) && told.len() <= 300, "{text}: {told}");
    }
}

#[test]
fn what_is_no_filter_is_refused() {
    for (text, why) in [
        ("", "line"),
        ("event.data.free <", "line 1"),
        ("evnt.data.free < 1", "`evnt` is unknown"),
        ("event.subject.lowerAscii() == 'x'", "`lowerAscii` is unknown"),
        ("event.subject.matches(event.subject)", "a pattern in quotes"),
        ("event.subject.matches('(')", "unclosed group"),
        ("event.subject.matches('((a{100}){100}){100}')", "size limit"),
        ("[1].all(a, [1].all(b, [1].all(c, a == b)))", "more than 2"),
        ("event.?data", "line 1"),
        ("google.protobuf.Struct{}", ""),
    ] {
        let problems = refused(text);
        assert!(problems.contains(why) && !problems.is_empty(), "{text}: {problems}");
    }
    let several = refused("evnt.a == 1 && devce.b == 2 && f(1)");
    assert_eq!(several.lines().count(), 3, "{several}");
}

#[test]
fn limits_are_kept() {
    let long = |bytes: usize| format!("event.subject == '{}'", "x".repeat(bytes - 19));
    assert_eq!(ask(&long(4_096), json!({})), Err(None));
    assert!(refused(&long(4_097)).contains("4097 bytes"));
    let chain = |terms: usize| format!("{} == 0", vec!["1"; terms].join("+"));
    assert_eq!(ask(&chain(40), json!({})), Err(None));
    assert!(refused(&chain(80)).contains("deeper"));
    let brackets = |depth: usize| format!("{}1 == 1{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(ask(&brackets(64), json!({})), Ok(()));
    assert!(refused(&brackets(65)).contains("65 brackets"));
    let hidden = format!("\"\"\"a\"b\"\"\" == {} // \"", brackets(300));
    assert!(refused(&hidden).contains("300 brackets"), "quotes hide nothing");
    assert!(refused(&chain(2_000)).contains("words and signs"));
    assert_eq!(ask(&vec!["true"; 250].join(" && "), json!({})), Ok(()), "a long list of conditions is no depth");
}

/// What is read or refused, and asked or not, in bounded time, on a thread with the stack of any other.
fn survives(text: &str, data: &Value) -> String {
    let began = Instant::now();
    let answer = match Filter::read(text) {
        Err(problems) => format!("refused: {}", problems.join("; ")),
        Ok(filter) => match filter.check("log-match", &notice(data.clone()), &facts()) {
            Ok(()) => "yes".to_owned(),
            Err(reason) => reason.to_string(),
        },
    };
    let shown = text.chars().take(40).collect::<String>();
    eprintln!("{:>8.2?}  {shown}  {}", began.elapsed(), answer.chars().take(120).collect::<String>());
    assert!(began.elapsed() < ENOUGH, "{shown}: {:?}", began.elapsed());
    answer
}

#[test]
fn bombs_do_not_go_off() {
    let list: Vec<u32> = (0..20_000).collect();
    let (line, words) = ("a".repeat(60_000), vec!["word"; 8_000]);
    let data = json!({ "list": list, "line": line, "words": words });

    for bomb in [
        "event.data.list.all(a, event.data.list.all(b, a + b >= 0))",
        "size(event.data.list.map(a, event.data.list.map(b, a + b))) > 0",
        "event.data.list.all(a, event.data.list.exists(b, b == -1))",
        "event.data.words.all(a, event.data.line.contains(a))",
        "event.data.list.all(a, event.data.line.matches('(a|aa|aaa){1,20}b'))",
        "event.data.list.map(a, event.data.line + event.data.line) == []",
        "event.data.list.map(a, event.data).map(b, event.data) == []",
        "event.data.list.exists(a, event == event)",
        "(event.data.list + event.data.list).all(a, (event.data.list + event.data.list).all(b, a == b))",
        "event.data.line.matches('^(([a-z])+.)+[A-Z]([a-z])+$')",
    ] {
        let answer = survives(bomb, &data);
        assert!(answer.contains("steps, at most"), "{bomb}: {answer}");
    }
    for fine in
        ["event.data.list.exists(a, a == 19999)", "size(event.data.line) == 60000", "!('x' in event.data.words)"]
    {
        assert_eq!(survives(fine, &data), "yes", "{fine}");
    }
    let doubled = (0..9).fold("event.data.line".to_owned(), |text, _| format!("({text}+{text})"));
    survives(&doubled, &data);
    let nested = |open: &str, close: &str, depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{1:", "}"),
        ("!", ""),
        ("-", ""),
        ("size(", ")"),
        ("true?1:", ""),
        ("1+(", ")"),
        ("a[", "]"),
        ("((", "))"),
        ("[[],", "]"),
    ] {
        for depth in [8, 16, 60, 64, 500, 4_000 / (open.len() + close.len())] {
            survives(&nested(open, close, depth), &data);
        }
    }
    for piece in [
        ".a", "+a", "&&a", "||a", "==a", "?a:a", "[0]", "()", ".a()", ",a", "'", "\\", "\"\"\"", "{", "}", "(", ")",
        "[", "?", ":", "r'", "b'", "0x", "9", "`", "//", "\n", "é", "\u{0}",
    ] {
        for times in [30, 60, 120, 4_000 / piece.len()] {
            survives(&format!("a{}", piece.repeat(times)), &data);
        }
    }
}

/// Any text is read or refused, and never a panic.
#[test]
fn any_text_is_survived() {
    const PIECES: [&str; 44] = [
        "event",
        "device",
        ".",
        "data",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "?",
        "+",
        "-",
        "*",
        "/",
        "%",
        "==",
        "!=",
        "<",
        ">=",
        "&&",
        "||",
        "!",
        " in ",
        "'a'",
        "\"",
        "'",
        "1",
        "2.5",
        "0xF",
        "3u",
        "true",
        "null",
        "has(",
        ".all(x,",
        ".map(x,",
        "x",
        "size",
        ".exists_one(x,",
        "b'\\x00'",
        "\\",
        "\u{fe}",
    ];
    let mut seed = 7_u64;
    let mut below = |most: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % most
    };
    let (began, mut read) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(3) {
        let text: String = (0..=below(24)).map(|_| PIECES[below(PIECES.len())]).collect();
        if let Ok(filter) = Filter::read(&text) {
            read += 1;
            let _ = filter.check("boot", &notice(json!({ "a": 1 })), &facts());
        }
    }
    assert!(read > 0, "some are filters");
}
