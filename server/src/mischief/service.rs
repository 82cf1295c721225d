//! The bank's service, with pranks played in front of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use http::header::RETRY_AFTER;
use http::{HeaderMap, Request, Response};
use hyper::body::Bytes;
use koshin_protocol::jws;

use super::issuer::reluctantly;
use super::{Mischief, Prank, RetryAfter};
use crate::clock::Clock;
use crate::http::{Hangup, Refusal, Service};
use crate::nonce::Nonces;
use crate::watch::Metrics;

/// A service that is played pranks on.
pub struct Mischievous<S> {
    service: S,
    mischief: Option<Mischief>,
    nonces: Arc<Nonces>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

impl<S: Service> Mischievous<S> {
    /// Plays `mischief` on `service`, which accepts these nonces by this clock; without any, passes
    /// everything on.
    pub fn new(
        service: S,
        mischief: Option<Mischief>,
        nonces: Arc<Nonces>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { service, mischief, nonces, clock, metrics }
    }

    /// Spends the nonce of a signed request, so that the service refuses it as it refuses any other
    /// that was spent. Whatever is no signed request is the service's to judge.
    fn spend_nonce(&self, request: &Request<Bytes>) {
        if let Ok(signed) = jws::Parsed::from_slice(request.body())
            && self.nonces.spend(signed.nonce().as_str(), self.clock.uptime()).is_err()
        {
            tracing::debug!("the nonce to refuse was bad already");
        }
    }

    fn wait(&self, refusal: Refusal, after: RetryAfter, headers: &HeaderMap) -> Response<Bytes> {
        let mut response = self.service.refuse(refusal, headers);
        response.headers_mut().insert(RETRY_AFTER, after.value(SystemTime::now()));
        response
    }
}

impl<S: Service> Service for Mischievous<S> {
    async fn call(&self, request: Request<Bytes>, peer: SocketAddr) -> Response<Bytes> {
        let Some(prank) = self.mischief.as_ref().and_then(Mischief::next) else {
            return self.service.call(request, peer).await;
        };
        self.metrics.prank_played(prank.name());
        tracing::debug!(prank = prank.name(), "playing a prank");
        match prank {
            Prank::RejectNonce => {
                self.spend_nonce(&request);
                self.service.call(request, peer).await
            }
            Prank::DropResponse => {
                let mut response = self.service.call(request, peer).await;
                response.extensions_mut().insert(Hangup);
                response
            }
            Prank::Delay(time) => {
                let response = self.service.call(request, peer).await;
                tokio::time::sleep(time).await;
                response
            }
            Prank::RateLimited(after) => {
                self.wait(Refusal::RateLimited { seconds: 1 }, after, request.headers())
            }
            Prank::Unavailable(after) => self.wait(Refusal::Unavailable, after, request.headers()),
            Prank::Processing => reluctantly(self.service.call(request, peer)).await,
        }
    }

    fn refuse(&self, refusal: Refusal, headers: &HeaderMap) -> Response<Bytes> {
        self.service.refuse(refusal, headers)
    }
}
