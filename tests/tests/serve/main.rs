//! `pgtenant serve` and `top`: the page for operators, `/metrics`, and the live screen, over a real server.

mod world; // the program, running; tenants whose names are an attacker's

mod a_connection_stays_lost;
mod a_name_is_run;
mod a_page_is_missing;
mod a_payload_is_shown;
mod a_stranger_is_let_in;
mod it_changes_unasked;
mod keys_do_nothing;
mod metrics_grow;
mod people_cannot_use_it;
mod top_misleads;
