//! Arbitrary values of every response, and of the payloads with more than one shape: what is
//! written is valid by the schema and reads back as the same value.

use std::fmt::Debug;
use std::num::NonZeroU32;
use std::sync::OnceLock;

use koshin_protocol::{
    algorithm::{Algorithm, KeyType},
    base64url,
    cert_id::CertId,
    certificate_entry::{CertificateEntry, CertificateState},
    chain::Chain,
    contract::{Contract, PinState, SubjectEntry},
    directory::{Directory, Full, Meta, Profile},
    embedded_jws::EmbeddedJws,
    environment::{Environment, EnvironmentRule},
    json,
    jwk::Thumbprint,
    notice::{Deferred, Notice},
    order::{Issued, Kind, Order, RollbackRight, Status},
    page_url::PageUrl,
    pin::{Pin, PinRule},
    problem::{CsrFault, Extra, Language, Problem, Token, table::Carries},
    reissue::{self, Reissue, ReissueId},
    renewal_info::{RenewalInfo, Window},
    revocation::{Reason, RevokeCert},
    session::{Access, NewSession, Purpose, Session},
    subject::{Role, Subject, SubjectId, SubjectName},
    time::{Period, Time},
    url::Url,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::schemas::Schemas;

fn schemas() -> &'static Schemas {
    static SCHEMAS: OnceLock<Schemas> = OnceLock::new();
    SCHEMAS.get_or_init(Schemas::load)
}

fn round_trips<T>(object: &str, value: &T) -> Result<(), TestCaseError>
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let written = serde_json::to_value(value).expect("every value has a JSON form");
    let read: T = json::parse(written.to_string().as_bytes()).expect("what we write we read");
    prop_assert_eq!(&read, value);
    let errors = schemas().errors(object, &written);
    prop_assert!(errors.is_empty(), "{written:#}: {errors:#?}");
    Ok(())
}

/// One member of `other` put into `value`: the type reads the mixture exactly if the schema finds
/// it valid. So no state has a member of another one.
fn agrees_on_mixture<T>(
    object: &str,
    value: &T,
    other: &T,
    which: Index,
) -> Result<(), TestCaseError>
where
    T: Serialize + DeserializeOwned,
{
    let written = |value| serde_json::to_value(value).expect("every value has a JSON form");
    let (mut mixture, other): (Value, Value) = (written(value), written(other));
    let members: Vec<(&String, &Value)> = other.as_object().expect("an object").iter().collect();
    let (name, member) = *which.get(&members);
    mixture[name] = member.clone();
    let valid = schemas().errors(object, &mixture).is_empty();
    let read = json::parse::<T>(mixture.to_string().as_bytes());
    prop_assert_eq!(read.is_ok(), valid, "{} in {:#}", name, mixture);
    Ok(())
}

fn parsed<T>(pattern: &str) -> impl Strategy<Value = T> + use<T>
where
    T: std::str::FromStr<Err: Debug> + Debug,
{
    let text = proptest::string::string_regex(pattern).expect("a pattern");
    text.prop_map(|text| text.parse().expect("the pattern makes only good ones"))
}

fn url() -> impl Strategy<Value = Url> {
    parsed("https://bank\\.example/[a-zA-Z0-9_-]{1,12}")
}

fn page() -> impl Strategy<Value = PageUrl> {
    parsed("https://bank\\.example/[!-~]{0,20}")
}

fn time() -> impl Strategy<Value = Time> {
    (0..4_102_444_800_i64).prop_map(|unix| Time::from_unix(unix).expect("until 2099"))
}

fn period() -> impl Strategy<Value = Period> {
    prop_oneof![
        (0..4000_u32).prop_map(Period::from_days),
        (0..4_000_000_u32).prop_map(Period::from_seconds)
    ]
}

fn cert_id() -> impl Strategy<Value = CertId> {
    (vec(any::<u8>(), 1..=32), vec(any::<u8>(), 0..=15)).prop_map(|(authority, tail)| {
        let serial: Vec<u8> = [0x3f].into_iter().chain(tail).collect();
        CertId::new(&authority, &serial).expect("a minimal positive number")
    })
}

fn thumbprint() -> impl Strategy<Value = Thumbprint> {
    any::<[u8; 32]>().prop_map(Thumbprint::from_bytes)
}

fn subject_id() -> impl Strategy<Value = SubjectId> {
    parsed("[A-Za-z0-9._-]{1,64}")
}

fn subject_name() -> impl Strategy<Value = SubjectName> {
    parsed("[^\\p{Cc}]{1,40}")
}

fn chain() -> impl Strategy<Value = Chain> {
    let certificate = vec(any::<u8>(), 1..40).prop_map(Vec::into_boxed_slice);
    vec(certificate, 1..=Chain::MAX).prop_map(|all| Chain::new(all).expect("not too many"))
}

