//! The settings of the manager, as methods of the layer's builder.

use std::error::Error;
use std::time::Duration;

use session_core::{AttributeUpgrade, Clock, Observer, RandomSource, RecordFormat, SessionManagerBuilder, Store, Time};

use crate::layer::SessionLayerBuilder;

/// Makes a method of each setting, which passes the value on. What a setting does and which values it
/// allows is written and checked in `SessionManagerBuilder` alone.
macro_rules! pass_on {
    ($($(#[$doc:meta])* $setting:ident($($value:ident: $type:ty),* $(,)?);)*) => {
        /// The settings of the store's manager, where the layer is not given a manager that is shared.
        impl<S: Store> SessionLayerBuilder<S> {
            $(
                $(#[$doc])*
                #[doc = concat!("\n\nMore about it: [`SessionManagerBuilder::", stringify!($setting), "`].")]
                pub fn $setting(self $(, $value: $type)*) -> Self {
                    self.with(|manager: SessionManagerBuilder| manager.$setting($($value),*))
                }
            )*
        }
    };
}

pass_on! {
    /// The application to which the sessions belong; an id opens a session only where both have the same
    /// audience. Default: the name of the cookie without `__Host-` or `__Secure-`, so layers with different
    /// cookies don't open each other's sessions.
    audience(name: impl Into<String>);
    /// How long a session lives after its last request. Default: 30 minutes.
    idle_timeout(timeout: Duration);
    /// How long a session lives after its start, used or not. Default: 24 hours.
    absolute_timeout(timeout: Duration);
    /// Lets sessions live for as long as they are used. Default: they have an absolute timeout.
    without_absolute_timeout();
    /// Whether cookies survive closing the browser. Default: `false`.
    persistent(persistent: bool);
    /// The format in which records are written. Default: [`RecordFormat::V1`](crate::RecordFormat::V1), which
    /// processes of the release before read as well.
    record_format(format: RecordFormat);
    /// Numbers the shape of the application's attributes, and brings those of older releases up to date when a
    /// session is loaded. Default: attributes have no number.
    attributes_version(
        number: u32,
        upgrade: impl Fn(&mut AttributeUpgrade<'_>) -> Result<(), Box<dyn Error + Send + Sync>> + Send + Sync + 'static,
    );
    /// How many random bytes an id has. Default: 18. Allowed: 16 to 32.
    id_bytes(bytes: usize);
    /// How many sessions one principal may have; the oldest ends when another starts. Default: no limit.
    max_sessions_per_principal(sessions: usize);
    /// Offers each session with a principal a new id every so often. Default: never.
    renew_every(interval: Duration);
    /// How long an old id goes on after it was replaced. Default: 10 seconds after `renew_every`, not at all after
    /// `renew_id`.
    renewal_grace(grace: Duration);
    /// How long one operation of the store may take, all attempts together. Default: 5 seconds.
    time_limit(limit: Duration);
    /// How often an operation is tried while the store can't be reached. Default: 3.
    attempts(attempts: u32);
    /// How long to wait between two purges of expired sessions in the background. Default: 10 seconds.
    purge_interval(interval: Duration);
    /// Purges no expired sessions in the background. Default: they are purged.
    without_background_purge();
    /// The clock that judges all deadlines. Default: the operating system's. Tests give a
    /// [`ManualClock`](crate::ManualClock).
    clock(clock: impl Clock);
    /// Where the random bytes of ids come from. Default: the operating system.
    random_source(random: impl RandomSource);
    /// Until when other processes that share the store take sessions of another library over. Default: they do not. A
    /// layer with [`adopt`](SessionLayerBuilder::adopt) says it by itself.
    old_sessions_until(end: Time);
    /// Adds an observer, which is told of every [`Event`](crate::Event). Default: none.
    observer(observer: impl Observer);
}
