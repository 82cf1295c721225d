"""Problem documents: the tokens of SPEC.md 11.2, and how a client reads them (11.3, 11.4)."""

from . import clock, objects

URN = "urn:koshin:error:"
STAGES = ("http", "jws", "operation", "key", "nonce", "signature", "signer", "payload", "state")

REISSUE = {"user": ("reissueByAdministrator", "administrator"), "administrator": ("reissueAtBranch", "branch")}
UNLOCK = {"user": ("unlockByAdministrator", "administrator"), "administrator": ("unlockAtBranch", "branch")}

# token: (status, action), and `by` where it is always the same; a table by role where it depends on the subject.
TOKENS = {
    "malformed": (400, "correct"),
    "unsupportedMediaType": (415, "correct"),
    "payloadTooLarge": (413, "correct"),
    "methodNotAllowed": (405, "correct"),
    "misdirected": (421, "correct"),
    "notFound": (404, "stop"),
    "badNonce": (400, "retry"),
    "badSignature": (401, "correct"),
    "badSignatureAlgorithm": (400, "correct"),
    "badPublicKey": (400, "correct"),
    "typeMismatch": (400, "correct"),
    "urlMismatch": (400, "correct"),
    "rateLimited": (429, "wait"),
    "serverInternal": (500, "retry"),
    "unavailable": (503, "wait"),
    "sessionEnded": (401, "logon"),
    "sessionPurpose": (403, "logon"),
    "notAuthorized": (403, "stop"),
    "certificateUnknown": (403, "stop", "branch"),
    "certificateNotYetValid": (403, "wait"),
    "certificateExpired": (403, REISSUE),
    "certificateRevoked": (403, REISSUE),
    "certificateSuperseded": (403, "useSuccessor"),
    "subjectDisabled": (403, "stop", "branch"),
    "environmentUnsupported": (403, "updateEnvironment", "user"),
    "pinRequired": (401, "correct", "user"),
    "pinWrong": (403, "correct", "user"),
    "pinLocked": (403, UNLOCK),
    "pinUnacceptable": (400, "correct", "user"),
    "tooEarly": (403, "wait"),
    "orderExists": (409, "resumeOrder"),
    "replacesMismatch": (403, "correct"),
    "badCSR": (400, "correct"),
    "keyReused": (409, "correct"),
    "keyStoreUnsupported": (400, "correct"),
    "issueFailed": (500, "retry"),
    "orderUnknown": (404, "logon"),
    "orderProcessing": (409, "wait"),
    "orderCompleted": (409, "useSuccessor"),
    "orderCanceled": (409, "usePredecessor"),
    "orderInvalid": (409, "logon"),
    "orderRolledBack": (409, "usePredecessor"),
    "orderNotCompleted": (409, "resumeOrder"),
    "keyMismatch": (409, "resumeOrder"),
    "predecessorExpired": (409, "resumeOrder"),
    "rollbackEnded": (409, "useSuccessor"),
    "rollbackDisabled": (403, "useSuccessor"),
    "notSuperseded": (409, "logon"),
    "deferralRefused": (409, "stop"),
    "subjectUnknown": (404, "correct"),
    "subjectMismatch": (409, "correct"),
    "reissueNotAllowed": (403, "reissueAtBranch", "branch"),
    "reissueConflict": (409, "correct"),
    "reissueClosed": (409, "stop"),
    "enrollmentRefused": (403, "correct"),
    "enrollmentUsed": (409, REISSUE),
    "enrollmentExpired": (403, REISSUE),
    "enrollmentCanceled": (403, REISSUE),
    "notRenewable": (410, "logon"),
}

ACTIONS = {
    "retry", "wait", "logon", "correct", "resumeOrder", "useSuccessor", "usePredecessor", "unlockByAdministrator",
    "unlockAtBranch", "reissueByAdministrator", "reissueAtBranch", "updateEnvironment", "stop",
}


class Refused(Exception):
    """A request that the bank refuses: the token, the stage of 5.7, and members of the document beyond the fixed ones."""

    def __init__(self, token, stage, role="user", about="", action=None, not_before=None, retry_after=None, **members):
        super().__init__(token)
        self.token, self.stage, self.role, self.about = token, stage, role, about
        self.action, self.not_before, self.retry_after, self.members = action, not_before, retry_after, members

    @property
    def status(self):
        return TOKENS[self.token][0]


def remedy(token, role="user", action=None, not_before=None):
    """The remedy of 11.2 for the token and the subject's role; `action` where the table leaves a choice."""
    entry = TOKENS[token]
    found, by = entry[1][role] if isinstance(entry[1], dict) else (entry[1], entry[2] if len(entry) > 2 else None)
    if action:
        found, by = action, None
    made = {"action": found}
    if by:
        made["by"] = by
    if not_before is not None:
        made["notBefore"] = clock.write_time(not_before)
    return made


class Answer:
    """What a client read from a problem document."""

    def __init__(self, document):
        objects.check("problem", document)
        type_ = document["type"]
        self.document = document
        self.status, self.title, self.detail = document["status"], document["title"], document["detail"]
        self.token = type_[len(URN):] if type_.startswith(URN) and type_[len(URN):] in TOKENS else None
        self.remedy = document["remedy"]
        self.action = action(self.remedy["action"], self.status)


def action(word, status):
    """ERR-07: an action that this version does not know is taken by the status; `word` is None for no document."""
    if word in ACTIONS:
        return word
    if status in (429, 503):
        return "wait"
    return "retry" if 500 <= status <= 599 else "stop"
