//! URLs of the protocol, compared byte for byte (SPEC.md, Encodings).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::text::serde_as_text;

/// The longest URL that is accepted, in bytes.
pub const MAX_URL: usize = 2048;

/// A URL of a protocol resource: `https`, ASCII, with a path, without user information, query and
/// fragment, already in its normal form, so that comparing bytes compares resources.
///
/// `http` is accepted for loopback hosts only, for tests.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Url(Box<str>);

/// Why a text is no URL of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidUrl {
    /// Longer than [`MAX_URL`].
    #[error("the URL is longer than {MAX_URL} bytes")]
    TooLong,
    /// Neither `https` nor `http` for a loopback host.
    #[error("the URL is not https")]
    Scheme,
    /// The host is empty, not in lower case, or has characters that no host has.
    #[error("the URL's host is not a host name or address in lower case")]
    Host,
    /// The port is no number between 1 and 65535, or is the scheme's own and must be left out.
    #[error("the URL's port is not a number, or is the default port written out")]
    Port,
    /// There is no path, or it has dot segments or characters that a path may not have; a query, a
    /// fragment and a backslash are such.
    #[error(
        "the URL's path is missing, or has dot segments, a query, a fragment or a bad character"
    )]
    Path,
}

impl Url {
    /// Reads a URL; nothing is normalised, what is not normal is refused.
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        if text.len() > MAX_URL {
            return Err(InvalidUrl::TooLong);
        }
        let (secure, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(InvalidUrl::Scheme),
        };
        let path_at = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(path_at);
        let (host, port) = split_port(authority)?;
        check_host(host)?;
        if !secure && !is_loopback(host) {
            return Err(InvalidUrl::Scheme);
        }
        if let Some(port) = port {
            check_port(port, if secure { 443 } else { 80 })?;
        }
        check_path(path)?;
        Ok(Self(text.into()))
    }

    /// The URL as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path, from its first `/`.
    pub fn path(&self) -> &str {
        &self.0[self.origin().len()..]
    }

    /// Scheme, host and port: everything ahead of the path.
    pub fn origin(&self) -> &str {
        let authority = self.0.find("://").map_or(0, |at| at + 3);
        let path = self.0[authority..].find('/').map_or(self.0.len(), |at| authority + at);
        &self.0[..path]
    }

    /// Host and port, as the `Host` header has them.
    pub fn authority(&self) -> &str {
        self.origin().split_once("://").map_or("", |(_, authority)| authority)
    }
}

impl FromStr for Url {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        Self::parse(text)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

serde_as_text!(Url);

/// What a client signs must lie below this: the directory's URL up to the last `/` of its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base(Box<str>);

impl Base {
    /// The base of a directory.
    pub fn of(directory: &Url) -> Self {
        let text = directory.as_str();
        let end = text.rfind('/').map_or(text.len(), |at| at + 1);
        Self(text[..end].into())
    }

    /// Whether the URL lies below this base.
    pub fn contains(&self, url: &Url) -> bool {
        url.as_str().starts_with(&*self.0)
    }

    /// The base as text, ending in `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), InvalidUrl> {
    if let Some(address) = authority.strip_prefix('[') {
        let end = address.find(']').ok_or(InvalidUrl::Host)? + 2;
        let (host, rest) = authority.split_at(end);
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(InvalidUrl::Host),
        };
    }
    Ok(match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    })
}

