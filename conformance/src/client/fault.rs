//! Clients that are wrong on purpose: each breaks one requirement, by a part of the reference client that is replaced here.

/// What is wrong with a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[rustfmt::skip]
pub(super) enum Fault {
    // Answers
    DuplicateMembers, MissingMembers, LongAnswers, NoNewMembers, AnyOrderKey, AnySession, AnyVersion, AnyAlgorithm,
    // Requests
    ForeignUrls, PeoplesUrls, Redirects, AnyTls, MediaType, NonceTwice, NoLanguage, NoLogoff,
    // Waiting
    NoWaiting, NoDates, OwnDates, ShortWaits, LongWaits, NoPauses, NeverEnds, BadNonceStops, BadNonceForever, Blindly,
    // Time and windows
    NoOwnWindow, NoDate, RenewalInfoAgain,
    // PIN and environment
    PinInFile, OtherEnvironment, Again,
    // Errors
    Silent, NoEnd, Raw, UnknownTokens, NoDocument, SessionEnded,
    // Keys
    NoRoots, AnyBanksKey, LateKey, NewKey, SameKey, KeyOfPin, OpenFiles, NoLock, LosesOldPair, LosesKey, Forgets,
    // Orders
    StartsOver, ConfirmsAnyKey, ConfirmsAnySubject, ConfirmsAnyChain, ConfirmsAnyUse, LearntRoots, AnyReceipt, DoneEarly,
    // Pairs
    OnePair, RollsBack, SilentlyElsewhere, NeverByKey,
    // Undoing
    ForgetsCancel, CancelsForEver, SwitchesFirst,
    // Tickets
    AnyTicket, AnyCode, AnyBank, CodeInFile,
}

/// A client that is wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wrong {
    /// Its stable name.
    pub(super) slug: &'static str,
    /// The requirement that it breaks.
    pub(super) requirement: &'static str,
    /// How.
    pub(super) fault: Fault,
}

const fn wrong(slug: &'static str, requirement: &'static str, fault: Fault) -> Wrong {
    Wrong { slug, requirement, fault }
}

