//! `directory` (SPEC.md 7.1).

use http::StatusCode;
use koshin_protocol::chain::Chain;
use koshin_protocol::directory::{Directory, Full, Meta, Profile, ProfileName};
use koshin_protocol::pin::PinRule;
use koshin_protocol::time::Period;
use koshin_protocol::url::Url;

use crate::bank::Bank;
use crate::error::Error;
use crate::reply::Reply;
use crate::route::Route;

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
        ProfileName::Core => Profile::Core { crl, pin_rule: None },
        ProfileName::Full => Profile::Full(Box::new(Full {
            new_reissue: bank.urls.of(&Route::NewReissue),
            unlock: bank.urls.of(&Route::Unlock),
            pin: bank.urls.of(&Route::Pin),
            new_enrollment: bank.urls.of(&Route::NewEnrollment),
            crl,
            pin_rule: pin_rule(bank)?,
        })),
    })
}

/// The root's CRL is for chains; the directory lists those of issuers that issue to customers (SPEC.md 6.6).
fn crls(bank: &Bank) -> Vec<Url> {
    vec![bank.urls.of(&Route::Crl(bank.issuer.authority().id()))]
}

/// A bank without PINs of profile `full` says so by a rule that requires none.
fn pin_rule(bank: &Bank) -> Result<PinRule, Error> {
    match &bank.policy.pin {
        Some(rules) => Ok(rules.rule),
        None => PinRule::new(4, 16, false).map_err(|error| Error::Registry(error.to_string())),
    }
}

fn meta(bank: &Bank) -> Result<Meta, Error> {
    let policy = &bank.policy;
    let issuers = bank.issuer.authority().chain().map(|issuer| issuer.der().into()).collect();
    let issuers = Chain::new(issuers).map_err(|error| Error::Registry(error.to_string()))?;
    Ok(Meta {
        algorithms: policy.algorithms.clone(),
        key_types: policy.key_types.clone(),
        environments: policy.environments.clone(),
        key_stores: policy.key_stores.clone(),
        time_zone: policy.time_zone_name().to_owned(),
        window: Period::from_days(policy.renewal.window_days),
        confirm_within: policy.confirm_within,
        rollback_within: policy.rollback,
        issuers: vec![issuers],
        extensions: Vec::new(),
        website: policy.website.clone(),
        terms_of_service: policy.terms_of_service.clone(),
    })
}
