//! The bank's resources, as one table: where each is, what a request there is, and who signs it (SPEC.md section 7).

use std::sync::LazyLock;

use http::Method;
use koshin_protocol::directory::ProfileName;
use koshin_protocol::operation::{Identification, Operation};
use matchit::Router;

use Identification::{Certificate, Key, Session};
use ProfileName::{Core, Full};
use Requests::{Read, Signed, Unsigned};

/// What requests a resource has.
#[derive(Debug, Clone, Copy)]
enum Requests {
    /// Unsigned ones: what metrics call them, and the methods that there are.
    Unsigned(&'static str, &'static str),
    /// Signed ones that read, and what may name who signs them: that differs by what is read (SPEC.md 5.5).
    Read(&'static [Identification]),
    /// Signed ones of an operation, which itself knows what may name who signs them (SPEC.md 5.4).
    Signed(Operation),
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
struct Row {
    path: &'static str,
    requests: Requests,
    least_profile: ProfileName,
}

/// Makes [`Route`] of the table, with the way from a path to a route and back.
macro_rules! resources {
    (@text $id:ident) => { String };
    ($($name:ident $(($id:ident))?, $path:literal, $requests:expr, $least_profile:expr;)*) => {
        /// A resource of the bank. Ids are taken from the path as they stand; whether they exist is the store's business.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Route {
            $(#[doc = concat!("`", $path, "`")] $name $((resources!(@text $id)))?,)*
        }

        /// What a path names, if it has that form and this id.
        type Named = fn(id: String) -> Route;

        const NAMED: &[(&str, Named)] =
            &[$(($path, |_id| Route::$name $(({ let $id = _id; $id }))?)),*];

        impl Route {
            fn row(&self) -> Row {
                let (path, requests, least_profile) = match self {
                    $(Self::$name { .. } => ($path, $requests, $least_profile),)*
                };
                Row { path, requests, least_profile }
            }

            /// The id in the path, of a resource that there are several of.
            pub fn id(&self) -> Option<&str> {
                match self {
                    $(Self::$name $(($id))? => None $(.or(Some($id.as_str())))?,)*
                }
            }
        }
    };
}

resources! {
    // Resource         path below the base         requests                              least profile
    Directory,          "directory",                Unsigned("directory", "GET"),         Core;
    NewNonce,           "new-nonce",                Unsigned("newNonce", "HEAD, GET"),    Core;
    RenewalInfo(id),    "renewal-info/{certID}",    Unsigned("renewalInfo", "GET"),       Core;
    NewSession,         "new-session",              Signed(Operation::NewSession),        Core;
    Session(id),        "session/{id}",             Read(&[Session]),                     Core;
    Defer(id),          "session/{id}/defer",       Signed(Operation::Defer),             Core;
    Logoff(id),         "session/{id}/logoff",      Signed(Operation::Logoff),            Core;
    Contract(id),       "contract/{id}",            Read(&[Session]),                     Core;
    NewOrder,           "new-order",                Signed(Operation::NewOrder),          Core;
    Order(id),          "order/{id}",               Read(&[Session, Key]),                Core;
    FindOrder,          "find-order",               Signed(Operation::FindOrder),         Core;
    Cancel(id),         "order/{id}/cancel",        Signed(Operation::Cancel),            Core;
    Certificate(id),    "order/{id}/certificate",   Read(&[Session, Key, Certificate]),   Core;
    Confirm(id),        "order/{id}/confirm",       Signed(Operation::Confirm),           Core;
    Rollback(id),       "order/{id}/rollback",      Signed(Operation::Rollback),          Core;
    NewReissue,         "new-reissue",              Signed(Operation::NewReissue),        Full;
    Reissue(id),        "reissue/{id}",             Read(&[Session]),                     Full;
    CancelReissue(id),  "reissue/{id}/cancel",      Signed(Operation::CancelReissue),     Full;
    Unlock,             "unlock",                   Signed(Operation::Unlock),            Full;
    Pin,                "pin",                      Signed(Operation::Pin),               Full;
    NewEnrollment,      "new-enrollment",           Signed(Operation::NewEnrollment),     Full;
    RevokeCert,         "revoke-cert",              Signed(Operation::RevokeCert),        Core;
    Crl(id),            "crl/{issuer}",             Unsigned("crl", "GET"),               Core;
}

static ROUTER: LazyLock<Router<Named>> = LazyLock::new(|| {
    let mut router = Router::new();
    for (path, named) in NAMED {
        router.insert(*path, *named).expect("no two paths of the table are the same");
    }
    router
});

impl Route {
    /// The resource at `path`, which is below the base and has no leading `/`; `None` if there is none.
    pub fn of(path: &str) -> Option<Self> {
        let found = ROUTER.at(path).ok()?;
        let id = found.params.iter().next().map_or("", |(_, id)| id);
        Some((found.value)(id.to_owned()))
    }

    /// The path below the base that names this resource; the inverse of [`Route::of`].
    pub fn path(&self) -> String {
        let path = self.row().path;
        match (path.split_once('{'), path.split_once('}'), self.id()) {
            (Some((before, _)), Some((_, after)), Some(id)) => format!("{before}{id}{after}"),
            _ => path.to_owned(),
        }
    }

    /// The session that this resource belongs to.
    pub fn session(&self) -> Option<&str> {
        self.id().filter(|_| self.row().path.starts_with("session/"))
    }

    /// The HTTP methods that the resource has, as `Allow` lists them (HTP-08).
    pub fn methods(&self) -> &'static str {
        match self.row().requests {
            Unsigned(_, methods) => methods,
            Read(_) | Signed(_) => "POST",
        }
    }

    /// Whether the resource has this HTTP method.
    pub fn has(&self, method: &Method) -> bool {
        self.methods().split(", ").any(|listed| listed == method.as_str())
    }

    /// The operation that a signed request to this resource carries, `None` where requests are not signed.
    pub fn operation(&self) -> Option<Operation> {
        match self.row().requests {
            Unsigned(..) => None,
            Read(_) => Some(Operation::Read),
            Signed(operation) => Some(operation),
        }
    }

    /// Whether that header member may name who signs a request to this resource.
    pub fn is_signed_by(&self, identification: Identification) -> bool {
        match self.row().requests {
            Unsigned(..) => false,
            Read(readers) => readers.contains(&identification),
            Signed(operation) => operation.allows(identification),
        }
    }

    /// Whether a bank of that profile has such a resource (SPEC.md 15.3).
    pub fn is_of(&self, profile: ProfileName) -> bool {
        self.row().least_profile == Core || profile == Full
    }

    /// What metrics call requests to this resource.
    pub fn name(&self) -> &'static str {
        match self.row().requests {
            Unsigned(name, _) => name,
            Read(_) => Operation::Read.typ(),
            Signed(operation) => operation.typ(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_found_again_by_its_path() {
        for (path, named) in NAMED {
            let route = named("x".to_owned());
            assert_eq!(route.row().path, *path);
            assert!(!route.path().contains(['{', '}']), "{}", route.path());
            assert_eq!(Route::of(&route.path()), Some(route));
        }
    }

    #[test]
    fn every_operation_has_a_resource_and_all_but_read_have_one_each() {
        for operation in Operation::ALL {
            let routes = NAMED.iter().map(|(_, named)| named("x".to_owned()));
            let count = routes.filter(|route| route.operation() == Some(operation)).count();
            assert_eq!(count, if operation == Operation::Read { 5 } else { 1 }, "{operation}");
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
            "/directory",
            "Directory",
        ] {
            assert_eq!(Route::of(path), None, "{path}");
        }
    }
}
