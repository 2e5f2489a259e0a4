//! The journal: who reads it, who changes it, and what its lines say.

mod a_line_is_changed;
mod a_line_says_too_little;
mod a_month_makes_writers_wait;
mod another_tenants_line_is_read;
