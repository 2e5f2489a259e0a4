//! What was found.

use std::fmt;

use http::StatusCode;

/// One thing that was found: tenants not kept apart, or that it could not be found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which route.
    pub route: String,
    /// Who called it.
    pub caller: String,
    /// What is wrong.
    pub leak: Leak,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Leak {
    /// Ids of the other tenant, of these names, were not refused, or otherwise than asked for.
    NotRefused {
        /// The names of the ids that were the other's.
        ids: Vec<String>,
        /// What it answered.
        status: StatusCode,
    },
    /// They were refused otherwise than ids that do not exist, so that one can tell which the other has.
    Distinguishable {
        /// The names of the ids that were the other's.
        ids: Vec<String>,
        /// How the answers differ.
        difference: String,
    },
    /// They were refused, and yet what the other tenant reads is no longer what it was.
    Changed {
        /// The names of the ids that were the other's.
        ids: Vec<String>,
        /// The route on which it shows.
        seen: String,
    },
    /// An answer holds something of the other tenant's.
    Disclosed {
        /// A marker, or the name of an id.
        what: String,
    },
    /// With one's own ids it did not succeed, so that a refusal proves nothing.
    OwnRequestFailed {
        /// What it answered.
        status: StatusCode,
    },
    /// A list holds nothing of one's own, so that it proves nothing that it holds nothing of the other's.
    OwnMissing,
    /// It could not be called, or not as described.
    NotCallable(
        /// Why.
        String,
    ),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as {}: ", self.route, self.caller)?;
        match &self.leak {
            Leak::NotRefused { ids, status } => write!(f, "the other's {} answered {status}", ids.join(" and ")),
            Leak::Distinguishable { ids, difference } => {
                write!(f, "the other's {} can be told from one that does not exist: {difference}", ids.join(" and "))
            }
            Leak::Changed { ids, seen } => {
                write!(f, "the other's {} was refused, and {seen} is no longer what it was", ids.join(" and "))
            }
            Leak::Disclosed { what } => write!(f, "the answer holds the other's {what}"),
            Leak::OwnRequestFailed { status } => write!(f, "one's own answered {status}, so that this proves nothing"),
            Leak::OwnMissing => f.write_str("the list holds nothing of one's own, so that this proves nothing"),
            Leak::NotCallable(why) => f.write_str(why),
        }
    }
}
