/// Whose session a visit found or started: see [`Visit::visitor`](super::Visit::visitor).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Visitor {
    /// Nobody's: there is none.
    Stranger,
    /// It has no principal.
    Anonymous,
    /// It has one.
    SignedIn,
}
