//! SPEC.md 5.6: nonces.

use std::collections::BTreeSet;
use std::time::Duration;

use http::{HeaderMap, Method};
use koshin_protocol::base64url;
use koshin_protocol::problem::Token;
use serde_json::json;
use tokio::task::JoinSet;

use super::good::Good;
use super::{Bank, case};
use crate::case::{Case, Need, Outcome, Stop, ensure};

/// The cases of this section.
pub(super) fn cases() -> Vec<Case<Bank>> {
    let mut cases = vec![
        case("nonce/with-every-answer", "Successes and problem documents carry a nonce, and none twice.").shows(&["NON-01"]).run(with_every_answer),
        case("nonce/used-again", "A nonce is accepted once.").shows(&["NON-02", "NON-03"]).run(|bank: Bank| async move {
            let draft = bank.good(Good::Logon).await?.set("nonce", bank.new_nonce().await?);
            bank.deliver(draft.clone()).await?.status(201)?;
            bank.deliver(draft).await?.refused(Token::BadNonce).map(drop)
        }),
        case("nonce/used-again-elsewhere", "A nonce that was spent by one signer is spent for every other.").shows(&["NON-02", "NON-03"]).run(|bank: Bank| async move {
            let nonce = bank.new_nonce().await?;
            let logon = bank.good(Good::Logon).await?.set("nonce", nonce.clone());
            let find = bank.good(Good::Find).await?.set("nonce", nonce);
            bank.deliver(logon).await?.status(201)?;
            bank.deliver(find).await?.refused(Token::BadNonce).map(drop)
        }),
        case("nonce/replayed-body", "The very octets of a request are refused when they are sent again.").shows(&["NON-02", "NON-03"]).run(|bank: Bank| async move {
            let draft = bank.good(Good::Find).await?;
            let body = draft.sealed(Some(&bank.new_nonce().await?));
            let send = || bank.send(Method::POST, &draft.path, draft.headers.clone(), body.clone());
            send().await?.status(200)?;
            send().await?.refused(Token::BadNonce).map(drop)
        }),
        case("nonce/hundred-at-once", "Of a hundred requests with one nonce at the same time exactly one is accepted.").shows(&["NON-02"]).run(hundred_at_once),
        case("nonce/spent-by-bad-signature", "A request with a wrong signature spends its nonce.").shows(&["NON-04"]).run(|bank: Bank| async move {
            let draft = bank.good(Good::Logon).await?.set("nonce", bank.new_nonce().await?);
            bank.deliver(draft.clone().edit_signature(|octets| octets[0] ^= 1)).await?.refused(Token::BadSignature)?;
            bank.deliver(draft).await?.refused(Token::BadNonce).map(drop)
        }),
        case("nonce/spent-by-refusal", "A request that is refused for its payload spends its nonce.").shows(&["NON-04"]).run(|bank: Bank| async move {
            let draft = bank.good(Good::Logon).await?.set("nonce", bank.new_nonce().await?);
            bank.deliver(draft.clone().payload("{}")).await?.refused(Token::Malformed)?;
            bank.deliver(draft).await?.refused(Token::BadNonce).map(drop)
        }),
        case("nonce/new-nonce", "newNonce is answered 200 to HEAD and 204 to GET, both with a nonce and without a body.").shows(&["NON-06"]).run(|bank: Bank| async move {
            let url = bank.directory().await?.new_nonce.clone();
            for (method, status) in [(Method::HEAD, 200), (Method::GET, 204)] {
                let answer = bank.ask(method, &url, HeaderMap::new()).await?;
                answer.empty(status)?;
                answer.fresh_nonce()?;
            }
            Ok(())
        }),
        case("nonce/a-minute-old", "A nonce is accepted a minute after it was given.").shows(&["NON-08"]).needs(&[Need::Long]).within(120).run(|bank: Bank| async move {
            let nonce = bank.new_nonce().await?;
            let draft = bank.good(Good::Logon).await?.set("nonce", nonce);
            tokio::time::sleep(Duration::from_mins(1)).await;
            bank.deliver(draft).await?.status(201)
        }),
        case("nonce/not-predictable", "Nonces are of 16 to 128 characters of base64url, and have nothing in common.").shows(&["NON-09"]).run(not_predictable),
    ];
    for (name, sentence, nonce) in [
        ("made-up", "A nonce that the bank did not issue is refused.", None),
        ("zeros", "A nonce of zeros is refused.", Some("AAAAAAAAAAAAAAAAAAAAAAAA")),
    ] {
        cases.push(case(format!("nonce/{name}"), sentence).shows(&["NON-03"]).run(
            move |bank: Bank| async move {
                let made_up = match nonce {
                    Some(nonce) => nonce.to_owned(),
                    // As long as the bank's own.
                    None => bank
                        .new_nonce()
                        .await?
                        .chars()
                        .map(|_| char::from(b'a' + u8::try_from(bank.choose(26)).unwrap_or(0)))
                        .collect(),
                };
                // Whatever its length, its last bits are zero.
                let made_up = format!("{}A", &made_up[..made_up.len() - 1]);
                let answer =
                    bank.deliver(bank.good(Good::Logon).await?.set("nonce", made_up)).await?;
                answer.refused(Token::BadNonce)?;
                let fresh = bank.nonce_of(&answer)?;
                bank.deliver(bank.good(Good::Logon).await?.set("nonce", fresh)).await?.status(201)
            },
        ));
    }
    cases.push(
        case("nonce/altered", "A nonce of the bank that was altered in its last octet is refused.")
            .shows(&["NON-03"])
            .run(|bank: Bank| async move {
                let nonce = bank.new_nonce().await?;
                let mut octets = base64url::decode(&nonce)
                    .map_err(|_| Stop::fail("a nonce in base64url", &nonce))?;
                if let Some(last) = octets.last_mut() {
                    *last ^= 1;
                }
                let draft = bank.good(Good::Logon).await?;
                bank.deliver(draft.clone().set("nonce", base64url::encode(&octets)))
                    .await?
                    .refused(Token::BadNonce)?;
                bank.deliver(draft.set("nonce", nonce)).await?.status(201)
            }),
    );
    cases
}

