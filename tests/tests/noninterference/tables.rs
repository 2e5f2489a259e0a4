//! What statements can be about.

/// A table or a view: its name, whether it has a key of its own (`id`), and columns that can be computed with.
#[derive(Debug)]
pub struct Table {
    pub name: &'static str,
    /// No two rows of a tenant have the same `id`.
    pub keyed: bool,
    pub ints: &'static [&'static str],
    pub texts: &'static [&'static str],
}

const fn table(name: &'static str, ints: &'static [&'static str], texts: &'static [&'static str]) -> Table {
    Table { name, keyed: true, ints, texts }
}

/// The tables of every tenant.
pub const TABLES: &[Table] = &[
    table("customers", &["id", "balance"], &["name", "email", "code"]),
    table("orders", &["id", "total", "customer_id"], &["note"]),
    table("payments", &["id", "amount", "customer_id", "order_id"], &["tenant_id"]),
    Table { keyed: false, ..table("events", &["id", "amount", "at"], &["kind"]) },
    table("visits", &["id", "seconds"], &["page"]),
    Table { keyed: false, ..table("machines", &["id", "power"], &["label"]) },
    table("robots", &["id", "power", "arms"], &["label"]),
    table("facts", &["id", "n"], &["raw"]),
    table("predefined", &["id", "rank"], &["code"]),
    Table { keyed: false, ..table("audit", &["key"], &["what"]) },
];

/// The tables of those whose id is a bigint, and of those whose id is a uuid.
pub const LEDGER: Table = table("ledger", &["id", "amount"], &["memo"]);
pub const FILES: Table = table("files", &["id", "bytes"], &["path"]);

/// Views, the table that all share, and the one that is reached by membership: what is only read.
pub const VIEWS: &[Table] = &[
    table("people", &["id", "age"], &["name"]),
    table("people", &["id", "age"], &["name"]),
    table("colleagues", &["id", "age"], &["name"]),
    table("rich", &["id", "balance"], &["name"]),
    Table { keyed: false, ..table("owed", &["id", "total"], &["name"]) },
    table("cheap", &["id", "total"], &["note"]),
    Table { keyed: false, ..table("currency", &["rate"], &["code"]) },
];

/// The tables whose rows can come and go without asking others: name, columns beside the tenant, values as SQL of `i`.
pub const WRITABLE: &[(&str, &str, &str)] = &[
    ("orders", "id, customer_id, total, note", "{i}, null, {n}, 'new'"),
    ("visits", "id, page, seconds", "{i}, 'page {n}', {n}"),
    ("facts", "id, raw, n", "{i}, '{n}', 1 + {n}"),
    ("robots", "id, label, power, arms", "{i}, 'robot', {n}, 2"),
    ("predefined", "id, code, rank", "{i}, 'new', {n}"),
    ("customers", "id, email, name, balance", "{i}, 'new{i}@example.org', null, {n}"),
];
