use std::sync::Arc;

use axum::extract::MatchedPath;
use http::request::Parts;
use http::{Extensions, Uri};
use session_core::internals::LogThrottle;

/// The routes that a layer leaves alone: its `except`.
///
/// Only the route that was found counts: a path can be written in many ways.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExemptRoutes {
    patterns: Vec<String>,
    near_miss: Arc<LogThrottle>,
}

impl ExemptRoutes {
    pub(crate) fn add(&mut self, patterns: impl IntoIterator<Item = impl Into<String>>) {
        self.patterns.extend(patterns.into_iter().map(Into::into));
    }

    /// Whether a request is for one of these routes.
    pub(crate) fn include(&self, extensions: &Extensions) -> bool {
        route(extensions).is_some_and(|route| self.patterns.iter().any(|pattern| pattern == route))
    }

    /// Tells the developer why a request is turned away although an exempt route seems to be meant.
    pub(crate) fn explain(&self, parts: &Parts) {
        let route = route(&parts.extensions);
        let Some(pattern) = self.patterns.iter().find(|pattern| is_near(pattern, route, &parts.uri)) else { return };
        if let Some(times) = self.near_miss.due() {
            tracing::warn!(
                times,
                except = pattern,
                route =
                    route.unwrap_or("none: the layer was not added by a router's `layer`, or there is no such route"),
                "a request was turned away whose route `except` nearly names; name the whole pattern of the route, with \
                 that of the nesting"
            );
        }
    }
}

/// The pattern of the route that was found.
pub(crate) fn route(extensions: &Extensions) -> Option<&str> {
    extensions.get().map(MatchedPath::as_str)
}

/// Whether a pattern is a route without its nesting, or a path without the route's parameters.
fn is_near(pattern: &str, route: Option<&str>, uri: &Uri) -> bool {
    pattern.len() > 1 && (uri.path() == pattern || route.is_some_and(|route| route.ends_with(pattern)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_near_a_route_that_it_ends_or_a_path_that_it_spells() {
        let uri = Uri::from_static("https://shop.example/hooks/payment");
        for (pattern, route, expected) in [
            ("/hooks/payment", None, true),
            ("/hooks/payment", Some("/hooks/{name}"), true),
            ("/payment", Some("/hooks/payment"), true),
            ("/hooks", Some("/hooks/{name}"), false),
            ("/hooks/{other}", Some("/hooks/{name}"), false),
            ("/", Some("/hooks/"), false),
            ("/ent", Some("/hooks/payment"), false),
        ] {
            assert_eq!(is_near(pattern, route, &uri), expected, "{pattern} and {route:?}");
        }
    }
}
