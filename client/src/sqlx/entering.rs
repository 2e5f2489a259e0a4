//! What begins a transaction over sqlx and enters it: sent at its beginning, and again where it is begun anew.

use ::sqlx::Row;
use ::sqlx::postgres::PgRow;

use crate::tenant::generation::Generation;
use crate::tenant::token::Token;
use crate::tx::entry::EntryMethod;
use crate::tx::options::BeginOptions;
use crate::wire::sql::GENERATION;

/// Enters with a token, which is a parameter: in a text it would be shown and logged.
const ENTER_SIGNED: &str = "select tenant.enter_signed_pristine($1)";

/// What entering returns beside the id: how to find this transaction from another connection, and the version. Behind
/// them stands the tenant's generation.
const ENTRY_COLUMNS: &str =
    ", pg_catalog.pg_backend_pid(), extract(epoch from pg_catalog.now())::text, tenant.version()";

pub(super) struct Entering {
    /// One message. It enters too where there is no token.
    pub(super) begin: String,
    /// With a token, which is a parameter, in a message of its own.
    pub(super) signed: Option<(String, Token)>,
}

impl Entering {
    pub(super) fn new(method: &EntryMethod, options: &BeginOptions) -> Entering {
        match method {
            EntryMethod::In(id, actor) => Entering {
                begin: options.enter(id, actor.as_deref(), &format!("{ENTRY_COLUMNS}{GENERATION}")),
                signed: None,
            },
            EntryMethod::By(grant) => {
                Entering { begin: options.enter_by(grant, &format!("{ENTRY_COLUMNS}{GENERATION}")), signed: None }
            }
            EntryMethod::System(context, reason) => {
                Entering { begin: options.enter_system(reason, *context, ENTRY_COLUMNS), signed: None }
            }
            EntryMethod::Signed(_, token) => {
                let limit = options.time_limit().map(|column| format!(", {column}")).unwrap_or_default();
                let enter = format!("{ENTER_SIGNED}{ENTRY_COLUMNS}{GENERATION}{limit}");
                Entering { begin: options.begin(), signed: Some((enter, token.clone())) }
            }
        }
    }
}

/// What entering has told; nothing in the system context.
pub(super) fn generation(entered: Option<&PgRow>) -> Option<Generation> {
    entered?.try_get("generation").ok().map(Generation::new)
}
