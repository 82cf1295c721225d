//! The bank's own URLs: every one is made, and recognized, here (SPEC.md 4.4, 7.1).

use koshin_protocol::url::Url;

use crate::config::Origin;
use crate::route::Route;

/// Path of the base below the public origin.
const BASE: &str = "/koshin/";

/// Makes URLs of routes below one public origin.
#[derive(Debug, Clone)]
pub struct Urls {
    base: String,
}

impl Urls {
    /// The URLs of the bank that clients call `origin`.
    pub fn new(origin: &Origin) -> Self {
        Self { base: format!("{}{BASE}", origin.as_str()) }
    }

    /// The URL of a resource.
    pub fn of(&self, route: &Route) -> Url {
        self.below(&route.path())
    }

    /// The URL under which renewal information is asked for, without the certID.
    pub fn renewal_info(&self) -> Url {
        let path = Route::RenewalInfo(String::new()).path();
        self.below(path.trim_end_matches('/'))
    }

    fn below(&self, path: &str) -> Url {
        let url = format!("{}{path}", self.base);
        Url::parse(&url).expect("an origin, the base and a route's path are a URL")
    }

    /// The resource at the path of a request.
    pub fn route(path: &str) -> Option<Route> {
        Route::of(path.strip_prefix(BASE)?)
    }

    /// The session that a `kid` names, as the id in its URL.
    pub fn session(&self, kid: &Url) -> Option<String> {
        let route = Route::of(kid.as_str().strip_prefix(&self.base)?)?;
        if let Route::Session(id) = route { Some(id) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kid_names_a_session_of_this_bank_only() {
        let urls = Urls::new(&Origin::parse("https://bank.example").expect("an origin"));
        let kid = urls.of(&Route::Session("abc".to_owned()));
        assert_eq!(urls.session(&kid).as_deref(), Some("abc"));
        for foreign in [
            "https://other.example/koshin/session/abc",
            "https://bank.example/koshin/session/abc/logoff",
            "https://bank.example/koshin/order/abc",
        ] {
            assert_eq!(urls.session(&Url::parse(foreign).expect("a URL")), None, "{foreign}");
        }
    }
}
