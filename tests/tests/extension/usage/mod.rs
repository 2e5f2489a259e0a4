//! What tenants use, and their limits on it.

mod a_limit_is_not_told;
mod a_model_disagrees;
mod a_quota_is_passed;
mod a_record_is_billed_twice;
mod a_row_is_not_counted;
mod another_is_charged;
mod fixture;
mod meters_are_malformed;
