use model::policy::Allow;
use trust::Time;

use super::{Difference, Granted, Granting, Label};

const ABOUT: &str = "name: \"look\", version: \"1.0.0\", publisher: \"acme\", description: \"Looks\", license: \"MIT\"";
const SERVICE: &str = "service: { scope: [\"cups*\"], reason: \"Looks whether it runs\" }";

fn by_hand(allowed: &[&str]) -> Granting {
    let allow = |text: &&str| Allow { plugin: None, capability: text.parse().unwrap() };
    Granting { allowed: allowed.iter().map(allow).collect(), trust: None, now: Time::from_ms(0), has_hands: true }
}

/// The label of a script: its imports, what its manifest says of itself, its capabilities, and what else that has.
fn of(imports: &str, about: &str, capabilities: &str, more: &str) -> Label {
    let text = format!(
        "{imports}\nexport const manifest = {{ {about}, capabilities: {{ {capabilities} }}, {more} }};\n\
         export function detect() {{ return {{ verdict: \"compliant\", summary: \"\" }}; }}\n"
    );
    let packed = script::pack("look.js", &text).unwrap_or_else(|wrong| panic!("{wrong}"));
    Label::of(&artifact::verify_local(packed, None).unwrap(), &by_hand(&[]))
}

fn plain(imports: &str, capabilities: &str) -> Label {
    of(imports, ABOUT, capabilities, "")
}

const GET: &str = "import { getService } from \"msp:automation/service\";";

#[test]
fn a_label_says_what_is_used_and_what_is_asked_for_in_vain() {
    let label = plain(GET, SERVICE);
    let [service] = &label.capabilities[..] else { panic!("{label:?}") };
    assert_eq!(
        (service.capability.as_str(), &*service.functions),
        ("service [cups*]", &["get-service".to_owned()][..])
    );
    assert_eq!((service.unused, service.unbounded, &*service.granted), (false, false, &[Granted::Hand][..]));
    assert!(label.notes().is_empty());

    let label = plain("", &SERVICE.replace("cups*", "*"));
    assert!(label.capabilities[0].unused && label.capabilities[0].unbounded);
    let shown = label.shown();
    assert!(shown.contains("note: it asks for `service` and never imports it"), "{shown}");
    assert!(shown.contains("note: it asks for all there is of `service`"), "{shown}");
}

#[test]
fn who_grants_is_said_and_nobody_is_nobody() {
    let control = "\"service-control\": { scope: [\"cups\"], reason: \"Starts it\" }";
    let text = format!(
        "export const manifest = {{ {ABOUT}, capabilities: {{ {control} }} }};\nexport function detect() {{}}\nexport function remediate() {{}}"
    );
    let plugin =
        artifact::verify_local(script::pack("look.js", &text).unwrap_or_else(|it| panic!("{it}")), None).unwrap();
    let granted = |granting: &Granting| Label::of(&plugin, granting).capabilities[0].granted.clone();
    assert_eq!(granted(&by_hand(&[])), [Granted::Nobody]);
    assert_eq!(granted(&by_hand(&["service-control [nginx]"])), [Granted::Nobody]);
    assert_eq!(granted(&by_hand(&["service-control [cups]"])), [Granted::HostPolicy]);
    assert_eq!(granted(&by_hand(&["service-control [cups]"]).by_approval()), [Granted::Nobody], "a hand has no say");
}

/// Whatever steers a terminal, or makes one line look like two.
const HOSTILE: &str = "a\\u001b[2J\\u001b]0;owned\\u0007b\\r\\nc\\u202ed\\u2028e\\u0085f";

#[test]
fn what_a_publisher_wrote_steers_no_terminal_and_stays_in_its_line() {
    let fields = |text: &str| {
        // An address has no control characters in it, and no spaces.
        let turned = if text.is_empty() { "" } else { "\\u202e" };
        let about = format!(
            "name: \"look\", version: \"1.0.0\", publisher: \"p{text}\", description: \"d{text}\", license: \"l{text}\", \
             support: \"https://example.com/s{turned}\", changelog: \"one{text}\\ntwo{text}\""
        );
        let capabilities = format!("service: {{ scope: [\"c{text}\"], reason: \"r{text}\" }}");
        let more =
            format!("parameters: {{ type: \"object\", properties: {{ \"q{text}\": {{ default: \"v{text}\" }} }} }}");
        of(GET, &about, &capabilities, &more)
    };
    let (good, bad) = (fields("").shown(), fields(HOSTILE).shown());
    let steers = |text: &str| {
        text.contains(|it: char| (it.is_control() && it != '\n') || matches!(it, '\u{202e}' | '\u{2028}' | '\u{85}'))
    };
    assert!(!steers(&bad), "{bad:?}");
    // A changelog has lines of its own: each is marked as its publisher's, and one of them has a break in it.
    assert_eq!(good.lines().count() + 2, bad.lines().count(), "{bad}");
    assert_eq!(bad.lines().filter(|line| line.starts_with("  | ")).count(), 4, "{bad}");
    for word in ["p", "d", "l", "one", "two", "c", "r", "q"] {
        assert!(good.contains(word) && bad.contains(&format!("{word}a\\u{{1b}}[2J")), "{word}: {bad}");
    }
    assert!(bad.contains("https://example.com/s\\u{202e}\n") && bad.contains("\"va\\u001b[2J"), "{bad}");
    let difference = Difference::between(&fields(""), &fields(HOSTILE)).shown();
    assert!(!steers(&difference), "{difference:?}");
    let changes = Difference::between(&fields(""), &fields(HOSTILE)).changes.len();
    assert_eq!(difference.lines().count(), changes + 1, "{difference}");
}

