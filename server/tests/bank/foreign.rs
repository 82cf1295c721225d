//! Every resource against every foreign principal (SPEC.md 5.5): refused, and in the same words whether or not the thing
//! exists (AUT-06).

use std::mem::discriminant;

use koshin_protocol::operation::Operation;
use koshin_protocol::order::Order;
use koshin_protocol::problem::Token;
use koshin_protocol::url::Url;
use koshin_server::route::Route;
use koshin_server::rule::row::Role;
use koshin_server::urls::Urls;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::bank::{Bank, DAY, at};
use crate::deeds::{Logon, Ticket, csr_payload, environment, issued, pair_of};
use crate::person::{Ca, Key, Pair, Person, Spec, new_name};
use crate::request::By;

/// Two refusals differ in nothing but `serverTime`, `instance`, `Date` and nonce.
pub fn assert_alike(one: &Answer, other: &Answer) {
    let bare = |answer: &Answer| {
        let mut value = answer.value();
        let members = value.as_object_mut().expect("an object");
        members.remove("serverTime");
        members.remove("instance");
        let mut headers = answer.headers.clone();
        headers.remove("replay-nonce");
        headers.remove("date");
        headers.remove("content-length");
        (answer.status, headers, value)
    };
    assert_eq!(bare(one), bare(other));
}

/// The things of one user that others might want.
struct Things {
    /// In `valid`.
    order: Order,
    /// The order's pair.
    new: Pair,
    pair: Pair,
    contract: Url,
    session: Logon,
    subject: String,
    name: String,
}

struct Town {
    bank: Bank,
    user: Person,
    things: Things,
    ticket: Ticket,
    /// The administrator of the user's contract.
    administrator: Logon,
}

impl Town {
    async fn new() -> Self {
        let bank = Bank::new().await;
        let user = bank.user().await;
        let reissued = bank.user().await;
        let administrator = bank.log_on(&bank.administrator().await.pair).await;
        let ticket = bank.reissue(&administrator, &reissued, "keyLost").await;
        let session = bank.log_on(&user.pair).await;
        let key = Key::new();
        let order = bank.order(&session, &key).await;
        let new = pair_of(&order, &key);
        let contract = bank.url(&Route::Contract(bank.contract.to_string()));
        let things = Things {
            order,
            new,
            pair: user.pair.clone(),
            contract,
            session,
            subject: user.subject.to_string(),
            name: user.name.as_str().to_owned(),
        };
        Self { bank, user, things, ticket, administrator }
    }

    /// Everything that may be asked for what the user has: operation, URL, payload; and the same for what nobody has.
    fn requests(&self) -> Vec<(Operation, [Url; 2], [Value; 2])> {
        let bank = &self.bank;
        let things = &self.things;
        let nobody = || "AAAAAAAAAAAAAAAAAAAAAA".to_owned();
        let order = things.order.url.as_str().rsplit('/').next().expect("an id").to_owned();
        let url = |route: &dyn Fn(String) -> Route, id: &str| {
            [bank.url(&route(id.to_owned())), bank.url(&route(nobody()))]
        };
        let twice = |route: Route| [bank.url(&route), bank.url(&route)];
        let same = |payload: Value| [payload.clone(), payload];
        let session = things.session.url.as_str().rsplit('/').next().expect("an id").to_owned();
        let contract = things.contract.as_str().rsplit('/').next().expect("an id").to_owned();
        let reissue = self.ticket.id.to_string();
        let key = json!({ "key": things.order.key.to_string() });
        let new_reissue = |subject: &str, name: &str| {
            json!({
                "id": Ticket::new().id.to_string(),
                "subject": subject,
                "subjectName": name,
                "reason": "keyLost",
                "enrollmentKey": Key::new().public(),
            })
        };
        let enroll = |ticket: &Ticket| bank.new_enrollment(ticket, &self.user.name, &Key::new());
        let logon = json!({ "environment": environment(), "purpose": "renewal" });
        let csr = csr_payload(&Key::new().csr(&self.user.name));
        let new_order =
            |replaces: String| json!({ "replaces": replaces, "keyStore": "file", "csr": csr });
        let revoke = |cert_id: String| json!({ "certID": cert_id, "reason": "keyLost" });
        vec![
            (Operation::Read, url(&Route::Session, &session), same(Value::Null)),
            (Operation::Logoff, url(&Route::Logoff, &session), same(json!({}))),
            (Operation::Defer, url(&Route::Defer, &session), same(json!({}))),
            (Operation::Read, url(&Route::Contract, &contract), same(Value::Null)),
            (Operation::Read, url(&Route::Order, &order), same(Value::Null)),
            (Operation::Read, url(&Route::Certificate, &order), same(Value::Null)),
            (Operation::Cancel, url(&Route::Cancel, &order), same(key.clone())),
            (Operation::Rollback, url(&Route::Rollback, &order), same(key)),
            (Operation::Confirm, url(&Route::Confirm, &order), same(json!({}))),
            (Operation::Read, url(&Route::Reissue, &reissue), same(Value::Null)),
            (Operation::CancelReissue, url(&Route::CancelReissue, &reissue), same(json!({}))),
            (
                Operation::NewReissue,
                twice(Route::NewReissue),
                [new_reissue(&things.subject, &things.name), new_reissue(&nobody(), &things.name)],
            ),
            (
                Operation::Unlock,
                twice(Route::Unlock),
                [json!({ "subject": things.subject }), json!({ "subject": nobody() })],
            ),
            (
                Operation::NewOrder,
                twice(Route::NewOrder),
                [new_order(things.pair.cert_id().to_string()), new_order("AAAA.AQ".to_owned())],
            ),
            (
                Operation::RevokeCert,
                twice(Route::RevokeCert),
                [revoke(things.pair.cert_id().to_string()), revoke("AAAA.AQ".to_owned())],
            ),
            (
                Operation::NewEnrollment,
                twice(Route::NewEnrollment),
                [enroll(&self.ticket.with_wrong_code()), enroll(&Ticket::new())],
            ),
            (Operation::FindOrder, twice(Route::FindOrder), same(json!({}))),
            (Operation::NewSession, twice(Route::NewSession), same(logon)),
            (Operation::Pin, twice(Route::Pin), same(json!({ "old": "1234", "new": "5678" }))),
        ]
    }

