//! The host that a request is for.

use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;

use super::denied::Denied;

/// The host in lower case, without port and final dot; none where the request has none.
pub(super) fn host(request: &Parts) -> Result<Option<String>, Denied> {
    let mut headers = request.headers.get_all(HOST).iter();
    let header = match (headers.next(), headers.next()) {
        (None, _) => None,
        (Some(one), None) => Some(read(&Authority::try_from(one.as_bytes()).map_err(|_| Denied::Ambiguous)?)?),
        (Some(_), Some(_)) => return Err(Denied::Ambiguous),
    };
    let target = request.uri.authority().map(read).transpose()?;
    match (header, target) {
        (Some(header), Some(target)) if header != target => Err(Denied::Ambiguous),
        (header, target) => Ok(target.or(header)),
    }
}

fn read(authority: &Authority) -> Result<String, Denied> {
    // A host header has no user name (`user@`).
    if authority.as_str().contains('@') {
        return Err(Denied::Ambiguous);
    }
    let host = authority.host().to_ascii_lowercase();
    Ok(host.strip_suffix('.').map_or(host.clone(), str::to_owned))
}
