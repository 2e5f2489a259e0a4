//! The same over sqlx.
