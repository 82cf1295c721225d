"""Which operation a resource has, and which member may name its signer (SPEC.md 5.4, 5.5)."""

READ = "koshin-read+jws"
NEW_SESSION = "koshin-new-session+jws"
LOGOFF = "koshin-logoff+jws"
DEFER = "koshin-defer+jws"
NEW_ORDER = "koshin-new-order+jws"
FIND_ORDER = "koshin-find-order+jws"
CANCEL = "koshin-cancel+jws"
CONFIRM = "koshin-confirm+jws"
ROLLBACK = "koshin-rollback+jws"
NEW_REISSUE = "koshin-new-reissue+jws"
CANCEL_REISSUE = "koshin-cancel-reissue+jws"
UNLOCK = "koshin-unlock+jws"
PIN = "koshin-pin+jws"
NEW_ENROLLMENT = "koshin-new-enrollment+jws"
REVOKE_CERT = "koshin-revoke-cert+jws"

RESOURCES = {
    "session": {READ: {"kid"}},
    "contract": {READ: {"kid"}},
    "order": {READ: {"kid", "jwk"}},
    "certificate": {READ: {"kid", "jwk", "x5c"}},
    "reissue": {READ: {"kid"}},
    "newSession": {NEW_SESSION: {"x5c"}},
    "logoff": {LOGOFF: {"kid"}},
    "defer": {DEFER: {"kid"}},
    "newOrder": {NEW_ORDER: {"kid"}},
    "findOrder": {FIND_ORDER: {"jwk"}},
    "cancel": {CANCEL: {"kid"}},
    "confirm": {CONFIRM: {"x5c"}},
    "rollback": {ROLLBACK: {"kid"}},
    "newReissue": {NEW_REISSUE: {"kid"}},
    "cancelReissue": {CANCEL_REISSUE: {"kid"}},
    "unlock": {UNLOCK: {"kid"}},
    "pin": {PIN: {"kid"}},
    "newEnrollment": {NEW_ENROLLMENT: {"jwk"}},
    "revokeCert": {REVOKE_CERT: {"x5c", "kid"}},
}
