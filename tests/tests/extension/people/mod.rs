//! People: who is a member of a tenant, in which role, and what that role may do.

mod a_change_does_not_bite;
mod a_directory_is_misled;
mod a_member_rises;
mod a_permission_is_missing;
mod a_role_is_mistaken;
mod a_stranger_acts;
mod an_invitation_is_used_twice;
pub mod fixture;
mod members_of_others_are_seen;
mod the_last_owner_leaves;
mod they_are_lost_in_a_dump;
