use http::Request;

#[cfg(feature = "device-bound")]
use crate::device_bound::Place;
use crate::settings::Settings;
use crate::turned_away::Asked;

/// What is noted of a request because its response may depend on it. Few layers need that.
pub(crate) struct Noted {
    /// What was asked for, where an answer of the settings may depend on it.
    pub(crate) asked: Option<Asked>,
    /// Where the request found a layer that binds sessions to devices.
    #[cfg(feature = "device-bound")]
    pub(crate) place: Option<Place>,
}

impl Noted {
    pub(crate) fn of<B>(request: &Request<B>, settings: &Settings) -> Self {
        Noted {
            asked: settings.answers.need_requests().then(|| asked(request, settings)),
            #[cfg(feature = "device-bound")]
            place: settings.binder.is_some().then(|| Place::of(request)),
        }
    }
}

fn asked<B>(request: &Request<B>, settings: &Settings) -> Asked {
    let extensions = request.extensions();
    let asked = Asked::of(request.method(), request.uri(), request.headers(), extensions);
    if settings.answers.are_own() { asked.with_extensions(extensions) } else { asked }
}
