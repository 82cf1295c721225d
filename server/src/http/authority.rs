//! Whether a request asks for this bank, and for nobody else.
//!
//! The bank never learns its own name from a request: `url` of a signed request is compared with
//! the configured origin. The authority of the request itself is checked here only so that a
//! request meant for another server, by mistake or by a rebinding page, is answered 421
//! (RFC 9110 7.4) instead of being served.

use http::header::HOST;
use http::request::Parts;
use http::uri::Scheme;
use http::{Uri, Version};

use super::refusal::Refusal;

/// The authorities that this bank answers to, in lower case, always with their port.
#[derive(Clone, Debug)]
pub struct Authorities {
    scheme: Scheme,
    known: Vec<String>,
}

/// An origin that cannot be a bank's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no origin: expected https://host or https://host:port, nothing after it")]
pub struct BadOrigin(String);

impl Authorities {
    /// Answers to the authority of `origin`, such as `https://bank.example`.
    pub fn of(origin: &str) -> Result<Self, BadOrigin> {
        let bad = || BadOrigin(origin.to_owned());
        let uri: Uri = origin.parse().map_err(|_| bad())?;
        let scheme = uri.scheme().cloned().ok_or_else(bad)?;
        if (scheme != Scheme::HTTPS && scheme != Scheme::HTTP)
            || !matches!(uri.path(), "" | "/")
            || uri.query().is_some()
        {
            return Err(bad());
        }
        let authority = uri.authority().ok_or_else(bad)?;
        let known = vec![normal(authority.as_str(), &scheme).ok_or_else(bad)?];
        Ok(Self { scheme, known })
    }

    /// Answers to `authority` (`host` or `host:port`) as well: a second name, or the name that a
    /// proxy in front uses.
    pub fn and(mut self, authority: &str) -> Result<Self, BadOrigin> {
        let known =
            normal(authority, &self.scheme).ok_or_else(|| BadOrigin(authority.to_owned()))?;
        self.known.push(known);
        Ok(self)
    }

    /// Refuses a request that names no authority, more than one, or a foreign one.
    pub fn check(&self, request: &Parts) -> Result<(), Refusal> {
        let mut hosts = request.headers.get_all(HOST).iter();
        let host = hosts.next();
        if hosts.next().is_some() {
            return Err(Refusal::TwoHosts);
        }
        let target = request.uri.authority();
        // RFC 9112 3.2: HTTP/1.1 needs Host even beside an absolute URI; HTTP/2 has :authority.
        if host.is_none() && (target.is_none() || request.version < Version::HTTP_2) {
            return Err(Refusal::NoHost);
        }
        if let Some(host) = host
            && !host.to_str().is_ok_and(|host| self.knows(host))
        {
            return Err(Refusal::Misdirected);
        }
        if let Some(target) = target
            && !self.knows(target.as_str())
        {
            return Err(Refusal::Misdirected);
        }
        Ok(())
    }

    fn knows(&self, authority: &str) -> bool {
        // The usual case is a byte-for-byte match; the rest is only for spellings.
        self.known.iter().any(|known| known == authority)
            || normal(authority, &self.scheme).is_some_and(|given| self.known.contains(&given))
    }
}

/// `host:port` in lower case, or nothing for what cannot be an authority of the web.
fn normal(authority: &str, scheme: &Scheme) -> Option<String> {
    let parsed: http::uri::Authority = authority.parse().ok()?;
    if parsed.as_str().contains('@') || parsed.host().is_empty() {
        return None;
    }
    let rest = &parsed.as_str()[parsed.host().len()..];
    let port = match (rest, scheme == &Scheme::HTTPS) {
        ("" | ":", true) => 443,
        ("" | ":", false) => 80,
        _ => parsed.port_u16()?,
    };
    Some(format!("{}:{port}", parsed.host().to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bank() -> Authorities {
        Authorities::of("https://Bank.example").expect("an origin")
    }

    fn check(version: Version, uri: &str, hosts: &[&str]) -> Result<(), Refusal> {
        let mut request = http::Request::builder().version(version).uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        bank().check(&request.body(()).expect("a request").into_parts().0)
    }

    #[test]
    fn the_banks_own_authority_passes_in_every_spelling() {
        for host in ["bank.example", "BANK.example", "bank.example:443", "bank.example:"] {
            assert_eq!(check(Version::HTTP_11, "/", &[host]), Ok(()), "{host}");
        }
        assert_eq!(check(Version::HTTP_11, "https://bank.example/", &["bank.example"]), Ok(()));
        assert_eq!(check(Version::HTTP_2, "https://bank.example/", &[]), Ok(()));
    }

    #[test]
    fn no_host_and_two_hosts_are_refused() {
        assert_eq!(check(Version::HTTP_11, "/", &[]), Err(Refusal::NoHost));
        assert_eq!(check(Version::HTTP_11, "https://bank.example/", &[]), Err(Refusal::NoHost));
        assert_eq!(
            check(Version::HTTP_11, "/", &["bank.example", "bank.example"]),
            Err(Refusal::TwoHosts)
        );
        assert_eq!(check(Version::HTTP_2, "/", &[]), Err(Refusal::NoHost));
    }

    #[test]
    fn foreign_authorities_are_misdirected() {
        for host in [
            "evil.example",
            "bank.example:8443",
            "bank.example.",
            "a@bank.example",
            "",
            "bank.example:0443x",
        ] {
            assert_eq!(check(Version::HTTP_11, "/", &[host]), Err(Refusal::Misdirected), "{host}");
        }
        assert_eq!(
            check(Version::HTTP_11, "https://evil.example/", &["bank.example"]),
            Err(Refusal::Misdirected)
        );
        assert_eq!(
            check(Version::HTTP_2, "https://bank.example/", &["evil.example"]),
            Err(Refusal::Misdirected)
        );
    }

    #[test]
    fn only_an_origin_names_a_bank() {
        for origin in
            ["bank.example", "https://bank.example/a", "ftp://bank.example", "https://a@b"]
        {
            assert!(Authorities::of(origin).is_err(), "{origin}");
        }
    }
}
