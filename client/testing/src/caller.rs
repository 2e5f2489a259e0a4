//! One of the two tenants.

use std::collections::BTreeMap;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

/// One of the two tenants: what its requests prove it with, and what it has.
#[derive(Clone, Debug)]
pub struct Caller {
    pub(super) name: String,
    pub(super) headers: HeaderMap,
    pub(super) ids: BTreeMap<String, String>,
    pub(super) absent: BTreeMap<String, String>,
    pub(super) vars: BTreeMap<String, String>,
    pub(super) markers: Vec<String>,
}

impl Caller {
    /// A tenant, as the report shall call it.
    pub fn new(name: impl Into<String>) -> Caller {
        let (ids, absent, vars) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Caller { name: name.into(), headers: HeaderMap::new(), ids, absent, vars, markers: Vec::new() }
    }

    /// Sends a header with each of its requests: a cookie, a `host`.
    ///
    /// # Panics
    /// Where name or value can be no header.
    pub fn header(mut self, name: &str, value: &str) -> Caller {
        let name = HeaderName::try_from(name).unwrap_or_else(|why| panic!("header {name:?}: {why}"));
        let mut value = HeaderValue::try_from(value).unwrap_or_else(|why| panic!("value of header {name}: {why}"));
        value.set_sensitive(true);
        self.headers.append(name, value);
        self
    }

    /// Sends `Authorization: Bearer …`.
    ///
    /// # Panics
    /// Where the token can be no header.
    pub fn bearer(self, token: &str) -> Caller {
        self.header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// Something it has: the `{name}` of routes. The other tenant needs one of this name too, with another id.
    pub fn id(mut self, name: impl Into<String>, id: impl ToString) -> Caller {
        self.ids.insert(name.into(), id.to_string());
        self
    }

    /// An id of this name that nobody has. Without this it is made from both tenants' ids: a number above both, or the
    /// text with its last characters changed.
    pub fn absent(mut self, name: impl Into<String>, id: impl ToString) -> Caller {
        self.absent.insert(name.into(), id.to_string());
        self
    }

    /// A `{name}` of routes that stays its own in every call, such as its slug in the path.
    pub fn var(mut self, name: impl Into<String>, value: impl Into<String>) -> Caller {
        self.vars.insert(name.into(), value.into());
        self
    }

    /// A text that stands in its data alone: in no answer to the other.
    pub fn marker(mut self, text: impl Into<String>) -> Caller {
        self.markers.push(text.into());
        self
    }

    /// An id that neither has.
    pub(super) fn absent_for(&self, other: &Caller, name: &str) -> String {
        if let Some(id) = self.absent.get(name).or_else(|| other.absent.get(name)) {
            return id.clone();
        }
        let (mine, theirs) = (self.ids[name].as_str(), other.ids[name].as_str());
        if let (Ok(mine), Ok(theirs)) = (mine.parse::<i64>(), theirs.parse::<i64>()) {
            return mine.max(theirs).saturating_add(1_000_003).to_string();
        }
        changed(theirs, &[mine, theirs])
    }
}

/// The text with its last letters and digits counted on, each within its kind, until it is none of these.
fn changed(text: &str, none_of: &[&str]) -> String {
    let next = |c: char| match c {
        '0'..='8' | 'a'..='e' | 'A'..='E' => char::from_u32(u32::from(c) + 1).unwrap_or(c),
        '9' => '0',
        'f'..='z' => 'a',
        'F'..='Z' => 'A',
        c => c,
    };
    let mut chars: Vec<char> = text.chars().collect();
    for at in (0..chars.len()).rev() {
        chars[at] = next(chars[at]);
        let candidate: String = chars.iter().collect();
        // Several characters, so that it is not the id next to it, which somebody may have.
        if at + 4 <= chars.len() && !none_of.contains(&candidate.as_str()) {
            return candidate;
        }
    }
    format!("{text}0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_id_looks_like_one() {
        let absent = |mine: &str, theirs: &str| {
            Caller::new("a").id("x", mine).absent_for(&Caller::new("b").id("x", theirs), "x")
        };
        assert_eq!(absent("17", "42"), "1000045");
        let uuid = absent("00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b");
        assert!(uuid.len() == 36 && uuid.ends_with("111c"), "{uuid}");
        assert_ne!(absent("logo", "icon"), "icon");
        assert_eq!(Caller::new("a").id("x", "1").absent("x", "9").absent_for(&Caller::new("b").id("x", "2"), "x"), "9");
    }
}
