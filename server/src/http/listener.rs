//! Accepting connections: how many, over what, until when.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::connection::{self, Shared};
use super::tls::{LOOK_EVERY, TlsError};
use super::{Authorities, Limits, Rates, Service, Shutdown, Tls};
use crate::config::{Config, Transport};
use crate::watch::Metrics;

/// A bound socket and what is spoken on it.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    tls: Option<Tls>,
}

/// Why a listener cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {error}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// Certificate and key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Plain HTTP was asked for beyond this machine.
    #[error("plain HTTP is for loopback addresses only, and {0} is none: configure TLS")]
    PlainBeyondLoopback(SocketAddr),
}

impl Listener {
    /// Listens as configured. TLS files are read again when they change, until `shutdown`.
    pub async fn configured(config: &Config, shutdown: Shutdown) -> Result<Self, ListenError> {
        match &config.transport {
            Transport::Plain => Self::plain(config.listen).await,
            Transport::Tls { certificate, key } => {
                let tls = Tls::load(certificate, key)?;
                let address = config.listen;
                tls.keep_fresh(LOOK_EVERY, shutdown)
                    .map_err(|error| ListenError::Bind { address, error })?;
                Self::tls(address, tls).await
            }
        }
    }

    /// HTTPS on `address`.
    pub async fn tls(address: SocketAddr, tls: Tls) -> Result<Self, ListenError> {
        Ok(Self { socket: bind(address).await?, tls: Some(tls) })
    }

    /// HTTP/1.1 without TLS, on a loopback address only: behind a proxy on the same machine, or in
    /// tests.
    pub async fn plain(address: SocketAddr) -> Result<Self, ListenError> {
        if !address.ip().is_loopback() {
            return Err(ListenError::PlainBeyondLoopback(address));
        }
        Ok(Self { socket: bind(address).await?, tls: None })
    }

    /// The address bound, with the port that the system chose if it was asked to.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|error| ListenError::Bind { address, error })
}

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every request that was taken on was answered.
    Whole,
    /// So many connections were still open when the time of grace ran out.
    CutOff(usize),
}

/// A service, ready to meet the network.
#[derive(Debug)]
pub struct Edge<S> {
    shared: Arc<Shared<S>>,
}

impl<S: Service> Edge<S> {
    /// An edge in front of `service` that answers to `authorities` within `limits`.
    pub fn new(
        service: S,
        authorities: Authorities,
        limits: Limits,
        metrics: Arc<Metrics>,
    ) -> Self {
        let rates = limits.rate.map(Rates::new);
        Self { shared: Arc::new(Shared { service, authorities, limits, rates, metrics }) }
    }

    /// Serves until `shutdown` is asked for; then stops accepting, finishes the requests under way
    /// and returns, after [`Limits::grace`] at the latest.
    pub async fn serve(self, listener: Listener, mut shutdown: Shutdown) -> Drained {
        let limits = self.shared.limits.clone();
        let slots = Arc::new(Semaphore::new(limits.connections));
        let Listener { socket, tls } = listener;
        let mut connections = tokio::task::JoinSet::new();
        loop {
            // The slot first: a connection that nobody may serve is better left in the queue of
            // the kernel, where it costs nothing.
            let accepted = tokio::select! {
                () = shutdown.asked() => break,
                accepted = next(&socket, &slots) => accepted,
                Some(_) = connections.join_next() => continue,
            };
            let (stream, peer, slot) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Most likely out of file descriptors: give the others time to end.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let shared = Arc::clone(&self.shared);
            let (tls, shutdown) = (tls.clone(), shutdown.clone());
            connections.spawn(async move {
                let _slot = slot;
                let _open = shared.metrics.connection_opened();
                serve(shared, tls, stream, peer, shutdown).await;
            });
        }
        drop(socket);
        let finished = async { while connections.join_next().await.is_some() {} };
        match timeout(limits.grace, finished).await {
            Ok(()) => Drained::Whole,
            Err(_) => Drained::CutOff(connections.len()),
        }
    }
}

type Slot = tokio::sync::OwnedSemaphorePermit;

async fn next(
    socket: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, Slot)> {
    let slot = Arc::clone(slots).acquire_owned().await.expect("the semaphore is never closed");
    let (stream, peer) = socket.accept().await?;
    Ok((stream, peer, slot))
}

async fn serve<S: Service>(
    shared: Arc<Shared<S>>,
    tls: Option<Tls>,
    stream: TcpStream,
    peer: SocketAddr,
    shutdown: Shutdown,
) {
    // Answers are written whole; waiting for more would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "TCP_NODELAY");
    }
    let Some(tls) = tls else {
        return connection::http1(shared, stream, peer, shutdown).await;
    };
    let mut asked = shutdown.clone();
    let handshake = tokio::select! {
        handshake = timeout(shared.limits.handshake_time, tls.acceptor().accept(stream)) => handshake,
        () = asked.asked() => return,
    };
    match handshake {
        Ok(Ok(stream)) => {
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                connection::http2(shared, stream, peer, shutdown).await;
            } else {
                connection::http1(shared, stream, peer, shutdown).await;
            }
        }
        Ok(Err(error)) => {
            shared.metrics.handshake_failed();
            tracing::debug!(%peer, %error, "TLS handshake failed");
        }
        Err(_) => {
            shared.metrics.handshake_failed();
            tracing::debug!(%peer, "TLS handshake took too long");
        }
    }
}
