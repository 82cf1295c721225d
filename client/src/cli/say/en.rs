//! English.

use koshin_client::import::ImportError;
use koshin_client::progress::Why;

use super::Say;
use crate::cli::language::Tongue;
use crate::cli::open_work::Work;

/// The words for something to say.
#[expect(clippy::too_many_lines, reason = "one list of texts, which is read as a list")]
pub(crate) fn text(say: &Say, tongue: &Tongue) -> String {
    let time = |at| tongue.time(at);
    match say {
        Say::AskPin { lengths: None } => "PIN: ".to_owned(),
        Say::AskPin { lengths: Some((least, most)) } => {
            format!("PIN ({least} to {most} characters, not shown): ")
        }
        Say::PinWasWrong { left } => {
            format!("The PIN was wrong. After {left} more wrong ones it is locked.")
        }
        Say::NoSuchPin => "The bank's PINs have another length. Nothing was sent.".to_owned(),
        Say::Notice { expires, closes, deferrals } => {
            let deferred = match deferrals {
                0 => String::new(),
                1 => "  The renewal was deferred once.\n".to_owned(),
                times => format!("  The renewal was deferred {times} times.\n"),
            };
            format!(
                "\nYour certificate will expire soon. Please renew it.\n\
                 \x20 Expires: {}\n{deferred}\
                 \x20 From {} on you could not log on any more.",
                time(*expires),
                time(*closes),
            )
        }
        Say::AskRenewOrDefer => {
            "  1  renew now\n  2  renew at the next logon\nYour choice [1]: ".to_owned()
        }
        Say::AskMakeKey { expires, key_store } => format!(
            "\nThe renewal begins. Cancel it as you like; nothing breaks.\n\
             \x20 Replaces the certificate that expires: {}\n\
             \x20 The new key is kept in: {key_store}\n\
             Make a new key and order the new certificate? [y/n] ",
            time(*expires)
        ),
        Say::AskInstall { subject, until } => format!(
            "\nThe new certificate is here, and checked.\n\
             \x20 Of: {subject}\n\
             \x20 Valid until: {}\n\
             Use it from now on? [y/n] ",
            time(*until)
        ),
        Say::AskEnroll { directory, name } => format!(
            "The ticket is for\n\
             \x20 Bank: {directory}\n\
             \x20 Name: {name}\n\
             Is this your bank and your name? [y/n] "
        ),
        Say::AskTicket => "Enrollment ticket (koshin-ticket:..., not shown): ".to_owned(),
        Say::AskRollback => "Taking the renewal back revokes the new certificate; the old one counts again.\nTake it back? [y/n] ".to_owned(),
        Say::AskLogOn { until } => format!(
            "The last renewal can be taken back until {}. Logging on with the new certificate ends that right.\n\
             Log on? [y/n] ",
            time(*until)
        ),
        Say::AskRevoke => "A revoked certificate cannot be used again, and only a reissue gives a new one.\nRevoke it? [y/n] ".to_owned(),
        Say::AskReissue { name, reason } => format!(
            "{}\n\x20 User: {name}\n\x20 Reason: {reason}\nReissue? [y/n] ",
            if reason.revokes_at_once() {
                "The user's certificates are revoked at once, open renewals end, and a ticket is made."
            } else {
                "The user's open renewals end, and a ticket is made; the certificates are revoked once it was used."
            }
        ),
        Say::AskKeyStore => "Where shall keys be kept?\n\
             \x20 1  file: PEM files, protected by their permissions\n\
             \x20 2  pkcs12: PKCS#12 files under a passphrase\n\
             Your choice [1]: "
            .to_owned(),
        Say::AskKeyPassphrase => "Passphrase of the key store: ".to_owned(),
        Say::AskNewKeyPassphrase => "New passphrase for the key store: ".to_owned(),
        Say::AskFilePassphrase => "Passphrase of the file: ".to_owned(),
        Say::AskNewFilePassphrase => "New passphrase for the file: ".to_owned(),
        Say::AskAgain => "The same again: ".to_owned(),
        Say::AnswerYesOrNo => "Please answer y or n.".to_owned(),
        Say::AnswerOneOrTwo => "Please answer 1 or 2.".to_owned(),
        Say::PassphraseWasWrong => "The passphrase is wrong.".to_owned(),
        Say::EmptyPassphrase => "It cannot be empty.".to_owned(),
        Say::TypedDifferently => "The two differ. Once more:".to_owned(),

        Say::PleaseWait => "Please wait".to_owned(),
        Say::LoggedOn { name, until } => {
            format!("Logged on: {name}, certificate valid until {}.", time(*until))
        }
        Say::ClockDiffers { seconds } => {
            let (amount, direction) =
                (seconds.unsigned_abs(), if *seconds > 0 { "ahead of" } else { "behind" });
            format!(
                "This machine's clock is {amount} seconds {direction} the bank's; set it right. \
                 The bank's counts here."
            )
        }
        Say::Resuming => "Going on with what was begun earlier.".to_owned(),
        Say::KeyMade { key_store } => format!("A new key is stored ({key_store})."),
        Say::Ordered => "The bank has the order.".to_owned(),
        Say::Processing { seconds } => {
            format!("The bank is making the certificate; asking again in {seconds} s.")
        }
        Say::Waiting { why, seconds } => {
            let why = match why {
                Why::NoAnswer => "The bank does not answer",
                Why::AskedToWait => "The bank asks to wait",
                Why::CouldNot => "The bank could not do it now",
            };
            format!("{why}: trying again in {seconds} s.")
        }
        Say::Received { until } => {
            format!("The new certificate is stored; it is valid until {}.", time(*until))
        }
        Say::Installed => "The new certificate is in use on this machine.".to_owned(),
        Say::Confirmed => "The bank has confirmed it.".to_owned(),
        Say::Switched => "Another certificate of yours is in use now: the one that counts at the bank."
            .to_owned(),

        Say::Imported { subject, not_after, opens, is_open, why_unknown, folder, command } => {
            let mut lines = vec![format!("Imported: {subject}\n  Valid until: {}", time(*not_after))];
            if let Some(opens) = opens {
                lines.push(format!("  Renewal opens: {}", time(*opens)));
            }
            if let Some(why) = why_unknown {
                lines.push(format!("  When its renewal opens is not known: {why}"));
            }
            lines.push(format!("  In: {}", folder.display()));
            lines.push(match is_open {
                Some(false) => format!("Nothing to do until then; then: {command}"),
                Some(true) | None => format!("Next: {command}"),
            });
            lines.join("\n")
        }
        Say::RenewedNow { subject, until, is_renewal, folder, key, rollback, export } => {
            let mut lines = vec![format!(
                "{}\n  Certificate of: {subject}\n  Valid until: {}\n  Files: {} (certificate.pem, {key})",
                if *is_renewal { "The renewal is complete." } else { "The enrollment is complete." },
                time(*until),
                folder.display(),
            )];
            if *is_renewal {
                lines.push("Use the new certificate from now on. The old one is still listed until it expires, but no longer counts.".to_owned());
            }
            if let Some((until, command)) = rollback {
                lines.push(format!(
                    "To take the renewal back, until {} and before you log on with the new certificate: {command}",
                    time(*until)
                ));
            }
            lines.push(format!("For a browser or other programs: {export}"));
            lines.join("\n")
        }
        Say::DeferredUntilLater { deferrals, next } => format!(
            "The renewal is deferred to a later logon (so far: {deferrals}). Nothing was changed.\n\
             Once the certificate has expired it cannot be renewed. When you are ready: {next}"
        ),
        Say::CanceledNow { next } => format!(
            "The renewal is canceled. Go on using the old certificate; to begin anew: {next}"
        ),
        Say::RolledBackNow => {
            "The renewal is taken back. The old certificate counts again, the new one is revoked.".to_owned()
        }

        Say::Checked { ok, warn: 0, fail: 0 } => format!("\nAll is well ({ok} checks)."),
        Say::Checked { ok, warn, fail } => {
            format!("\n{ok} ok, {warn} to look at, {fail} to mend.")
        }
        Say::Looked { identities, is_well: true } => format!("looked at {identities}, all is well"),
        Say::Looked { identities, is_well: false } => {
            format!("looked at {identities}, with problems: see above, or `koshin doctor`")
        }
        Say::Exported { file, subject, has_clear_key } => {
            let mut lines = vec![format!("Written: {}\n  Certificate of: {subject}", file.display())];
            if *has_clear_key {
                lines.push("Its key is in clear. Remove the file once it has been taken in elsewhere.".to_owned());
            }
            lines.join("\n")
        }
        Say::Revoked { certificates, is_own } => {
            let mut lines = vec![format!("Revoked: {}", certificates.join(", "))];
            if *is_own {
                lines.push("Ask an administrator of your contract, or the branch, for a reissue; then: koshin enroll".to_owned());
            }
            lines.join("\n")
        }
        Say::Reissued { name, expires, ticket, qr, file } => {
            let mut lines = vec![format!("{name} may enroll anew, until {}.", time(*expires))];
            if let Some(ticket) = ticket {
                lines.push("The ticket, shown this once; hand it over as you would a password:".to_owned());
                lines.push(format!("\n{ticket}\n"));
            }
            lines.extend(qr.clone());
            if let Some(file) = file {
                lines.push(format!("The ticket is in {}; hand it over as you would a password.", file.display()));
            }
            lines.push("Next, by the user: koshin enroll".to_owned());
            lines.join("\n")
        }
        Say::ReissueCanceled { name, status } => {
            format!("The reissue of {name} is {status}; its ticket cannot be used.")
        }
        Say::Unlocked { name } => format!("The PIN of {name} may be tried again."),

        Say::Lines(lines) => {
            lines.iter().map(|line| tongue.say(line)).collect::<Vec<_>>().join("\n")
        }
        Say::Identity { name, directory } => format!("{name}  at {directory}"),
        Say::IdentityFailed { name, why } => format!("{name}\n  cannot be looked at: {why}"),
        Say::NoCertificateYet => "  no certificate yet".to_owned(),
        Say::Certificate { subject, cert_id, until, is_current: true } => {
            format!("* {subject}\n    valid until {}, in use  {cert_id}", time(*until))
        }
        Say::Certificate { subject, cert_id, until, is_current: false } => {
            format!("  {subject}\n    until {}, not in use  {cert_id}", time(*until))
        }
        Say::Open { work } => {
            let begun = work.begun.map_or_else(String::new, |at| format!(", begun {}", time(at)));
            let what = match work.what {
                Work::Key => "a new key is there, and what became of its renewal is to be found out",
                Work::Renewal => "a renewal is under way",
                Work::Enrollment => "an enrollment is under way",
                Work::Cancel => "a cancel is not finished",
                Work::Rollback => "a rollback is not finished",
            };
            format!("  {what}{begun}")
        }
        Say::WindowUnknown { why } => format!("  when its renewal opens is not known: {why}"),
        Say::ToBeginWith => "  to begin with, import the certificate that you have, or enroll with a ticket".to_owned(),
        Say::ExpiredNow => "  it has expired: ask an administrator of your contract, or the branch, for a reissue, and enroll with the ticket".to_owned(),
        Say::OpensLater { opens } => format!("  renewal opens: {}; nothing to do until then", time(*opens)),
        Say::OpenNow { days } => format!("  it can be renewed now; days left: {days}"),
        Say::DaysLeft { days } => format!("  days left: {days}"),
        Say::Contract { id, name } => format!("Contract {id}  {name}"),
        Say::ContractSubject { id, name, role, pin, deferrals, has_order, has_reissue } => {
            let mut parts = vec![format!("  {id}  {role}  {name}  PIN {}", pin.as_str())];
            if *deferrals > 0 {
                parts.push(format!("deferred {deferrals} times"));
            }
            parts.extend(has_order.then(|| "renewal under way".to_owned()));
            parts.extend(has_reissue.then(|| "ticket open".to_owned()));
            parts.join("  ")
        }
        Say::ContractCertificate { cert_id, state, until } => {
            format!("    {cert_id}  {state}, until {}", time(*until))
        }

        Say::Next { command, is_administrators: false } => format!("Next: {command}"),
        Say::Next { command, is_administrators: true } => {
            format!("Next, by an administrator of your contract: {command}")
        }
        Say::AtDirectory { text, url } => format!("{text}\nAsked for the bank's directory: {url}"),
        Say::File { path, detail } => format!("{}: {detail}", path.display()),
        Say::NoHome => "there is no home directory; name a folder with --home".to_owned(),
        Say::NoIdentity { home } => format!(
            "there is no identity in {}; set one up:\n  \
             koshin import FILE... --directory URL --trust ROOTS.pem   with the certificate that you have\n  \
             koshin enroll --trust ROOTS.pem                           with an enrollment ticket",
            home.display()
        ),
        Say::NoSuchIdentity { name, names } => {
            format!("there is no identity {name}; there are: {names}")
        }
        Say::ManyIdentities { names } => {
            format!("there are several identities ({names}); choose one with --identity NAME")
        }
        Say::ConsentNeeded => "nobody is here to be asked for consent; give it in advance with --yes, or run this at a terminal without --json".to_owned(),
        Say::LogonEndsRollback { until } => format!(
            "the last renewal can be taken back until {}, and logging on with the new certificate ends that right; give --yes to log on all the same",
            time(*until)
        ),
        Say::KeyPassphraseNeeded => "the key store needs its passphrase; give it with --key-passphrase-file FILE or --key-passphrase-fd N".to_owned(),
        Say::OthersCanRead { path } => {
            let path = path.display();
            format!("others than its owner may read {path}; close it with `chmod 600 {path}`")
        }
        Say::NoSuchKeyStore { path, found } => format!(
            "{}: there is no key store of kind `{found}`; there are `file` and `pkcs12`",
            path.display()
        ),
        Say::DirectoryNeeded => "a new identity needs to know its bank; give the URL of the bank's directory with --directory URL".to_owned(),
        Say::TrustNeeded => "a new identity needs the roots of the bank's certificates; give the PEM file that the bank publishes with --trust FILE".to_owned(),
        Say::NoRoots { path } => {
            format!("{}: there is no certificate in it; give the bank's roots in PEM", path.display())
        }
        Say::OtherSubject { name, ours, found } => format!(
            "the identity {name} is {ours}, but this is the certificate of {found}; give it an identity of its own with --identity NAME"
        ),
        Say::OlderThanCurrent { name, ours, found } => format!(
            "the identity {name} has a certificate that is valid until {}, this one only until {}; nothing was changed",
            time(*ours),
            time(*found)
        ),
        Say::OtherDirectory { name, ours, given, file } => format!(
            "the identity {name} is for the bank at {ours}, not {given}; give that one an identity of its own with --identity NAME, or correct `directory` in {}",
            file.display()
        ),
        Say::NotAgreed => "not agreed; nothing was changed".to_owned(),
        Say::TicketNeeded => "the ticket is needed: give its file, - for standard input, or KOSHIN_TICKET".to_owned(),
        Say::FilePassphraseNeeded => "a PKCS#12 file needs a passphrase; give it with --passphrase-file FILE or --passphrase-fd N".to_owned(),
        Say::CertificatesAreInPem => "certificates without the key are written in PEM; leave --format out, or name a .pem file".to_owned(),
        Say::NoSuchUser { wanted, users } => format!("there is no user {wanted} in the contract; there are:\n  {users}"),
        Say::NoReissue { name } => format!("there is no open reissue of {name}"),
        Say::OtherKeyStore { name, ours } => format!(
            "the identity {name} keeps its keys in `{ours}`; for another store set up another identity with --identity NAME"
        ),
    }
}

/// What is wrong with files that were to be imported, with the option that helps.
pub(crate) fn import_error(error: &ImportError) -> String {
    match error {
        ImportError::PassphraseMissing | ImportError::PassphraseWrong => {
            format!("{error} (--passphrase-file FILE or --passphrase-fd N)")
        }
        ImportError::NoKey => format!("{error}; name the key's file as well"),
        ImportError::NoCertificate => format!("{error}; name the certificate's file as well"),
        other => other.to_string(),
    }
}
