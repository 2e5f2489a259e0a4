//! The server log's line of an entry that no journal can keep, since the transaction is read-only or the server a
//! standby: in a form that `tenant.import_readings` finds in the log and brings into the journal of the primary.

use crate::pg::server;

/// What stands before the JSON object, once in a line.
const MARK: &str = "pg_tenant use {";

/// The line: what people read, then the JSON object.
pub fn line(said: &str, login: &str, reason: &str) -> String {
    let said = said.replace(MARK, "pg_tenant use (");
    let (id, at, database) = (hyphenated(server::random()), server::clock_us(), server::database_name());
    // The object has one brace at each end, and is the only mark.
    let text = |text: &str| json(text).replace('{', "\\u007b").replace('}', "\\u007d");
    let object = format!(
        "\"id\": \"{id}\", \"at\": {at}, \"database\": {}, \"login\": {}, \"reason\": {}}}",
        text(&database),
        text(login),
        text(reason)
    );
    format!("{said} | {MARK}{object}")
}

fn json(text: &str) -> String {
    let escaped = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if u32::from(c) < 0x20 => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

fn hyphenated(id: [u8; 16]) -> String {
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
