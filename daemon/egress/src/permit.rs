//! The right to send one request, as a value.

use crate::Origin;

/// The right to send **one** request to **one** origin.
///
/// It exists only after the row that tells of the call was committed: whoever holds one knows that
/// policy and budget said yes and that the user can read about it afterwards. It cannot be copied,
/// and [`crate::Egress::send`] consumes it, whatever comes of the request.
#[derive(Debug)]
pub struct EgressPermit {
    id: String,
    origin: Origin,
    purpose: String,
}

impl EgressPermit {
    /// Makes a permit for the committed row `id`.
    ///
    /// Only two places may call this, both after the commit: the one that consumes an admitted
    /// model request, and the daemon's adapter for all else. clippy.toml refuses it elsewhere.
    #[doc(hidden)]
    #[must_use]
    pub fn granted_after_commit(
        id: impl Into<String>,
        origin: Origin,
        purpose: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            origin,
            purpose: purpose.into(),
        }
    }

    /// The committed row that it stands for.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The only origin that it is good for.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What for, in words for the user.
    #[must_use]
    pub fn purpose(&self) -> &str {
        &self.purpose
    }
}