fn jws() -> impl Strategy<Value = EmbeddedJws> {
    [vec(any::<u8>(), 0..40), vec(any::<u8>(), 0..40), vec(any::<u8>(), 0..40)].prop_map(|parts| {
        let [protected, payload, signature] = parts.map(|part| base64url::encode(&part));
        let json = serde_json::json!({
            "protected": protected, "payload": payload, "signature": signature
        });
        EmbeddedJws::from_slice(json.to_string().as_bytes()).expect("three parts")
    })
}

fn role() -> impl Strategy<Value = Role> {
    select(vec![Role::Administrator, Role::User])
}

fn rule() -> impl Strategy<Value = EnvironmentRule> {
    let text = || parsed("[^\\p{Cc}]{1,64}");
    (text(), option::of(text()), option::of(text()), option::of(text())).prop_map(
        |(os, os_version, software, software_version)| EnvironmentRule {
            os,
            os_version,
            software,
            software_version,
        },
    )
}

fn environment() -> impl Strategy<Value = Environment> {
    let text = || parsed("[^\\p{Cc}]{1,64}");
    (text(), text(), text(), text()).prop_map(|(os, os_version, software, software_version)| {
        Environment { os, os_version, software, software_version }
    })
}

fn window() -> impl Strategy<Value = Window> {
    (time(), time()).prop_map(|(a, b)| Window::new(a.min(b), a.max(b)).expect("ordered"))
}

fn entry() -> impl Strategy<Value = CertificateEntry> {
    let state = select(vec![
        CertificateState::Unconfirmed,
        CertificateState::Current,
        CertificateState::Superseded,
        CertificateState::Revoked,
        CertificateState::Expired,
    ]);
    let key_store = option::of(parsed("[a-z0-9]{1,8}"));
    (cert_id(), time(), time(), state, option::of(cert_id()), key_store).prop_map(
        |(cert_id, not_before, not_after, state, successor, key_store)| CertificateEntry {
            cert_id,
            not_before,
            not_after,
            state,
            successor,
            key_store,
        },
    )
}

fn notice() -> impl Strategy<Value = Notice> {
    let deferred = (1..=u32::MAX, time()).prop_map(|(count, last)| Deferred {
        count: NonZeroU32::new(count).expect("from 1 on"),
        last,
    });
    (time(), window(), option::of(deferred), option::of(url()))
        .prop_map(|(expires, window, deferred, defer)| Notice { expires, window, deferred, defer })
}

fn session() -> impl Strategy<Value = Session> {
    let subject = (subject_id(), subject_name(), role()).prop_map(|(id, name, role)| Subject {
        id,
        name,
        role,
    });
    let access = prop_oneof![
        url().prop_map(|contract| Access::Renewal { contract }),
        url().prop_map(|rollback| Access::Recovery { rollback })
    ];
    let links = (access, option::of(notice()), option::of(url()), url());
    (subject, entry(), links, time()).prop_map(
        |(subject, certificate, (access, notice, order, logoff), expires)| Session {
            subject,
            certificate,
            access,
            notice,
            order,
            logoff,
            expires,
        },
    )
}

fn contract() -> impl Strategy<Value = Contract> {
    let pin = select(vec![PinState::None, PinState::Set, PinState::Locked]);
    let who = (subject_id(), subject_name(), role(), pin);
    let what = (vec(entry(), 0..3), option::of(url()), any::<u32>(), option::of(url()));
    let subject = (who, what).prop_map(
        |((id, name, role, pin), (certificates, order, deferrals, reissue))| SubjectEntry {
            id,
            name,
            role,
            pin,
            certificates,
            order,
            deferrals,
            reissue,
        },
    );
    (parsed("[A-Za-z0-9._-]{1,64}"), any::<String>(), vec(subject, 1..3))
        .prop_map(|(id, name, subjects)| Contract { id, name, subjects })
}

