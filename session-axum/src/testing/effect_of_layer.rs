use http::Response;

use crate::layer::SessionLayer;
use crate::session_effect::SessionEffect;

impl SessionEffect {
    /// What a response did to the session of this layer, where several are stacked.
    pub fn of_layer<B>(response: &Response<B>, layer: &SessionLayer) -> SessionEffect {
        SessionEffect::of_transport(response, layer.settings().transport.name())
    }
}
