//! Where a request names its tenant.

use std::borrow::Cow;

use http::HeaderName;
use http::request::Parts;

use super::denied::Denied;
use super::host::host;

/// A place where a request names its tenant: by its slug, or as configured by its id.
///
/// Each source that is present in a request must name the tenant that the request proves. A
/// [`required`](Self::required) source must be present.
#[derive(Clone, Debug)]
pub struct Source {
    place: Place,
    pub(super) by: By,
    pub(super) required: bool,
}

/// What a source holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Slug,
    Id,
    Domain,
}

#[derive(Clone, Debug)]
enum Place {
    Domain(String),
    Subdomain(String),
    Path(String),
    Header(HeaderName),
}

impl Source {
    fn new(place: Place) -> Source {
        Source { place, by: By::Slug, required: false }
    }

    /// The label before this domain: `acme` of `acme.example.com` for `example.com`. The domain itself and hosts of
    /// other domains name no tenant. The host is taken from the request line or the header `Host`; other headers, which
    /// a proxy may add, are ignored.
    pub fn subdomain(domain: impl Into<String>) -> Source {
        let domain = domain.into().to_ascii_lowercase();
        Source::new(Place::Subdomain(domain.trim_matches('.').to_owned()))
    }

    /// The host itself, which must be a domain that a tenant has proved to be its own (`tenant.verify_domain`): a
    /// customer's `orders.acme.com`. The application's `own` domain and what is below it name no tenant here; for them
    /// [`subdomain`](Self::subdomain) stands beside this source.
    pub fn domain(own: impl Into<String>) -> Source {
        let own = own.into().to_ascii_lowercase().trim_matches('.').to_owned();
        Source { by: By::Domain, ..Source::new(Place::Domain(own)) }
    }

    /// The segment after this prefix of the path: `acme` of `/t/acme/orders` for `/t`. In a nested axum router it is
    /// the path that the client asked for.
    pub fn path(prefix: impl AsRef<str>) -> Source {
        let inner = prefix.as_ref().trim_matches('/');
        Source::new(Place::Path(if inner.is_empty() { "/".to_owned() } else { format!("/{inner}/") }))
    }

    /// The value of this header.
    pub fn header(name: HeaderName) -> Source {
        Source::new(Place::Header(name))
    }

    /// The source holds the tenant's id instead of its slug.
    pub fn by_id(mut self) -> Source {
        self.by = By::Id;
        self
    }

    /// A request without it is denied with [`Denied::NoTenant`].
    pub fn required(mut self) -> Source {
        self.required = true;
        self
    }

    /// The name that the request has here, if it has one.
    pub(super) fn read<'r>(&self, request: &'r Parts) -> Result<Option<Cow<'r, str>>, Denied> {
        match &self.place {
            Place::Domain(own) => {
                let Some(host) = host(request)? else { return Ok(None) };
                let below = host.strip_suffix(own.as_str()).filter(|_| !own.is_empty());
                let is_own = below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
                Ok((!is_own).then_some(Cow::Owned(host)))
            }
            Place::Subdomain(domain) => {
                let Some(host) = host(request)? else { return Ok(None) };
                let label = host.strip_suffix(domain).and_then(|rest| rest.strip_suffix('.'));
                Ok(label.map(|label| Cow::Owned(label.to_owned())))
            }
            Place::Path(prefix) => {
                let rest = path(request).strip_prefix(prefix.as_str());
                let segment = rest.and_then(|rest| rest.split('/').next()).filter(|segment| !segment.is_empty());
                segment.map(decode).transpose()
            }
            Place::Header(name) => {
                let mut values = request.headers.get_all(name).iter();
                match (values.next(), values.next()) {
                    (None, _) => Ok(None),
                    (Some(one), None) => {
                        one.to_str().map(|text| Some(Cow::Borrowed(text))).map_err(|_| Denied::Ambiguous)
                    }
                    (Some(_), Some(_)) => Err(Denied::Ambiguous),
                }
            }
        }
    }
}

/// The path that the client asked for, whatever a router has taken off it.
fn path(request: &Parts) -> &str {
    #[cfg(feature = "axum")]
    if let Some(original) = request.extensions.get::<axum::extract::OriginalUri>() {
        return original.0.path();
    }
    request.uri.path()
}

/// Undoes percent-encoding. Neither a slug nor an id has a character that is not ASCII.
fn decode(segment: &str) -> Result<Cow<'_, str>, Denied> {
    if !segment.contains('%') {
        return Ok(Cow::Borrowed(segment));
    }
    let mut decoded = String::with_capacity(segment.len());
    let mut rest = segment;
    while let Some((before, after)) = rest.split_once('%') {
        let byte = after.get(..2).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = byte.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(u8::is_ascii_graphic);
        decoded.push_str(before);
        decoded.push(char::from(byte.ok_or(Denied::Ambiguous)?));
        rest = &after[2..];
    }
    decoded.push_str(rest);
    Ok(Cow::Owned(decoded))
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
