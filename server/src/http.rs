//! The edge: everything between the network and the bank's own request pipeline.
//!
//! hyper speaks HTTP; the edge closes what hyper leaves open and bounds what a peer may cost:
//! line ends and message lengths ([`framing`]), the authority asked for ([`authority`]), sizes and
//! times ([`limit`]), how often one address may ask ([`rate`]), the number of connections ([`listener`]). What passes is handed, body and
//! all, to a [`Service`]; what does not is answered with a problem document ([`refusal`]).
//!
//! Heads that hyper itself cannot read never become a request: hyper answers them with a bare 400 (or
//! 431, where they are too long) without a problem document and closes the connection. Over HTTP/2 the
//! stream or the connection is reset in the same way. SPEC.md 5.1 and 5.8 leave the bank free there.

pub mod authority;
pub mod connection;
pub mod framing;
pub mod limit;
pub mod listener;
pub mod rate;
pub mod refusal;
pub mod shutdown;
mod tickets;
pub mod tls;

use std::net::SocketAddr;

use http::{HeaderMap, Request, Response};
use hyper::body::Bytes;

pub use self::authority::Authorities;
pub use self::limit::Limits;
pub use self::listener::{Edge, Listener};
pub use self::rate::{Rate, Rates};
pub use self::refusal::Refusal;
pub use self::shutdown::{Shutdown, Trigger};
pub use self::tls::Tls;

/// What answers the requests that passed the edge.
pub trait Service: Send + Sync + 'static {
    /// Answers one request, whose body is whole, uncompressed and within the limit.
    ///
    /// The edge adds `Date` and nothing else. Cancel-safety: the future is dropped at an await
    /// when the peer goes away, so whatever must not be torn apart belongs into one await.
    fn call(
        &self,
        request: Request<Bytes>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<Bytes>> + Send;

    /// Words the edge's own refusals. `headers` are the refused request's, for the language asked
    /// for. A service with nonces and a directory adds them here.
    fn refuse(&self, refusal: Refusal, headers: &HeaderMap) -> Response<Bytes> {
        refusal.response(headers)
    }
}

impl<S: Service> Service for std::sync::Arc<S> {
    async fn call(&self, request: Request<Bytes>, peer: SocketAddr) -> Response<Bytes> {
        S::call(self, request, peer).await
    }

    fn refuse(&self, refusal: Refusal, headers: &HeaderMap) -> Response<Bytes> {
        S::refuse(self, refusal, headers)
    }
}

/// Put into a response's extensions: the edge closes the connection (over HTTP/2: resets the
/// stream) instead of sending that response.
#[derive(Clone, Copy, Debug)]
pub struct Hangup;
