//! Placing an order: the window, the notice, the first consent, the key (SPEC.md 8, 12.2, 12.3).

use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::order::Kind;
use koshin_protocol::problem::Token;
use koshin_protocol::renewal_info::Window;
use koshin_protocol::time::Time;

use super::end;
use super::own::{Leftovers, Stage};
use crate::client::{Client, Run};
use crate::consent::{AskKey, Choice};
use crate::error::{Declined, Error};
use crate::identity::{Began, Generation};
use crate::journal::{Ending, Purpose};
use crate::order::{ByKey, BySession, Order};
use crate::progress::Event;
use crate::renew::Renewal;
use crate::session::Session;
use crate::window;

/// What came of it.
pub(super) enum Placed {
    /// The bank has the order.
    Ordered(Box<Stage>, Order<ByKey>),
    /// The user deferred it; how often so far.
    Deferred(u32),
}

/// Orders the renewal of the session's certificate.
pub(super) async fn order(
    run: &Run<'_>,
    wish: &Renewal,
    mut session: Session,
    mut leftovers: Leftovers,
) -> Result<Placed, Error> {
    let client = run.client;
    let choice = may_begin(client, wish, &session).await;
    if !matches!(choice, Ok(Choice::Renew)) {
        if choice.is_ok() {
            session.defer().await?;
        }
        let deferrals = session.deferrals();
        // The bank would end the session by itself; that it is not told is no failure.
        session.log_off().await.ok();
        choice?;
        client.report(&Event::Deferred { deferrals });
        return Ok(Placed::Deferred(deferrals));
    }
    let began = match unsent(client, &session, &mut leftovers).await? {
        Some(began) => began,
        None => begin(client, &session).await?,
    };
    let signer = began.signer().clone();
    let order = match session.order(client.key_store.clone(), began.csr()).await {
        Ok(order) => order,
        Err(error) => return Err(refused(client, began, error).await?),
    };
    let order = order.by_key(&signer)?;
    let url = order.document().url.clone();
    let journaled = url.clone();
    let requested = client.on_disk(move |_| began.requested(journaled)).await?;
    client.report(&Event::Ordered { order: url });
    leftovers.close(client).await?;
    Ok(Placed::Ordered(Box::new(Stage::Requested(requested)), order))
}

/// What to do about somebody else's open order: it is canceled where the user wants to start over or it counts as
/// abandoned, and left alone otherwise (CLI-52, CLI-53).
pub(super) async fn without(
    client: &Client,
    wish: &Renewal,
    order: Order<BySession>,
    leftovers: &mut Leftovers,
) -> Result<(), Error> {
    let document = order.document();
    let (created, key, url) = (document.created, document.key, document.url.clone());
    let within = client.bank.directory().await?.meta.confirm_within;
    let abandoned = created.checked_add(within).unwrap_or(Time::MAX);
    let may = wish.start_over || client.bank.now() > abandoned;
    if !may || document.kind == Kind::Enrollment {
        return Err(Error::ForeignOrder { order: url, created, abandoned });
    }
    let canceled = order.cancel().await?;
    crate::trust::receipt(canceled.document(), &client.anchors)?;
    client.report(&Event::Canceled { order: url });
    // It may have been this client's own, and its key be lost.
    let at = leftovers.lost.iter().position(|lost| lost.journal().key == key);
    if let Some(lost) = at.map(|at| leftovers.lost.remove(at)) {
        client.on_disk(move |_| lost.ended(Ending::Canceled)).await?;
    }
    Ok(())
}

/// A logon with the new certificate ends the right to take its renewal back: while that exists, whether it is time for
/// another renewal is found out without one (CLI-86).
pub(super) async fn worth_a_logon(client: &Client) -> Result<(), Error> {
    let Some(current) = client.on_disk(crate::identity::Identity::current).await? else {
        return Ok(());
    };
    let certificate = current.certificate;
    let directory = client.bank.directory().await?;
    if is_open(client, &window::enforced(&certificate, &directory.meta))
        || client.rollback_until().await?.is_none()
    {
        return Ok(());
    }
    window_of(client, None, &certificate).await
}

