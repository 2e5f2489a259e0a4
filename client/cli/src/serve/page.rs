//! What every page has: a frame, and parts below each other. The templates escape whatever stands in them.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::chart::Chart;
use super::table::{Kind, Table};
use crate::live::Fault;

/// Around a page.
#[derive(Clone, Default)]
pub struct Frame {
    /// Which entry of the menu it is.
    pub here: &'static str,
    pub title: String,
    /// Whether there are forms that change something.
    pub actions: bool,
    /// What makes a form this page's.
    pub token: String,
    /// After how many seconds the browser asks again; 0 is never.
    pub refresh: u32,
    /// What was done just now.
    pub said: &'static str,
}

pub struct Part {
    pub id: &'static str,
    pub heading: &'static str,
    pub body: Body,
}

pub enum Body {
    Note(String),
    Facts(Vec<(&'static str, String)>),
    Table(Table),
    Charts(Vec<Chart>),
    Search { query: String, status: String },
    Links(Vec<(&'static str, String)>),
    Forms(Vec<Form>),
}

/// A form that changes something: its fields, beside the reason that each has.
pub struct Form {
    pub action: &'static str,
    pub title: &'static str,
    pub button: &'static str,
    pub id: String,
    pub fields: Vec<Field>,
}

pub struct Field {
    pub name: &'static str,
    pub label: &'static str,
    pub value: String,
    /// What can be chosen; empty is anything.
    pub choices: &'static [&'static str],
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    frame: &'a Frame,
    parts: &'a [Part],
}

#[derive(Template)]
#[template(path = "token.html")]
struct AskToken<'a> {
    frame: &'a Frame,
}

/// The entries of the menu.
pub const MENU: [(&str, &str); 5] =
    [("/", "Load"), ("/tenants", "Tenants"), ("/findings", "Findings"), ("/jobs", "Jobs"), ("/journal", "Journal")];

/// States of tenants that can be searched for.
pub const STATES: [&str; 6] = ["provisioning", "active", "read_only", "suspended", "offboarding", "purged"];

pub fn answer(status: StatusCode, frame: &Frame, parts: &[Part]) -> Response {
    rendered(status, Page { frame, parts }.render())
}

/// A sentence for who is not let in, or for what went wrong.
pub fn sentence(status: StatusCode, title: &str, why: &str, refresh: u32) -> Response {
    let frame = Frame { title: title.to_owned(), refresh, ..Frame::default() };
    answer(status, &frame, &[Part { id: "why", heading: "What to do", body: Body::Note(why.to_owned()) }])
}

pub fn ask_token(token: String, said: &'static str) -> Response {
    let frame = Frame { title: "Token".to_owned(), token, said, ..Frame::default() };
    rendered(StatusCode::UNAUTHORIZED, AskToken { frame: &frame }.render())
}

fn rendered(status: StatusCode, html: askama::Result<String>) -> Response {
    match html {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        match &self {
            Fault::Lost(why) => {
                let said = format!("The database does not answer: {why}. This page asks again every five seconds.");
                sentence(StatusCode::SERVICE_UNAVAILABLE, "No connection", &said, 5)
            }
            Fault::Refused { code, .. } if code == "57014" => {
                let said = "The answer took too long and was stopped. Search for less, or ask again.";
                sentence(StatusCode::GATEWAY_TIMEOUT, "Too slow", said, 0)
            }
            Fault::Refused { code, .. } if ["3F000", "42P01", "42883"].contains(&code.as_str()) => {
                let said = format!(
                    "This database has no pg_tenant, or an older one: {self}. CREATE EXTENSION pg_tenant, or update it."
                );
                sentence(StatusCode::BAD_GATEWAY, "pg_tenant is missing", &said, 0)
            }
            Fault::Refused { code, .. } if code == "42501" => {
                let said = format!("The role of this page may not: {self}. It works as a member of tenant_admin.");
                sentence(StatusCode::FORBIDDEN, "Not allowed", &said, 0)
            }
            Fault::Refused { .. } => {
                sentence(StatusCode::CONFLICT, "Refused", &format!("The server has refused: {self}."), 0)
            }
        }
    }
}
