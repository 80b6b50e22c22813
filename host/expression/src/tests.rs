use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Expression, Shape};

/// What bombs may take, in a debug build on a machine that does something else as well.
const ENOUGH: Duration = Duration::from_secs(5);

const STEPS_MAX: u64 = 500_000;

const VOLUME: Shape = Shape::Record(&[("mount", Shape::Text), ("free", Shape::Number)]);

const NAMES: &[(&str, Shape)] = &[
    ("event", Shape::Any),
    ("device", Shape::Any),
    ("name", Shape::Text),
    ("tags", Shape::List(&Shape::Text)),
    ("volumes", Shape::List(&VOLUME)),
];

fn read(text: &str) -> Expression {
    Expression::read(text, NAMES).unwrap_or_else(|problems| panic!("{text}: {problems:?}"))
}

fn ask(text: &str, data: Value) -> Result<bool, String> {
    let event = json!({ "subject": "/var", "data": data });
    read(text).ask(&[("event", &event), ("device", &json!({}))], STEPS_MAX)
}

fn refused(text: &str) -> String {
    let problems = Expression::read(text, NAMES).err().unwrap_or_else(|| panic!("{text} was read"));
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_known_of_values_is_used_where_it_is_read() {
    for (text, why) in [
        ("nme == 'a'", "line 1 column 1: `nme` is unknown"),
        ("true &&\n  volumes.exists(v, v.fre < 1)", "line 2 column 22: `fre` is unknown: expected `mount` or `free`"),
        ("volumes.free < 1", "`free` is asked of a list"),
        ("name.first == 'a'", "`first` is asked of a text"),
        ("name.exists(a, a == 'a')", "a text has no members"),
        ("'a' in name", "a text has no members"),
        ("name == 1", "compares a text with a number"),
        ("1 in tags", "compares a number with a text"),
        ("tags[0] < 3", "compares a text with a number"),
        ("volumes[0]['fre'] < 3", "`fre` is unknown"),
        ("name", "answers a text, not a bool"),
        ("size(tags)", "answers a number, not a bool"),
    ] {
        assert!(refused(text).contains(why), "{text}: {}", refused(text));
    }
    let values = json!({ "name": "ü", "tags": ["a"], "volumes": [{ "mount": "/", "free": 9.5 }, { "mount": "/b" }] });
    let values: Vec<(&str, &Value)> =
        values.as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value)).collect();
    for (text, expected) in [
        ("name == 'ü' && 'a' in tags", Some(true)),
        ("volumes.exists(v, v.free < 10)", Some(true)),
        ("volumes.exists(v, v.free < 10.0 && v.mount == '/')", Some(true)),
        ("volumes.exists(v, v.free < 5)", None),
        ("volumes.all(v, v.free > 50)", Some(false)),
        ("volumes.all(v, v.free > 5)", None),
        ("volumes.exists(v, has(v.free) && v.free < 5)", Some(false)),
        ("event.data.x == 1", None),
        ("event.data.x == 1 || name == 'ü'", Some(true)),
        ("event.data.x == 1 && name == 'x'", Some(false)),
        ("!(event.data.x == 1)", None),
    ] {
        assert_eq!(read(text).ask(&values, STEPS_MAX).ok(), expected, "{text}");
    }
    assert_eq!(read("'a' in tags && name == 'b'").names().collect::<Vec<_>>(), ["name", "tags"]);
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
        let told = ask(text, json!({ "free": 1, "list": [1] })).unwrap_err();
        assert!(told.contains(why) && told.len() <= 300, "{text}: {told}");
    }
}

#[test]
fn what_is_no_expression_is_refused() {
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
    assert_eq!(ask(&long(4_096), json!({})), Ok(false));
    assert!(refused(&long(4_097)).contains("4097 bytes"));
    let chain = |terms: usize| format!("{} == 0", vec!["1"; terms].join("+"));
    assert_eq!(ask(&chain(40), json!({})), Ok(false));
    assert!(refused(&chain(80)).contains("deeper"));
    let brackets = |depth: usize| format!("{}1 == 1{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(ask(&brackets(64), json!({})), Ok(true));
    assert!(refused(&brackets(65)).contains("65 brackets"));
    let hidden = format!("\"\"\"a\"b\"\"\" == {} // \"", brackets(300));
    assert!(refused(&hidden).contains("300 brackets"), "quotes hide nothing");
    assert!(refused(&chain(2_000)).contains("words and signs"));
    assert_eq!(ask(&vec!["true"; 250].join(" && "), json!({})), Ok(true), "a long list of conditions is no depth");
}

/// What is read or refused, and asked or not, in bounded time, on a thread with the stack of any other.
fn survives(text: &str, data: &Value) -> String {
    let began = Instant::now();
    let event = json!({ "data": data });
    let answer = match Expression::read(text, NAMES) {
        Err(problems) => format!("refused: {problems:?}"),
        Ok(read) => match read.ask(&[("event", &event), ("device", &json!({}))], STEPS_MAX) {
            Ok(true) => "yes".to_owned(),
            other => format!("{other:?}"),
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
    let (began, mut read, mut tried) = (Instant::now(), 0, 0);
    // A machine that does something else as well tries fewer in that time.
    while began.elapsed() < Duration::from_secs(3) || read == 0 && tried < 50_000 {
        tried += 1;
        let text: String = (0..=below(24)).map(|_| PIECES[below(PIECES.len())]).collect();
        if let Ok(expression) = Expression::read(&text, NAMES) {
            read += 1;
            let _ = expression.ask(&[("event", &json!({ "data": { "a": 1 } })), ("device", &json!({}))], STEPS_MAX);
        }
    }
    assert!(read > 0, "some are expressions");
}
