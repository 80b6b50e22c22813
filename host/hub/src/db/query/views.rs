//! The tables of `fleet::tables`, as views over those of the file.

use fleet::tables::Table;

use super::super::readers::is_seen;

/// Two views of a table: one that may read, and the one that is asked.
///
/// SQLite asks what a query asks of a row as soon as it has the row, and that may be before it knows whose row it is: a query that
/// fails for some values and not for others would tell what others have. So whatever is asked meets rows of the scope alone. Small
/// tables are made in full behind a fence (`MATERIALIZED`), and of what devices tell as rows no row is reached but by the clients
/// of the scope: `CROSS JOIN` keeps the order, and `INDEXED BY` the way.
pub(super) fn view(table: &Table, guard: &str) -> String {
    let Table { name, .. } = table;
    let is_rows = table.is_told();
    let columns: Vec<&str> = table.all_columns().map(|it| it.name).collect();
    let own = |column: &str| if is_rows { rows_expression(name, column) } else { expression(name, column).to_owned() };
    let own = table.columns.iter().map(|it| own(it.name)).collect::<Vec<_>>().join(", ");
    // What is retired is gone, and only the list of devices still has it.
    let is_there = if *name == "devices" { "" } else { "AND d.state <> 'retired'" };
    let seen = format!("{} {is_there}", is_seen("d.client"));
    let of_device =
        "(SELECT value ->> '$' FROM main.fact AS n WHERE n.device = d.device AND n.name = 'hostname') AS hostname,
        d.device AS device, d.client AS client, d.site AS site,
        strftime('%Y-%m-%dT%H:%M:%SZ', h.seen_ms / 1000, 'unixepoch') AS seen";
    let rows = if is_rows {
        format!(
            "WITH {guard}_clients AS MATERIALIZED (SELECT c.client FROM main.client AS c WHERE {of_scope}),
             {guard}_devices AS MATERIALIZED (
                 SELECT {of_device}, h.number AS number, h.seen_ms AS seen_ms
                 FROM main.device AS d JOIN main.holder AS h ON h.device = d.device WHERE {seen}
             )
             SELECT d.hostname, d.device, d.client, d.site, d.seen, {own}
             FROM {guard}_clients AS c
             CROSS JOIN main.item AS i INDEXED BY item_by_client ON i.client = c.client AND i.name = '{name}'
             CROSS JOIN main.held AS x ON x.item = i.item
             CROSS JOIN {guard}_devices AS d ON d.number = x.number",
            of_scope = is_seen("c.client")
        )
    } else {
        let (fact, more) = source(name);
        let fact = match fact {
            "" => String::new(),
            fact => format!("JOIN main.fact AS f ON f.device = d.device AND f.name = '{fact}'"),
        };
        format!(
            "WITH {guard}_rows AS MATERIALIZED (
                 SELECT {of_device}, {own} FROM main.device AS d {fact} {more}
                 LEFT JOIN main.holder AS h ON h.device = d.device WHERE {seen}
             )
             SELECT * FROM {guard}_rows"
        )
    };
    format!(
        "CREATE TEMP VIEW {guard}_the_{name} ({}) AS {rows};
         CREATE TEMP VIEW {name} AS SELECT * FROM temp.{guard}_the_{name};",
        columns.join(", ")
    )
}

/// A cell of what a device tells as rows.
fn rows_expression(table: &str, column: &str) -> String {
    match (table, column) {
        ("uptime", "total_seconds") => "d.seen_ms / 1000 - (i.cells ->> '$.booted_at')".to_owned(),
        _ => format!("i.cells ->> '$.{column}'"),
    }
}

/// Which section of a device's facts a table is made of, and what makes rows of it. What a device tells may have any form, or one
/// device would spoil every query: of what is no object nothing is asked, and of a list no more than 256 are rows.
fn source(table: &str) -> (&'static str, &'static str) {
    match table {
        "os_version" => ("os", ""),
        "memory_info" => ("memory", ""),
        "system_info" => ("hardware", ""),
        "mounts" => ("volumes", "JOIN json_each(f.value) AS e ON e.type = 'object' AND e.key < 256"),
        "interface_details" => ("interfaces", "JOIN json_each(f.value) AS e ON e.type = 'object' AND e.key < 256"),
        "interface_addresses" => (
            "interfaces",
            "JOIN json_each(f.value) AS e ON e.type = 'object' AND e.key < 256
             JOIN json_each(CASE e.type WHEN 'object' THEN e.value END, '$.addresses') AS a ON a.type = 'text' AND a.key < 256",
        ),
        "device_tags" => ("", "JOIN main.tag AS t ON t.device = d.device"),
        _ => ("", ""),
    }
}

