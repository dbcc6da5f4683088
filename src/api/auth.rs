//! How tenantctl signs in: OAuth 2.0 client credentials by secret or private key JWT, or a ready token.

use secrecy::SecretString;

/// What tenantctl signs in with. Debug shows no secret.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// Client credentials with a secret (RFC 6749, section 4.4).
    ClientSecret {
        /// The application.
        client_id: String,
        /// Its secret.
        client_secret: SecretString,
    },
    /// Client credentials with an assertion signed by the application's key (RFC 7523).
    PrivateKey {
        /// The application.
        client_id: String,
        /// The private key in PEM.
        pem: SecretString,
        /// How it signs.
        algorithm: SigningAlgorithm,
    },
    /// A Management API access token that somebody else got.
    AccessToken(SecretString),
}

/// Algorithms that Auth0 takes for private key JWT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SigningAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[default]
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PSS with SHA-256.
    Ps256,
}
