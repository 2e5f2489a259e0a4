//! What each tenant costs is counted, for it and for nobody else.

mod a_line_has_no_tenant;
mod a_session_shows_too_much;
mod a_statement_counts_for_nobody;
mod a_sum_is_wrong;
mod anothers_numbers_are_read;