fn extra(carries: Carries) -> BoxedStrategy<Extra> {
    let key_types = || vec(select(vec![KeyType::P256, KeyType::P384, KeyType::Ed25519]), 1..3);
    match carries {
        Carries::Nothing => Just(Extra::Nothing).boxed(),
        Carries::OpenOrder => {
            (url(), thumbprint()).prop_map(|(order, key)| Extra::OpenOrder { order, key }).boxed()
        }
        Carries::Order => url().prop_map(Extra::Order).boxed(),
        Carries::Key => thumbprint().prop_map(Extra::Key).boxed(),
        Carries::Successor => cert_id().prop_map(Extra::Successor).boxed(),
        Carries::Predecessor => cert_id().prop_map(Extra::Predecessor).boxed(),
        Carries::Algorithms => {
            vec(select(Algorithm::ALL.to_vec()), 1..4).prop_map(Extra::Algorithms).boxed()
        }
        Carries::KeyTypes => key_types().prop_map(Extra::KeyTypes).boxed(),
        Carries::Environments => vec(rule(), 0..3).prop_map(Extra::Environments).boxed(),
        Carries::KeyStores => vec(parsed("[a-z0-9]{1,8}"), 0..3).prop_map(Extra::KeyStores).boxed(),
        Carries::AttemptsLeft => (1..5_u32).prop_map(Extra::AttemptsLeft).boxed(),
        Carries::CsrFault => prop_oneof![
            key_types().prop_map(CsrFault::KeyType),
            select(vec![
                CsrFault::Signature,
                CsrFault::Key,
                CsrFault::Subject,
                CsrFault::Extension,
                CsrFault::Attribute
            ])
        ]
        .prop_map(Extra::CsrFault)
        .boxed(),
    }
}

fn problem() -> impl Strategy<Value = Problem> {
    let token = select(Token::all().collect::<Vec<Token>>());
    let language = select(Language::ALL.to_vec());
    let token_with_extra = token.prop_flat_map(|token| (Just(token), extra(token.row().carries)));
    (token_with_extra, language, role(), [time(), time()], option::of(page()), any::<String>())
        .prop_map(|((token, extra), language, role, [now, not_before], page, reference)| {
            let mut builder = Problem::builder(token, language, now)
                .role(role)
                .not_before(not_before)
                .instance(reference)
                .extra(extra);
            if let Some(page) = page {
                builder = builder.url(page);
            }
            builder.build()
        })
}

fn order() -> impl Strategy<Value = Order> {
    let issued = || {
        (cert_id(), url(), chain(), url()).prop_map(|(cert_id, certificate, chain, confirm)| {
            Issued { cert_id, certificate, chain, confirm }
        })
    };
    let right = (url(), time()).prop_map(|(url, until)| RollbackRight { url, until });
    let status = prop_oneof![
        option::of(url()).prop_map(|cancel| Status::Processing { cancel }),
        (issued(), option::of(url())).prop_map(|(issued, cancel)| Status::Valid { issued, cancel }),
        (issued(), option::of(right), jws()).prop_map(|(issued, rollback, receipt)| {
            Status::Completed { issued, rollback, receipt }
        }),
        jws().prop_map(|receipt| Status::Canceled { receipt }),
        (problem(), jws())
            .prop_map(|(error, receipt)| Status::Invalid { error: Box::new(error), receipt }),
        (cert_id(), jws()).prop_map(|(cert_id, receipt)| Status::RolledBack { cert_id, receipt }),
    ];
    let kind = option::of(cert_id()).prop_map(|replaces| match replaces {
        Some(replaces) => Kind::Renewal { replaces },
        None => Kind::Enrollment,
    });
    (url(), kind, subject_id(), parsed("[a-z0-9]{1,8}"), thumbprint(), time(), status).prop_map(
        |(url, kind, subject, key_store, key, created, mut status)| {
            if kind == Kind::Enrollment {
                take_way_back(&mut status);
            }
            Order { url, kind, subject, key_store, key, created, status }
        },
    )
}

/// An enrollment has no predecessor to go back to.
fn take_way_back(status: &mut Status) {
    match status {
        Status::Processing { cancel } | Status::Valid { cancel, .. } => *cancel = None,
        Status::Completed { rollback, .. } => *rollback = None,
        Status::Canceled { .. } | Status::Invalid { .. } | Status::RolledBack { .. } => {}
    }
}

fn reissue() -> impl Strategy<Value = Reissue> {
    use reissue::Status;
    let status = prop_oneof![
        url().prop_map(|cancel| Status::Pending { cancel }),
        (url(), url()).prop_map(|(cancel, order)| Status::Redeemed { cancel, order }),
        url().prop_map(|order| Status::Completed { order }),
        url().prop_map(|order| Status::Failed { order }),
        option::of(url()).prop_map(|order| Status::Canceled { order }),
        option::of(url()).prop_map(|order| Status::Voided { order }),
        Just(Status::Expired),
    ];
    let id = any::<[u8; 16]>().prop_map(ReissueId::from_bytes);
    let reason = select(Reason::ALL.to_vec());
    (id, subject_id(), subject_name(), reason, time(), time(), status).prop_map(
        |(id, subject, subject_name, reason, created, expires, status)| Reissue {
            id,
            subject,
            subject_name,
            reason,
            created,
            expires,
            status,
        },
    )
}

