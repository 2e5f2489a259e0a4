//! `cargo +nightly fuzz run token`, in `pg_tenant/token`.
#![no_main]

#[path = "../one_input.rs"]
mod one_input;

libfuzzer_sys::fuzz_target!(|input: &[u8]| one_input::one_input(input));
