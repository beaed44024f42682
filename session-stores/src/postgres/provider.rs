use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::tls::choose_provider;

/// Makes sure that there is a provider of cryptography, before the first connection. With `verify-ca`, sqlx takes rustls'
/// own provider, and else brings one along.
pub(super) fn choose_provider_for(options: &PgConnectOptions) {
    if let PgSslMode::VerifyCa = options.get_ssl_mode() {
        choose_provider();
    }
}
