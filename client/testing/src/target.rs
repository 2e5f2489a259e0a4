//! The API under test: somewhere on the network, or a service in this process.

use std::pin::Pin;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use reqwest::redirect::Policy;
use tower_service::Service;

/// What an API answers to a request, when it does.
pub type Answer<'a> =
    Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, Box<dyn std::error::Error + Send + Sync>>> + Send + 'a>>;

/// An API that can be called: [`Http`], [`InProcess`], or one's own way.
pub trait Target: Send + Sync {
    /// Sends a request, whose URI is a path and perhaps a query.
    fn call(&self, request: Request<Vec<u8>>) -> Answer<'_>;
}

/// An API on the network. Redirects are not followed: they are answers.
#[derive(Clone, Debug)]
pub struct Http {
    base: String,
    client: reqwest::Client,
}

impl Http {
    /// At this address: scheme, host, port, and perhaps a path.
    ///
    /// # Panics
    /// Where no client can be made.
    pub fn at(base: impl Into<String>) -> Http {
        let client = reqwest::Client::builder().redirect(Policy::none()).build();
        Http::with(client.unwrap_or_else(|why| panic!("no HTTP client: {why}")), base)
    }

    /// With a client of one's own, for certificates and proxies.
    pub fn with(client: reqwest::Client, base: impl Into<String>) -> Http {
        Http { client, base: base.into().trim_end_matches('/').to_owned() }
    }
}

impl Target for Http {
    fn call(&self, request: Request<Vec<u8>>) -> Answer<'_> {
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            parts.uri = format!("{}{}", self.base, parts.uri).parse::<Uri>()?;
            let request = reqwest::Request::try_from(Request::from_parts(parts, body))?;
            let answer = self.client.execute(request).await?;
            let mut response = Response::new(Vec::new());
            *response.status_mut() = answer.status();
            *response.headers_mut() = answer.headers().clone();
            *response.body_mut() = answer.bytes().await?.to_vec();
            Ok(response)
        })
    }
}

/// A service in this process, such as an axum router.
#[derive(Clone, Debug)]
pub struct InProcess<S>(pub S);

impl<S, C> Target for InProcess<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<C>> + Clone + Send + Sync,
    S::Future: Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    C: http_body::Body<Data = Bytes> + Send,
    C::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn call(&self, request: Request<Vec<u8>>) -> Answer<'_> {
        let mut service = self.0.clone();
        Box::pin(async move {
            std::future::poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
            let (parts, body) = service.call(request.map(Full::from)).await.map_err(Into::into)?.into_parts();
            let body = body.collect().await.map_err(Into::into)?.to_bytes();
            Ok(Response::from_parts(parts, body.to_vec()))
        })
    }
}
