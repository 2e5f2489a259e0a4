//! Whether a text only reads, as far as its words tell.
//!
//! What it writes to tables the server knows, and says. This is about what no transaction id tells of: what is set,
//! locked or told for the rest of the transaction (`SET LOCAL`, advisory locks, `NOTIFY`, cursors). So calls of
//! functions are only those that are known to do nothing of the kind.

/// Words that may stand before a parenthesis: PostgreSQL's own, and functions that only read.
const KNOWN: &[&str] = &[
    "abs",
    "all",
    "and",
    "any",
    "array",
    "array_agg",
    "as",
    "avg",
    "between",
    "bool_and",
    "bool_or",
    "by",
    "cast",
    "ceil",
    "char",
    "coalesce",
    "concat",
    "count",
    "current_actor",
    "current_bigint",
    "current_id",
    "current_uuid",
    "date",
    "date_part",
    "date_trunc",
    "decimal",
    "dense_rank",
    "distinct",
    "else",
    "every",
    "except",
    "exists",
    "extract",
    "filter",
    "first_value",
    "floor",
    "format",
    "from",
    "greatest",
    "group",
    "having",
    "in",
    "intersect",
    "join",
    "json_agg",
    "jsonb_agg",
    "jsonb_build_object",
    "lag",
    "last_value",
    "lateral",
    "lead",
    "least",
    "left",
    "length",
    "like",
    "limit",
    "lower",
    "materialized",
    "max",
    "min",
    "not",
    "now",
    "nullif",
    "numeric",
    "offset",
    "on",
    "or",
    "over",
    "rank",
    "round",
    "row",
    "row_number",
    "row_to_json",
    "select",
    "some",
    "string_agg",
    "substring",
    "sum",
    "then",
    "to_char",
    "to_jsonb",
    "trim",
    "union",
    "unnest",
    "upper",
    "using",
    "values",
    "varchar",
    "when",
    "where",
    "with",
    "within",
];

/// A single query that calls no function but such as are known.
pub(crate) fn only_reads(sql: &str) -> bool {
    let mut words = Words { rest: sql };
    let Some(Word::Name(first)) = words.next() else { return false };
    if !["select", "with", "values", "table"].iter().any(|word| first.eq_ignore_ascii_case(word)) {
        return false;
    }
    let mut before = Word::Name(first);
    for word in words {
        match (before, word) {
            (_, Word::Unreadable) | (Word::Quoted, Word::Opens) => return false,
            (Word::Name(name), Word::Opens) if !KNOWN.iter().any(|known| name.eq_ignore_ascii_case(known)) => {
                return false;
            }
            (Word::Ends, _) => return false, // a second statement
            _ => before = word,
        }
    }
    true
}

#[derive(Clone, Copy)]
enum Word<'a> {
    Name(&'a str),
    /// A quoted name.
    Quoted,
    Opens,
    Ends,
    Other,
    /// What is not read here: dollar quotes, escapes, nested comments, what has no end.
    Unreadable,
}

struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    /// Past so many bytes, which it returns.
    fn pass(&mut self, bytes: usize) -> &'a str {
        let (word, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        word
    }

    /// Past what begins and ends with this quote. A doubled quote ends one and begins another, which comes to the same.
    fn pass_quoted(&mut self, quote: char, kind: Word<'a>) -> Word<'a> {
        match self.rest[1..].find(quote) {
            Some(end) if !self.pass(end + 2).contains('\\') => kind,
            _ => Word::Unreadable,
        }
    }

    fn pass_as(&mut self, bytes: usize, kind: Word<'a>) -> Word<'a> {
        self.pass(bytes);
        kind
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        loop {
            self.rest = self.rest.trim_start();
            let first = self.rest.chars().next()?;
            return Some(match first {
                '-' if self.rest.starts_with("--") => {
                    self.pass(self.rest.find(['\n', '\r']).unwrap_or(self.rest.len()));
                    continue;
                }
                '/' if self.rest.starts_with("/*") => match self.rest[2..].find("*/") {
                    Some(end) if !self.pass(end + 4)[2..].contains("/*") => continue,
                    _ => Word::Unreadable,
                },
                '\'' => self.pass_quoted('\'', Word::Other),
                '"' => self.pass_quoted('"', Word::Quoted),
                '(' => self.pass_as(1, Word::Opens),
                ';' => self.pass_as(1, Word::Ends),
                '$' => match self.rest[1..].bytes().take_while(u8::is_ascii_digit).count() {
                    0 => Word::Unreadable,
                    digits => self.pass_as(1 + digits, Word::Other),
                },
                c if c.is_alphabetic() || c == '_' => {
                    let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
                    let name = self.pass(end.unwrap_or(self.rest.len()));
                    if self.rest.starts_with(['\'', '&']) { Word::Unreadable } else { Word::Name(name) }
                }
                c => self.pass_as(c.len_utf8(), Word::Other),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::only_reads;

    #[test]
    fn a_query_of_known_calls_only_reads() {
        for sql in [
            "select * from notes",
            " -- why\n select count(*), coalesce(sum(a), 0) from notes where a = $1 and b in (1, 2);",
            "with x as (select 1) select * from x join y using (id) where t = 'it''s (so)'",
            "/* one */ values (1), (2)",
            "table notes",
            r#"select tenant.current_id(), "a" from "Notes" order by 1"#,
        ] {
            assert!(only_reads(sql), "{sql}");
        }
    }

    #[test]
    fn what_lasts_to_the_end_of_the_transaction_is_no_read() {
        for sql in [
            "",
            "insert into notes values (1)",
            "set local work_mem = '1MB'",
            "declare c cursor for select 1",
            "select 1; set local work_mem = '1MB'",
            "select pg_advisory_xact_lock(1)",
            "select set_config('a.b', 'c', true)",
            r#"select "set_config"('a.b', 'c', true)"#,
            "select pg_catalog . pg_notify /* so */ ('a', 'b')",
            "select pg_notify -- so\n('a', 'b')",
            "select $$a$$ from f('x')",
            r"select e'\' from f(''')",
            r#"select U&"f"(1)"#,
            "select 'a",
            "select 1 /* /* */ f */ (2)",
        ] {
            assert!(!only_reads(sql), "{sql}");
        }
    }
}
