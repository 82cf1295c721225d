//! SPEC.md 12.7: what is checked before the switch, and what is said after it.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use koshin_protocol::certificate::{Certificate, DOCUMENT_SIGNING, Name};
use koshin_protocol::time::Time;
use serde_json::json;

use super::case;
use super::customer::nobodys_key;
use super::deed::Deed;
use super::forge::{self, Impostor, Leaf};
use super::plain::Ability;
use super::s06_certificates::{copy, never_installed};
use super::seen::base64;
use super::stage::{Play, Stage};
use super::truth::recovers;
use crate::case::{Case, Outcome, Stop, ensure};

/// Makes the deed of a case.
type Wrong = fn(&Stage) -> Outcome<Deed>;

/// Certificates that must not be switched to.
const WRONG: [(&str, &str, &str, Wrong); 9] = [
    ("other-key", "is of another key", "CLI-60", other_key),
    ("other-subject", "is of another subject", "CLI-61", other_subject),
    ("old-one", "is the old one again", "CLI-60", old_one),
    ("other-root", "is of a root that the client was not told of", "CHN-03", other_root),
    ("no-client-auth", "is not for clients", "CLI-62", no_client_auth),
    ("other-usage", "is for signing documents alone", "CLI-62", other_usage),
    ("not-longer", "ends no later than the predecessor", "CLI-62", not_longer),
    ("expired", "has expired", "CHN-03", expired),
    ("broken", "has a broken signature", "CHN-03", broken),
];

/// The cases.
pub(super) fn cases() -> Vec<Case<Play>> {
    let mut cases = Vec::new();
    for (slug, words, requirement, wrong) in WRONG {
        cases.push(
            case(
                format!("wrong/{slug}"),
                format!("A new certificate that {words} is neither switched to nor confirmed, and the right one is when it comes."),
            )
            .shows(&[requirement, "CLI-63", "CLI-50"])
            .run(move |play| renewed_wrongly(play, wrong)),
        );
    }
    cases.extend([
        case("wrong/garbage", "A chain that cannot be read is neither switched to nor confirmed.")
            .shows(&["CLI-63", "ENC-18"])
            .run(garbage),
        case("wrong/enrollment-other-subject", "An enrollment's certificate of another name than the ticket's is neither installed nor confirmed.")
            .shows(&["CLI-61", "CLI-63"])
            .run(enrollment_other_subject),
        case("wrong/enrollment-other-key", "An enrollment's certificate of another key is neither installed nor confirmed.")
            .shows(&["CLI-60", "CLI-63"])
            .run(enrollment_other_key),
        case("confirm/by-the-new-key", "Confirm is signed by the new certificate, which is that of the ordered key.")
            .shows(&["CLI-65", "CLI-60"])
            .run(by_the_new_key),
        case("told/until-when", "At the end of a renewal the client tells until when the new certificate is valid.")
            .shows(&["CLI-96"])
            .run(until_when),
        case("confirm/not-done", "A confirm answered with an order that is not completed is not the end of the renewal.")
            .shows(&["CLI-97"])
            .run(not_done),
        case("confirm/other-order", "A confirm answered with another order is not the end of the renewal.")
            .shows(&["CLI-97", "RCP-05"])
            .run(other_order),
    ]);
    cases
}

