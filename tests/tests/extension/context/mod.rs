//! The tenant of a transaction: who sets it, how long it lasts, what carries it, which ids it takes.

mod a_cancel_leaves_it;
mod a_model_disagrees;
mod a_reader_lies;
mod a_second_tenant_is_entered;
mod a_transaction_is_begun_anew;
mod a_wrong_id_is_entered;
mod it_is_lost_on_the_way;
mod it_outlives_the_transaction;
mod the_session_sets_it;
