//! The numbers a gateway goes by: [`Settings`].

use super::budget::Budget;

/// Times, limits and budgets.
///
/// ```
/// use filter_core::gateway::Settings;
/// let settings = Settings { source_ports: 1024, ..Settings::DEFAULT };
/// assert!(settings.timeouts_max > 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many source ports the caller has for queries over UDP. The more, the harder an answer
    /// is to forge: each doubling is worth a bit (RFC 5452 section 9.2).
    pub source_ports: u16,
    /// How long the first query for a question waits for its answer; each further one twice as
    /// long as the one before.
    pub timeout_ms: u32,
    /// How often time may run out before a question has failed.
    pub timeouts_max: u8,
    /// The longest time an answer is kept, here and by clients.
    pub ttl_max_s: u32,
    /// The longest time it is kept that a name or its data does not exist (RFC 2308 section 5).
    pub negative_ttl_max_s: u32,
    /// How many messages a client may send; what is beyond is dropped.
    pub queries: Budget,
    /// How many names a client may have asked about upstream; what is beyond is refused. Blocked
    /// names, local names and those in the cache are not counted.
    pub names: Budget,
    /// The EDNS option with which clients ask for reasons in JSON
    /// (draft-ietf-dnsop-structured-dns-error), which has no number yet; `None` for no such thing.
    #[cfg(feature = "structured-errors")]
    pub structured_errors: Option<u16>,
}

impl Settings {
    /// 64 source ports; timeouts of 0.8, 1.6 and 3.2 seconds, after which most clients have given
    /// up; a day, and an hour for what does not exist; 100 messages and 20 names a second.
    pub const DEFAULT: Settings = Settings {
        source_ports: 64,
        timeout_ms: 800,
        timeouts_max: 3,
        ttl_max_s: 86_400,
        negative_ttl_max_s: 3_600,
        queries: Budget { per_second: 100, burst: 500 },
        names: Budget { per_second: 20, burst: 300 },
        #[cfg(feature = "structured-errors")]
        structured_errors: None,
    };

    /// The EDNS option that asks for structured errors, where they are spoken.
    pub(super) const fn structured_errors(&self) -> Option<u16> {
        #[cfg(feature = "structured-errors")]
        return self.structured_errors;
        #[cfg(not(feature = "structured-errors"))]
        None
    }
}
