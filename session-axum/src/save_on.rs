/// After which responses the collected changes are saved: see
/// [`SessionLayerBuilder::save_on`](crate::SessionLayerBuilder::save_on).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SaveOn {
    /// Whatever the status of the response. This is the default.
    #[default]
    Always,
    /// Unless the status is 400 or above.
    Success,
}
