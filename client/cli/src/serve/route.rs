//! Addresses, and what answers: who is let in, the page, what browsers are told of it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State as Shared};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};

use super::form::{Forms, Visit};
use super::gate::{Gate, Verdict};
use super::page::{self, Frame};
use super::{actions, findings, headers, jobs, journal, load, metrics, tenant, tenants};
use crate::live::Database;

pub struct State {
    pub database: Database,
    pub gate: Gate,
    pub forms: Forms,
    pub actions: bool,
    pub metrics: metrics::Metrics,
}

pub type App = Shared<Arc<State>>;

/// Who is here.
#[derive(Clone)]
pub struct Visitor {
    pub visit: Visit,
    /// As the proxy says.
    pub who: Option<String>,
}

impl State {
    pub fn frame(&self, visitor: &Visitor, here: &'static str, title: impl Into<String>) -> Frame {
        let token = self.forms.token(&visitor.visit);
        Frame { here, title: title.into(), actions: self.actions, token, refresh: 0, said: "" }
    }
}

pub fn routes(state: Arc<State>) -> Router {
    let mut pages = Router::new()
        .route("/", get(load::show))
        .route("/tenants", get(tenants::show))
        .route("/tenant", get(tenant::show))
        .route("/findings", get(findings::show))
        .route("/jobs", get(jobs::show))
        .route("/journal", get(journal::show))
        .route("/metrics", get(metrics::show));
    if state.actions {
        pages = pages
            .route("/suspend", post(actions::suspend))
            .route("/resume", post(actions::resume))
            .route("/read-only", post(actions::read_only))
            .route("/limit", post(actions::limit))
            .route("/limits", post(actions::limits))
            .route("/retry", post(actions::retry));
    }
    pages
        .fallback(|| async { page::sentence(StatusCode::NOT_FOUND, "No such page", "Choose one from the menu.", 0) })
        .layer(middleware::from_fn_with_state(state.clone(), let_in))
        .route("/token", post(give_token))
        .route("/style.css", get(style))
        .layer(middleware::from_fn(tell_browser))
        .layer(DefaultBodyLimit::max(16 * 1024))
        .with_state(state)
}

async fn let_in(
    Shared(state): App,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let visit = state.forms.visit(request.headers());
    match state.gate.judge(peer, request.headers(), visit.known) {
        Verdict::In(who) => {
            let cookie = visit.fresh.then(|| state.forms.cookie(&visit));
            request.extensions_mut().insert(Visitor { visit, who });
            with_cookie(next.run(request).await, cookie)
        }
        Verdict::AskToken => {
            let cookie = visit.fresh.then(|| state.forms.cookie(&visit));
            let mut asked = page::ask_token(state.forms.token(&visit), "");
            asked.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            with_cookie(asked, cookie)
        }
        Verdict::Out(why) => page::sentence(StatusCode::FORBIDDEN, "Not let in", why, 0),
    }
}

#[derive(serde::Deserialize)]
struct Given {
    form: String,
    token: String,
}

async fn give_token(Shared(state): App, request_headers: axum::http::HeaderMap, Form(given): Form<Given>) -> Response {
    let visit = state.forms.visit(&request_headers);
    if let Err(why) = state.forms.check(&visit, &given.form, &request_headers) {
        return page::sentence(StatusCode::FORBIDDEN, "Not let in", why, 0);
    }
    if !state.gate.is_token(&given.token) {
        return page::ask_token(state.forms.token(&visit), "That is not the token.");
    }
    with_cookie(Redirect::to("/").into_response(), Some(state.forms.cookie(&Forms::begin(true))))
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("pages/style.css")).into_response()
}

async fn tell_browser(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    headers::add(response.headers_mut());
    response
}

fn with_cookie(mut response: Response, cookie: Option<String>) -> Response {
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::from_str(&cookie).ok()) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
