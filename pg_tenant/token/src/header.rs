//! The header of a token: compared, never followed.

use crate::json::Object;
use crate::rejected::Rejected;

/// What a header says.
pub(crate) struct Header {
    pub(crate) algorithm: String,
    pub(crate) kid: Option<String>,
}

impl Header {
    pub(crate) fn parse(json: &[u8]) -> Result<Header, Rejected> {
        let header = Object::parse(json)
            .ok_or(Rejected::Malformed("Its header is not a JSON object in which each name comes once."))?;
        // RFC 7515, section 4.1.11: what a crit names must be understood, and nothing of that is.
        if header.has("crit") {
            return Err(Rejected::Malformed("Its header has crit, which asks for extensions that are not known here."));
        }
        let text = |name| header.text(name).map_err(|()| Rejected::Malformed("A member of its header is not a text."));
        let algorithm = text("alg")?.ok_or(Rejected::Malformed("Its header has no alg."))?.to_owned();
        Ok(Header { algorithm, kid: text("kid")?.map(str::to_owned) })
    }
}
