//! What a transaction has entered, and how the commit's probe checks it.

use pg_tenant_core::{SystemContext, TenantId};

use crate::error::{Error, Kind};
use crate::tx::entry::EntryMethod;

/// Every statement runs in one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TxScope {
    /// One tenant.
    Tenant(TenantId),
    /// The tenant of a token, which the server has not named yet.
    Unnamed,
    /// All tenants.
    System(SystemContext),
}

impl TxScope {
    /// What this way leads into.
    pub(crate) fn by(method: &EntryMethod) -> TxScope {
        match method {
            EntryMethod::In(id, _) => TxScope::Tenant(*id),
            EntryMethod::By(grant) => TxScope::Tenant(*grant.tenant_id()),
            EntryMethod::Signed(id, _) => id.map_or(TxScope::Unnamed, TxScope::Tenant),
            EntryMethod::System(context, _) => TxScope::System(*context),
        }
    }

    pub(crate) fn tenant(&self) -> Option<&TenantId> {
        match self {
            TxScope::Tenant(id) => Some(id),
            TxScope::Unnamed | TxScope::System(_) => None,
        }
    }

    /// Whether the probe's answer is this scope. NULL or an empty text stands for no tenant.
    pub(crate) fn is(&self, probed: Option<&str>) -> bool {
        match (self, probed) {
            (TxScope::Tenant(id), Some(text)) => text.parse() == Ok(*id),
            (TxScope::System(context), Some(text)) => text == context.as_str(),
            (TxScope::Unnamed, _) | (_, None) => false,
        }
    }

    /// Keeps the tenant that a token named.
    pub(crate) fn learn(&mut self, named: Option<String>) {
        if let (TxScope::Unnamed, Some(Ok(id))) = (&self, named.map(|id| id.parse())) {
            *self = TxScope::Tenant(id);
        }
    }

    /// In a sentence.
    pub(crate) fn describe(&self) -> String {
        match self {
            TxScope::Tenant(id) => format!("tenant {id}"),
            TxScope::Unnamed => "the tenant of its token".to_owned(),
            TxScope::System(SystemContext::Read) => "the system context".to_owned(),
            TxScope::System(SystemContext::Write) => "the system context for writing".to_owned(),
            TxScope::System(SystemContext::Owner) => "the system context of an owner".to_owned(),
        }
    }

    /// The same for what the probe found.
    pub(crate) fn describe_probed(probed: Option<&str>) -> String {
        match probed.filter(|text| !text.is_empty()) {
            None => "no tenant".to_owned(),
            Some(text) => match SystemContext::from_setting(text) {
                Some(context) => TxScope::System(context).describe(),
                None => format!("tenant {text}"),
            },
        }
    }
}

impl Error {
    pub(crate) fn tenant_lost(entered: &TxScope, found: Option<&str>) -> Error {
        let what = if let TxScope::System(_) = entered { "the system context" } else { "its tenant" };
        let (entered, found) = (entered.describe(), TxScope::describe_probed(found));
        Error::new(Kind::TenantLost, format!("the transaction lost {what} before it was committed"))
            .with_detail(format!("it entered {entered} and ended with {found}; statements after that ran outside it"))
            .with_hint("do not run commit, rollback or begin as statements: use commit(), rollback() and savepoint()")
    }

    /// The same, of a transaction that enters this.
    pub(crate) fn at_entry_of(self, entered: &TxScope) -> Error {
        let mut error = self.at_entry();
        if let (Kind::NotGranted, TxScope::System(_)) = (error.0.kind, entered) {
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
        let tenant = |id: &str| TxScope::Tenant(id.parse().unwrap());
        let all = [
            tenant("acme"),
            tenant("globex"),
            TxScope::System(SystemContext::Read),
            TxScope::System(SystemContext::Write),
        ];
        let probed = ["acme", "globex", "*system read", "*system write"];
        for (i, entered) in all.iter().enumerate() {
            for (j, text) in probed.iter().enumerate() {
                assert_eq!(entered.is(Some(text)), i == j, "{entered:?} against {text}");
            }
            assert!(!entered.is(None) && !entered.is(Some("")));
        }
        assert!(!TxScope::Unnamed.is(Some("acme")));
    }

    #[test]
    fn only_a_token_is_still_to_be_named() {
        let mut entered = TxScope::Unnamed;
        entered.learn(None);
        assert_eq!(entered.tenant(), None);
        entered.learn(Some("acme".to_owned()));
        assert!(entered.is(Some("acme")));
        entered.learn(Some("globex".to_owned()));
        assert!(entered.is(Some("acme")));
    }
}
