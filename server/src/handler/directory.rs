//! `directory` (SPEC.md 7.1).

use http::StatusCode;
use koshin_protocol::chain::Chain;
use koshin_protocol::directory::{Directory, Full, Meta, Profile};
use koshin_protocol::pin::PinRule;
use koshin_protocol::time::Period;
use koshin_protocol::url::Url;

use crate::bank::Bank;
use crate::error::Error;
use crate::policy;
use crate::reply::Reply;
use crate::route::Route;
use crate::wire;

/// `GET`: where everything is, and the bank's rules.
pub fn get(bank: &Bank) -> Result<Reply, Error> {
    Ok(Reply::json(StatusCode::OK, &directory(bank)?))
}

fn directory(bank: &Bank) -> Result<Directory, Error> {
    let url = |route: Route| bank.urls.of(&route);
    Ok(Directory {
        new_nonce: url(Route::NewNonce),
        new_session: url(Route::NewSession),
        new_order: url(Route::NewOrder),
        find_order: url(Route::FindOrder),
        renewal_info: bank.urls.renewal_info(),
        revoke_cert: url(Route::RevokeCert),
        profile: profile(bank)?,
        meta: meta(bank)?,
    })
}

fn profile(bank: &Bank) -> Result<Profile, Error> {
    let crl = crls(bank);
    Ok(match bank.policy.profile {
        policy::Profile::Core => Profile::Core { crl, pin_rule: None },
        policy::Profile::Full => Profile::Full(Box::new(Full {
            new_reissue: bank.urls.of(&Route::NewReissue),
            unlock: bank.urls.of(&Route::Unlock),
            pin: bank.urls.of(&Route::Pin),
            new_enrollment: bank.urls.of(&Route::NewEnrollment),
            crl,
            pin_rule: pin_rule(bank)?,
        })),
    })
}

fn crls(bank: &Bank) -> Vec<Url> {
    let root = bank.root_crl.iter().map(|(id, _)| id.clone());
    std::iter::once(bank.issuer.authority().id())
        .chain(root)
        .map(|id| bank.urls.of(&Route::Crl(id)))
        .collect()
}

/// A bank without PINs of profile `full` says so by a rule that requires none.
fn pin_rule(bank: &Bank) -> Result<PinRule, Error> {
    let (length, required) = match &bank.policy.pin {
        Some(rules) => (rules.length.clone(), rules.required),
        None => (4..=16, false),
    };
    let bound = |characters: u32| u16::try_from(characters).unwrap_or(u16::MAX);
    PinRule::new(bound(*length.start()), bound(*length.end()), required)
        .map_err(|error| Error::Registry(error.to_string()))
}

fn meta(bank: &Bank) -> Result<Meta, Error> {
    let policy = &bank.policy;
    let issuers = bank.issuer.authority().chain().map(|issuer| issuer.der().into()).collect();
    let issuers = Chain::new(issuers).map_err(|error| Error::Registry(error.to_string()))?;
    Ok(Meta {
        algorithms: policy.algorithms.clone(),
        key_types: policy.key_types.clone(),
        environments: wire::environments(policy),
        key_stores: wire::key_stores(policy),
        time_zone: policy.time_zone_name().to_owned(),
        window: Period::from_days(policy.renewal.window_days),
        confirm_within: policy.confirm_within,
        rollback_within: policy.rollback,
        issuers: vec![issuers],
        extensions: Vec::new(),
        website: None,
        terms_of_service: None,
    })
}
