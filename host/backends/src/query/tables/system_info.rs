use contract::types::Error;

use crate::facts::hardware::Hardware;

use super::{Row, Source};

pub(super) fn rows(source: &Source) -> Result<Vec<Row>, Error> {
    let hardware = Hardware::read(&source.root)?;
    let dmi = |name: &str| source.root.line(&format!("sys/class/dmi/id/{name}")).unwrap_or_default();
    let hostname = source.root.line("proc/sys/kernel/hostname").unwrap_or_default();
    Ok(vec![
        Row::default()
            .text("hostname", hostname.as_str())
            .text("computer_name", hostname.as_str())
            .text("local_hostname", hostname)
            .text("uuid", hardware.uuid)
            .text("cpu_type", rustix::system::uname().machine().to_string_lossy())
            .text("cpu_brand", hardware.cpu_brand)
            .number("cpu_physical_cores", hardware.physical_cores)
            .number("cpu_logical_cores", hardware.logical_cores)
            .number("cpu_sockets", hardware.sockets)
            .some_text("cpu_microcode", hardware.microcode)
            .number("physical_memory", hardware.memory_bytes)
            .text("hardware_vendor", dmi("sys_vendor"))
            .text("hardware_model", dmi("product_name"))
            .text("hardware_version", dmi("product_version"))
            .text("hardware_serial", dmi("product_serial"))
            .text("board_vendor", dmi("board_vendor"))
            .text("board_model", dmi("board_name"))
            .text("board_version", dmi("board_version"))
            .text("board_serial", dmi("board_serial")),
    ])
}
