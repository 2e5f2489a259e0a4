use pg_tenant_core::MalformedTenantId;

use super::*;

fn server(code: &str) -> Error {
    Error::new(Kind::Server, "said the server").with_code(code)
}

#[test]
fn predicates_answer_for_their_sqlstate_alone() {
    type Predicate = fn(&Error) -> bool;
    let table: [(&[&str], Predicate); 9] = [
        (&["TN001"], Error::is_no_tenant),
        (&["TN002"], Error::is_unknown_tenant),
        (&["TN003"], Error::is_suspended),
        (&["TN004"], Error::is_malformed_id),
        (&["TN005"], Error::is_already_entered),
        (&["TN130"], Error::is_not_ready),
        (&["TN131"], Error::is_leaving),
        (&["TN132"], Error::is_purged),
        (&["TN158", "TN159"], Error::is_impersonation_over),
    ];
    for code in table.iter().flat_map(|(codes, _)| *codes) {
        for (codes, predicate) in table {
            assert_eq!(predicate(&server(code)), codes.contains(code), "{code} against the predicate of {codes:?}");
        }
        assert_eq!(server(code).refusal().map(Refusal::code), Some(*code));
    }
}

#[test]
fn only_serialization_failures_and_deadlocks_are_retried() {
    assert!(server("40001").is_retryable() && server("40P01").is_retryable());
    for code in ["40000", "40002", "40003", "25P02", "57P01", "TN003", "08006"] {
        assert!(!server(code).is_retryable(), "{code}");
    }
}

#[test]
fn a_malformed_id_has_the_servers_code_and_says_where() {
    let error = Error::malformed(MalformedTenantId::BadCharacter(3));
    assert!(error.is_malformed_id());
    assert_eq!(error.to_string(), "malformed tenant id (TN004)\nDETAIL: its character at byte 4 is not allowed");
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn a_setup_error_at_entry_names_the_next_command() {
    let missing = server("3F000").at_entry();
    assert!(missing.is_extension_missing() && missing.hint().unwrap().contains("create extension pg_tenant"));
    assert!(server("42501").at_entry().hint().unwrap().contains("grant tenant_user"));
    assert_eq!(server("TN008").at_entry().kind(), Kind::NotPristine);
    assert_eq!(server("TN002").at_entry().kind(), Kind::Server);
    assert_eq!(missing.detail(), Some("said the server"));
}

#[test]
fn a_failed_transaction_names_its_first_error() {
    let error = Error::failed(Some("division by zero (22012)"));
    assert_eq!(error.code(), Some("25P02"));
    assert!(error.detail().unwrap().contains("division by zero"));
}

#[test]
fn errors_travel_between_tasks() {
    fn travels<T: Send + Sync + 'static + std::error::Error>() {}
    travels::<Error>();
}