/// All of them.
pub(super) const ALL: &[Wrong] = &[
    wrong("takes-duplicate-members", "ENC-12", Fault::DuplicateMembers),
    wrong("refuses-new-members", "ENC-17", Fault::NoNewMembers),
    wrong("takes-missing-members", "ENC-18", Fault::MissingMembers),
    wrong("takes-long-answers", "ENC-20", Fault::LongAnswers),
    wrong("takes-any-orders-key", "ENC-46", Fault::AnyOrderKey),
    wrong("goes-elsewhere", "URL-02", Fault::ForeignUrls),
    wrong("follows-redirects", "URL-03", Fault::Redirects),
    wrong("opens-urls-for-people", "URL-04", Fault::PeoplesUrls),
    wrong("believes-any-tls", "HTP-02", Fault::AnyTls),
    wrong("says-json", "HTP-20", Fault::MediaType),
    wrong("sends-twice", "NON-07", Fault::NonceTwice),
    wrong("says-no-language", "HDR-07", Fault::NoLanguage),
    wrong("knows-no-dates", "RTA-02", Fault::NoDates),
    wrong("ignores-retry-after", "RTA-03", Fault::NoWaiting),
    wrong("waits-for-hours", "RTA-04", Fault::LongWaits),
    wrong("waits-not-a-second", "RTA-05", Fault::ShortWaits),
    wrong("waits-by-its-own-clock", "RTA-06", Fault::OwnDates),
    wrong("polls-fast", "RTA-07", Fault::ShortWaits),
    wrong("signs-by-any-algorithm", "ALG-06", Fault::AnyAlgorithm),
    wrong("derives-its-key-from-the-pin", "KEY-05", Fault::KeyOfPin),
    wrong("shows-its-key-to-any-bank", "KEY-06", Fault::AnyBanksKey),
    wrong("believes-any-chain", "CHN-03", Fault::ConfirmsAnyChain),
    wrong("learns-roots", "CHN-05", Fault::LearntRoots),
    wrong("believes-any-receipt", "RCP-04", Fault::AnyReceipt),
    wrong("believes-other-receipts", "RCP-05", Fault::AnyReceipt),
    wrong("takes-any-version", "DIR-03", Fault::AnyVersion),
    wrong("asks-for-renewal-info-again", "RNI-06", Fault::RenewalInfoAgain),
    wrong("takes-any-session", "SES-09", Fault::AnySession),
    wrong("never-logs-off", "SES-16", Fault::NoLogoff),
    wrong("counts-no-window", "WIN-04", Fault::NoOwnWindow),
    wrong("believes-its-own-clock-alone", "WIN-05", Fault::NoDate),
    wrong("warns-of-no-clock", "TIM-03", Fault::NoDate),
    wrong("gives-up-ended-sessions", "SES-34", Fault::SessionEnded),
    wrong("writes-the-pin-down", "PIN-12", Fault::PinInFile),
    wrong("declares-another-system", "ENV-03", Fault::OtherEnvironment),
    wrong("knows-no-new-tokens", "ERR-06", Fault::UnknownTokens),
    wrong("stops-without-a-document", "ERR-07", Fault::NoDocument),
    wrong("shows-nothing", "ERR-08", Fault::Silent),
    wrong("repeats-what-was-refused", "ERR-10", Fault::Again),
    wrong("writes-control-characters", "ERR-11", Fault::Raw),
    wrong("needs-no-roots", "CLI-01", Fault::NoRoots),
    wrong("deletes-keys", "CLI-02", Fault::LosesKey),
    wrong("stores-the-key-late", "CLI-10", Fault::LateKey),
    wrong("locks-nothing", "CLI-12", Fault::NoLock),
    wrong("opens-key-files", "CLI-13", Fault::OpenFiles),
    wrong("repeats-blindly", "CLI-30", Fault::Blindly),
    wrong("makes-a-new-key-at-each-start", "CLI-31", Fault::NewKey),
    wrong("orders-twice-by-one-key", "CLI-33", Fault::SameKey),
    wrong("stops-at-a-bad-nonce", "CLI-40", Fault::BadNonceStops),
    wrong("repeats-bad-nonces-for-ever", "CLI-41", Fault::BadNonceForever),
    wrong("pauses-not", "CLI-42", Fault::NoPauses),
    wrong("never-ends", "CLI-43", Fault::NeverEnds),
    wrong("forgets-its-order", "CLI-50", Fault::Forgets),
    wrong("cancels-foreign-orders", "CLI-52", Fault::StartsOver),
    wrong("tells-of-no-foreign-order", "CLI-53", Fault::Silent),
    wrong("never-reads-by-key", "CLI-55", Fault::NeverByKey),
    wrong("confirms-any-key", "CLI-60", Fault::ConfirmsAnyKey),
    wrong("confirms-any-subject", "CLI-61", Fault::ConfirmsAnySubject),
    wrong("confirms-any-use", "CLI-62", Fault::ConfirmsAnyUse),
    wrong("confirms-what-fails", "CLI-63", Fault::ConfirmsAnySubject),
    wrong("tries-one-pair", "CLI-70", Fault::OnePair),
    wrong("is-silent-of-renewals-elsewhere", "CLI-72", Fault::SilentlyElsewhere),
    wrong("gives-up-late-cancels", "CLI-81", Fault::CancelsForEver),
    wrong("switches-before-the-answer", "CLI-82", Fault::SwitchesFirst),
    wrong("rolls-back-untold", "CLI-84", Fault::RollsBack),
    wrong("forgets-a-cancel", "CLI-85", Fault::ForgetsCancel),
    wrong("deletes-the-old-pair", "CLI-90", Fault::LosesOldPair),
    wrong("tells-no-end", "CLI-96", Fault::NoEnd),
    wrong("says-done-early", "CLI-97", Fault::DoneEarly),
    wrong("takes-any-code", "COD-01", Fault::AnyCode),
    wrong("takes-any-ticket", "COD-11", Fault::AnyTicket),
    wrong("goes-to-any-bank", "COD-12", Fault::AnyBank),
    wrong("writes-the-code-down", "REI-32", Fault::CodeInFile),
];

/// The fault of that name.
pub(super) fn named(slug: &str) -> Option<Fault> {
    ALL.iter().find(|wrong| wrong.slug == slug).map(|wrong| wrong.fault)
}
