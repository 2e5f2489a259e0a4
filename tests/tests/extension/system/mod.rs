//! The system context: who enters it, how long it lasts, what it may do, and what is written down of it.

mod a_report_does_more;
mod a_stranger_enters;
mod a_tenant_is_in_it_too;
mod a_test_suite_stops;
mod an_owner_migrates;
mod fixture;
mod it_leaves_no_trace;
mod it_outlives_the_transaction;
mod it_sees_too_little;
mod it_writes_unasked;
mod its_rights_are_borrowed;
mod the_session_sets_it;