fn check_host(host: &str) -> Result<(), InvalidUrl> {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let parsed: std::net::Ipv6Addr = address.parse().map_err(|_| InvalidUrl::Host)?;
        // The one text form of RFC 5952.
        return if parsed.to_string() == address { Ok(()) } else { Err(InvalidUrl::Host) };
    }
    let good =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    let labels = host.split('.').all(|label| !label.is_empty() && label.len() <= 63);
    if labels && host.len() <= 253 && host.bytes().all(good) {
        Ok(())
    } else {
        Err(InvalidUrl::Host)
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

fn check_port(port: &str, default: u16) -> Result<(), InvalidUrl> {
    let number: u16 = port.parse().map_err(|_| InvalidUrl::Port)?;
    if number == 0 || number == default || number.to_string() != port {
        return Err(InvalidUrl::Port);
    }
    Ok(())
}

/// RFC 3986 section 3.3. Dot segments are refused because proxies resolve them.
fn check_path(path: &str) -> Result<(), InvalidUrl> {
    let segments = path.strip_prefix('/').ok_or(InvalidUrl::Path)?.split('/');
    for segment in segments {
        check_segment(segment.as_bytes())?;
    }
    Ok(())
}

fn check_segment(segment: &[u8]) -> Result<(), InvalidUrl> {
    let mut bytes = segment.iter();
    let mut dots = 0;
    let mut others = 0;
    while let Some(&byte) = bytes.next() {
        let byte = if byte == b'%' {
            let high = bytes.next().copied().and_then(hex_digit).ok_or(InvalidUrl::Path)?;
            let low = bytes.next().copied().and_then(hex_digit).ok_or(InvalidUrl::Path)?;
            high * 16 + low
        } else if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte) {
            byte
        } else {
            return Err(InvalidUrl::Path);
        };
        if byte == b'.' {
            dots += 1;
        } else {
            others += 1;
        }
    }
    if others == 0 && (1..=2).contains(&dots) { Err(InvalidUrl::Path) } else { Ok(()) }
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_the_protocol_are_read() {
        for text in [
            "https://bank.example/",
            "https://bank.example:8443/koshin/directory",
            "https://192.0.2.1/a//b/",
            "https://[2001:db8::1]:8443/x",
            "http://localhost/d",
            "http://127.0.0.1:8080/d",
            "http://[::1]:8080/d",
            "https://bank.example/a%2Fb/~c;d=e,f@g:h",
            "https://bank.example/.well-known/...",
        ] {
            assert_eq!(Url::parse(text).expect(text).as_str(), text);
        }
    }

    #[test]
    fn other_urls_are_refused_for_their_reason() {
        for (text, reason) in [
            ("", InvalidUrl::Scheme),
            ("ftp://bank.example/", InvalidUrl::Scheme),
            ("HTTPS://bank.example/", InvalidUrl::Scheme),
            ("http://bank.example/", InvalidUrl::Scheme),
            ("http://127.0.0.1.example/", InvalidUrl::Scheme),
            ("https:///", InvalidUrl::Host),
            ("https://Bank.example/", InvalidUrl::Host),
            ("https://user@bank.example/", InvalidUrl::Host),
            ("https://user:pw@bank.example/", InvalidUrl::Port),
            ("https://bank..example/", InvalidUrl::Host),
            ("https://bank.example./", InvalidUrl::Host),
            ("https://銀行.example/", InvalidUrl::Host),
            ("https://[::01]/", InvalidUrl::Host),
            ("https://[::1/", InvalidUrl::Host),
            ("https://[::1]x/", InvalidUrl::Host),
            ("https://bank.example:443/", InvalidUrl::Port),
            ("http://localhost:80/", InvalidUrl::Port),
            ("https://bank.example:0/", InvalidUrl::Port),
            ("https://bank.example:08443/", InvalidUrl::Port),
            ("https://bank.example:/", InvalidUrl::Port),
            ("https://bank.example:65536/", InvalidUrl::Port),
            ("https://bank.example", InvalidUrl::Path),
            ("https://bank.example?a", InvalidUrl::Path),
            ("https://bank.example/?a=b", InvalidUrl::Path),
            ("https://bank.example/#a", InvalidUrl::Path),
            ("https://bank.example/a/../b", InvalidUrl::Path),
            ("https://bank.example/a/.", InvalidUrl::Path),
            ("https://bank.example/%2e%2E/b", InvalidUrl::Path),
            ("https://bank.example/%2", InvalidUrl::Path),
            ("https://bank.example/%zz", InvalidUrl::Path),
            ("https://bank.example/a b", InvalidUrl::Path),
            ("https://bank.example/é", InvalidUrl::Path),
            ("https://bank.example/a\\b", InvalidUrl::Path),
            ("https://bank.example/\n", InvalidUrl::Path),
        ] {
            assert_eq!(Url::parse(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn length_is_bounded() {
        let fill = |length: usize| {
            let start = "https://bank.example/";
            format!("{start}{}", "a".repeat(length - start.len()))
        };
        assert!(Url::parse(&fill(MAX_URL)).is_ok());
        assert_eq!(Url::parse(&fill(MAX_URL + 1)), Err(InvalidUrl::TooLong));
    }

    #[test]
    fn a_url_knows_its_parts() {
        let url = Url::parse("https://bank.example:8443/koshin/directory").expect("a URL");
        assert_eq!(url.origin(), "https://bank.example:8443");
        assert_eq!(url.authority(), "bank.example:8443");
        assert_eq!(url.path(), "/koshin/directory");
    }

    #[test]
    fn the_base_is_the_directory_up_to_its_last_slash() {
        let url = |text| Url::parse(text).expect("a URL");
        let base = Base::of(&url("https://bank.example/koshin/directory"));
        assert_eq!(base.as_str(), "https://bank.example/koshin/");
        assert!(base.contains(&url("https://bank.example/koshin/order/1")));
        assert!(!base.contains(&url("https://bank.example/koshin")));
        assert!(!base.contains(&url("https://bank.example/koshinx/order")));
        assert!(!base.contains(&url("https://bank.example:8443/koshin/order")));
        let root = Base::of(&url("https://bank.example/directory"));
        assert!(!root.contains(&url("https://bank.example.evil/directory")));
    }
}
