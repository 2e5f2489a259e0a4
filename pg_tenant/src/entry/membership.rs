//! Whether the actor may enter as a member, and as what.

use crate::context::identity;
use crate::context::member::member_required;
use crate::entry::who::Who;
use crate::gucs::{self, TokenRole};
use crate::people::{self, Role, Standing};
use crate::pg::report::{Outcome, Report};
use pg_tenant_core::{Refusal, TenantId, is_plain};
use std::rc::Rc;

/// The role in which the tenant is entered, if the actor is an active member. Nothing is looked up where no actor is
/// named.
///
/// Refuses (`TN140`) whoever is none, where the session's role requires it.
pub fn admit(id: &TenantId, who: Who<'_>) -> Outcome<Option<Rc<Role>>> {
    let Some(actor) = who.actor() else {
        return if gucs::require_member() { Err(refuse(id, "No actor is named.")) } else { Ok(None) };
    };
    let why = match people::standing(id, actor) {
        Standing::Member(role) => return Ok(with_token(role, who.token_role())),
        _ if !gucs::require_member() => return Ok(None),
        Standing::Deactivated => format!("Actor \"{actor}\" is deactivated."),
        Standing::Roleless(role) => format!("Actor \"{actor}\" is a member in role \"{role}\", which does not exist."),
        Standing::Stranger => format!("Actor \"{actor}\" is no member."),
    };
    Err(refuse(id, &why))
}

/// What a token's role makes of a member's: nothing, unless it was configured. Who is no member gets none by it.
fn with_token(member: Rc<Role>, token: Option<&str>) -> Option<Rc<Role>> {
    let Some(token) = token else { return Some(member) };
    match (gucs::token_role(), people::role(token)) {
        (TokenRole::ignored, _) | (TokenRole::at_least, None) => Some(member),
        (TokenRole::at_least, Some(token)) => Some(if token.rank > member.rank { token } else { member }),
        // A role that narrows, and is not known here, allows nothing.
        (TokenRole::at_most, None) => None,
        (TokenRole::at_most, Some(token)) => Some(if token.rank < member.rank { token } else { member }),
    }
}

/// The actor, who must be there: a variable that was not set is not "nobody".
///
/// Refuses (`TN141`) one that is null, empty, longer than a setting holds, or forges lines of a log.
pub fn require_actor(actor: Option<&str>) -> Outcome<&str> {
    let why = match actor {
        None => "It is null: a variable or a parameter was not set.",
        Some("") => "It is empty.",
        Some(actor) if actor.len() > identity::MAX_LEN => "It is longer than 255 bytes.",
        Some(actor) if !is_plain(actor) => "It has characters that do not show.",
        Some(actor) => return Ok(actor),
    };
    Err(Report::new(Refusal::MalformedActor, "malformed actor")
        .detail(why)
        .hint("Name the user as tenant.members does; where there is none, enter without: select tenant.enter('<id>');"))
}

fn refuse(id: &TenantId, why: &str) -> Report {
    member_required(id.as_str(), why)
}
