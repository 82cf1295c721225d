//! SPEC.md 6: algorithms and keys, chains and roots, receipts.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::certificate::{CLIENT_AUTH, Certificate, DOCUMENT_SIGNING};
use koshin_protocol::order::StatusName;
use koshin_protocol::receipt::Receipt;
use koshin_protocol::sign::Signer;
use serde_json::json;

use super::case;
use super::customer::{Wish, new_key, nobodys_key};
use super::deed::Deed;
use super::forge::{self, Impostor, Leaf};
use super::seen::base64;
use super::stage::{Play, Setup, Stage};
use super::truth::{does_not_succeed, recovers};
use crate::case::{Case, Outcome, Stop, ensure};

/// The cases.
pub(super) fn cases() -> Vec<Case<Play>> {
    let mut cases = vec![
        case("algorithm/es256", "A client with an ES256 key signs with ES256 at a bank that takes nothing else.")
            .shows(&["ALG-02", "PRF-04"])
            .run(es256),
        case("algorithm/not-taken", "A client with an RSA key signs nothing for a bank that takes ES256 alone.")
            .shows(&["ALG-06"])
            .run(not_taken),
        case("algorithm/rsa-predecessor", "A client with an RSA key renews to a key of the bank's `keyTypes`.")
            .shows(&["NAM-03", "CLI-60"])
            .run(rsa),
        case("key/random", "Two clients in the same state order different keys.")
            .shows(&["KEY-05"])
            .run(random_keys),
        case("chain/issuer-changed", "A successor of another issuer than the predecessor's is accepted under a configured root.")
            .shows(&["CHN-04", "CHN-03"])
            .run(issuer_changed),
        case("chain/learnt-root", "A root in `meta.issuers` and `chain` is not believed.")
            .shows(&["CHN-05", "CLI-63"])
            .run(learnt_root),
        case("receipt/signature", "A receipt whose signature does not verify is not relied on.")
            .shows(&["RCP-04"])
            .run(|play| bad_receipt(play, |_| Ok(forge::broken_receipt()))),
        case("receipt/other-root", "A receipt of a root that the client was not told of is not relied on.")
            .shows(&["RCP-04"])
            .run(|play| bad_receipt(play, receipt_of_an_impostor)),
        case("receipt/usage", "A receipt signed with a certificate that is not for signing documents is not relied on.")
            .shows(&["RCP-04"])
            .run(|play| bad_receipt(play, receipt_by_a_client)),
    ];
    for (slug, words, change) in OTHERS {
        cases.push(
            case(
                format!("receipt/other-{slug}"),
                format!("A receipt of another {words} than the order's is refused."),
            )
            .shows(&["RCP-05"])
            .run(move |play| {
                bad_receipt(play, move |stage| Ok(forge::receipt(&stage.inner(), change)))
            }),
        );
    }
    cases
}

type Change = fn(&mut Receipt);

const OTHERS: [(&str, &str, Change); 4] = [
    ("order", "order", |receipt| {
        let other = format!("{}x", receipt.order);
        receipt.order = other.parse().unwrap_or_else(|_| receipt.order.clone());
    }),
    ("key", "key", |receipt| {
        receipt.key = nobodys_key().map_or(receipt.key, |key| key.thumbprint());
    }),
    ("subject", "subject", |receipt| {
        receipt.subject = "somebody-else".parse().unwrap_or_else(|_| receipt.subject.clone());
    }),
    ("status", "status", |receipt| receipt.status = StatusName::Canceled),
];

async fn es256(play: Play) -> Outcome {
    let stage = play.stage_of(Setup { policy: "core", ..Setup::default() }).await?;
    stage.every("directory", Deed::edit(|it| it["meta"]["algorithms"] = json!(["ES256"])));
    let ended = stage.renew().await?;
    let other =
        stage.seen().into_iter().find(|seen| seen.is_signed() && seen.header("alg") != "ES256");
    ensure(
        other.is_none(),
        "ES256",
        other.map_or(String::new(), |seen| seen.header("alg").into()),
    )?;
    stage.renewed(&ended).await
}

async fn not_taken(play: Play) -> Outcome {
    let wish = Wish { alg: Algorithm::Rs256, ..Wish::default() };
    let stage = play.stage_of(Setup { wish, ..Setup::default() }).await?;
    stage.every("directory", Deed::edit(|it| it["meta"]["algorithms"] = json!(["ES256"])));
    let ended = stage.renew().await?;
    ensure(!stage.of("directory").is_empty(), "the directory is asked for", "it is not")?;
    stage.nothing_signed_since(0)?;
    does_not_succeed(&ended)
}