/// What is different, as `what of`, and whether it grows.
fn differs(old: &Label, new: &Label) -> (Vec<String>, bool) {
    let difference = Difference::between(old, new);
    let of = |it: &super::difference::Change| format!("{} {}", it.what, it.of).trim_end().to_owned();
    (difference.changes.iter().map(of).collect(), difference.grows())
}

#[test]
fn each_way_to_grow_is_seen_and_its_way_back_grows_nothing() {
    let parameter = |default: &str| {
        let more = format!(
            "parameters: {{ type: \"object\", properties: {{ which: {{ type: \"string\", default: \"{default}\" }} }} }}"
        );
        of(GET, ABOUT, "service: { scope: [\"{which}\"], reason: \"Looks\" }", &more)
    };
    let one = plain(GET, SERVICE);
    for (what, less, more) in [
        ("nothing", one.clone(), one.clone()),
        (
            "people, capability",
            one.clone(),
            plain(GET, &format!("{SERVICE}, \"device-people\": {{ reason: \"Who\" }}")),
        ),
        ("class", plain("", ""), one.clone()),
        ("scope", plain(GET, &SERVICE.replace("cups*", "cups-browsed")), one.clone()),
        ("scope", one.clone(), plain(GET, &SERVICE.replace("cups*", "*"))),
        ("scope", one.clone(), plain(GET, &SERVICE.replace("[\"cups*\"]", "[\"cups*\", \"nginx\"]"))),
        ("functions", one.clone(), plain(&GET.replace("getService", "getService, listServices"), SERVICE)),
        ("limit", one.clone(), of(GET, ABOUT, SERVICE, "limits: { \"cpu-ms\": 20000 }")),
        ("remediation", one.clone(), Label { remediates: true, ..one.clone() }),
    ] {
        let (changes, grows) = differs(&less, &more);
        assert_eq!(grows, what != "nothing", "{changes:?}");
        for what in what.split(", ").filter(|it| *it != "nothing") {
            assert!(changes.iter().any(|it| it.starts_with(what)), "{what}: {changes:?}");
        }
        let (back, grows) = differs(&more, &less);
        assert_eq!((back.len(), grows), (changes.len(), false), "{back:?}");
    }
    let (changes, grows) = differs(&parameter("cups"), &parameter("nginx"));
    assert_eq!((changes, grows), (vec!["parameter which".to_owned()], true), "it fills a scope");
    // A parameter of the name is no entry of the name.
    let named = |scope: &str| {
        let more = "parameters: { type: \"object\", properties: { which: { type: \"string\" } } }";
        of(GET, ABOUT, &format!("service: {{ scope: [\"{scope}\"], reason: \"Looks\" }}"), more)
    };
    assert!(differs(&named("{which}"), &named("which")).1 && !differs(&named("which"), &named("which")).1);
}

#[test]
fn what_changes_without_growing_is_told_too() {
    let one = plain(GET, SERVICE);
    let package = |license| vec![model::Package::new("a", "1", Some(license))];
    for (what, new) in [
        ("publisher", Label { publisher: "other".to_owned(), ..one.clone() }),
        ("reason service", plain(GET, &SERVICE.replace("Looks whether", "Sees whether"))),
        ("support", Label { support: Some("help@example.com".to_owned()), ..one.clone() }),
        ("licence MIT", Label { packages: package("MIT"), ..one.clone() }),
        ("parameter x", of(GET, ABOUT, SERVICE, "parameters: { type: \"object\", properties: { x: {} } }")),
        ("limit calls", of(GET, ABOUT, SERVICE, "limits: { calls: 10 }")),
    ] {
        assert_eq!(differs(&one, &new), (vec![what.to_owned()], false));
    }
}
