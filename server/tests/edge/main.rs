//! The edge as a peer on the network meets it: raw bytes in, raw bytes out.

mod bank;
mod connections;
mod framing;
mod http2;
mod sizes;
mod stopping;
mod tls;
mod watching;