async fn rsa(play: Play) -> Outcome {
    let wish = Wish { alg: Algorithm::Rs256, ..Wish::default() };
    let stage = play.stage_of(Setup { wish, ..Setup::default() }).await?;
    let ended = stage.renew().await?;
    stage.renewed(&ended).await
}

async fn random_keys(play: Play) -> Outcome {
    let stage = play.stage().await?;
    let twin = stage.beside("twin");
    fs::create_dir(&twin).map_err(Stop::blocked)?;
    fs::copy(stage.state().join("identity.pem"), twin.join("identity.pem"))
        .map_err(Stop::blocked)?;
    stage.every("newOrder", Deed::KillBefore);
    stage.renew().await?;
    stage.run_in("renew", &twin).await?;
    let keys: BTreeSet<_> =
        stage.of("newOrder").iter().filter_map(super::seen::Seen::ordered_key).collect();
    ensure(keys.len() == 2, "two keys", keys.len())
}

async fn issuer_changed(play: Play) -> Outcome {
    let wish = Wish { foreign: true, ..Wish::default() };
    let stage = play.stage_of(Setup { wish, ..Setup::default() }).await?;
    let ended = stage.renew().await?;
    stage.renewed(&ended).await
}

async fn learnt_root(play: Play) -> Outcome {
    let stage = play.stage().await?;
    let impostor = Arc::new(Impostor::of(&stage.inner())?);
    let root = base64::encode(impostor.root.der());
    stage.every("directory", Deed::edit(move |it| it["meta"]["issuers"] = json!([[root]])));
    let forge = forge::chain(move |leaf| {
        let forged = copy(leaf, |copied| impostor.issue(copied))?;
        Some(vec![forged, impostor.root.clone()])
    });
    never_installed(&stage, forge).await
}

/// A certificate that says what this one says, by somebody else.
pub(super) fn copy(
    leaf: &Certificate,
    issue: impl FnOnce(&Leaf<'_>) -> Outcome<Certificate>,
) -> Option<Certificate> {
    let (not_before, not_after) = (leaf.not_before(), leaf.not_after());
    let usages = leaf.extended_key_usages().unwrap_or_default();
    issue(&Leaf { subject: leaf.subject(), key: leaf.key(), not_before, not_after, usages }).ok()
}

/// A certificate that must not be switched to: it is not confirmed, the old pair stays, and the right certificate is
/// installed when it comes.
pub(super) async fn never_installed(stage: &Stage, deed: Deed) -> Outcome {
    for operation in ["newOrder", "read", "findOrder"] {
        stage.every(operation, deed.clone());
    }
    let ended = stage.watch("renew", std::time::Duration::from_secs(3)).await?;
    stage.none_since(0, "confirm")?;
    stage.holds_the_old_pair()?;
    ensure(ended.code != Some(0), "an exit code other than 0", ended.how())?;
    recovers(stage).await
}

fn receipt_of_an_impostor(stage: &Stage) -> Outcome<Deed> {
    let bank = stage.inner();
    let (impostor, key) = (Impostor::of(&bank)?, new_key()?);
    let subject = bank.issuer.authority().certificate().subject().clone();
    let usages = [DOCUMENT_SIGNING];
    let leaf = Leaf::of(&subject, key.public_key(), stage.bank.now());
    let certificate = impostor.issue(&Leaf { usages: &usages, ..leaf })?;
    Ok(forge::receipt_by(vec![certificate, impostor.root], key))
}

fn receipt_by_a_client(stage: &Stage) -> Outcome<Deed> {
    let (bank, key) = (stage.inner(), new_key()?);
    let subject = stage.customer.certificate.subject().clone();
    let usages = [CLIENT_AUTH];
    let leaf = Leaf::of(&subject, key.public_key(), stage.bank.now());
    let certificate = forge::by_the_bank(&bank, &Leaf { usages: &usages, ..leaf })?;
    let issuing = bank.issuer.authority().certificate().clone();
    Ok(forge::receipt_by(vec![certificate, issuing], key))
}

/// Whatever the receipt of the confirmed order is, the client does not say that all is done, and finds out when the bank
/// gives the true one.
async fn bad_receipt(play: Play, deed: impl FnOnce(&Stage) -> Outcome<Deed>) -> Outcome {
    let stage = play.stage().await?;
    let deed = deed(&stage)?;
    for operation in ["confirm", "read", "findOrder"] {
        stage.every(operation, deed.clone());
    }
    let ended = stage.watch("renew", std::time::Duration::from_secs(3)).await?;
    ensure(ended.code != Some(0), "an exit code other than 0", ended.how())?;
    recovers(&stage).await
}
