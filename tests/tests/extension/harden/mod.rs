//! `tenant.protect(…, harden => true)`: keys that contain the tenant. What leaks through keys, shown on stock
//! PostgreSQL, on a table that is only protected, and on one that is hardened as well.

mod fixture; // the same tables three times: stock, protected, hardened

mod a_key_is_made_twice;
mod a_key_loses_something;
mod a_key_tells;
mod a_parent_is_locked;
mod a_reference_crosses;
mod a_release_is_torn;
mod an_orm_stumbles;
mod it_goes_through;
mod nobodys_rows_lose_their_key;
mod order_matters;
