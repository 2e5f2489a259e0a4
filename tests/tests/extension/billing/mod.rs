//! What payment providers say, and what follows from it.

mod a_model_disagrees;
mod a_plan_is_not_there;
mod a_tick_is_stopped;
mod an_event_counts_twice;
mod an_operator_is_overruled;
mod another_is_billed;
mod events_are_malformed;
mod fixture;
mod the_order_matters;
