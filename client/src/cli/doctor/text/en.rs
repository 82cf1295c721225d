//! English.

use super::{Words, bad, good};
use crate::cli::doctor::finding::Finding;
use crate::cli::language::Tongue;

#[expect(clippy::too_many_lines, reason = "one list of texts, which is read as a list")]
pub(super) fn words(finding: &Finding, tongue: &Tongue, option: &str) -> Words {
    let at = |time| tongue.time(time);
    match finding {
        Finding::Home { folder, identities } => {
            good(format!("{identities} in {}", folder.display()))
        }
        Finding::NoIdentities { folder } => bad(
            format!("there is no identity in {}", folder.display()),
            "import a certificate with `koshin import`, or redeem a ticket with `koshin enroll`",
        ),
        Finding::HomeUnreadable { folder, detail } => bad(
            format!("{} cannot be read: {detail}", folder.display()),
            "give this user access to the folder, or name another one with --home",
        ),
        Finding::HomeWritable { .. } => good("files can be made, made durable and removed"),
        Finding::HomeNotWritable { folder, detail } => bad(
            format!("no file can be made in {}: {detail}", folder.display()),
            "make room on the disk, or give this user write access: a renewal stops before it begins",
        ),
        Finding::HomeOpen { folder, mode } => bad(
            format!("others may write in {} (mode {mode:03o})", folder.display()),
            format!("close it with `chmod go-w {}`", folder.display()),
        ),
        Finding::Space { mebibytes, .. } => good(format!("{mebibytes} MiB free")),
        Finding::SpaceLow { folder, mebibytes } => bad(
            format!("the disk of {} is full: {mebibytes} MiB free", folder.display()),
            "make room: a renewal needs a few files, and stops before it begins without",
        ),
        Finding::SpaceUnknown { folder, detail } => bad(
            format!("how much room {} has cannot be found out: {detail}", folder.display()),
            "see that there is room on the disk",
        ),
        Finding::Proxy { variables } => good(format!("a proxy is in use: {variables}")),
        Finding::NoProxy => good("no proxy is set"),

        Finding::Settings { directory } => good(format!("the bank is {directory}")),
        Finding::SettingsBad { detail } => {
            bad(format!("the identity cannot be opened: {detail}"), "mend the file that is named")
        }
        Finding::Unlocked => good("no other program works with the identity"),
        Finding::Locked => bad(
            "another program works with the identity",
            "wait until it has finished; if it never does, see which one holds the file `lock`",
        ),
        Finding::FolderClosed => good("the folder is its owner's alone"),
        Finding::FolderOpen { folder, mode } => bad(
            format!("others may enter {} (mode {mode:03o})", folder.display()),
            format!("close it with `chmod 700 {}`", folder.display()),
        ),
        Finding::KeysClosed { count } => good(format!("{count} key files are their owner's alone")),
        Finding::KeyOpen { path, mode } => bad(
            format!("others may read the private key {} (mode {mode:03o})", path.display()),
            format!(
                "close it with `chmod 600 {}`; if somebody may have read it, have the certificate \
                 revoked with `koshin revoke{option}`",
                path.display()
            ),
        ),
        Finding::Trust { count, until } => {
            good(format!("{count} roots of the bank, valid until {}", at(*until)))
        }
        Finding::TrustBad { detail } => bad(
            format!("the bank's roots cannot be used: {detail}"),
            "put the bank's root certificates, PEM, where `trust` in identity.toml says",
        ),
        Finding::TrustExpired { path, until } => bad(
            format!("the bank's roots in {} expired at {}", path.display(), at(*until)),
            "get the bank's new root certificates from the bank, and put them there",
        ),
        Finding::TlsSystem => good("connections are checked against the system's roots"),
        Finding::Tls { count } => {
            good(format!("connections are checked against {count} roots of their own"))
        }
        Finding::TlsBad { detail } => bad(
            format!("the roots for connections cannot be used: {detail}"),
            "mend `tls-trust` in identity.toml, or the system's certificates (package ca-certificates)",
        ),
        Finding::Pins { count } => good(format!("{count} keys of the bank's server are pinned")),
        Finding::PinBad { pin } => bad(
            format!("`{pin}` in identity.toml is no pin"),
            "a pin is the SHA-256 of a public key (SPKI) in base64url: 43 characters",
        ),
        Finding::Pair { generation, subject } => {
            good(format!("key and certificate {generation} belong together: {subject}"))
        }
        Finding::NoPair => bad(
            "there is no certificate in use",
            "import one with `koshin import`, or redeem a ticket with `koshin enroll`",
        ),
        Finding::PairBroken { generation, detail } => bad(
            format!("the pair {generation} that is in use is broken: {detail}"),
            format!(
                "`koshin resume{option}` uses another pair that the bank takes, or fetches the certificate \
                 again; without, import a copy, or have an administrator reissue it"
            ),
        ),
        Finding::KeyClosed { detail } => bad(
            format!("the key cannot be used: {detail}"),
            "give the passphrase with --key-passphrase-file, or close the file to others",
        ),
        Finding::Valid { until, days } => {
            good(format!("the certificate is valid until {} ({days} days)", at(*until)))
        }
        Finding::InWindow { until, days } => bad(
            format!("the certificate may be renewed, and ends at {} ({days} days)", at(*until)),
            format!("renew it with `koshin renew{option}`, or let `koshin agent` do it"),
        ),
        Finding::Expired { until } => bad(
            format!("the certificate expired at {}", at(*until)),
            "have it reissued: a user's by an administrator of the contract (`koshin admin reissue`), an \
             administrator's at the branch",
        ),
        Finding::NotYetValid { from } => bad(
            format!("the certificate is valid from {} only", at(*from)),
            "set this machine's clock right",
        ),
        Finding::Finished => good("nothing is unfinished"),
        Finding::Unfinished { generation, begun } => bad(
            format!("what was begun at {} is not finished (pair {generation})", at(*begun)),
            format!(
                "finish it with `koshin resume{option}`, or give it up with `koshin cancel{option}`; \
                 nothing is lost until then"
            ),
        ),
        Finding::JournalBad { detail } => bad(
            detail.clone(),
            "leave the folder as it is and update koshin; keep a copy before you mend anything by hand",
        ),
        Finding::LastAttemptFailed { reason, again } => bad(
            format!("the agent's last attempt failed: {reason}"),
            format!(
                "it tries again after {}; `koshin agent --once --again` tries at once",
                at(*again)
            ),
        ),

        Finding::Reached { url } => good(format!("{url} answers, and is who it should be")),
        Finding::NotReached { url, detail } => bad(
            format!("{url} does not answer: {detail}"),
            "check the network, the firewall and the proxy variables; try again later",
        ),
        Finding::TlsRefused { url, why } => {
            bad(format!("{url} cannot prove that it is the bank: {why}"), why.remedy())
        }
        Finding::HttpStatus { url, status } => bad(
            format!("{url} answers with HTTP status {status}"),
            "check the address in identity.toml; if it is right, try again later",
        ),
        Finding::Directory { profile } => {
            good(format!("the bank speaks this version of the protocol, profile {profile}"))
        }
        Finding::DirectoryBad { detail } => bad(
            format!("the bank's directory cannot be used: {detail}"),
            "check the address in identity.toml, and update koshin: the bank may speak a newer version",
        ),
        Finding::Clock { seconds } => {
            good(format!("this machine's clock is {} s from the bank's", seconds.abs()))
        }
        Finding::ClockWrong { seconds } => {
            let side = if *seconds > 0 { "ahead of" } else { "behind" };
            bad(
                format!("this machine's clock is {} s {side} the bank's", seconds.abs()),
                "set the clock, and let it be kept by NTP (`timedatectl set-ntp true`)",
            )
        }
        Finding::NoDate => {
            bad("the bank does not say what time it is", "tell the bank: its answers have no Date")
        }
        Finding::Environment { os, version } => {
            good(format!("the bank supports this environment: {os} {version}"))
        }
        Finding::EnvironmentRefused { ours, wanted } => bad(
            format!("the bank does not support this environment: {ours}"),
            format!("update to one that it supports: {wanted}"),
        ),
        Finding::KeyStore { kind } => good(format!("the bank takes keys kept in: {kind}")),
        Finding::KeyStoreRefused { kind, offered } => bad(
            format!("the bank does not take keys kept in: {kind}"),
            format!("set up an identity with one that it takes: {offered}"),
        ),
        Finding::Algorithm { algorithm } => {
            good(format!("the bank takes signatures of {algorithm}"))
        }
        Finding::AlgorithmRefused { algorithm, offered } => bad(
            format!("the bank does not take the current key's signatures, {algorithm}"),
            format!("it takes {offered}; have the certificate reissued for another key"),
        ),
        Finding::Issuers { count } => {
            good(format!("the bank's {count} issuers lead to the configured roots"))
        }
        Finding::IssuersUntrusted { issuer, detail } => bad(
            format!(
                "the bank issues from `{issuer}`, which the configured roots do not cover: {detail}"
            ),
            "get the bank's present root certificates from the bank, and put them where `trust` says: \
             without them a new certificate is not installed",
        ),
        Finding::Known { opens, closes } => good(format!(
            "the bank takes the certificate for the current one, and suggests a renewal from {} to {}",
            at(*opens),
            at(*closes)
        )),
        Finding::NotRenewable => bad(
            "the bank does not take the certificate for the current one: it is unconfirmed, superseded, \
             revoked or expired",
            format!(
                "`koshin resume{option}` or `koshin renew{option}` finds out which, and what to do"
            ),
        ),
        Finding::Unknown => bad(
            "the bank does not know the certificate",
            "check that the address in identity.toml is that of the bank that issued it; the bank imports \
             certificates of its former system first",
        ),
        Finding::RenewalInfoBad { detail } => bad(
            format!("the bank does not say when to renew: {detail}"),
            "try again later; until then the certificate's own window counts",
        ),
    }
}
