//! What is known from a statement's text before it is sent.

/// Enters with a token, which is a parameter: in a text it would be shown and logged. Tells of which generation the
/// tenant is.
pub(crate) const ENTER_SIGNED_AND_TELL: &str = "select tenant.enter_signed_pristine($1), tenant.generation()";

/// A column beside entering: of which generation the tenant is. It is called `generation`.
pub(crate) const GENERATION: &str = ", tenant.generation()";

/// COMMIT, and before it the probe: what the transaction is inside of, by the setting rather than
/// `tenant.current_id()`, which a transaction that has gone on in a role (`SET LOCAL ROLE`) may have no right to call.
/// SHOW needs no plan.
///
/// PostgreSQL runs the texts of one message until one fails, so a failed transaction does not reach COMMIT.
pub(crate) const COMMIT: &str = "show pg_tenant.id; commit";

/// As [`COMMIT`], telling before it whether the transaction has written, and after it how far the log had got.
pub(crate) const COMMIT_AND_TELL: &str = "show pg_tenant.id; select pg_catalog.pg_current_xact_id_if_assigned(); \
     commit; select pg_catalog.pg_current_wal_insert_lsn()";

/// As [`COMMIT`], then taking the names of statements from the session.
pub(crate) const COMMIT_AND_FORGET: &str = "show pg_tenant.id; commit; deallocate all";

/// Whether the statement begins, ends or divides a transaction (`COMMIT`, `ROLLBACK TO`, `PREPARE TRANSACTION`, …).
/// Only a statement of its own can: within a transaction block PostgreSQL refuses it to procedures and `DO` (`2D000`).
pub(crate) fn controls_the_transaction(sql: &str) -> bool {
    const WORDS: [&str; 9] =
        ["abort", "begin", "commit", "end", "prepare", "release", "rollback", "savepoint", "start"];
    let word = first_word(sql);
    WORDS.iter().any(|control| word.eq_ignore_ascii_case(control))
}

/// Whether the text may commit by itself. One of several statements is not taken apart: a word decides.
pub(crate) fn may_commit(sql: &str) -> bool {
    let several = sql.contains(';');
    controls_the_transaction(sql) || several && ["commit", "end", "prepare"].iter().any(|word| mentions(sql, word))
}

/// The statement's first word, such as `select`, in whatever case; empty where it begins with none.
pub(crate) fn first_word(sql: &str) -> &str {
    after_comments(sql).split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default()
}

/// The text from its first token on: without leading whitespace, comments and empty statements.
fn after_comments(mut sql: &str) -> &str {
    loop {
        sql = sql.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{b}' || c == ';');
        sql = if sql.starts_with("--") {
            sql.find(['\n', '\r']).map_or("", |end| &sql[end..])
        } else if sql.starts_with("/*") {
            after_comment(sql)
        } else {
            return sql;
        };
    }
}

/// The text after the comment it begins with. Comments nest; one that does not end leaves nothing.
fn after_comment(sql: &str) -> &str {
    let (mut depth, mut at) = (0, 0);
    while let Some(next) = sql[at..].find(['/', '*']) {
        at += next;
        let two = &sql.as_bytes()[at..sql.len().min(at + 2)];
        at += if two == b"/*" || two == b"*/" { 2 } else { 1 };
        depth += i32::from(two == b"/*") - i32::from(two == b"*/");
        if depth == 0 {
            return &sql[at..];
        }
    }
    ""
}

/// Whether the word, in whatever case, stands anywhere in the text.
pub(crate) fn mentions(sql: &str, word: &str) -> bool {
    let (sql, word) = (sql.as_bytes(), word.as_bytes());
    let Some(first) = word.first() else { return true };
    let begins = |(at, byte): (usize, &u8)| byte.eq_ignore_ascii_case(first).then_some(at);
    let mut starts = sql.iter().enumerate().filter_map(begins);
    starts.any(|at| sql[at..].get(..word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word)))
}

/// A literal that reads the same with and without `standard_conforming_strings`. The grammar of an id has neither
/// quotes nor backslashes; this does not rely on it.
pub(crate) fn literal(text: &str) -> String {
    let mut sql = String::with_capacity(text.len() + 8);
    push_literal(&mut sql, text);
    sql
}

/// The same behind a text.
pub(crate) fn push_literal(sql: &mut String, text: &str) {
    sql.push_str(if text.contains('\\') { " E'" } else { "'" });
    for c in text.chars() {
        if c == '\\' || c == '\'' {
            sql.push(c);
        }
        sql.push(c);
    }
    sql.push('\'');
}

/// A name as an identifier that is exactly it.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::{controls_the_transaction, literal, quote};

    #[test]
    fn a_quoted_name_stays_one_identifier() {
        assert_eq!(quote("Orders"), r#""Orders""#);
        assert_eq!(quote(r#"a" (b) values (1); --"#), r#""a"" (b) values (1); --""#);
    }

    #[test]
    fn a_quoted_text_stays_one_literal() {
        assert_eq!(literal("a"), "'a'");
        assert_eq!(literal("a'b"), "'a''b'");
        assert_eq!(literal(r"a\'b"), r" E'a\\''b'");
    }

    #[test]
    fn a_transaction_command_is_seen() {
        for sql in [
            "commit",
            " \n\t COMMIT;",
            "rollback to a",
            "-- a\nend",
            "--a\rabort",
            "/* a /* b */ c */ start transaction",
            "/**/begin",
            "/*/**/*/rollback",
            ";; commit",
            "prepare transaction 'x'",
            "Savepoint s",
            "release s",
        ] {
            assert!(controls_the_transaction(sql), "{sql}");
        }
    }

    #[test]
    fn no_other_is_taken_for_one() {
        for sql in [
            "select 1 -- commit",
            "insert into commits values (1)",
            "commits",
            "/* commit */ select",
            "ending",
            "-- commit",
            "/* commit",
            "",
            "é",
            "call commit()",
        ] {
            assert!(!controls_the_transaction(sql), "{sql}");
        }
    }
}
