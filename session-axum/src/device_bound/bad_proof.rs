use thiserror::Error;

/// Why a proof was refused. It holds nothing that the client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum BadProof {
    /// The value is longer than 8192 bytes.
    #[error("the proof is longer than 8192 bytes")]
    TooLong,
    /// The value is neither a string nor a token of RFC 9651.
    #[error("the header's value is neither a string nor a token of a structured field")]
    Field,
    /// The value has not three parts, or one of them is not base64url as RFC 7515 has it.
    #[error("the proof has not three parts of base64url without padding")]
    Parts,
    /// The JWS header is not a JSON object with the texts `alg` and `typ`, each once.
    #[error("the proof's header is not a JSON object with one `alg` and one `typ`")]
    Header,
    /// `typ` is not `dbsc+jwt`.
    #[error("the proof's `typ` is not `dbsc+jwt`")]
    Type,
    /// `alg` is neither `ES256` nor `RS256`.
    #[error("the proof's `alg` is neither `ES256` nor `RS256`")]
    Algorithm,
    /// The header has `crit`, which asks for an extension. None is supported.
    #[error("the proof's header has `crit`, and no extension is supported")]
    Critical,
    /// `alg` is not the algorithm of the key.
    #[error("the proof's `alg` is not that of the key")]
    OtherAlgorithm,
    /// The header of a registration has no `jwk` that is a key of P-256 or RSA.
    #[error("the registration's header has no `jwk` that is one key of P-256 or RSA")]
    Key,
    /// The `jwk` has a private or secret part.
    #[error("the registration's `jwk` has a private part")]
    PrivateKey,
    /// The RSA key has a size or an exponent that is not allowed.
    #[error("the RSA key has not 2048 to 4096 bits and an odd exponent from 3 to 4294967295")]
    RsaLimits,
    /// The signature is not one of the key, or the key is no point of the curve.
    #[error("the proof is not signed by the key")]
    Signature,
    /// What was signed is not a JSON object with one text `jti`, and at most one text `authorization`.
    #[error("the proof's payload is not a JSON object with one `jti`")]
    Payload,
}
