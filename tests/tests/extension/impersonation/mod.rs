//! Impersonation: who of support gets into a tenant, in whose place, how long, and who hears of it.

mod a_stranger_is_let_in;
mod another_is_entered;
mod fixture;
mod it_goes_on_after_its_end;
mod it_writes_unasked;
mod nobody_hears_of_it;
mod one_person_decides;
mod the_user_is_a_stranger;
