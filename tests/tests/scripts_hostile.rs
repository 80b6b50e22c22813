//! Hostile scripts on one host, one after the other: each ends as its row says, the same without the one flaw completes, and a
//! script that looks for what it left finds a host as new.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, OnceLock};

use artifact::{Cache, Import, Plugin, Script};
use backends::Fixture;
use contract::run::{Trigger, TriggerKind};
use model::{Clock, Ended, Event, Limits, Mode, Outcome, RunId, Verdict};
use runtime::{Compiler, Engine, MemoryRecorder, NoObserver, Options, Prepared, Request};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use Outcome::{Completed, Denied, Limit, PluginError};

/// What every script here may use, in its first line: its own begin with the second.
const HEAD: &str = "import { getService, listServices } from \"msp:automation/service\"; import { findEntries } from \
                    \"msp:automation/files\"; export const manifest = { description: \"A test\", capabilities: { service: { scope: \
                    [\"cups\"], reason: \"To look\" }, files: { scope: [\"scratch\"], reason: \"To look\" } } };";

const DEVICE: &str = "now = 2026-01-01T00:00:00Z\n[[service]]\nname = \"cups\"\nstate = \"running\"\n\
                      [[files.entries]]\nroot = \"scratch\"\npath = \"a.log\"\nsize-bytes = 1\nage-seconds = 60\n";

/// Looks for all that another script may have left, and says what it found.
const LOOKS: &str = r#"
const own = Object.getOwnPropertyNames(globalThis).sort().join();
const prototypes = [Object, Array, String, Function, Promise, Error, RegExp, Uint8Array, HostError];
const shape = prototypes.map((it) => Reflect.ownKeys(it.prototype).length + "/" + Reflect.ownKeys(it).length).join();
const kinds = [typeof [].map, typeof JSON.stringify, typeof Object.prototype.left, typeof console.log, typeof Array.prototype[Symbol.iterator]].join();
const fresh = new Uint8Array(1 << 16).every((byte) => byte === 0) && !"".padEnd(1 << 16, " ").includes("MARK");
export function detect() {
  const { state } = getService("cups");
  return { verdict: "compliant", summary: `${state} ${shape} ${kinds} ${fresh}`, attributes: [["own", own]] };
}
"#;

/// All that a script finds around it: no ambient anything.
const GLOBALS: &str = "AggregateError,Array,ArrayBuffer,AsyncDisposableStack,BigInt,BigInt64Array,BigUint64Array,Boolean,\
    DataView,Date,DisposableStack,Error,EvalError,FinalizationRegistry,Float16Array,Float32Array,\
    Float64Array,Function,HostError,Infinity,Int16Array,Int32Array,Int8Array,InternalError,Iterator,JSON,Map,\
    Math,NaN,Number,Object,Promise,Proxy,RangeError,ReferenceError,Reflect,RegExp,Set,SharedArrayBuffer,\
    String,SuppressedError,Symbol,SyntaxError,TextDecoder,TextEncoder,TypeError,URIError,Uint16Array,\
    Uint32Array,Uint8Array,Uint8ClampedArray,WeakMap,WeakRef,WeakSet,console,decodeURI,decodeURIComponent,\
    encodeURI,encodeURIComponent,escape,eval,globalThis,isFinite,isNaN,parseFloat,parseInt,queueMicrotask,\
    undefined,unescape";

struct Lab {
    engine: Engine,
    cache: Cache,
    tokio: tokio::runtime::Runtime,
    _folder: TempDir,
}

/// How a run went.
struct Ran {
    ended: Ended,
    events: Vec<Event>,
}

impl Ran {
    fn summary(&self) -> &str {
        let mut reports = self.events.iter().filter_map(|event| match event {
            Event::Reported { report, .. } => Some(report.summary.as_str()),
            _ => None,
        });
        reports.next_back().unwrap_or_default()
    }
}

/// One host, as the agent has it: its instances come out of one pool.
static LAB: LazyLock<Lab> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path().join("compiled")).unwrap();
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let lab = Lab { engine: Engine::new(Options::default()).unwrap(), cache, tokio, _folder: folder };
    // What runs scripts is compiled once, before the tests ask for it at once.
    lab.run(&text(LOOKS));
    lab
});