fn by_the_bank(
    stage: &Stage,
    change: impl Fn(&Certificate, &mut Leaf<'_>) + Send + Sync + 'static,
) -> Deed {
    let bank = stage.inner();
    forge::chain(move |leaf| {
        let forged = copy(leaf, |copied| {
            let mut changed = copied.clone();
            change(leaf, &mut changed);
            forge::by_the_bank(&bank, &changed)
        });
        Some(vec![forged?])
    })
}

fn other_key(stage: &Stage) -> Outcome<Deed> {
    let (bank, other) = (stage.inner(), nobodys_key()?);
    Ok(forge::chain(move |leaf| {
        let forged =
            copy(leaf, |copied| forge::by_the_bank(&bank, &Leaf { key: &other, ..copied.clone() }));
        Some(vec![forged?])
    }))
}

fn other_subject(stage: &Stage) -> Outcome<Deed> {
    let bank = stage.inner();
    let name: Name = "CN=Somebody Else,O=Example K.K.".parse().map_err(Stop::blocked)?;
    Ok(forge::chain(move |leaf| {
        let forged = copy(leaf, |copied| {
            forge::by_the_bank(&bank, &Leaf { subject: &name, ..copied.clone() })
        });
        Some(vec![forged?])
    }))
}

#[allow(clippy::unnecessary_wraps, reason = "as the others, of which some fail")]
fn old_one(stage: &Stage) -> Outcome<Deed> {
    let old = stage.customer.certificate.clone();
    Ok(forge::chain(move |_| Some(vec![old.clone()])))
}

fn other_root(stage: &Stage) -> Outcome<Deed> {
    let impostor = Arc::new(Impostor::of(&stage.inner())?);
    Ok(forge::chain(move |leaf| {
        let forged = copy(leaf, |copied| impostor.issue(copied))?;
        Some(vec![forged, impostor.root.clone()])
    }))
}

#[allow(clippy::unnecessary_wraps, reason = "as the others, of which some fail")]
fn no_client_auth(stage: &Stage) -> Outcome<Deed> {
    const SERVER_AUTH: der::asn1::ObjectIdentifier =
        der::asn1::ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
    Ok(by_the_bank(stage, |_, leaf| leaf.usages = &[SERVER_AUTH]))
}

#[allow(clippy::unnecessary_wraps, reason = "as the others, of which some fail")]
fn other_usage(stage: &Stage) -> Outcome<Deed> {
    Ok(by_the_bank(stage, |_, leaf| leaf.usages = &[DOCUMENT_SIGNING]))
}

#[allow(clippy::unnecessary_wraps, reason = "as the others, of which some fail")]
fn not_longer(stage: &Stage) -> Outcome<Deed> {
    let end = stage.customer.certificate.not_after();
    Ok(by_the_bank(stage, move |_, leaf| leaf.not_after = end))
}

fn expired(stage: &Stage) -> Outcome<Deed> {
    let now = stage.bank.now().unix();
    let [begin, end] = [now - 86_400, now - 3600].map(Time::from_unix);
    let (begin, end) = (begin.map_err(Stop::blocked)?, end.map_err(Stop::blocked)?);
    Ok(by_the_bank(stage, move |_, leaf| {
        leaf.not_before = begin;
        leaf.not_after = end;
    }))
}

#[allow(clippy::unnecessary_wraps, reason = "as the others, of which some fail")]
fn broken(_: &Stage) -> Outcome<Deed> {
    Ok(forge::chain(|leaf| {
        let mut der = leaf.der().to_vec();
        // The end of a certificate is the end of its signature.
        *der.last_mut()? ^= 1;
        Some(vec![Certificate::from_der(&der).ok()?])
    }))
}

async fn garbage(play: Play) -> Outcome {
    let stage = play.stage().await?;
    let deed = Deed::change(|_, made| {
        if made.header("content-type") == Some("application/pem-certificate-chain") {
            made.body = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec();
        }
        made.edit(|it| {
            if it.get("chain").is_some() {
                it["chain"][0] = json!(base64::encode(b"no certificate at all"));
            }
        });
    });
    never_installed(&stage, deed).await
}

async fn renewed_wrongly(play: Play, wrong: Wrong) -> Outcome {
    let stage = play.stage().await?;
    let deed = wrong(&stage)?;
    never_installed(&stage, deed).await
}

async fn enrolled_wrongly(play: Play, wrong: Wrong) -> Outcome {
    play.able(Ability::Enroll).await?;
    let mut stage = play.stage().await?;
    stage.reissue().await?;
    let deed = wrong(&stage)?;
    for operation in ["newEnrollment", "read", "findOrder"] {
        stage.every(operation, deed.clone());
    }
    let ended = stage.watch("enroll", std::time::Duration::from_secs(3)).await?;
    stage.none_since(0, "confirm")?;
    ensure(ended.code != Some(0), "an exit code other than 0", ended.how())?;
    stage.behave();
    let ended = stage.run("enroll").await?;
    stage.renewed(&ended).await
}

async fn enrollment_other_subject(play: Play) -> Outcome {
    enrolled_wrongly(play, other_subject).await
}

async fn enrollment_other_key(play: Play) -> Outcome {
    enrolled_wrongly(play, other_key).await
}

async fn by_the_new_key(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.renewed_before().await?;
    let ordered = stage.ordered_keys();
    for seen in stage.of("confirm") {
        let certificate = seen.certificate().and_then(|der| Certificate::from_der(&der).ok());
        let key = certificate.map(|one| one.key().thumbprint().to_string()).unwrap_or_default();
        ensure(ordered.contains(&key), "confirm by the certificate of the ordered key", key)?;
    }
    Ok(())
}

async fn until_when(play: Play) -> Outcome {
    let stage = play.stage().await?;
    let ended = stage.renew().await?;
    stage.renewed(&ended).await?;
    let not_after = stage.held_pair()?.not_after();
    let numbers: Vec<i32> = ended
        .shown
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect();
    let end = Timestamp::from_second(not_after.unix()).map_err(Stop::blocked)?;
    let bank = TimeZone::get("Asia/Tokyo").map_err(Stop::blocked)?;
    // In whatever language and form, by whosever clock: year and day are numbers.
    let told = [TimeZone::UTC, TimeZone::system(), bank].into_iter().any(|zone| {
        let date = end.to_zoned(zone).date();
        numbers.contains(&date.year().into()) && numbers.contains(&date.day().into())
    });
    ensure(told, format_args!("the day of {not_after}"), ended.shown.trim())
}

async fn not_done(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.every(
        "confirm",
        Deed::edit(|it| {
            it["status"] = json!("valid");
            for name in ["receipt", "rollback", "rollbackUntil"] {
                it.as_object_mut().and_then(|members| members.remove(name));
            }
        }),
    );
    let ended = stage.watch("renew", std::time::Duration::from_secs(3)).await?;
    // Whoever looks at the order again may well see that it is completed, and say so.
    let looked = stage
        .seen()
        .iter()
        .rev()
        .take_while(|seen| !seen.is("confirm"))
        .any(|seen| seen.is("read") || seen.is("findOrder"));
    ensure(
        ended.code != Some(0) || looked,
        "no word of success without a completed order",
        ended.how(),
    )?;
    recovers(&stage).await
}

async fn other_order(play: Play) -> Outcome {
    let stage = play.stage().await?;
    let other = format!("{}order/AAAAAAAAAAAAAAAAAAAAAA", stage.base());
    stage.every("confirm", Deed::edit(move |it| it["self"] = json!(other)));
    let ended = stage.watch("renew", std::time::Duration::from_secs(3)).await?;
    let looked = stage.of("read").len() + stage.of("findOrder").len() > 0;
    ensure(ended.code != Some(0) || looked, "no word of success by another order", ended.how())?;
    recovers(&stage).await
}
