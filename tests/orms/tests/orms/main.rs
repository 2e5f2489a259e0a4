//! The adapters for sea-orm and diesel against real servers: what they may show, keep or leave behind.

mod fixture; // tenants, a table, pools

mod diesel_loses_its_tenant;
mod diesel_transactions;
mod diesel_types;
mod sea_orm_loses_its_tenant;
mod sea_orm_transactions;
