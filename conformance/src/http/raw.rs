//! HTTP/1.1 written by hand, octet by octet, for what no client library would send.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::HttpError;
use super::tls::{Connector, HTTP_1, Stream};

/// Longest answer that is read.
const LONGEST: usize = 1 << 20;

/// A connection on which anything can be written.
#[derive(Debug)]
pub struct RawConnection {
    stream: Stream,
}

/// What came back on it.
#[derive(Debug, Clone)]
pub struct RawAnswer {
    /// The status of the first answer; `None`: the connection ended, or was silent, without one.
    pub status: Option<u16>,
    /// All that came.
    pub text: String,
    /// Whether the other side closed the connection.
    pub closed: bool,
}

impl RawConnection {
    /// Connects.
    pub async fn open(connector: &Connector) -> Result<Self, HttpError> {
        Ok(Self { stream: connector.connect(HTTP_1).await? })
    }

    /// Writes; whether the other side took it.
    pub async fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok() && self.stream.flush().await.is_ok()
    }

    /// Reads until the other side closes, or one whole answer is there and nothing more comes within `quiet`.
    pub async fn read(&mut self, quiet: Duration) -> RawAnswer {
        let mut bytes = Vec::new();
        let mut closed = false;
        let mut buffer = vec![0; 16_384];
        while bytes.len() < LONGEST {
            match tokio::time::timeout(quiet, self.stream.read(&mut buffer)).await {
                Ok(Ok(count)) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
                Ok(_) => {
                    closed = true;
                    break;
                }
                Err(_) => break,
            }
        }
        RawAnswer {
            status: status(&bytes),
            text: String::from_utf8_lossy(&bytes).into_owned(),
            closed,
        }
    }
}

fn status(bytes: &[u8]) -> Option<u16> {
    let rest = bytes.strip_prefix(b"HTTP/1.1 ").or_else(|| bytes.strip_prefix(b"HTTP/1.0 "))?;
    std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok()
}

impl RawAnswer {
    /// How often an answer begins in what came: more than one, and the other side took the request for two.
    pub fn answers(&self) -> usize {
        self.text.matches("HTTP/1.1 ").count()
    }

    /// In a few words.
    pub fn summary(&self) -> String {
        let said = match self.status {
            Some(status) => format!("status {status}"),
            None if self.text.is_empty() => "no answer".to_owned(),
            None => "something that is no HTTP".to_owned(),
        };
        format!("{said}, connection {}", if self.closed { "closed" } else { "kept" })
    }
}
