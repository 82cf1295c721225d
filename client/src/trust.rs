//! What the client believes: certificates and receipts under its own roots, and nothing else (SPEC.md 6.5, 6.7, 12).

use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::chain::Chain;
use koshin_protocol::embedded_jws::EmbeddedJws;
use koshin_protocol::order::{Order, Status, StatusName};
use koshin_protocol::receipt::Receipt;
use koshin_protocol::verify::default_verifier;

use crate::error::{Error, ReceiptFault};

/// Verifies the receipt of an order in a final state (RCP-04, RCP-05); `None` for an open order, which has none.
pub fn receipt(order: &Order, roots: &[Certificate]) -> Result<Option<Receipt>, ReceiptFault> {
    let Some(jws) = receipt_of(&order.status) else { return Ok(None) };
    let receipt = Receipt::verify(jws, roots, default_verifier())?;
    let issued = match &order.status {
        Status::Completed { issued, .. } => Some(&issued.cert_id),
        Status::RolledBack { cert_id, .. } => Some(cert_id),
        Status::Processing { .. }
        | Status::Valid { .. }
        | Status::Canceled { .. }
        | Status::Invalid { .. } => None,
    };
    let same = receipt.order == order.url
        && receipt.key == order.key
        && receipt.subject == order.subject
        && receipt.status == order.status.name()
        && issued.is_none_or(|issued| receipt.cert_id.as_ref() == Some(issued));
    if same { Ok(Some(receipt)) } else { Err(ReceiptFault::Other) }
}

/// The receipt of an order, as it is.
pub fn receipt_of(status: &Status) -> Option<&EmbeddedJws> {
    match status {
        Status::Processing { .. } | Status::Valid { .. } => None,
        Status::Completed { receipt, .. }
        | Status::Canceled { receipt }
        | Status::Invalid { receipt, .. }
        | Status::RolledBack { receipt, .. } => Some(receipt),
    }
}

/// Whether an order has ended without its certificate, and the bank's word on it is proved.
pub fn is_over(order: &Order, roots: &[Certificate]) -> Result<bool, ReceiptFault> {
    let over = match order.status.name() {
        StatusName::Processing | StatusName::Valid | StatusName::Completed => false,
        StatusName::Canceled | StatusName::Invalid | StatusName::RolledBack => true,
    };
    Ok(over && receipt(order, roots)?.is_some())
}

/// The certificates of an order's chain.
pub fn certificates(chain: &Chain) -> Option<Vec<Certificate>> {
    chain.iter().map(|der| Certificate::from_der(der).ok()).collect()
}

/// Whether a new certificate lasts longer than the one that it replaces (CLI-62).
pub fn lasts_longer(new: &Certificate, old: &Certificate) -> Result<(), Error> {
    if new.not_after() > old.not_after() {
        Ok(())
    } else {
        Err(Error::NotLonger { found: new.not_after() })
    }
}

/// Whether a bank's name for a certificate is that of the certificate it sent.
pub fn is_named(certificate: &Certificate, name: &CertId) -> bool {
    CertId::of(certificate) == *name
}
