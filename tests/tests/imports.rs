//! A plugin imports what its label declares, as an independent reader prints it; and of WASI, what gives it nothing.

mod hostile;

use std::net::{TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};

use hostile::LAB;
use hostile::table::Guest;
use model::{Mode, Outcome};
use tests::{built, wasm_tools};

/// What every toolchain's standard library imports; the host links it, and it gives nothing.
const INERT: [&str; 6] = ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];
/// What is linked for every plugin, and granted to none.
const AMBIENT: [&str; 2] = ["types", "run"];

/// What a component imports, in the text that `wasm-tools component wit` prints of it.
fn imports(wit: &str) -> Vec<&str> {
    wit.lines().filter_map(|line| line.trim().strip_prefix("import ")?.strip_suffix(';')).collect()
}

/// What of these imports is neither inert, nor for every plugin, nor declared.
fn undeclared<'a>(imports: &[&'a str], declared: &[&str]) -> Vec<&'a str> {
    let is_fine = |name: &str| {
        let ours = name.strip_prefix("msp:automation/").and_then(|name| name.split('@').next());
        match ours {
            Some(interface) => AMBIENT.contains(&interface) || declared.contains(&interface),
            None => INERT.iter().any(|package| name.starts_with(package)),
        }
    };
    imports.iter().filter(|name| !is_fine(name)).copied().collect()
}

#[test]
fn a_plugin_imports_nothing_but_what_its_label_declares_and_inert_wasi() {
    for plugin in built::plugins() {
        let wit = wasm_tools::wit(&built::folder(&plugin));
        let imports = imports(&wit);
        let label: toml::Table = std::fs::read_to_string(plugin.join("plugin.toml")).unwrap().parse().unwrap();
        let declared: Vec<&str> = label["capabilities"].as_table().unwrap().keys().map(String::as_str).collect();
        assert_eq!(undeclared(&imports, &declared), [""; 0], "{}", plugin.display());
        // The other way round: each that is declared is really used, and would be missed.
        for missing in &declared {
            let fewer: Vec<&str> = declared.iter().copied().filter(|name| name != missing).collect();
            let found = undeclared(&imports, &fewer);
            assert_eq!(found.len(), 1, "{}: `{missing}` is declared, {found:?} is imported", plugin.display());
        }
        let of_wasi: Vec<_> = imports.iter().filter(|name| name.starts_with("wasi:")).collect();
        assert!(!of_wasi.is_empty() && imports.len() > of_wasi.len(), "not read: {wit}");
    }
}

#[test]
fn what_is_not_inert_is_found() {
    let imports = ["wasi:http/outgoing-handler@0.2.0", "wasi:io/streams@0.2.6", "msp:automation/run@0.1.0"];
    assert_eq!(undeclared(&imports, &[]), ["wasi:http/outgoing-handler@0.2.0"]);
}

/// A guest that tries everything WASI offers, beside what this process, on the same machine, gets by the same ways.
#[test]
fn wasi_gives_a_guest_nothing() {
    let server = LAB.server();
    assert!(std::env::vars().count() > 0 && std::env::args().count() > 0);
    assert!(std::fs::read_dir("/").is_ok() && std::fs::read("/etc/passwd").is_ok());
    assert!(TcpStream::connect(server).is_ok() && TcpListener::bind("127.0.0.1:0").is_ok());
    assert!(UdpSocket::bind("127.0.0.1:0").is_ok() && ("localhost", 80).to_socket_addrs().is_ok());

    let ran = hostile::runtime().block_on(LAB.run_guest(Guest::Act("look-outside", Mode::Detect), 0, None));
    assert_eq!(ran.ended.outcome, Outcome::Completed, "{}", ran.ended.detail);
    assert_eq!(ran.summary(), "found outside: nothing");
}
