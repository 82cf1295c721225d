//! SPEC.md 4.2 to 4.7: answers that are none, members that are new, names and keys.

use std::time::Duration;

use koshin_protocol::certificate::Name;
use serde_json::{Value, json};

use super::case;
use super::customer::{Wish, nobodys_key};
use super::deed::Deed;
use super::plain::Ability;
use super::seen::Made;
use super::stage::{Play, Setup};
use super::truth::recovers;
use crate::case::{Case, Outcome, Stop, ensure};

/// How long a client is watched after an answer that it must not believe.
const WATCHED: Duration = Duration::from_secs(3);

/// Which answers are broken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Object {
    Directory,
    Session,
    Order,
}

/// What is wrong with an answer, and what it is called.
type Defect = (&'static str, Object, &'static str, fn(&mut Value));

/// Answers that break section 4 (ENC-18).
const DEFECTS: &[Defect] = &[
    ("no-new-order", Object::Directory, "a directory without `newOrder`", |it| {
        drop_member(it, "newOrder");
    }),
    ("period", Object::Directory, "a directory whose `meta.window` is no period", |it| {
        it["meta"]["window"] = json!("30 days");
    }),
    ("list", Object::Directory, "a directory whose `meta.algorithms` is a string", |it| {
        it["meta"]["algorithms"] = json!("ES256");
    }),
    ("url", Object::Directory, "a directory whose `newSession` has a query", |it| {
        let url = format!("{}?", it["newSession"].as_str().unwrap_or_default());
        it["newSession"] = json!(url);
    }),
    ("no-expires", Object::Session, "a session without `expires`", |it| drop_member(it, "expires")),
    ("null", Object::Session, "a session whose `subject` is null", |it| {
        it["subject"] = Value::Null;
    }),
    ("time", Object::Session, "a session whose `expires` is no time of 4.3", |it| {
        let time = it["expires"].as_str().unwrap_or_default().replace('T', " ");
        it["expires"] = json!(time);
    }),
    ("number", Object::Session, "a session whose `certificate.notAfter` is a number", |it| {
        it["certificate"]["notAfter"] = json!(1_900_000_000);
    }),
    ("no-key", Object::Order, "an order without `key`", |it| drop_member(it, "key")),
    ("fraction", Object::Order, "an order whose `created` has a fraction", |it| {
        let time = it["created"].as_str().unwrap_or_default().replace('Z', ".5Z");
        it["created"] = json!(time);
    }),
    ("confirm-null", Object::Order, "an order whose `confirm` is null", |it| {
        it["confirm"] = Value::Null;
    }),
    ("chain-text", Object::Order, "an order whose `chain` is a string", |it| {
        it["chain"] = it["chain"][0].clone();
    }),
    ("cert-id", Object::Order, "an order whose `certID` is not b64url", |it| {
        it["certID"] = json!("one.two=");
    }),
    ("status", Object::Order, "an order whose `status` is a number", |it| it["status"] = json!(1)),
];

fn drop_member(it: &mut Value, name: &str) {
    if let Some(object) = it.as_object_mut() {
        object.remove(name);
    }
}

