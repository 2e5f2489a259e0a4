//! Empty: what is here are tests of the adapters for sea-orm and diesel.
