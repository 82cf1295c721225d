//! SPEC.md 12.1 to 12.3: trust, key files, locks, and what is stored before what is sent.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use koshin_protocol::certificate::Certificate;

use super::case;
use super::deed::Deed;
use super::forge::problem;
use super::plain::Ability;
use super::stage::{Play, Setup, Stage, private};
use super::truth::{does_not_succeed, recovers};
use crate::case::{Case, Outcome, Stop, ensure};

/// The cases.
pub(super) fn cases() -> Vec<Case<Play>> {
    vec![
        case("trust/no-roots", "Without the bank's roots the client sends no request, and with them it renews.")
            .shows(&["CLI-01"])
            .run(no_roots),
        case("key/one-bank", "Pointed at a second bank, the client signs nothing there with a key of the first.")
            .shows(&["KEY-06"])
            .run(one_bank),
        case("key/stored-before-order", "The key of the first newOrder is there after a kill before the bank saw it: the next run orders the same.")
            .shows(&["CLI-10", "CLI-20", "CLI-31"])
            .run(stored_before_order),
        case("key/stored-before-enrollment", "The key of the first newEnrollment is there after a kill before the bank saw it.")
            .shows(&["CLI-10", "CLI-20", "CLI-31"])
            .run(stored_before_enrollment),
        case("key/mode", "No file with a private key may be read by others.")
            .shows(&["CLI-13"])
            .run(mode),
        case("key/kept", "No answer of the bank makes the client delete or change a file with a private key.")
            .shows(&["CLI-02", "CLI-11", "CLI-90"])
            .run(kept),
        case("disk/full", "A client that can write nothing sends no newOrder, keeps the old pair, and renews once it can.")
            .shows(&["CLI-16"])
            .run(full_disk),
        case("lock/two-processes", "Of two processes with one store one renews, and one key is ordered.")
            .shows(&["CLI-12", "CLI-33"])
            .run(two_processes),
        case("lock/three-starts", "A process that is killed leaves no lock behind, three times in a row.")
            .shows(&["CLI-12"])
            .run(three_starts),
        case("generations/two-renewals", "A second renewal leaves the first one's pair usable until the second is confirmed.")
            .shows(&["CLI-11", "CLI-92"])
            .run(two_renewals),
    ]
}

async fn no_roots(play: Play) -> Outcome {
    let stage = play.stage().await?;
    fs::write(stage.beside("empty.pem"), "").map_err(Stop::blocked)?;
    for name in ["absent", "empty"] {
        // A folder of its own: what a client was configured with it may keep.
        let (folder, trust) = (stage.beside(name), stage.beside(&format!("{name}.pem")));
        fs::create_dir(&folder).map_err(Stop::blocked)?;
        private(&folder.join("identity.pem"), stage.customer.pem.as_bytes())?;
        let ended = stage.run_at("renew", &folder, &stage.directory, &trust).await?;
        ensure(stage.mark() == 0, "no request", stage.mark())?;
        does_not_succeed(&ended)?;
    }
    recovers(&stage).await
}

async fn one_bank(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.begin().await?;
    let mut keys = stage.ordered_keys();
    keys.insert(stage.customer.certificate.key().thumbprint().to_string());
    let second = play.set(Setup::default()).await?;
    stage.run_at("renew", &stage.state(), &second.directory, &second.bank.roots()).await?;
    for seen in second.seen() {
        let certificate = seen.certificate().and_then(|der| Certificate::from_der(&der).ok());
        let by = certificate.map(|one| one.key().thumbprint().to_string());
        let used = [by, seen.jwk(), seen.ordered_key()].into_iter().flatten();
        if let Some(key) = used.into_iter().find(|key| keys.contains(key)) {
            let expected = "no key of the first bank at the second";
            return Err(Stop::fail(expected, format_args!("{} by {key}", seen.operation)));
        }
    }
    recovers(&stage).await
}

async fn stored_before_order(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.first("newOrder", Deed::KillBefore);
    stage.renew().await?;
    ensure(stage.of("newOrder").len() == 1, "one newOrder", stage.of("newOrder").len())?;
    recovers(&stage).await
}

async fn stored_before_enrollment(play: Play) -> Outcome {
    play.able(Ability::Enroll).await?;
    let mut stage = play.stage().await?;
    stage.reissue().await?;
    stage.first("newEnrollment", Deed::KillBefore);
    stage.run("enroll").await?;
    let ended = stage.run("enroll").await?;
    stage.renewed(&ended).await
}