async fn with_every_answer(bank: Bank) -> Outcome {
    let logon = bank.log_on(&bank.user().await?).await?;
    let placed = bank.order(&logon).await?;
    let draft = bank.good(Good::Logon).await?;
    let answers = [
        bank.get(&bank.target.directory_url).await?,
        bank.read(&logon.url, &logon.by()).await?,
        bank.read(placed.url(), &placed.by_key()).await?,
        bank.read(&placed.issued()?.certificate, &placed.by_key()).await?,
        bank.try_confirm(&placed.issued()?.confirm, &placed.pair()?, json!({})).await?,
        bank.deliver(draft.clone()).await?,
        bank.deliver(draft.clone().payload("{}")).await?,
        bank.deliver(draft.clone().set("alg", "none")).await?,
        bank.deliver(draft.clone().edit_signature(|octets| octets[0] ^= 1)).await?,
        bank.deliver(draft.edit_body(Vec::clear)).await?,
        bank.read(&logon.url, &logon.by()).await?,
        bank.ask(Method::GET, &bank.directory().await?.new_order, HeaderMap::new()).await?,
        bank.try_renewal_info("odd").await?,
    ];
    let mut seen = BTreeSet::new();
    for (index, answer) in answers.iter().enumerate() {
        // renewalInfo's refusal may be without one.
        if index == 12 && answer.nonce().is_none() {
            continue;
        }
        let nonce = answer.fresh_nonce()?;
        ensure(seen.insert(nonce.clone()), "a fresh nonce", format_args!("{nonce} again"))?;
    }
    Ok(())
}

async fn hundred_at_once(bank: Bank) -> Outcome {
    let draft = bank.good(Good::Find).await?.set("nonce", bank.new_nonce().await?);
    let mut sending = JoinSet::new();
    for _ in 0..100 {
        let (bank, draft) = (bank.clone(), draft.clone());
        sending.spawn(async move { bank.deliver(draft).await });
    }
    let mut accepted = 0;
    while let Some(answer) = sending.join_next().await {
        let answer = answer.map_err(Stop::blocked)??;
        if answer.is_good() {
            accepted += 1;
        } else {
            answer.refused(Token::BadNonce)?;
        }
    }
    ensure(accepted == 1, "exactly one accepted", accepted)
}

async fn not_predictable(bank: Bank) -> Outcome {
    let mut nonces = Vec::new();
    for _ in 0..100 {
        let nonce = bank.new_nonce().await?;
        let octets = base64url::decode(&nonce).ok().filter(|_| (16..=128).contains(&nonce.len()));
        nonces.push(octets.ok_or_else(|| Stop::fail("16 to 128 characters of base64url", &nonce))?);
    }
    for (index, one) in nonces.iter().enumerate() {
        for other in &nonces[..index] {
            let differ: u32 = one.iter().zip(other).map(|(a, b)| (a ^ b).count_ones()).sum();
            // Of 64 random bits fewer than 10 differ once in 10^9 pairs.
            ensure(differ >= 10, "nonces that differ in many bits", format_args!("{differ} bits"))?;
        }
    }
    Ok(())
}
