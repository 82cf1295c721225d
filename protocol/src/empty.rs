//! The payload `{}` (SPEC.md 7): an operation that says everything by its `typ` and its URL.

use serde::{Deserialize, Serialize};

/// An object without members; the payload of defer, logoff, findOrder and cancelReissue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Empty {}
