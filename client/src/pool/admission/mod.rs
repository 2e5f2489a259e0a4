//! Who may take a connection now: in front of both drivers' pools, so that no tenant eats the pool of all the others.
//!
//! A pool lends to whoever has waited longest, so one tenant with sixty-four waiting calls stands before fifty tenants
//! with one each. Here a free connection goes to the tenant that has the fewest, and among those to the one whose turn
//! is longest ago; inside a tenant to the call that has waited longest. (`mea::admission` shares by key as well; it has
//! no limit per key, settles ties by who came first, and looks at every key for each connection.)

mod gate;
mod loans;
mod permit;
mod queue;
#[cfg(test)]
mod queue_tests;
mod rates;
mod shared;
#[cfg(test)]
mod tests;
mod token_tenants;
mod waiting;

use crate::tenant::share::Share;
pub(crate) use gate::Admission;
pub(crate) use loans::Site;
pub(crate) use permit::Permit;
