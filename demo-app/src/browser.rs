//! Names browsers and systems by what they say of themselves.

use std::sync::LazyLock;

use axum::http::{HeaderMap, header};
use ua_parser::{os, user_agent};

/// How much of a header is kept. Browsers send about 120 bytes, and anybody may send more.
const MAX_BYTES: usize = 256;

/// The browsers of today, each before those whose name it sends along. In the format of uap-core's `regexes.yaml`, which
/// an application can load instead: it knows hundreds.
const BROWSERS: [(&str, &str); 9] = [
    (r"(?:Edg|EdgA|EdgiOS)/(\d+)", "Edge"),
    (r"OPR/(\d+)", "Opera"),
    (r"Vivaldi/(\d+)", "Vivaldi"),
    (r"SamsungBrowser/(\d+)", "Samsung Internet"),
    (r"(?:Firefox|FxiOS)/(\d+)", "Firefox"),
    (r"(?:Chrome|CriOS|Chromium)/(\d+)", "Chrome"),
    (r"Version/(\d+).* Safari/", "Safari"),
    (r"^curl/(\d+)", "curl"),
    (r"^Wget/(\d+)", "Wget"),
];

const SYSTEMS: [(&str, &str); 7] = [
    (r"Windows NT ", "Windows"),
    (r"iPhone", "iPhone"),
    (r"iPad", "iPad"),
    (r"Mac OS X", "macOS"),
    (r"Android", "Android"),
    (r"CrOS", "ChromeOS"),
    (r"Linux", "Linux"),
];

static PARSERS: LazyLock<(user_agent::Extractor<'static>, os::Extractor<'static>)> = LazyLock::new(|| {
    let browsers = BROWSERS.into_iter().try_fold(user_agent::Builder::new(), |browsers, (regex, name)| {
        browsers.push(user_agent::Parser {
            regex: regex.into(),
            family_replacement: Some(name.into()),
            ..user_agent::Parser::default()
        })
    });
    let systems = SYSTEMS.into_iter().try_fold(os::Builder::new(), |systems, (regex, name)| {
        systems.push(os::Parser { regex: regex.into(), os_replacement: Some(name.into()), ..os::Parser::default() })
    });
    let browsers = browsers.expect("the patterns are right").build().expect("the patterns fit");
    let systems = systems.expect("the patterns are right").build().expect("the patterns fit");
    (browsers, systems)
});

/// What a browser says of itself, as far as it is kept. Empty if it says nothing.
pub fn presented(headers: &HeaderMap) -> String {
    let value = headers.get(header::USER_AGENT).map(|value| value.as_bytes()).unwrap_or_default();
    String::from_utf8_lossy(&value[..value.len().min(MAX_BYTES)]).into_owned()
}

/// Names a browser and its system, such as `Firefox on Linux`.
pub fn name(user_agent: &str) -> String {
    let (browsers, systems) = &*PARSERS;
    let browser = browsers.extract(user_agent).map(|browser| browser.family);
    let system = systems.extract(user_agent).map(|system| system.os);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.into_owned(),
        (None, Some(system)) => format!("Unknown browser on {system}"),
        (None, None) => "Unknown browser".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOWS: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36";
    const IPHONE: &str =
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)";
    const ANDROID: &str = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko)";

    /// P51.
    #[test]
    fn the_browsers_of_today_are_named() {
        for (user_agent, expected) in [
            (WINDOWS, "Chrome on Windows"),
            (&format!("{WINDOWS} Edg/143.0.0.0"), "Edge on Windows"),
            (&format!("{WINDOWS} OPR/124.0.0.0"), "Opera on Windows"),
            (&format!("{WINDOWS} Vivaldi/7.7"), "Vivaldi on Windows"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"),
            ("Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0", "Firefox on Android"),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
                "Safari on macOS",
            ),
            (&format!("{IPHONE} Version/26.0 Mobile/15E148 Safari/604.1"), "Safari on iPhone"),
            (&format!("{IPHONE} CriOS/143.0 Mobile/15E148 Safari/604.1"), "Chrome on iPhone"),
            (&format!("{IPHONE} FxiOS/145.0 Mobile/15E148 Safari/605.1.15"), "Firefox on iPhone"),
            (&format!("{ANDROID} Chrome/143.0.0.0 Mobile Safari/537.36"), "Chrome on Android"),
            (
                &format!("{ANDROID} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36"),
                "Samsung Internet on Android",
            ),
            (
                "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
                "Chrome on ChromeOS",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/143.0.0.0 Safari/537.36",
                "Chrome on Linux",
            ),
            ("curl/8.14.1", "curl"),
        ] {
            assert_eq!(name(user_agent), expected, "{user_agent}");
        }
    }

    /// P66.
    #[test]
    fn what_names_no_browser_is_unknown() {
        for user_agent in ["", "x", "<script>", "Safari", "\u{fffd}Mozilla"] {
            assert_eq!(name(user_agent), "Unknown browser", "{user_agent}");
        }
        assert_eq!(name("Mozilla/5.0 (Linux)"), "Unknown browser on Linux");
    }

    /// P66.
    #[test]
    fn no_more_than_a_part_of_a_long_header_is_kept() {
        let presented_of = |value: &[u8]| {
            let value = axum::http::HeaderValue::from_bytes(value).unwrap();
            presented(&HeaderMap::from_iter([(header::USER_AGENT, value)]))
        };
        assert_eq!(presented(&HeaderMap::new()), "");
        assert_eq!(presented_of(b"curl/8"), "curl/8");
        assert_eq!(presented_of(&[b'a'; 5000]).len(), MAX_BYTES);
        // No byte of it is UTF-8; each becomes a replacement of 3 bytes.
        assert_eq!(presented_of(&[0xff; 5000]).len(), 3 * MAX_BYTES);
    }
}
