//! Why a request to an inbox is not recorded.

/// The reason why a request is passed on and not recorded. Each has a word in metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotRecorded {
    /// The backend did not answer 2xx.
    Refused,
    /// The activity concerns no feed: a Like, a Follow.
    NoFeed,
    /// It is no activity that the log takes.
    Unusable,
    /// It has no signature, or none that says who signed what of it.
    Unsigned,
    /// It was signed too long ago, or in the future.
    Stale,
    /// The body is another than the one that was signed.
    Digest,
    /// The key is of another host than the activity's actor, or of another actor.
    NotTheActor,
    /// The actor's key could not be had.
    NoKey,
    /// The actor's key did not make the signature.
    WrongSignature,
    /// Too many wait to be verified, or too many keys of one host are to be fetched.
    Busy,
    /// The log did not take it.
    Lost,
}

impl NotRecorded {
    /// The word in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            NotRecorded::Refused => "refused",
            NotRecorded::NoFeed => "no_feed",
            NotRecorded::Unusable => "unusable",
            NotRecorded::Unsigned => "unsigned",
            NotRecorded::Stale => "stale",
            NotRecorded::Digest => "digest",
            NotRecorded::NotTheActor => "not_the_actor",
            NotRecorded::NoKey => "no_key",
            NotRecorded::WrongSignature => "wrong_signature",
            NotRecorded::Busy => "busy",
            NotRecorded::Lost => "lost",
        }
    }
}