    /// Nothing of the user's has changed.
    async fn assert_untouched(&self) {
        let bank = &self.bank;
        let read = bank.read_order(&self.things.order, &By::Key(self.things.new.key.clone())).await;
        assert_eq!(read, self.things.order);
        assert_eq!(bank.state_of(&self.user.pair), "current");
        assert!(bank.is_active(&self.things.session).await);
        let reissue = bank.read_reissue(&self.administrator, &self.ticket).await;
        assert_eq!(reissue.status.name().as_str(), "pending");
    }

    /// Asks for everything with `by`, which may do nothing at all.
    async fn refuses(&self, who: &str, by: &By) {
        self.refuses_what(who, by, |_| true).await;
    }

    /// Asks with `by`, which may log on, for everything that is not its own.
    async fn refuses_what_is_others(&self, who: &str, by: &By) {
        self.refuses_what(who, by, of_others).await;
    }

    /// It is refused every time, and alike for what is there and what is not.
    async fn refuses_what(&self, who: &str, by: &By, asked: impl Fn(Operation) -> bool) {
        for (operation, urls, payloads) in self.requests() {
            if !asked(operation) {
                continue;
            }
            let [there, absent] = urls;
            let [payload, other] = payloads;
            let one = self.bank.post(operation, &there, by, payload).await;
            let two = self.bank.post(operation, &absent, by, other).await;
            assert!(one.token().is_some(), "{who}: {operation:?} {there} was not refused");
            assert_alike(&one, &two);
        }
        self.assert_untouched().await;
    }
}

/// What takes no name of anything: everybody does it for itself.
fn of_others(operation: Operation) -> bool {
    !matches!(operation, Operation::NewSession | Operation::Pin)
}

#[tokio::test]
async fn every_signed_resource_is_asked_for() {
    let town = Town::new().await;
    let asked: Vec<_> = town
        .requests()
        .iter()
        .map(|(_, [there, _], _)| discriminant(&Urls::route(there.path()).expect("a resource")))
        .collect();
    for route in crate::headers::signed() {
        assert!(asked.contains(&discriminant(&route)), "{route:?}");
    }
}

// [AUT-02] [AUT-04] [AUT-05] [AUT-06]
#[tokio::test]
async fn another_user_of_the_same_contract_gets_at_nothing() {
    let town = Town::new().await;
    let other = town.bank.user().await;
    let logon = town.bank.log_on(&other.pair).await;
    for (operation, urls, payloads) in town.requests() {
        if !of_others(operation) {
            continue;
        }
        let [there, absent] = urls;
        // The contract is the other user's as well: it sees itself there.
        if matches!(operation, Operation::Read) && there == town.things.contract {
            let page: koshin_protocol::contract::Contract =
                town.bank.read(&there, &logon.by()).await.object(200);
            assert_eq!(page.subjects.len(), 1);
            continue;
        }
        let [payload, other] = payloads;
        let one = town.bank.post(operation, &there, &logon.by(), payload).await;
        let two = town.bank.post(operation, &absent, &logon.by(), other).await;
        assert!(one.token().is_some(), "{operation:?} {there} was not refused");
        assert_alike(&one, &two);
    }
    town.refuses_by_certificate("a certificate of another user", &other.pair).await;
    town.assert_untouched().await;
}

impl Town {
    /// The same by `x5c`, where the operation takes one.
    async fn refuses_by_certificate(&self, who: &str, pair: &Pair) {
        self.refuses_what_is_others(who, &By::Certificate(pair.clone())).await;
    }

    async fn of_another_contract(&self, role: Role) -> Person {
        let contract = self.bank.new_contract("他社").await;
        let spec = Spec { contract, ..self.bank.spec(role) };
        self.bank.person(spec).await
    }
}

