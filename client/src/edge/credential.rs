//! What a request carries to prove who sent it.

use http::header::{AUTHORIZATION, COOKIE};
use http::request::Parts;

use super::denied::Denied;

/// The token of `Authorization: Bearer …`; `None` where there is none, or another scheme.
///
/// # Errors
/// [`Denied::Unproven`] where the header comes twice or is not ASCII.
pub fn bearer(request: &Parts) -> Result<Option<&str>, Denied> {
    let mut values = request.headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Denied::Unproven);
    }
    let value = value.to_str().map_err(|_| Denied::Unproven)?;
    Ok(match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Some(token.trim()),
        _ => None,
    })
}

/// The value of a cookie, as it was sent; `None` where there is none of this name.
///
/// # Errors
/// [`Denied::Unproven`] where it comes twice: the application cannot tell which of them is its own, and a page of a
/// sibling domain can set one.
pub fn cookie<'r>(request: &'r Parts, name: &str) -> Result<Option<&'r str>, Denied> {
    let mut found = None;
    for header in request.headers.get_all(COOKIE) {
        let Ok(header) = header.to_str() else { continue };
        for pair in header.split(';') {
            let Some((key, value)) = pair.split_once('=') else { continue };
            if key.trim() == name && found.replace(value.trim().trim_matches('"')).is_some() {
                return Err(Denied::Unproven);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(headers: &[(&'static str, &'static str)]) -> Parts {
        let mut request = http::Request::new(()).into_parts().0;
        for (name, value) in headers {
            request.headers.append(*name, value.parse().unwrap());
        }
        request
    }

    #[test]
    fn a_credential_is_read_in_one_way() {
        let one = parts(&[("cookie", "a=1; session=\"x=y\""), ("cookie", "b=2"), ("authorization", "bearer  t ")]);
        assert_eq!((cookie(&one, "session"), cookie(&one, "b")), (Ok(Some("x=y")), Ok(Some("2"))));
        assert_eq!((cookie(&one, "sess"), bearer(&one)), (Ok(None), Ok(Some("t"))));
        let two =
            parts(&[("cookie", "session=1; session=2"), ("authorization", "Bearer a"), ("authorization", "Basic b")]);
        assert_eq!((cookie(&two, "session"), bearer(&two)), (Err(Denied::Unproven), Err(Denied::Unproven)));
        let none = parts(&[("authorization", "Basic YTph")]);
        assert_eq!((cookie(&none, "session"), bearer(&none)), (Ok(None), Ok(None)));
    }
}