/// Files below a folder, links not followed.
fn files(folder: &Path, found: &mut Vec<PathBuf>) -> Outcome {
    for entry in fs::read_dir(folder).map_err(Stop::blocked)? {
        let path = entry.map_err(Stop::blocked)?.path();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            files(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

/// Files of the client with a private key in PEM, and their content.
fn key_files(stage: &Stage) -> Outcome<Vec<(PathBuf, Vec<u8>)>> {
    let mut found = Vec::new();
    files(&stage.state(), &mut found)?;
    let contents = found.into_iter().filter_map(|path| Some((path.clone(), fs::read(path).ok()?)));
    let keys = contents
        .filter(|(_, content)| String::from_utf8_lossy(content).contains("PRIVATE KEY-----"));
    Ok(keys.collect())
}

async fn mode(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.begin().await?;
    let check = || {
        for (path, _) in key_files(&stage)? {
            let mode = fs::metadata(&path).map_err(Stop::blocked)?.permissions().mode() & 0o777;
            // A folder that nobody else may enter is as good.
            let closed =
                path.ancestors().take_while(|above| *above != stage.state()).any(|above| {
                    fs::metadata(above)
                        .is_ok_and(|about| about.permissions().mode().trailing_zeros() >= 6)
                });
            ensure(
                closed,
                "a key file for its owner alone",
                format_args!("{} {mode:o}", path.display()),
            )?;
        }
        Ok(())
    };
    check()?;
    recovers(&stage).await?;
    check()
}

async fn kept(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.begin().await?;
    let before: Vec<_> = key_files(&stage)?.into_iter().map(|(_, content)| content).collect();
    for (token, status, action) in [
        ("certificateRevoked", 403, "reissueByAdministrator"),
        ("certificateUnknown", 403, "stop"),
        ("orderUnknown", 404, "logon"),
        ("notFound", 404, "stop"),
        ("keyReused", 409, "correct"),
    ] {
        for operation in ["newSession", "findOrder", "read", "confirm", "newOrder"] {
            stage.every(operation, Deed::say(problem(token, status, action)));
        }
        stage.watch("renew", Duration::from_secs(2)).await?;
        stage.behave();
        let after: Vec<_> = key_files(&stage)?.into_iter().map(|(_, content)| content).collect();
        let gone = before.iter().filter(|content| !after.contains(content)).count();
        ensure(
            gone == 0,
            "every file with a key as it was",
            format_args!("{gone} gone after `{token}`"),
        )?;
    }
    Ok(())
}

async fn full_disk(play: Play) -> Outcome {
    let mut stage = play.stage().await?;
    stage.full_disk = true;
    let ended = stage.renew().await?;
    stage.none_since(0, "newOrder")?;
    does_not_succeed(&ended)
        .or_else(|stop| if ended.code.is_none() { Ok(()) } else { Err(stop) })?;
    stage.holds_the_old_pair()?;
    stage.full_disk = false;
    recovers(&stage).await
}

async fn two_processes(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.first("newSession", Deed::Delay(Duration::from_millis(1500)));
    let second = async {
        while stage.of("newSession").is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stage.renew().await
    };
    let (first, second) = tokio::join!(stage.renew(), second);
    let (first, second) = (first?, second?);
    stage.one_key()?;
    ensure(
        first.code == Some(0) || second.code == Some(0),
        "one of them renews",
        format_args!("{} and {}", first.how(), second.how()),
    )?;
    stage.order_is("completed").await?;
    stage.holds_the_new_pair().await
}

async fn three_starts(play: Play) -> Outcome {
    let stage = play.stage().await?;
    for operation in ["newSession", "newOrder", "confirm"] {
        stage.first(operation, Deed::KillAfter);
        stage.renew().await?;
    }
    recovers(&stage).await
}

async fn two_renewals(play: Play) -> Outcome {
    let stage = play.stage().await?;
    stage.renewed_before().await?;
    let first = stage.held_pair()?;
    // Until the window of the new certificate is open.
    let opens = stage.inner().policy.window(first.not_after()).opens.unix();
    stage.bank.set_ahead(
        opens + 60 - koshin_server::clock::Clock::now(&koshin_server::clock::System).unix(),
    );
    stage.first("confirm", Deed::LoseRequest);
    stage.first("newOrder", Deed::say(problem("subjectDisabled", 403, "stop")));
    stage.renew().await?;
    let held = stage.held_pair()?;
    ensure(held == first, "the first renewal's pair", "another")?;
    stage.behave();
    let ended = stage.renew().await?;
    super::truth::exits(&ended, &[0])?;
    stage.order_is("completed").await?;
    let second = stage.held_pair()?;
    ensure(second != first, "the second renewal's pair", "the first one's")
}
