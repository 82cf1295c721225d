//! `certificate` of an order (SPEC.md 7.12).

use der::pem::LineEnding;
use http::header::{ACCEPT, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use koshin_protocol::state::certificate::Use;
use koshin_protocol::state::order::Status;

use super::order;
use crate::bank::Bank;
use crate::error::Error;
use crate::reply::Reply;
use crate::request::{Authenticated, Reader};
use crate::wire;

const PEM_CHAIN: &str = "application/pem-certificate-chain";
const DER: &str = "application/pkix-cert";

/// The chain in PEM, or the certificate alone in DER.
pub async fn read(
    bank: &Bank,
    request: &Authenticated<Reader>,
    headers: &HeaderMap,
) -> Result<Reply, Error> {
    if let Reader::Certificate(holder) = request.principal() {
        holder.admits(Use::Fetch, request.now())?;
    }
    request.no_payload()?;
    let row = order::readable(bank, request).await?;
    match row.state.status() {
        Status::Valid | Status::Completed => {}
        closed @ (Status::Processing | Status::Canceled | Status::Invalid | Status::RolledBack) => {
            return Err(order::refusal_of(closed, &row));
        }
    }
    let certificate = row.certificate.as_ref().ok_or(Error::NotFound)?;
    let mut reply = if prefers_der(headers) {
        Reply::bytes(StatusCode::OK, DER, certificate.der.to_vec().into())
    } else {
        let chain = wire::chain(bank, certificate)?;
        let pem: String = chain.iter().map(pem).collect();
        Reply::bytes(StatusCode::OK, PEM_CHAIN, pem.into())
    };
    reply.headers.insert(VARY, HeaderValue::from_static("Accept"));
    Ok(reply)
}

fn pem(der: &[u8]) -> String {
    der::pem::encode_string("CERTIFICATE", LineEnding::LF, der).expect("a label and bytes are PEM")
}

/// Whether `Accept` prefers the DER of the certificate alone; PEM where both are as welcome.
fn prefers_der(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let quality = |media: &str| -> f32 {
        accept
            .split(',')
            .filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                let named = parts.next()?;
                let fits = if named.eq_ignore_ascii_case(media) {
                    2
                } else if named.eq_ignore_ascii_case("application/*") {
                    1
                } else if named == "*/*" {
                    0
                } else {
                    return None;
                };
                let q = parts
                    .find_map(|part| part.strip_prefix("q="))
                    .map_or(Some(1.0), |q| q.parse().ok());
                Some((fits, q.unwrap_or(0.0)))
            })
            .max_by_key(|(fits, _)| *fits)
            .map_or(0.0, |(_, q)| q)
    };
    quality(DER) > quality(PEM_CHAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn der_is_sent_only_where_it_is_preferred() {
        let accept = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(text));
            prefers_der(&headers)
        };
        assert!(!prefers_der(&HeaderMap::new()));
        assert!(!accept("*/*"));
        assert!(accept("application/pkix-cert"));
        assert!(accept("application/pem-certificate-chain;q=0.5, application/pkix-cert"));
        assert!(!accept("application/pem-certificate-chain, application/pkix-cert"));
        assert!(!accept("application/pkix-cert;q=0.1, */*;q=0.2"));
    }
}