/// A cell of what is made of facts, or of what the hub knows.
fn expression(table: &str, column: &str) -> &'static str {
    match (table, column) {
        ("os_version", "name") => "f.value ->> '$.name'",
        ("os_version", "version") => "f.value ->> '$.version'",
        ("os_version", "platform") => "f.value ->> '$.family'",
        ("os_version", "arch") => "f.value ->> '$.arch'",
        ("os_version", "kernel") => "f.value ->> '$.kernel'",
        ("memory_info", "memory_total") => "f.value ->> '$.total_bytes'",
        ("memory_info", "swap_total") => "f.value ->> '$.swap_bytes'",
        ("system_info", "cpu_brand") => "f.value ->> '$.cpu_brand'",
        ("system_info", "cpu_logical_cores") => "f.value ->> '$.cpu_logical_cores'",
        ("system_info", "physical_memory") => {
            "(SELECT value ->> '$.total_bytes' FROM main.fact AS n WHERE n.device = d.device AND n.name = 'memory')"
        }
        ("system_info", "hardware_vendor") => "f.value ->> '$.vendor'",
        ("system_info", "hardware_model") => "f.value ->> '$.model'",
        ("mounts", "path") => "CASE e.type WHEN 'object' THEN e.value END ->> '$.mount'",
        ("mounts", "type") => "CASE e.type WHEN 'object' THEN e.value END ->> '$.filesystem'",
        ("mounts", "size_bytes") => "CASE e.type WHEN 'object' THEN e.value END ->> '$.size_bytes'",
        ("mounts", "free_bytes") => "CASE e.type WHEN 'object' THEN e.value END ->> '$.free_bytes'",
        ("mounts", "free_pct") => "CASE e.type WHEN 'object' THEN e.value END ->> '$.free_pct'",
        ("mounts", "read_only") => "CASE e.type WHEN 'object' THEN e.value END ->> '$.read_only'",
        ("interface_details" | "interface_addresses", "interface") => {
            "CASE e.type WHEN 'object' THEN e.value END ->> '$.name'"
        }
        ("interface_details", "mac") => "CASE e.type WHEN 'object' THEN e.value END ->> '$.mac'",
        ("interface_details", "up") => "CASE e.type WHEN 'object' THEN e.value END ->> '$.up'",
        ("interface_addresses", "address") => {
            "iif(instr(a.value, '/'), substr(a.value, 1, instr(a.value, '/') - 1), a.value)"
        }
        ("interface_addresses", "prefix") => {
            "iif(instr(a.value, '/'), CAST(substr(a.value, instr(a.value, '/') + 1) AS INTEGER), NULL)"
        }
        ("device_tags", "tag") => "t.tag",
        ("devices", "state") => "d.state",
        ("devices", "presence") => "presence_of(d.device)",
        ("devices", "joined") => "strftime('%Y-%m-%dT%H:%M:%SZ', d.joined_ms / 1000, 'unixepoch')",
        ("devices", "agent_version") => {
            "(SELECT value ->> '$.version' FROM main.fact AS n WHERE n.device = d.device AND n.name = 'agent')"
        }
        ("devices", "reboot_pending") => {
            "(SELECT value ->> '$.pending' FROM main.fact AS n WHERE n.device = d.device AND n.name = 'reboot')"
        }
        ("devices", "reboot_reasons") => {
            "(SELECT group_concat(r.value, ' ') FROM main.fact AS n JOIN json_each(n.value, '$.reasons') AS r
              WHERE n.device = d.device AND n.name = 'reboot')"
        }
        ("devices", "packages") => {
            "(SELECT value ->> '$.count' FROM main.fact AS n WHERE n.device = d.device AND n.name = 'packages')"
        }
        ("devices", "updates") => {
            "(SELECT value ->> '$.updates' FROM main.fact AS n WHERE n.device = d.device AND n.name = 'packages')"
        }
        ("devices", "security_updates") => {
            "(SELECT value ->> '$.security_updates' FROM main.fact AS n WHERE n.device = d.device AND n.name = 'packages')"
        }
        ("devices", "vendor") => {
            "(SELECT value ->> '$.vendor' FROM main.fact AS n WHERE n.device = d.device AND n.name = 'hardware')"
        }
        ("devices", "model") => {
            "(SELECT value ->> '$.model' FROM main.fact AS n WHERE n.device = d.device AND n.name = 'hardware')"
        }
        ("devices", "is_virtual") => {
            "(SELECT value ->> '$.is_virtual' FROM main.fact AS n WHERE n.device = d.device AND n.name = 'hardware')"
        }
        // A test asks each column of each table, and would find it.
        _ => "NULL",
    }
}
