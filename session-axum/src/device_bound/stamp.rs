use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac::{self, HMAC_SHA256};
use session_core::Time;
use session_core::internals::DeviceBinding;
use subtle::ConstantTimeEq;

/// How far the clocks of two processes may be apart.
const LEEWAY: Duration = Duration::from_secs(60);

/// What a stamp is for. None passes for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The challenge of a registration.
    Register,
    /// The challenge of a refresh.
    Refresh,
    /// The value of the bound cookie.
    Cookie,
}

/// A text that only the server can have made: when, and a MAC under the secret of one session over what it is for.
///
/// Nothing has to be stored for it, so any process that reads the session can check it.
#[derive(Clone, Copy)]
pub(super) struct Stamp {
    made: Time,
    mac: [u8; 32],
}

impl Stamp {
    /// Reads one. `None` if the text is none.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        // 13 digits last until the year 2286.
        let dot = text.iter().take(14).position(|byte| *byte == b'.')?;
        let (digits, mac) = (&text[..dot], &text[dot + 1..]);
        if digits.is_empty() || digits[0] == b'0' || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let millis = digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
        let mut decoded = [0; 36];
        if mac.len() != 43 || URL_SAFE_NO_PAD.decode_slice(mac, &mut decoded) != Ok(32) {
            return None;
        }
        Some(Stamp { made: Time::from_unix_millis(millis), mac: std::array::from_fn(|at| decoded[at]) })
    }

    /// Whether it was made for this, at most `lifetime` and a leeway ago.
    pub(super) fn is_good(&self, purpose: Purpose, layer: &str, binding: &DeviceBinding<'_>, times: Times) -> bool {
        let is_over = self.made.saturating_add(times.lifetime).saturating_add(LEEWAY) <= times.now;
        let is_early = times.now.saturating_add(LEEWAY) < self.made;
        !is_over && !is_early && self.is_genuine(purpose, layer, binding)
    }

    /// Whether it was made for this, whenever that was. Compares in constant time.
    pub(super) fn is_genuine(&self, purpose: Purpose, layer: &str, binding: &DeviceBinding<'_>) -> bool {
        mac(purpose, layer, binding, self.made).as_ref().ct_eq(&self.mac).into()
    }
}

/// When a stamp is looked at, and for how long it is good.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) now: Time,
    pub(super) lifetime: Duration,
}

/// Makes a stamp.
pub(super) fn stamp(purpose: Purpose, layer: &str, binding: &DeviceBinding<'_>, now: Time) -> String {
    format!("{}.{}", now.unix_millis(), URL_SAFE_NO_PAD.encode(mac(purpose, layer, binding, now)))
}

/// Each part is of a fixed length, or begins with its length, so that no two are alike.
fn mac(purpose: Purpose, layer: &str, binding: &DeviceBinding<'_>, made: Time) -> hmac::Tag {
    let purpose: &[u8; 8] = match purpose {
        Purpose::Register => b"register",
        Purpose::Refresh => b"refresh ",
        Purpose::Cookie => b"cookie  ",
    };
    let device = binding.key().unwrap_or_default();
    let mut mac = hmac::Context::with_key(&hmac::Key::new(HMAC_SHA256, binding.secret()));
    mac.update(purpose);
    mac.update(&made.unix_millis().to_be_bytes());
    for part in [layer, device] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac.sign()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_unix_millis(1_767_225_600_000);
    const LIFETIME: Duration = Duration::from_secs(600);
    const ALL: [Purpose; 3] = [Purpose::Register, Purpose::Refresh, Purpose::Cookie];

    fn after(seconds: u64) -> Time {
        NOW.saturating_add(Duration::from_secs(seconds))
    }

    fn is_good(text: &str, purpose: Purpose, layer: &str, binding: &DeviceBinding<'_>, now: Time) -> bool {
        Stamp::parse(text.as_bytes()).unwrap().is_good(purpose, layer, binding, Times { now, lifetime: LIFETIME })
    }

    fn bindings() -> [DeviceBinding<'static>; 3] {
        let binding = |secret, key| DeviceBinding::sample(secret, key);
        [binding(1, "key"), binding(2, "key"), binding(1, "other")]
    }

    /// D21: purpose, layer, session and key.
    #[test]
    fn a_stamp_is_good_for_what_it_was_made_for_and_nothing_else() {
        let all = ALL.iter().flat_map(|purpose| ["shop", "staff"].map(|layer| (*purpose, layer)));
        let all: Vec<_> =
            all.flat_map(|(purpose, layer)| bindings().map(|binding| (purpose, layer, binding))).collect();
        for (made, (purpose, layer, binding)) in all.iter().enumerate() {
            let text = stamp(*purpose, layer, binding, NOW);
            for (other, (purpose, layer, binding)) in all.iter().enumerate() {
                assert_eq!(is_good(&text, *purpose, layer, binding, NOW), made == other);
            }
        }
    }

    /// D22: clocks of two processes may differ by a minute.
    #[test]
    fn a_stamp_is_good_for_its_time_and_a_leeway() {
        let [binding, ..] = bindings();
        let text = stamp(Purpose::Cookie, "shop", &binding, after(60));
        for (now, good) in [(0, true), (60, true), (719, true), (720, false)] {
            assert_eq!(is_good(&text, Purpose::Cookie, "shop", &binding, after(now)), good, "{now}");
        }
        assert!(!is_good(&text, Purpose::Cookie, "shop", &binding, Time::from_unix_millis(NOW.unix_millis() - 1)));
    }

    #[test]
    fn what_was_changed_is_no_stamp() {
        let [binding, ..] = bindings();
        let text = stamp(Purpose::Refresh, "shop", &binding, NOW);
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut changed = text.clone().into_bytes();
                changed[at] ^= 1 << bit;
                let good = Stamp::parse(&changed).is_some_and(|stamp| {
                    stamp.is_good(Purpose::Refresh, "shop", &binding, Times { now: NOW, lifetime: LIFETIME })
                });
                assert!(!good, "byte {at}, bit {bit}");
            }
        }
        for text in ["", ".", "1.", &text[..text.len() - 1], &format!("{text}A"), &format!("0{text}"), &"9".repeat(99)]
        {
            assert!(Stamp::parse(text.as_bytes()).is_none(), "{text}");
        }
    }
}