fn text(body: &str) -> String {
    format!("{HEAD}\n{body}")
}

/// Detect, with this in it.
fn detects(act: &str) -> String {
    text(&format!("export async function detect() {{ {act}; return {{ verdict: \"compliant\", summary: \"\" }}; }}\n"))
}

fn plugin(text: &str) -> Plugin {
    let packed = script::pack("hostile.js", text).unwrap_or_else(|wrong| panic!("{wrong}"));
    artifact::verify_local(packed, None).unwrap()
}

impl Lab {
    fn run(&self, text: &str) -> Ran {
        self.run_plugin(&plugin(text))
    }

    /// Loading what runs scripts takes longest: what is run again is prepared once.
    fn prepare(&self, plugin: &Plugin) -> Prepared {
        let grants = plugin.manifest().wishes(&serde_json::Map::new()).unwrap();
        let prepared = runtime::prepare(&self.engine, plugin, &grants, Some(&self.cache), &Compiler::InProcess);
        self.tokio.block_on(prepared).unwrap()
    }

    fn run_plugin(&self, plugin: &Plugin) -> Ran {
        self.run_prepared(&self.prepare(plugin))
    }

    fn run_prepared(&self, prepared: &Prepared) -> Ran {
        self.tokio.block_on(async {
            let fixture: Fixture = toml::from_str(DEVICE).unwrap();
            let clock: Arc<dyn Clock> = fixture.clock();
            let device = backends::memory(&fixture, "hostile", Arc::clone(&clock)).await.unwrap();
            let request = Request {
                run: RunId::new(),
                mode: Mode::Enforce,
                trigger: Trigger {
                    kind: TriggerKind::ByHand,
                    name: "test".to_owned(),
                    event: None,
                    attributes: Vec::new(),
                },
                parameters: serde_json::Map::new(),
                limits: Limits { cpu_ms: 400, memory_bytes: 16 << 20, ..Limits::default() },
                plan: None,
                recording: false,
                device: "dev_test".to_owned(),
                roots: BTreeMap::new(),
                cancel: CancellationToken::new(),
                resumed: None,
            };
            let recorder = MemoryRecorder::default();
            let kept = Box::new(recorder.clone());
            let ended = runtime::execute(prepared, request, &device, &clock, kept, Arc::new(NoObserver)).await.unwrap();
            Ran { ended, events: recorder.events().into_iter().map(|(_, event)| event).collect() }
        })
    }

    /// What a host says that nobody was on.
    fn is_clean(&self) -> String {
        static LOOKING: OnceLock<Prepared> = OnceLock::new();
        let ran = self.run_prepared(LOOKING.get_or_init(|| self.prepare(&plugin(&text(LOOKS)))));
        assert_eq!((ran.ended.outcome, ran.ended.verdict), (Completed, Verdict::Compliant), "{}", ran.ended.detail);
        let own = ran.events.iter().find_map(|event| match event {
            Event::Reported { report, .. } => report.attributes.first().map(|(_, value)| value.clone()),
            _ => None,
        });
        assert_eq!(own.unwrap(), GLOBALS);
        ran.summary().to_owned()
    }
}