// [AUT-02] [AUT-04] [AUT-05] [AUT-06] [REI-04] [UNL-02] [REV-03]
#[tokio::test]
async fn another_contracts_user_and_administrator_get_at_nothing() {
    let town = Town::new().await;
    for role in [Role::User, Role::Administrator] {
        let person = town.of_another_contract(role).await;
        let logon = town.bank.log_on(&person.pair).await;
        town.refuses_what_is_others(&format!("another contract's {role}"), &logon.by()).await;
        town.refuses_by_certificate(&format!("its certificate, {role}"), &person.pair).await;
    }
}

// [AUT-03] [AUT-07] [AUT-06]
#[tokio::test]
async fn a_superseded_certificate_and_its_recovery_session_get_at_nothing_of_others() {
    let town = Town::new().await;
    for role in [Role::User, Role::Administrator] {
        let person = town.of_another_contract(role).await;
        town.bank.renew(&person).await;
        town.refuses("a superseded certificate", &By::Certificate(person.pair.clone())).await;
        let recovery = town.bank.recover(&person.pair).await;
        town.refuses("a recovery session", &recovery.by()).await;
    }
}

// [AUT-07]
#[tokio::test]
async fn a_superseded_certificate_is_refused_at_every_endpoint_but_its_own_three() {
    let bank = Bank::new().await;
    let user = bank.user().await;
    let (new, order) = bank.renew(&user).await;
    let by = By::Certificate(user.pair.clone());
    bank.log_on_for(&user.pair, "renewal").await.refused(Token::CertificateSuperseded);
    bank.try_confirm(&order, &user.pair, json!({})).await.refused(Token::CertificateSuperseded);
    let next = issued(&order).certificate.clone();
    bank.read(&next, &by).await.refused(Token::NotFound);
    // Its own certificate came from no order here; one that did is still handed out to itself.
    bank.set(at(new.not_after().unix() - DAY));
    let (third, _) = bank.renew_pair(&new).await;
    let own = bank.read(&next, &By::Certificate(new.clone())).await;
    assert_eq!(own.status.as_u16(), 200);
    bank.log_on_for(&new, "renewal").await.refused(Token::CertificateSuperseded);
    bank.recover(&new).await;
    bank.revoke_itself(&new, "keyLost")
        .await
        .object::<koshin_protocol::revocation::Revocation>(200);
    assert_eq!(bank.state_of(&third), "current");
}

// [AUT-08] [AUT-09] [AUT-12] [AUT-06]
#[tokio::test]
async fn revoked_expired_unknown_and_other_cas_certificates_get_at_nothing() {
    let town = Town::new().await;
    let bank = &town.bank;
    let revoked = town.of_another_contract(Role::Administrator).await;
    let session = bank.log_on(&revoked.pair).await;
    bank.revoke_itself(&revoked.pair, "keyLost").await;
    town.refuses("a revoked certificate", &By::Certificate(revoked.pair.clone())).await;
    town.refuses("an ended session of it", &session.by()).await;

    let now = bank.now().unix();
    let validity = (at(now - DAY), at(now + DAY));
    let unknown = Ca::new().pair(&town.user.name, validity);
    town.refuses("a certificate of another CA", &By::Certificate(unknown)).await;
    let unknown = crate::person::former_ca().pair(&new_name(), validity);
    town.refuses("a certificate that nobody imported", &By::Certificate(unknown)).await;

    let expired = Spec { not_after: at(now + 60), ..bank.spec(Role::Administrator) };
    let expired = bank.person(expired).await;
    let session = bank.log_on(&expired.pair).await;
    bank.wait(61);
    town.refuses("an expired certificate", &By::Certificate(expired.pair.clone())).await;
    town.refuses("a session of it", &session.by()).await;
}

// [AUT-02] [AUT-05] [AUT-06] [ORD-31] [HDR-03] [HDR-10]
#[tokio::test]
async fn a_bare_key_and_an_invented_session_get_at_nothing() {
    let town = Town::new().await;
    let key = Key::new();
    town.refuses("a bare key", &By::Key(key.clone())).await;
    town.refuses("the old certificate's key", &By::Key(town.user.pair.key.clone())).await;
    let invented = town.bank.url(&Route::Session("AAAAAAAAAAAAAAAAAAAAAA".to_owned()));
    town.refuses("an invented session", &By::Session(invented, key.clone())).await;
    let stolen = By::Session(town.things.session.url.clone(), key);
    town.refuses("somebody else's session", &stolen).await;
}

// [AUT-05]
#[tokio::test]
async fn the_things_are_there_for_those_who_may_have_them() {
    let town = Town::new().await;
    let bank = &town.bank;
    let things = &town.things;
    for by in [things.session.by(), By::Key(things.new.key.clone()), town.administrator.by()] {
        assert_eq!(bank.read_order(&things.order, &by).await, things.order);
        let answer = bank.read(&issued(&things.order).certificate, &by).await;
        assert_eq!(answer.status.as_u16(), 200);
    }
    let page: koshin_protocol::contract::Contract =
        bank.read(&things.contract, &town.administrator.by()).await.object(200);
    assert_eq!(page.subjects.len(), 3);
    let _ = environment();
}
