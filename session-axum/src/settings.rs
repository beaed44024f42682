use std::sync::atomic::{AtomicBool, Ordering};

use http::{Extensions, HeaderValue};
use session_core::SessionManager;
use session_core::internals::{Environment, Host, LogThrottle};

use crate::adopt::adoption::Adoption;
#[cfg(feature = "device-bound")]
use crate::device_bound::{Binder, BindingLayer};
use crate::http_headers::Vary;
use crate::save_on::SaveOn;
use crate::transport::Transport;
use crate::turned_away::{Answers, Refusal};

/// The settings that a layer, its service and its extractors share.
pub(crate) struct Settings {
    pub(crate) manager: SessionManager,
    pub(crate) transport: Box<dyn Transport>,
    pub(crate) vary: Vary,
    /// Marks the innermost slot of a request as that of the layer with the marker.
    pub(crate) mark: Option<fn(&mut Extensions)>,
    pub(crate) answers: Answers,
    /// Whether the layer looks at more of a request than its ids: one question for all that few layers do.
    pub(crate) needs_requests: bool,
    /// The `Clear-Site-Data` of a logout.
    pub(crate) clear_site_data: Option<HeaderValue>,
    /// How a request is turned away whose changes were dropped.
    pub(crate) lost_changes: Option<Refusal>,
    pub(crate) save_on: SaveOn,
    /// Sessions of another library that are taken over.
    pub(crate) adoption: Option<Adoption>,
    /// Binds sessions to devices.
    #[cfg(feature = "device-bound")]
    pub(crate) binder: Option<Binder>,
    /// The `Cache-Control` of whoever is signed in, where the handler says nothing.
    pub(crate) signed_in: HeaderValue,
    /// A layer outside this one shares its cookie, and that was told.
    pub(crate) is_warned: AtomicBool,
    pub(crate) late_marks: LogThrottle,
}

impl Host for Settings {
    fn environment(&self) -> &Environment {
        self.manager.environment()
    }

    #[cfg(feature = "device-bound")]
    fn binds_devices(&self) -> bool {
        self.binder.is_some()
    }
}

#[cfg(feature = "device-bound")]
impl BindingLayer for Settings {
    fn binder(&self) -> Option<&Binder> {
        self.binder.as_ref()
    }

    fn transport(&self) -> &dyn Transport {
        &*self.transport
    }
}

impl Settings {
    /// Whether layers with these two settings count as one layer.
    pub(crate) fn is_same(&self, other: &Settings) -> bool {
        self.has_place_of(other)
            && self.binds_as(other)
            && self.manager.is_same(&other.manager)
            && self.transport.proof() == other.transport.proof()
    }

    /// Whether both do the same about devices: nothing, or they are clones of one layer.
    #[cfg(feature = "device-bound")]
    fn binds_as(&self, other: &Settings) -> bool {
        self.binder.is_none() && other.binder.is_none() || std::ptr::eq(self, other)
    }

    #[cfg(not(feature = "device-bound"))]
    fn binds_as(&self, _: &Settings) -> bool {
        true
    }

    /// Whether both carry their ids in the same place of a request.
    fn has_place_of(&self, other: &Settings) -> bool {
        self.transport.name() == other.transport.name() && self.vary == other.vary
    }

    /// Warns that [`NoUse`](crate::NoUse) came too late.
    #[cold]
    pub(crate) fn warn_of_late_mark(&self) {
        if let Some(times) = self.late_marks.due() {
            tracing::warn!(
                times,
                "a request was marked with `NoUse` after its session had been loaded, so it counts as a use; add `NoUse` \
                 after the layers that load sessions, such as `RequireSignedIn`, so that it is around them"
            );
        }
    }

    /// Warns if another layer outside this one carries its ids in the same place. Once, because each request comes by
    /// here.
    pub(crate) fn warn_of(&self, outer: &Settings) {
        if !self.has_place_of(outer) || self.is_warned.swap(true, Ordering::Relaxed) {
            return;
        }
        let name = self.transport.name();
        if self.manager.is_same(&outer.manager) {
            tracing::warn!(
                name,
                "a session layer is inside another of the same manager and name, but they sign or encrypt their ids, or bind \
                 sessions to devices, differently, so neither accepts the other's; build the layer once and clone it, or \
                 give one of them another `SessionCookie::name`"
            );
        } else {
            tracing::warn!(
                name,
                "a session layer is inside another of the same name but another manager, so they overwrite each \
                 other's ids; give one of them another `SessionCookie::name`, or both a clone of one `SessionManager`"
            );
        }
    }
}