/// The cases.
pub(super) fn cases() -> Vec<Case<Play>> {
    let mut cases: Vec<_> = DEFECTS.iter().map(defect).collect();
    for (object, name) in
        [(Object::Directory, "directory"), (Object::Session, "session"), (Object::Order, "order")]
    {
        cases.push(
            case(
                format!("answer/duplicate-member-{name}"),
                format!("The client acts on no {name} in which a member stands twice."),
            )
            .shows(&["ENC-12"])
            .run(move |play| {
                broken(play, object, Deed::change(move |_, made| twice(object, made)))
            }),
        );
        cases.push(
            case(
                format!("answer/too-long-{name}"),
                format!("The client acts on no {name} of more than 65536 bytes."),
            )
            .shows(&["ENC-20"])
            .run(move |play| broken(play, object, Deed::change(move |_, made| long(object, made)))),
        );
    }
    cases.extend([
        case("answer/unknown-members", "The client ignores members of answers that it does not know.")
            .shows(&["ENC-17"])
            .run(unknown_members),
        case("order/other-key", "The client does not go on with an order whose `key` is another than it ordered.")
            .shows(&["ENC-46"])
            .run(other_key),
        case("csr/subject", "The CSR's subject is the predecessor's, byte for byte, in whatever string types it is.")
            .shows(&["NAM-03"])
            .run(csr_subject),
        case("name/successor-other-string-types", "A successor whose subject is the predecessor's name in other string types, and so in another order, is switched to.")
            .shows(&["CLI-61"])
            .run(other_string_types),
        case("csr/enrollment-name", "The CSR of an enrollment has UTF8String, the string types of 4.7 for C, DC, a serial number and an e-mail address, and the DER of a `#` value.")
            .shows(&["NAM-04"])
            .run(enrollment_name),
    ]);
    cases
}

fn defect(&(slug, object, words, break_it): &Defect) -> Case<Play> {
    case(format!("answer/{slug}"), format!("The client acts on no answer that is {words}."))
        .shows(&["ENC-18"])
        .run(move |play| {
            let deed = Deed::edit(move |it| {
                if is(object, it) {
                    break_it(it);
                }
            });
            broken(play, object, deed)
        })
}

fn is(object: Object, it: &Value) -> bool {
    let has = |name| it.get(name).is_some();
    match object {
        Object::Directory => has("newNonce"),
        Object::Session => has("purpose"),
        Object::Order => has("kind"),
    }
}

fn twice(object: Object, made: &mut Made) {
    let json = made.json();
    if !made.is_success() || !is(object, &json) {
        return;
    }
    let text = json.to_string();
    // A member that stands once more, with the same value, at a place inside.
    let again = match object {
        Object::Directory => format!("\"newNonce\":{},", json["newNonce"]),
        Object::Session => format!("\"purpose\":{},", json["purpose"]),
        Object::Order => format!("\"status\":{},", json["status"]),
    };
    made.body = format!("{{{again}{}", &text[1..]).into_bytes();
}

fn long(object: Object, made: &mut Made) {
    if made.is_success() && is(object, &made.json()) {
        made.body.resize(65_537, b' ');
    }
}

/// Breaks every such answer: nothing that depends on it is done, the old pair stays, and a bank that answers as it should
/// finds the client where it was.
async fn broken(play: Play, object: Object, deed: Deed) -> Outcome {
    let stage = play.stage().await?;
    let (operations, never): (&[_], &[_]) = match object {
        Object::Directory => (&["directory"], &["signed"]),
        Object::Session => (&["newSession"], &["newOrder", "confirm"]),
        Object::Order => (&["newOrder", "read", "findOrder"], &["confirm", "cancel"]),
    };
    for &operation in operations {
        stage.every(operation, deed.clone());
    }
    stage.watch("renew", WATCHED).await?;
    for &operation in never {
        if operation == "signed" {
            stage.nothing_signed_since(0)?;
        } else {
            stage.none_since(0, operation)?;
        }
    }
    stage.holds_the_old_pair()?;
    recovers(&stage).await
}

async fn unknown_members(play: Play) -> Outcome {
    let stage = play.stage().await?;
    let add = Deed::edit(|it| {
        it["x-suite-new"] = json!({ "a": [1, null, "x"] });
        for name in ["meta", "subject", "certificate", "notice"] {
            if it.get(name).is_some_and(Value::is_object) {
                it[name]["x-suite-new"] = json!(true);
            }
        }
    });
    for operation in ["directory", "newSession", "newOrder", "read", "findOrder", "confirm"] {
        stage.every(operation, add.clone());
    }
    let ended = stage.renew().await?;
    stage.renewed(&ended).await
}