/// The window by every account, and the user's choice.
async fn may_begin(client: &Client, wish: &Renewal, session: &Session) -> Result<Choice, Error> {
    let certificate = session.pair().certificate.clone();
    let notice = session.document().notice.as_ref();
    window_of(client, notice.map(|notice| notice.window), &certificate).await?;
    let Some(notice) = notice else { return Ok(Choice::Renew) };
    client.report(&Event::Notice {
        expires: notice.expires,
        opens: notice.window.start(),
        closes: notice.window.end(),
        deferrals: notice.deferred.map_or(0, |deferred| deferred.count.get()),
    });
    if notice.defer.is_none() || wish.is_decided {
        return Ok(Choice::Renew);
    }
    Ok(client.consent.notice(notice).await)
}

/// WIN-05: the order is sent where any of three accounts is open, by the bank's clock or this machine's.
async fn window_of(
    client: &Client,
    notice: Option<Window>,
    certificate: &Certificate,
) -> Result<(), Error> {
    let own = window::enforced(certificate, &client.bank.directory().await?.meta);
    if is_open(client, &own) || notice.is_some_and(|window| is_open(client, &window)) {
        return Ok(());
    }
    let info = client.renewal_info(&CertId::of(certificate)).await?;
    match info.map(|info| info.enforced_window) {
        Some(window) if is_open(client, &window) => Ok(()),
        Some(window) => Err(Error::TooEarly { opens: window.start().min(own.start()) }),
        None => Err(Error::TooEarly { opens: own.start() }),
    }
}

fn is_open(client: &Client, window: &Window) -> bool {
    let clocks = [client.bank.now(), client.bank.own_now()];
    clocks.iter().any(|now| window.contains(*now))
}

/// A key of an earlier attempt that fits: one key, one order, so that an attempt whose answer was lost is repeated with the
/// same request (CLI-31).
async fn unsent(
    client: &Client,
    session: &Session,
    leftovers: &mut Leftovers,
) -> Result<Option<Generation<Began>>, Error> {
    let certificate = &session.pair().certificate;
    let purpose = Purpose::Renewal { replaces: CertId::of(certificate) };
    if let Some(at) = leftovers.began.iter().position(|began| *began.purpose() == purpose) {
        let began = leftovers.began.remove(at);
        client.report(&Event::Resuming { generation: began.number() });
        return Ok(Some(began));
    }
    let Some(lone) = leftovers.lone.pop() else { return Ok(None) };
    let (subject, now) = (certificate.subject().clone(), client.bank.own_now());
    client.report(&Event::Resuming { generation: lone.number() });
    Ok(Some(client.on_disk(move |_| lone.adopted(purpose, &subject, now)).await?))
}

/// The first consent, and a new key: durable, with request and journal, when this returns.
async fn begin(client: &Client, session: &Session) -> Result<Generation<Began>, Error> {
    let certificate = &session.pair().certificate;
    let replaces = CertId::of(certificate);
    let key_store = client.key_store.to_string();
    let expires = certificate.not_after();
    let ask = AskKey { replaces: replaces.clone(), expires, key_store: key_store.clone() };
    if !client.consent.make_key(&ask).await {
        return Err(Error::Declined(Declined::MakeKey));
    }
    let (subject, key_type) = (certificate.subject().clone(), client.key_type);
    let (purpose, now) = (Purpose::Renewal { replaces }, client.bank.own_now());
    let began =
        client.on_disk(move |identity| identity.begin(purpose, &subject, key_type, now)).await?;
    client.report(&Event::KeyMade { generation: began.number(), key_store });
    Ok(began)
}

/// A key that the bank will never take is closed, so that the next attempt makes another.
async fn refused(client: &Client, began: Generation<Began>, error: Error) -> Result<Error, Error> {
    if matches!(error.token(), Some(Token::KeyReused | Token::BadCsr)) {
        end(client, began, Ending::Refused).await?;
    }
    Ok(error)
}