/// What a script does, the same without the one flaw, how it ends, and what is said of that.
type Row = (&'static str, &'static str, Outcome, &'static str);

/// Runs every row, and after each of them what looks for leftovers.
fn check(rows: &[Row], text_of: impl Fn(&str) -> String) {
    let clean = LAB.is_clean();
    let (mut wrong, mut controls) = (Vec::new(), BTreeSet::new());
    for (act, control, outcome, detail) in rows {
        let ran = LAB.run(&text_of(act));
        let said = format!("{} {}", ran.ended.detail, ran.summary());
        if ran.ended.outcome != *outcome || !said.contains(detail) {
            wrong.push(format!("{act}\n  {outcome:?} {detail:?}\n  {:?} {said:?}", ran.ended.outcome));
        }
        // Several have the same one.
        if controls.insert(*control) {
            let ran = LAB.run(&text_of(control));
            if ran.ended.outcome != Completed {
                wrong.push(format!("the control {control}\n  {:?} {}", ran.ended.outcome, ran.ended.detail));
            }
        }
        assert_eq!(LAB.is_clean(), clean, "after {act}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_uses_too_much_ends_at_its_limit() {
    check(
        &[
            ("for (;;) {}", "for (let i = 0; i < 1e4; i++) {}", Limit, "cpu-ms"),
            (
                "const again = () => Promise.resolve().then(again); await again()",
                "const again = (n) => n && Promise.resolve(n - 1).then(again); await again(100)",
                Limit,
                "memory-bytes",
            ),
            (
                "await new Promise(() => { const again = () => Promise.resolve().then(again); again(); })",
                "await new Promise((done) => { Promise.resolve().then(done); })",
                Limit,
                "memory-bytes",
            ),
            ("/^(a+)+$/.test(\"a\".repeat(40) + \"!\")", "/^(a+)+$/.test(\"a\".repeat(40))", Limit, "cpu-ms"),
            ("/(?=(a+))*b/.test(\"a\".repeat(1 << 20))", "/a*b/.test(\"ab\")", Limit, "memory-bytes"),
            ("\"x\".replace(/x/g, () => { for (;;) {} })", "\"x\".replace(/x/g, () => \"y\")", Limit, "cpu-ms"),
            (
                "const all = []; for (;;) all.push(new Array(1000).fill(0))",
                "new Array(1000).fill(0)",
                Limit,
                "memory-bytes",
            ),
            ("new Uint8Array(1 << 28).fill(1)", "new Uint8Array(1 << 10).fill(1)", Limit, "memory-bytes"),
            ("\"x\".repeat(1 << 26)", "\"x\".repeat(1 << 16)", Limit, "memory-bytes"),
            (
                "let text = \"x\"; for (;;) text += text",
                "let text = \"x\"; text += text",
                PluginError,
                "string too long",
            ),
            (
                "const map = new Map(); for (let i = 0; ; i++) map.set({}, i)",
                "new Map().set({}, 1)",
                Limit,
                "memory-bytes",
            ),
            ("console.log(\"x\".repeat(9 << 20))", "console.log(\"x\".repeat(1 << 20))", Limit, "bytes"),
            ("for (;;) listServices()", "listServices()", Limit, "cpu-ms"),
            ("await new Promise(() => {})", "await null", PluginError, "it waits for something that never comes"),
        ],
        detects,
    );
}

#[test]
fn what_goes_too_deep_is_told_or_ends() {
    check(
        &[
            (
                "const down = (n) => down(n + 1) + 1; down(0)",
                "const down = (n) => n && down(n - 1) + 1; down(20)",
                PluginError,
                "hostile.js:2:",
            ),
            ("const f = () => [2, 1].sort(f); f()", "[2, 1].sort()", PluginError, "hostile.js:2:"),
            ("const f = () => \"a\".replace(/a/, f); f()", "\"a\".replace(/a/, \"b\")", PluginError, "hostile.js:2:"),
            (
                "const it = { get at() { return it.at; } }; it.at",
                "const it = { get at() { return 1; } }; it.at",
                PluginError,
                "hostile.js:2:",
            ),
            (
                "const it = { toJSON() { return JSON.stringify(it); } }; JSON.stringify(it)",
                "JSON.stringify({})",
                PluginError,
                "hostile.js:2:",
            ),
            ("const it = { toString() { return `${it}`; } }; `${it}`", "`${{}}`", PluginError, "hostile.js:2:"),
            (
                "let it = {}; for (let i = 0; i < 1e4; i++) it = new Proxy(it, {}); it.at",
                "new Proxy({}, {}).at",
                PluginError,
                "hostile.js:2:",
            ),
            (
                "let it = () => {}; for (let i = 0; i < 1e4; i++) it = it.bind(null); it()",
                "(() => {}).bind(null)()",
                Limit,
                "memory-bytes",
            ),
            ("JSON.parse(\"[\".repeat(1e5))", "JSON.parse(\"[[]]\")", Limit, "stack-bytes"),
            ("new Function(\"(\".repeat(1e5))", "new Function(\"()\" + \"=>1\")", Limit, "stack-bytes"),
            ("new RegExp(\"(\".repeat(1e5) + \")\".repeat(1e5))", "new RegExp(\"(a)\")", PluginError, "hostile.js:2:"),
            (
                "let it = []; for (let i = 0; i < 1e5; i++) it = [it]; it.flat(Infinity)",
                "[[1]].flat(Infinity)",
                PluginError,
                "hostile.js:2:",
            ),
            (
                "let it = null; for (let i = 0; i < 1e5; i++) it = { it }; findEntries(\"scratch\", \"\", it)",
                "findEntries(\"scratch\", \"\", { maxDepth: 1, pattern: null, modifiedBeforeMs: null, limit: 1 })",
                PluginError,
                "nested too deeply",
            ),
            (
                "const it = []; it[0] = it; findEntries(\"scratch\", it)",
                "getService(\"cups\")",
                PluginError,
                "holds itself",
            ),
        ],
        detects,
    );
}

/// Calls the host, whatever was done before.
const ASKS: &str = "const { keys } = Object; const asked = () => { const it = getService(\"cups\"); return [it.name, it.state, keys(it).length > 2].join(); };\n";

#[test]
fn what_is_tampered_with_stays_the_scripts_own() {
    let sound = "cups,running,true";
    check(
        &[
            ("", "", Completed, sound),
            (
                "for (const name of [\"name\", \"state\", \"startType\"]) Object.defineProperty(Object.prototype, name, { set() { throw new Error(\"mine\"); }, configurable: true })",
                "",
                Completed,
                sound,
            ),
            (
                "Object.defineProperty(Object.prototype, \"value\", { get() { throw new Error(\"mine\"); } })",
                "",
                Completed,
                sound,
            ),
            (
                "Array.prototype[Symbol.iterator] = null; Array.prototype.map = Array.prototype.push = null",
                "",
                Completed,
                sound,
            ),
            (
                "Object.defineProperty(Array.prototype, 0, { set() { throw new Error(\"mine\"); } }); listServices",
                "",
                Completed,
                sound,
            ),
            (
                "JSON.stringify = JSON.parse = String.prototype.toString = null; console.log(\"a\", { b: 1 })",
                "console.log(\"a\")",
                Completed,
                sound,
            ),
            (
                "globalThis.Object = globalThis.Array = globalThis.Promise = globalThis.String = null",
                "",
                Completed,
                sound,
            ),
            (
                "Object.defineProperty(Error, Symbol.hasInstance, { value() { throw new Error(\"mine\"); } }); console.log({})",
                "console.log({})",
                Completed,
                sound,
            ),
            (
                "console.log({ toString() { throw new Error(\"mine\"); }, toJSON() { throw new Error(\"mine\"); } }, Symbol(\"a\"), Object.create(null))",
                "console.log(1)",
                Completed,
                sound,
            ),
            (
                "console.log(new Proxy({}, { get() { throw new Error(\"mine\"); } }))",
                "console.log({})",
                Completed,
                sound,
            ),
            ("HostError.prototype.kind = \"mine\"", "HostError.prototype.kind", PluginError, "TypeError"),
            ("Object.setPrototypeOf(HostError, null)", "Object.getPrototypeOf(HostError)", PluginError, "TypeError"),
            ("globalThis.HostError = null", "globalThis.HostError", PluginError, "TypeError"),
            ("console.log = null", "console.log()", PluginError, "TypeError"),
            (
                "Error.prepareStackTrace = () => { throw new Error(\"mine\"); }; getService(\"nginx\")",
                "getService(\"cups\")",
                Denied,
                "outside the scope",
            ),
            (
                "Error.prepareStackTrace = () => { for (;;) {} }; getService(\"nginx\")",
                "getService(\"cups\")",
                Limit,
                "cpu-ms",
            ),
            ("Error.stackTraceLimit = -1; getService(\"nginx\")", "getService(\"cups\")", Denied, "outside the scope"),
            (
                "Object.defineProperty(Object.prototype, \"kind\", { value: \"other\" }); getService(\"nginx\")",
                "getService(\"cups\")",
                Denied,
                "outside the scope",
            ),
            (
                "Object.defineProperty(Error.prototype, \"message\", { set() { throw 1; } }); getService(\"nginx\")",
                "getService(\"cups\")",
                Denied,
                "outside the scope",
            ),
            ("throw new Proxy(new Error(\"a\"), { get() { throw new Error(\"mine\"); } })", "", PluginError, ""),
            ("throw { toString() { for (;;) {} } }", "", Limit, "cpu-ms"),
            (
                "throw Object.assign(new Error(\"a\"), { stack: \"hostile.js:9999999999:1\" })",
                "",
                PluginError,
                "hostile.js: Error: a",
            ),
            ("throw Object.assign(new Error(\"a\"), { stack: \"x\".repeat(1 << 22) })", "", PluginError, "Error: a"),
        ],
        |act| {
            text(&format!(
                "{ASKS}export async function detect() {{ const join = Array.prototype.join; {act}; return {{ verdict: \"compliant\", summary: asked() }}; }}\n"
            ))
        },
    );
}

#[test]
fn what_a_script_hands_over_is_read_once_and_as_it_is() {
    check(
        &[
            (
                "getService({ get at() { throw new Error(\"mine\"); } })",
                "getService(\"cups\")",
                PluginError,
                "Error: mine",
            ),
            (
                "getService({ __secret: 0 })",
                "getService(\"cups\")",
                PluginError,
                "`name` must be a string, and is an object",
            ),
            ("getService(Symbol(\"cups\"))", "getService(\"cups\")", PluginError, "TypeError"),
            ("getService(() => {})", "getService(\"cups\")", PluginError, "TypeError"),
            ("getService(\"\\ud800\")", "getService(\"cups\")", PluginError, ""),
            ("getService(new String(\"cups\"))", "getService(String(\"cups\"))", PluginError, "must be a string"),
            (
                "let reads = 0; const wish = { maxDepth: 1, pattern: null, modifiedBeforeMs: null, get limit() { return reads++ ? -1 : 1; } }; findEntries(\"scratch\", \"\", wish); if (reads !== 1) throw new Error(`${reads} reads`)",
                "",
                Completed,
                "",
            ),
            (
                "findEntries(\"scratch\", \"\", { maxDepth: 1, pattern: null, modifiedBeforeMs: null, limit: 2n ** 63n })",
                "findEntries(\"scratch\", \"\", { maxDepth: 1, pattern: null, modifiedBeforeMs: null, limit: 1n })",
                PluginError,
                "RangeError",
            ),
            (
                "findEntries(\"scratch\", \"\", { maxDepth: 1.5, pattern: null, modifiedBeforeMs: null, limit: 1 })",
                "findEntries(\"scratch\", \"\", { maxDepth: 1, pattern: null, modifiedBeforeMs: null, limit: 1 })",
                PluginError,
                "must be a whole number",
            ),
            (
                "const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); getService(proxy)",
                "getService(\"cups\")",
                PluginError,
                "TypeError",
            ),
            (
                "getService(new Proxy([], { get: (_, name) => name === \"length\" ? 2 ** 53 : 1 }))",
                "getService(\"cups\")",
                PluginError,
                "",
            ),
            (
                "getService(new Proxy([], { get() { throw new Error(\"mine\"); } }))",
                "getService(\"cups\")",
                PluginError,
                "must be a string",
            ),
            (
                "getService(new Proxy({}, { ownKeys: () => Array.from({ length: 1e6 }, (_, at) => `k${at}`), getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }) }))",
                "getService(\"cups\")",
                Limit,
                "",
            ),
        ],
        detects,
    );
}

#[test]
fn what_a_script_answers_is_read_once_and_as_it_is() {
    let good = "return { verdict: \"compliant\", summary: \"good\" }";
    check(
        &[
            ("return 1", good, PluginError, "what `detect` answered: must be an object"),
            (
                "Object.prototype.verdict = \"compliant\"; Object.prototype.summary = \"\"; return {}",
                good,
                PluginError,
                "`verdict`",
            ),
            (
                "return { get verdict() { throw new Error(\"mine\"); }, summary: \"\" }",
                good,
                PluginError,
                "Error: mine",
            ),
            (
                "let reads = 0; return { get verdict() { return reads++ ? \"non-compliant\" : \"compliant\"; }, get summary() { return `${reads}`; } }",
                good,
                Completed,
                "1",
            ),
            (
                "return { verdict: \"compliant\", summary: \"\", toJSON() {} }",
                good,
                PluginError,
                "a function cannot be handed",
            ),
            (
                "return { verdict: \"compliant\", summary: \"\", then() {} }",
                good,
                PluginError,
                "it waits for something that never comes",
            ),
            (
                "return { verdict: \"compliant\", summary: \"\", then(done) { done({ verdict: \"unknown\", summary: \"of then\" }); } }",
                good,
                Completed,
                "of then",
            ),
            (
                "return { verdict: \"compliant\", summary: \"\", get then() { throw new Error(\"mine\"); } }",
                good,
                PluginError,
                "Error: mine",
            ),
            ("return { verdict: \"compliant\", summary: \"\", then() { for (;;) {} } }", good, Limit, "cpu-ms"),
            (
                "const findings = []; findings.length = 2 ** 32 - 1; return { verdict: \"compliant\", summary: \"\", findings }",
                good,
                PluginError,
                "at most 1048576 items",
            ),
            (
                "const it = { verdict: \"compliant\", summary: \"\" }; it.attributes = it; return it",
                good,
                PluginError,
                "nested too deeply",
            ),
            ("return new Proxy({ verdict: \"compliant\", summary: \"proxied\" }, {})", good, Completed, "proxied"),
            ("return { verdict: \"compliant\", summary: \"\", __secret: 0 }", good, PluginError, "has `__secret`"),
            (
                "return { verdict: \"compliant\", summary: \"\", attributes: { __secret: \"a word\" } }",
                good,
                Completed,
                "",
            ),
            ("return { verdict: \"compliant\", summary: \"x\".repeat(2 << 20) }", good, Limit, "result-bytes"),
        ],
        |act| text(&format!("export async function detect() {{ {act}; }}\n")),
    );
}

#[test]
fn what_was_not_declared_is_out_of_reach() {
    let declared = "(await import(\"msp:automation/service\")).getService(\"cups\")";
    check(
        &[
            (
                "(await import(\"msp:automation/process\")).listProcesses()",
                declared,
                Denied,
                "`process` is not granted",
            ),
            (
                "(await import([\"msp:automation\", \"process\"].join(\"/\"))).listProcesses()",
                declared,
                Denied,
                "`process` is not granted",
            ),
            (
                "(await eval(\"import('msp:automation/process')\")).listProcesses()",
                declared,
                Denied,
                "`process` is not granted",
            ),
            (
                "(await new Function(\"return import('msp:automation/process')\")()).listProcesses()",
                declared,
                Denied,
                "`process` is not granted",
            ),
            (
                "(await (async () => {}).constructor(\"return import('msp:automation/process')\")()).listProcesses()",
                declared,
                Denied,
                "`process` is not granted",
            ),
            ("await import(\"msp:automation/process@1.0.0\")", declared, PluginError, "process@1.0.0"),
            ("await import(\"msp:automation/process?a\")", declared, PluginError, "process?a"),
            ("await import(\"msp:automation/../msp:automation/process\")", declared, PluginError, "hostile.js"),
            ("await import(\"MSP:automation/process\")", declared, PluginError, "MSP:automation/process"),
            ("await import(\"msp:automation/types\")", declared, PluginError, "msp:automation/types"),
            ("await import(\"remit:script/source\")", declared, PluginError, "remit:script/source"),
            ("await import(\"wasi:filesystem/types\")", declared, PluginError, "wasi:filesystem/types"),
            ("await import(\"hostile.js\")", declared, PluginError, "hostile.js"),
            ("await import(\"/etc/passwd\")", declared, PluginError, "/etc/passwd"),
            ("getService(\"nginx\")", declared, Denied, "outside the scope"),
            ("if (Reflect.ownKeys(import.meta).length) throw new Error(\"it has something\")", "", Completed, ""),
            ("if (new Function(\"return this\")() !== globalThis) throw new Error(\"another one\")", "", Completed, ""),
        ],
        detects,
    );
}

#[test]
fn a_script_that_nobody_read_reaches_no_further() {
    // Packed by hand: its imports are not what the section says.
    let packed = |imports: Vec<Import>| {
        let text = "import { listProcesses } from \"msp:automation/process\";\nexport function detect() {\n  listProcesses();\n  \
                    return { verdict: \"compliant\", summary: \"\" };\n}\n";
        let script = Script { name: "hostile.js".to_owned(), text: text.to_owned(), imports, remediates: false };
        let declares = plugin(&text_with("process"));
        let manifest = match script.imports.is_empty() {
            true => plugin(&detects("")).manifest().clone(),
            false => declares.manifest().clone(),
        };
        artifact::verify_local(script.embed(&manifest), None).unwrap()
    };
    let clean = LAB.is_clean();
    let ran = LAB.run_plugin(&packed(Vec::new()));
    assert_eq!(ran.ended.outcome, Denied, "{}", ran.ended.detail);
    assert!(ran.ended.detail.contains("hostile.js:3:3: `process` is not granted"), "{}", ran.ended.detail);
    assert_eq!(LAB.is_clean(), clean);
    // The control: declared, and granted.
    let import = Import { interface: "process".to_owned(), functions: vec!["list-processes".to_owned()] };
    let ran = LAB.run_plugin(&packed(vec![import]));
    assert_eq!(ran.ended.outcome, Completed, "{}", ran.ended.detail);
}

fn text_with(interface: &str) -> String {
    format!(
        "export const manifest = {{ description: \"A test\", capabilities: {{ {interface}: {{ scope: [\"*\"], reason: \"To look\" }} }} }};\nexport function detect() {{}}\n"
    )
}

#[test]
fn a_flood_of_lines_is_counted_and_the_rest_goes_on() {
    let clean = LAB.is_clean();
    let ran = LAB.run(&detects("for (let i = 0; i < 5000; i++) console.warn(`line ${i}`)"));
    assert_eq!(ran.ended.outcome, Completed, "{}", ran.ended.detail);
    assert!(ran.ended.resources.log_lines_dropped > 1_000);
    assert_eq!(LAB.is_clean(), clean);
    let ran = LAB.run(&detects("for (let i = 0; i < 50; i++) console.warn(`line ${i}`)"));
    assert_eq!((ran.ended.outcome, ran.ended.resources.log_lines_dropped), (Completed, 0));
}

#[test]
fn nothing_is_left_for_the_next_phase_or_the_next_run() {
    let clean = LAB.is_clean();
    let leaves = r#"
const found = [typeof globalThis.left, typeof Object.prototype.left, typeof [].map].join();
globalThis.left = Object.prototype.left = 1;
Array.prototype.map = null;
globalThis.kept = new Uint8Array(1 << 20).fill(77);
globalThis.text = "MARK".repeat(1 << 12);
const finding = { fingerprint: "a", title: "a", severity: "info", target: "a", evidence: "", remediable: true };
export function detect() { return { verdict: "non-compliant", summary: found, findings: [finding] }; }
export function remediate() { return { summary: found }; }
"#;
    for _ in 0..3 {
        let ran = LAB.run(&text(leaves));
        assert_eq!(ran.ended.outcome, Completed, "{}", ran.ended.detail);
        let found: Vec<&str> = ran
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Reported { report, .. } => Some(report.summary.as_str()),
                Event::Remedied { summary, .. } => Some(summary.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(found, ["undefined,undefined,function"; 3], "detect, remediate, and detect again");
        assert_eq!(LAB.is_clean(), clean);
    }
}