async fn other_key(play: Play) -> Outcome {
    let stage = play.stage().await?;
    let other = nobodys_key()?.thumbprint().to_string();
    let deed = Deed::edit(move |it| {
        if is(Object::Order, it) {
            it["key"] = json!(other);
        }
    });
    for operation in ["newOrder", "read", "findOrder"] {
        stage.every(operation, deed.clone());
    }
    stage.watch("renew", WATCHED).await?;
    stage.none_since(0, "confirm")?;
    stage.none_since(0, "cancel")?;
    stage.holds_the_old_pair()?;
    recovers(&stage).await
}

/// `O` as `PrintableString`, an RDN of `OU` and of `CN` as `BMPString`, as former systems made them. As `UTF8String`,
/// `CN` sorts before `OU`.
fn odd_name() -> Option<Name> {
    let attribute = |oid: &[u8], tag: u8, text: &[u8]| {
        let value = [&[tag, length(text.len())], text].concat();
        let pair = [&[0x06, length(oid.len())], oid, &value[..]].concat();
        [&[0x30, length(pair.len())], &pair[..]].concat()
    };
    let set = |attributes: &[u8]| [&[0x31, length(attributes.len())], attributes].concat();
    let organization = set(&attribute(&[0x55, 4, 10], 0x13, b"Example Trading Ltd"));
    let bmp: Vec<u8> = "Taro".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let unit = attribute(&[0x55, 4, 11], 0x0c, b"Sales");
    let common = set(&[unit, attribute(&[0x55, 4, 3], 0x1e, &bmp)].concat());
    let serial = set(&attribute(&[0x55, 4, 5], 0x13, b"4711"));
    let all = [organization, common, serial].concat();
    Name::from_der(&[&[0x30, length(all.len())], &all[..]].concat()).ok()
}

/// Everything here is short.
fn length(bytes: usize) -> u8 {
    u8::try_from(bytes).expect("a short text")
}

async fn csr_subject(play: Play) -> Outcome {
    let wish = Wish { name: odd_name(), ..Wish::default() };
    let stage = play.stage_of(Setup { wish, ..Setup::default() }).await?;
    let ended = stage.renew().await?;
    let sent = stage.seen().iter().find_map(|seen| seen.csr()?.subject().der().to_vec().into());
    let wanted: Option<Vec<u8>> = Some(stage.customer.certificate.subject().der().to_vec());
    ensure(sent == wanted, "the predecessor's subject, byte for byte", format!("{sent:02x?}"))?;
    stage.renewed(&ended).await
}

async fn other_string_types(play: Play) -> Outcome {
    let wish = Wish { name: odd_name(), ..Wish::default() };
    let stage = play.stage_of(Setup { wish, ..Setup::default() }).await?;
    let ended = stage.renew().await?;
    stage.renewed(&ended).await?;
    let (old, new) = (&stage.customer.certificate, stage.held_pair()?);
    if old.subject().der() == new.subject().der() {
        return Err(Stop::blocked("the successor's subject is encoded as the predecessor's"));
    }
    ensure(old.subject() == new.subject(), old.subject(), new.subject())
}

async fn enrollment_name(play: Play) -> Outcome {
    play.able(Ability::Enroll).await?;
    let text = "CN=更新 花子+OU=Sales\\, East,1.2.840.113549.1.9.1=h@example.jp,2.5.4.12=#1403616263,2.5.4.5=123,DC=example,C=JP";
    let name: Option<Name> = text.parse().ok();
    let wanted = name.as_ref().map(|name| name.der().to_vec());
    let wish = Wish { name, ..Wish::default() };
    let mut stage = play.set(Setup { wish, ..Setup::default() }).await?;
    stage.reissue().await?;
    let ended = stage.run("enroll").await?;
    let sent = stage.seen().iter().find_map(|seen| seen.csr()?.subject().der().to_vec().into());
    ensure(sent == wanted, format!("a subject of {wanted:02x?}"), format!("{sent:02x?}"))?;
    stage.renewed(&ended).await
}
