//! What a tenant takes is bounded for all its sessions together.

mod a_limit_is_malformed;
mod a_place_is_lost;
mod everybody_waits_for_one;
mod it_comes_too_fast;
mod too_many_at_once;
