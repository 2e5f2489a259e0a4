//! What a transaction is inside of, and how the commit's probe knows it again.

use pg_tenant_core::{SystemContext, TenantId};

use crate::error::{Error, Kind};
use crate::tx::entry::Way;

/// There is no statement without one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entered {
    /// One tenant.
    Tenant(TenantId),
    /// The tenant of a token, which the server has not named yet.
    Unnamed,
    /// All tenants.
    System(SystemContext),
}

impl Entered {
    /// What this way leads into.
    pub(crate) fn by(way: &Way) -> Entered {
        match way {
            Way::In(id) => Entered::Tenant(*id),
            Way::Signed(id, _) => id.map_or(Entered::Unnamed, Entered::Tenant),
            Way::System(context, _) => Entered::System(*context),
        }
    }

    pub(crate) fn tenant(&self) -> Option<&TenantId> {
        match self {
            Entered::Tenant(id) => Some(id),
            Entered::Unnamed | Entered::System(_) => None,
        }
    }

    /// Whether the probe's answer is this. No tenant is NULL or empty.
    pub(crate) fn is(&self, probed: Option<&str>) -> bool {
        match (self, probed) {
            (Entered::Tenant(id), Some(text)) => text.parse() == Ok(*id),
            (Entered::System(context), Some(text)) => text == context.as_str(),
            (Entered::Unnamed, _) | (_, None) => false,
        }
    }

    /// Learns the tenant that a token named.
    pub(crate) fn learn(&mut self, named: Option<String>) {
        if let (Entered::Unnamed, Some(Ok(id))) = (&self, named.map(|id| id.parse())) {
            *self = Entered::Tenant(id);
        }
    }

    /// In a sentence.
    pub(crate) fn describe(&self) -> String {
        match self {
            Entered::Tenant(id) => format!("tenant {id}"),
            Entered::Unnamed => "the tenant of its token".to_owned(),
            Entered::System(SystemContext::Read) => "the system context".to_owned(),
            Entered::System(SystemContext::Write) => "the system context for writing".to_owned(),
            Entered::System(SystemContext::Owner) => "the system context of an owner".to_owned(),
        }
    }

    /// The same for what the probe found.
    pub(crate) fn describe_probed(probed: Option<&str>) -> String {
        match probed.filter(|text| !text.is_empty()) {
            None => "no tenant".to_owned(),
            Some(text) => match SystemContext::from_setting(text) {
                Some(context) => Entered::System(context).describe(),
                None => format!("tenant {text}"),
            },
        }
    }
}

impl Error {
    pub(crate) fn tenant_lost(entered: &Entered, found: Option<&str>) -> Error {
        let what = if let Entered::System(_) = entered { "the system context" } else { "its tenant" };
        let (entered, found) = (entered.describe(), Entered::describe_probed(found));
        Error::new(Kind::TenantLost, format!("the transaction lost {what} before it was committed"))
            .with_detail(format!("it entered {entered} and ended with {found}; statements after that ran outside it"))
            .with_hint("do not run commit, rollback or begin as statements: use commit(), rollback() and savepoint()")
    }

    /// The same, of a transaction that enters this.
    pub(crate) fn at_entry_of(self, entered: &Entered) -> Error {
        let mut error = self.at_entry();
        if let (Kind::NotGranted, Entered::System(_)) = (error.0.kind, entered) {
            error.0.kind = Kind::SystemNotGranted;
            error.0.message = "the role may not enter the system context".to_owned();
            return error.with_hint("grant tenant_user, tenant_system to the role this pool connects as");
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_never_taken_for_another() {
        let tenant = |id: &str| Entered::Tenant(id.parse().unwrap());
        let all = [
            tenant("acme"),
            tenant("globex"),
            Entered::System(SystemContext::Read),
            Entered::System(SystemContext::Write),
        ];
        let probed = ["acme", "globex", "*system read", "*system write"];
        for (i, entered) in all.iter().enumerate() {
            for (j, text) in probed.iter().enumerate() {
                assert_eq!(entered.is(Some(text)), i == j, "{entered:?} against {text}");
            }
            assert!(!entered.is(None) && !entered.is(Some("")));
        }
        assert!(!Entered::Unnamed.is(Some("acme")));
    }

    #[test]
    fn only_a_token_is_still_to_be_named() {
        let mut entered = Entered::Unnamed;
        entered.learn(None);
        assert_eq!(entered.tenant(), None);
        entered.learn(Some("acme".to_owned()));
        assert!(entered.is(Some("acme")));
        entered.learn(Some("globex".to_owned()));
        assert!(entered.is(Some("acme")));
    }
}
