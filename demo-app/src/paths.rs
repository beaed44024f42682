//! Where each page is, for routes and links. Templates name the same paths.

/// The page of the original.
pub const DEMO: &str = "/demo";
/// The style sheet of all pages.
pub const STYLE: &str = "/demo/style.css";

/// The shop, with the cart.
pub const SHOP: &str = "/demo/shop";
/// Takes what goes into the cart.
pub const ADD: &str = "/demo/shop/add";
/// Takes what goes out of the cart.
pub const REMOVE: &str = "/demo/shop/remove";
/// Takes an order.
pub const ORDER: &str = "/demo/shop/order";

/// The form that signs in, and can remember the browser.
pub const SIGN_IN: &str = "/demo/sign-in";
/// Where the button leads that is in the head of every page.
pub const SIGN_OUT: &str = "/demo/sign-out";
/// Where a user is signed in.
pub const DEVICES: &str = "/demo/devices";
/// Ends one session of the user.
pub const END_DEVICE: &str = "/demo/devices/end";
/// Ends all sessions of the user but one.
pub const END_OTHER_DEVICES: &str = "/demo/devices/end-others";
/// What needs the password again.
pub const SETTINGS: &str = "/demo/settings";
/// The form that asks for the password again.
pub const CONFIRM: &str = "/demo/confirm";
/// The session of the user, for scripts.
pub const SESSION_JSON: &str = "/demo/session.json";

/// All sessions, for an administrator.
pub const ADMIN: &str = "/demo/admin";
/// Ends one session of anybody.
pub const ADMIN_END: &str = "/demo/admin/end";
/// Purges expired sessions, for a cron job.
pub const PURGE: &str = "/demo/purge";
