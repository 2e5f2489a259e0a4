//! Tables whose rows belong to several tenants, by membership (`tenant.protect_by_membership`): who sees which row, who
//! writes it, who says so.

mod fixture; // two tenants, users of one, of the other and of both

mod a_condition_sees_a_stranger;
mod a_hand_written_policy_shows;
mod a_row_of_several_is_written;
mod a_tenant_adds_itself;
mod it_cannot_be_made;
mod it_gets_in_the_way;
mod it_is_proved;
mod it_is_weakened;
mod some_are_taken_for_all;
