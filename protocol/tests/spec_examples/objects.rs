//! The objects of SPEC.md by name: which way each one travels and how this crate reads it.

use koshin_protocol::{
    contract::Contract,
    directory::Directory,
    embedded_jws::EmbeddedJws,
    empty::Empty,
    enrollment::NewEnrollment,
    environment::{Environment, EnvironmentRule},
    json,
    jwk::PublicKey,
    notice::Notice,
    order::{Cancel, Confirm, NewOrder, Order, Rollback},
    pin::{ChangePin, Unlock},
    problem::Problem,
    receipt::Receipt,
    reissue::{NewReissue, Reissue},
    renewal_info::RenewalInfo,
    revocation::{Revocation, RevokeCert},
    session::{NewSession, Session},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// One object of SPEC.md.
pub(crate) struct Object {
    pub(crate) name: &'static str,
    pub(crate) way: Way,
    /// Reads the bytes strictly and writes what was read.
    pub(crate) round_trip: fn(&[u8]) -> Result<Value, String>,
}

/// Which way an object travels, and so how strictly it is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// To the bank: unknown members are refused at every level.
    Request,
    /// From the bank: unknown members are ignored.
    Response,
}

const fn request<T: DeserializeOwned + Serialize>(name: &'static str) -> Object {
    let round_trip = |bytes: &[u8]| written::<T>(json::parse_request(bytes));
    Object { name, way: Way::Request, round_trip }
}

const fn response<T: DeserializeOwned + Serialize>(name: &'static str) -> Object {
    let round_trip = |bytes: &[u8]| written::<T>(json::parse(bytes));
    Object { name, way: Way::Response, round_trip }
}

/// Objects that another module than the wire's reads, or another crate: the schema alone judges
/// their examples.
const fn by_schema_only(name: &'static str) -> Object {
    let round_trip = |bytes: &[u8]| written::<Value>(json::parse(bytes));
    Object { name, way: Way::Request, round_trip }
}

fn written<T: Serialize>(read: Result<T, json::JsonError>) -> Result<Value, String> {
    let object = read.map_err(|error| error.to_string())?;
    serde_json::to_value(object).map_err(|error| error.to_string())
}

pub(crate) const ALL: &[Object] = &[
    response::<Directory>("directory"),
    response::<RenewalInfo>("renewalInfo"),
    request::<NewSession>("newSession"),
    response::<Session>("session"),
    response::<Notice>("notice"),
    response::<Contract>("contract"),
    request::<NewOrder>("newOrder"),
    response::<Order>("order"),
    request::<Cancel>("cancel"),
    request::<Confirm>("confirm"),
    request::<Rollback>("rollback"),
    request::<NewReissue>("newReissue"),
    response::<Reissue>("reissue"),
    request::<Unlock>("unlock"),
    request::<ChangePin>("pin"),
    request::<NewEnrollment>("newEnrollment"),
    request::<RevokeCert>("revokeCert"),
    response::<Revocation>("revocation"),
    request::<Environment>("environment"),
    response::<EnvironmentRule>("requirement"),
    response::<Problem>("problem"),
    request::<Empty>("empty"),
    request::<PublicKey>("jwk"),
    request::<EmbeddedJws>("jws"),
    by_schema_only("jws-header"),
    response::<Receipt>("receipt"),
    by_schema_only("provision-request"),
    by_schema_only("provision-answer"),
    by_schema_only("client-result"),
];

/// The object of this name.
pub(crate) fn of(name: &str) -> &'static Object {
    ALL.iter()
        .find(|object| object.name == name)
        .unwrap_or_else(|| panic!("SPEC.md has an example of an unknown object: {name}"))
}