fn directory() -> impl Strategy<Value = Directory> {
    let pin_rule = || {
        (1..200_u16, 0..50_u16, any::<bool>()).prop_map(|(least, more, required)| {
            PinRule::new(least, least + more, required).expect("ordered")
        })
    };
    let full = ([url(), url(), url(), url()], vec(url(), 0..3), pin_rule()).prop_map(
        |([new_reissue, unlock, pin, new_enrollment], crl, pin_rule)| {
            Profile::Full(Box::new(Full {
                new_reissue,
                unlock,
                pin,
                new_enrollment,
                crl,
                pin_rule,
            }))
        },
    );
    let core = (vec(url(), 0..3), option::of(pin_rule()))
        .prop_map(|(crl, pin_rule)| Profile::Core { crl, pin_rule });
    let lists = (
        vec(rule(), 0..3),
        vec(parsed("[a-z0-9]{1,8}"), 1..4),
        vec(chain(), 1..3),
        vec(any::<String>(), 0..3),
    );
    let periods = (1..400_u32, period(), option::of(period()));
    let meta = (lists, periods, option::of(page()), option::of(page())).prop_map(
        |((environments, key_stores, issuers, extensions), periods, website, terms_of_service)| {
            Meta {
                algorithms: vec![Algorithm::Es256, Algorithm::EdDsa],
                key_types: vec![KeyType::Ed25519, KeyType::P256],
                environments,
                key_stores,
                time_zone: "Asia/Tokyo".to_owned(),
                window: Period::from_days(periods.0),
                confirm_within: periods.1,
                rollback_within: periods.2,
                issuers,
                extensions,
                website,
                terms_of_service,
            }
        },
    );
    ([url(), url(), url(), url(), url(), url()], prop_oneof![full, core], meta).prop_map(
        |(
            [new_nonce, new_session, new_order, find_order, renewal_info, revoke_cert],
            profile,
            meta,
        )| {
            Directory {
                new_nonce,
                new_session,
                new_order,
                find_order,
                renewal_info,
                revoke_cert,
                profile,
                meta,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn orders_round_trip(order in order()) {
        round_trips("order", &order)?;
    }

    #[test]
    fn sessions_round_trip(session in session()) {
        round_trips("session", &session)?;
    }

    #[test]
    fn contracts_round_trip(contract in contract()) {
        round_trips("contract", &contract)?;
    }

    #[test]
    fn reissues_round_trip(reissue in reissue()) {
        round_trips("reissue", &reissue)?;
    }

    #[test]
    fn problems_round_trip(problem in problem()) {
        round_trips("problem", &problem)?;
    }

    #[test]
    fn directories_round_trip(directory in directory()) {
        round_trips("directory", &directory)?;
    }

    #[test]
    fn renewal_infos_round_trip(windows in [window(), window()], page in option::of(page())) {
        let [suggested_window, enforced_window] = windows;
        let info = RenewalInfo { suggested_window, explanation_url: page, enforced_window };
        round_trips("renewalInfo", &info)?;
    }

    #[test]
    fn logons_round_trip(
        pin in option::of("[!-~]{1,20}"),
        environment in environment(),
        purpose in select(vec![Purpose::Renewal, Purpose::Recovery]),
    ) {
        let payload = NewSession { pin: pin.map(Pin::new), environment, purpose };
        round_trips("newSession", &payload)?;
    }

    #[test]
    fn revocations_round_trip(
        cert_id in cert_id(),
        reason in select(Reason::ALL.to_vec()),
        include_successors in any::<bool>(),
    ) {
        round_trips("revokeCert", &RevokeCert { cert_id, reason, include_successors })?;
    }

    #[test]
    fn no_order_has_a_member_of_another_state(all in [order(), order()], which in any::<Index>()) {
        agrees_on_mixture("order", &all[0], &all[1], which)?;
    }

    #[test]
    fn no_reissue_has_a_member_of_another_state(
        all in [reissue(), reissue()],
        which in any::<Index>(),
    ) {
        agrees_on_mixture("reissue", &all[0], &all[1], which)?;
    }

    #[test]
    fn no_session_has_a_member_of_another_purpose(
        all in [session(), session()],
        which in any::<Index>(),
    ) {
        agrees_on_mixture("session", &all[0], &all[1], which)?;
    }

    #[test]
    fn no_notice_has_a_member_without_its_deferral(
        all in [notice(), notice()],
        which in any::<Index>(),
    ) {
        agrees_on_mixture("notice", &all[0], &all[1], which)?;
    }

    #[test]
    fn no_directory_has_a_member_of_another_profile(
        all in [directory(), directory()],
        which in any::<Index>(),
    ) {
        agrees_on_mixture("directory", &all[0], &all[1], which)?;
    }
}
