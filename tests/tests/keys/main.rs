//! Sealed columns: a value opens in another tenant, another column, or after its key was destroyed.

mod world; // a table with a sealed column, keys in files

mod a_key_comes_back;
mod a_value_opens_elsewhere;
mod a_value_stays_behind;
mod services;
