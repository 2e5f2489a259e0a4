//! Signed entry: the tenant is what a token says, and nothing else is.

mod a_forged_token_is_taken;
mod a_good_token_is_refused;
mod a_key_comes_from_elsewhere;
mod a_plain_entry_is_taken;
mod a_revoked_key_lives_on;
mod a_token_outlives_its_time;
mod a_token_outranks_the_member;
mod another_tenant_is_entered;
mod fixture;
mod it_outlives_the_transaction;
mod the_client_tells_it;
mod the_token_is_read;

#[path = "../client/proxy.rs"]
mod proxy;
