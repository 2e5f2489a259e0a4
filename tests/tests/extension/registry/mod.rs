//! The registry: which tenants exist, in which state, with which limits, and who says so.

mod a_change_goes_unheard;
mod a_change_is_overtaken;
mod a_generation_is_reused;
mod a_key_tells_too_much;
mod a_limit_is_exceeded;
mod a_limit_is_raised;
mod a_lookup_tells_too_much;
mod a_new_connection_is_misled;
mod a_record_is_forged;
mod a_suspended_tenant_is_entered;
mod a_tenant_changes_its_own;
mod a_tenant_is_removed;
mod a_wrong_name_is_taken;
mod anothers_line_is_told;
mod anybody_manages_tenants;
mod declarations_hold_for_everybody;
mod entering_costs_a_query;
mod names_lead_to_their_tenant;
mod plans_give_limits;
mod settings_are_the_tenants;
mod states_decide_who_enters;
