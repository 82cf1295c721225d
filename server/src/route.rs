//! Which resource a path names, and what a request there may do (SPEC.md section 7).

use koshin_protocol::operation::{Identification, Operation};

/// A resource of the bank. Ids are taken from the path as they stand; whether they exist is the store's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `directory`
    Directory,
    /// `new-nonce`
    NewNonce,
    /// `renewal-info/{certID}`
    RenewalInfo(String),
    /// `crl/{issuer}`
    Crl(String),
    /// `new-session`
    NewSession,
    /// `session/{id}`
    Session(String),
    /// `session/{id}/logoff`
    Logoff(String),
    /// `session/{id}/defer`
    Defer(String),
    /// `contract/{id}`
    Contract(String),
    /// `contract-after/{id}`: the page of the contract that follows this subject
    ContractAfter(String),
    /// `new-order`
    NewOrder,
    /// `find-order`
    FindOrder,
    /// `order/{id}`
    Order(String),
    /// `order/{id}/certificate`
    Certificate(String),
    /// `order/{id}/cancel`
    Cancel(String),
    /// `order/{id}/confirm`
    Confirm(String),
    /// `order/{id}/rollback`
    Rollback(String),
    /// `new-reissue`
    NewReissue,
    /// `reissue/{id}`
    Reissue(String),
    /// `reissue/{id}/cancel`
    CancelReissue(String),
    /// `unlock`
    Unlock,
    /// `pin`
    Pin,
    /// `new-enrollment`
    NewEnrollment,
    /// `revoke-cert`
    RevokeCert,
}

impl Route {
    /// The resource at `path`, which is below the base and has no leading `/`; `None` if there is none.
    pub fn of(path: &str) -> Option<Self> {
        let mut segments = path.split('/');
        let (first, second, third) = (segments.next()?, segments.next(), segments.next());
        if segments.next().is_some() {
            return None;
        }
        let Some(id) = second else { return Self::singular(first) };
        if id.is_empty() {
            return None;
        }
        let id = id.to_owned();
        match (first, third) {
            ("renewal-info", None) => Some(Self::RenewalInfo(id)),
            ("crl", None) => Some(Self::Crl(id)),
            ("session", None) => Some(Self::Session(id)),
            ("session", Some("logoff")) => Some(Self::Logoff(id)),
            ("session", Some("defer")) => Some(Self::Defer(id)),
            ("contract", None) => Some(Self::Contract(id)),
            ("contract-after", None) => Some(Self::ContractAfter(id)),
            ("order", None) => Some(Self::Order(id)),
            ("order", Some("certificate")) => Some(Self::Certificate(id)),
            ("order", Some("cancel")) => Some(Self::Cancel(id)),
            ("order", Some("confirm")) => Some(Self::Confirm(id)),
            ("order", Some("rollback")) => Some(Self::Rollback(id)),
            ("reissue", None) => Some(Self::Reissue(id)),
            ("reissue", Some("cancel")) => Some(Self::CancelReissue(id)),
            _ => None,
        }
    }

    fn singular(name: &str) -> Option<Self> {
        Some(match name {
            "directory" => Self::Directory,
            "new-nonce" => Self::NewNonce,
            "new-session" => Self::NewSession,
            "new-order" => Self::NewOrder,
            "find-order" => Self::FindOrder,
            "new-reissue" => Self::NewReissue,
            "unlock" => Self::Unlock,
            "pin" => Self::Pin,
            "new-enrollment" => Self::NewEnrollment,
            "revoke-cert" => Self::RevokeCert,
            _ => return None,
        })
    }

    /// The path below the base that names this resource; the inverse of [`Route::of`].
    pub fn path(&self) -> String {
        match self {
            Self::Directory => "directory".to_owned(),
            Self::NewNonce => "new-nonce".to_owned(),
            Self::RenewalInfo(id) => format!("renewal-info/{id}"),
            Self::Crl(id) => format!("crl/{id}"),
            Self::NewSession => "new-session".to_owned(),
            Self::Session(id) => format!("session/{id}"),
            Self::Logoff(id) => format!("session/{id}/logoff"),
            Self::Defer(id) => format!("session/{id}/defer"),
            Self::Contract(id) => format!("contract/{id}"),
            Self::ContractAfter(id) => format!("contract-after/{id}"),
            Self::NewOrder => "new-order".to_owned(),
            Self::FindOrder => "find-order".to_owned(),
            Self::Order(id) => format!("order/{id}"),
            Self::Certificate(id) => format!("order/{id}/certificate"),
            Self::Cancel(id) => format!("order/{id}/cancel"),
            Self::Confirm(id) => format!("order/{id}/confirm"),
            Self::Rollback(id) => format!("order/{id}/rollback"),
            Self::NewReissue => "new-reissue".to_owned(),
            Self::Reissue(id) => format!("reissue/{id}"),
            Self::CancelReissue(id) => format!("reissue/{id}/cancel"),
            Self::Unlock => "unlock".to_owned(),
            Self::Pin => "pin".to_owned(),
            Self::NewEnrollment => "new-enrollment".to_owned(),
            Self::RevokeCert => "revoke-cert".to_owned(),
        }
    }

