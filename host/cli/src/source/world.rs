//! The world of a plugin in a language whose toolchain imports an interface whole: what it declares and uses, and nothing else.

use std::collections::BTreeSet;

use super::stage::Stage;
use crate::shipped;

/// What the world is called.
pub(super) const NAME: &str = "remit-plugin";

/// Adds the contract with the plugin's world in it, as the folder `wit`.
pub(super) fn add(stage: &mut Stage, interfaces: &BTreeSet<String>, remediates: bool) -> anyhow::Result<()> {
    stage.add_shipped(&shipped::WIT, "wit")?;
    stage.add(format!("wit/{NAME}.wit"), text(interfaces, remediates));
    Ok(())
}

fn text(interfaces: &BTreeSet<String>, remediates: bool) -> String {
    let always = ["types", "run"].into_iter();
    let imports = always.chain(interfaces.iter().map(String::as_str)).map(|name| format!("  import {name};\n"));
    let remediation = if remediates { "  export remediation;\n" } else { "" };
    format!("world {NAME} {{\n{}  export detection;\n{remediation}}}\n", imports.collect::<String>())
}
