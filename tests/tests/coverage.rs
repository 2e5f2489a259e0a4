//! Something was added that no test names: a function, table or view of the schema `tenant`, a setting, a refusal.
//! (What is in `tenant_internal` is tested through what calls it. Arms of the guards:
//! `extension/guards/arm_untested.rs`; kinds of tables and verbs: `isolation_matrix`.)

use std::fs;
use std::path::Path;

use pg_tenant_core::Refusal;

/// All tests, but for this file.
fn tests() -> String {
    let mut text = String::new();
    read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests")), &mut text);
    text
}

fn read(path: &Path, text: &mut String) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("read a directory") {
            read(&entry.expect("an entry").path(), text);
        }
    } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("coverage.rs") {
        *text += &fs::read_to_string(path).expect("read a test");
    }
}

/// Whether the text has the word, and not as part of a longer one.
fn names(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| !text[at + word.len()..].starts_with(part))
}

#[tokio::test]
async fn each_object_has_a_test() {
    let db = pg_tenant_tests::database("covered").await;
    let objects = db
        .superuser()
        .await
        .rows(
            "select distinct 'tenant.' || proname from pg_proc where pronamespace = 'tenant'::regnamespace
             union all select 'tenant.' || relname from pg_class
                where relnamespace = 'tenant'::regnamespace and relkind in ('r', 'v', 'm', 'p', 'f')
             union all select name from pg_settings where name like 'pg\\_tenant.%'",
        )
        .await;
    let objects: Vec<String> = objects.into_iter().flatten().flatten().collect();
    assert!(objects.len() > 30, "{objects:?}");
    let tests = tests();
    let untested: Vec<_> = objects.iter().filter(|object| !names(&tests, object)).collect();
    assert!(untested.is_empty(), "no test names {untested:?}");
}

#[test]
fn each_refusal_has_a_test() {
    let tests = tests();
    let untested: Vec<_> = Refusal::ALL.iter().filter(|r| !tests.contains(&format!("\"{}\"", r.code()))).collect();
    assert!(untested.is_empty(), "no test expects {untested:?}");
}