    /// Whether that header member may name who signs a request to this resource (SPEC.md 5.4, 5.5): reads differ by what
    /// they read.
    pub fn is_signed_by(&self, identification: Identification) -> bool {
        match (self, identification) {
            (
                Self::Session(_)
                | Self::Contract(_)
                | Self::ContractAfter(_)
                | Self::Reissue(_),
                identification,
            ) => identification == Identification::Session,
            (Self::Order(_), identification) => identification != Identification::Certificate,
            (other, identification) => {
                other.operation().is_some_and(|operation| operation.allows(identification))
            }
        }
    }

    /// The HTTP methods that the resource has, as `Allow` lists them (HTP-08).
    pub const fn methods(&self) -> &'static str {
        match self {
            Self::NewNonce => "HEAD, GET",
            Self::Directory | Self::RenewalInfo(_) | Self::Crl(_) => "GET",
            Self::NewSession
            | Self::Session(_)
            | Self::Logoff(_)
            | Self::Defer(_)
            | Self::Contract(_)
            | Self::ContractAfter(_)
            | Self::NewOrder
            | Self::FindOrder
            | Self::Order(_)
            | Self::Certificate(_)
            | Self::Cancel(_)
            | Self::Confirm(_)
            | Self::Rollback(_)
            | Self::NewReissue
            | Self::Reissue(_)
            | Self::CancelReissue(_)
            | Self::Unlock
            | Self::Pin
            | Self::NewEnrollment
            | Self::RevokeCert => "POST",
        }
    }

    /// Whether a bank of profile `core` has no such resource (SPEC.md 15.3).
    pub const fn is_full_only(&self) -> bool {
        match self {
            Self::NewReissue
            | Self::Reissue(_)
            | Self::CancelReissue(_)
            | Self::Unlock
            | Self::Pin
            | Self::NewEnrollment => true,
            Self::Directory
            | Self::NewNonce
            | Self::RenewalInfo(_)
            | Self::Crl(_)
            | Self::NewSession
            | Self::Session(_)
            | Self::Logoff(_)
            | Self::Defer(_)
            | Self::Contract(_)
            | Self::ContractAfter(_)
            | Self::NewOrder
            | Self::FindOrder
            | Self::Order(_)
            | Self::Certificate(_)
            | Self::Cancel(_)
            | Self::Confirm(_)
            | Self::Rollback(_)
            | Self::RevokeCert => false,
        }
    }

    /// The session that this resource belongs to.
    pub fn session(&self) -> Option<&str> {
        match self {
            Self::Session(id) | Self::Logoff(id) | Self::Defer(id) => Some(id),
            _ => None,
        }
    }

    /// The operation that a signed request to this resource carries, `None` where requests are not signed.
    pub fn operation(&self) -> Option<Operation> {
        Some(match self {
            Self::Directory | Self::NewNonce | Self::RenewalInfo(_) | Self::Crl(_) => return None,
            Self::Session(_)
            | Self::Contract(_)
            | Self::ContractAfter(_)
            | Self::Order(_)
            | Self::Certificate(_)
            | Self::Reissue(_) => Operation::Read,
            Self::NewSession => Operation::NewSession,
            Self::Logoff(_) => Operation::Logoff,
            Self::Defer(_) => Operation::Defer,
            Self::NewOrder => Operation::NewOrder,
            Self::FindOrder => Operation::FindOrder,
            Self::Cancel(_) => Operation::Cancel,
            Self::Confirm(_) => Operation::Confirm,
            Self::Rollback(_) => Operation::Rollback,
            Self::NewReissue => Operation::NewReissue,
            Self::CancelReissue(_) => Operation::CancelReissue,
            Self::Unlock => Operation::Unlock,
            Self::Pin => Operation::Pin,
            Self::NewEnrollment => Operation::NewEnrollment,
            Self::RevokeCert => Operation::RevokeCert,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_found_again_by_its_path() {
        let id = "x".to_owned();
        let routes = [
            Route::Directory,
            Route::NewNonce,
            Route::RenewalInfo(id.clone()),
            Route::Crl(id.clone()),
            Route::NewSession,
            Route::Session(id.clone()),
            Route::Logoff(id.clone()),
            Route::Defer(id.clone()),
            Route::Contract(id.clone()),
            Route::ContractAfter(id.clone()),
            Route::NewOrder,
            Route::FindOrder,
            Route::Order(id.clone()),
            Route::Certificate(id.clone()),
            Route::Cancel(id.clone()),
            Route::Confirm(id.clone()),
            Route::Rollback(id.clone()),
            Route::NewReissue,
            Route::Reissue(id.clone()),
            Route::CancelReissue(id),
            Route::Unlock,
            Route::Pin,
            Route::NewEnrollment,
            Route::RevokeCert,
        ];
        for route in routes {
            assert_eq!(Route::of(&route.path()), Some(route));
        }
    }

    #[test]
    fn a_path_that_names_nothing_has_no_route() {
        for path in [
            "",
            "order",
            "order/",
            "order//cancel",
            "order/x/",
            "order/x/y",
            "order/x/cancel/z",
            "directory/",
        ] {
            assert_eq!(Route::of(path), None, "{path}");
        }
    }
}
