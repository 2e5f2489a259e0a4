//! A route of the API under test.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, StatusCode};

use crate::caller::Caller;

/// A route. In its path and its body `{name}` stands for an id (see [`Caller::id`]); one without any is a list, or
/// makes something.
#[derive(Clone, Debug)]
pub struct Route {
    pub(super) method: Method,
    path: String,
    body: Option<(&'static str, String)>,
    pub(super) refused: StatusCode,
}

impl Route {
    /// Any method.
    pub fn new(method: Method, path: impl Into<String>) -> Route {
        Route { method, path: path.into(), body: None, refused: StatusCode::NOT_FOUND }
    }

    /// `GET`.
    pub fn get(path: impl Into<String>) -> Route {
        Route::new(Method::GET, path)
    }

    /// `POST`.
    pub fn post(path: impl Into<String>) -> Route {
        Route::new(Method::POST, path)
    }

    /// `PUT`.
    pub fn put(path: impl Into<String>) -> Route {
        Route::new(Method::PUT, path)
    }

    /// `PATCH`.
    pub fn patch(path: impl Into<String>) -> Route {
        Route::new(Method::PATCH, path)
    }

    /// `DELETE`.
    pub fn delete(path: impl Into<String>) -> Route {
        Route::new(Method::DELETE, path)
    }

    /// Sends a body of JSON.
    pub fn json(mut self, body: impl Into<String>) -> Route {
        self.body = Some(("application/json", body.into()));
        self
    }

    /// Sends a form.
    pub fn form(mut self, body: impl Into<String>) -> Route {
        self.body = Some(("application/x-www-form-urlencoded", body.into()));
        self
    }

    /// How it refuses an id of another tenant; 404 without this.
    pub fn refused(mut self, status: StatusCode) -> Route {
        self.refused = status;
        self
    }

    /// Whether it only reads.
    pub(super) fn reads(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }

    /// What it lists, if it may be a list: the last segment of its path, where that is no id.
    pub(super) fn lists(&self) -> Option<&str> {
        let path = self.path.split('?').next().unwrap_or_default();
        let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        (self.method == Method::GET && !last.contains('{')).then_some(last)
    }

    /// The names of the ids that it takes.
    pub(super) fn ids(&self, caller: &Caller) -> Vec<String> {
        self.names().into_iter().filter(|name| caller.ids.contains_key(name)).collect()
    }

    /// The names that nobody has said anything of.
    pub(super) fn unknown(&self, caller: &Caller) -> Vec<String> {
        let known = |name: &String| caller.ids.contains_key(name) || caller.vars.contains_key(name);
        self.names().into_iter().filter(|name| !known(name)).collect()
    }

    fn names(&self) -> BTreeSet<String> {
        let body = self.body.as_ref().map_or("", |(_, body)| body.as_str());
        [self.path.as_str(), body].into_iter().flat_map(names).collect()
    }

    /// Somebody's request, with these ids.
    pub(super) fn request(
        &self,
        caller: &Caller,
        ids: &BTreeMap<String, String>,
    ) -> Result<Request<Vec<u8>>, http::Error> {
        let fill = |text: &str| {
            let all = caller.vars.iter().chain(ids);
            all.fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
        };
        let (kind, body) =
            self.body.as_ref().map_or((None, Vec::new()), |(kind, body)| (Some(kind), fill(body).into()));
        let mut request = Request::builder().method(self.method.clone()).uri(fill(&self.path)).body(body)?;
        request.headers_mut().extend(caller.headers.clone());
        if let Some(kind) = kind {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        Ok(request)
    }
}

/// The `{name}`s of a text. JSON's braces have other things between them.
fn names(text: &str) -> Vec<String> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let after = text.split('{').skip(1);
    let name = |rest: &str| rest.split_once('}').map(|(name, _)| name.to_owned());
    after.filter_map(name).filter(|name| !name.is_empty() && name.chars().all(part)).collect()
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stand_in_the_path_and_in_the_body() {
        let route = Route::post("/t/{tenant}/p/{project}").json(r#"{"task": {task}, "in": {"a": {}}, "n": "{note}"}"#);
        let caller = Caller::new("a").id("project", 1).id("task", 2).var("tenant", "acme").id("unused", 3);
        assert_eq!(route.ids(&caller), ["project", "task"]);
        assert_eq!(route.unknown(&caller), ["note"]);
        let request = route.request(&caller, &caller.ids).unwrap();
        assert_eq!(request.uri(), "/t/acme/p/1");
        assert_eq!(String::from_utf8_lossy(request.body()), r#"{"task": 2, "in": {"a": {}}, "n": "{note}"}"#);
        assert_eq!(request.headers()[CONTENT_TYPE], "application/json");
    }
}
