//! What whoever runs a server decides about those who ask.

/// Who may read the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntrospectionPolicy {
    /// Everybody, also as text.
    Everyone,
    /// Callers with a key.
    Keys,
    /// Nobody.
    Off,
}

/// Who may read what the server counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsPolicy {
    /// Callers on the server's own machine, and keys that administer.
    Local,
    /// Everybody.
    Open,
    /// Keys that administer.
    Admin,
    /// Nobody.
    Off,
}

/// What becomes of documents that are not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustMode {
    /// They run.
    Off,
    /// They run and are logged.
    Log,
    /// They are refused.
    Enforce,
}
