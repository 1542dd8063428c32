"""Section 1: hashes, signatures checked strictly, X25519, HKDF and XChaCha20-Poly1305."""

from __future__ import annotations

import hashlib
import hmac

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)
from nacl import bindings
from nacl.exceptions import CryptoError

from . import ristretto
from .errors import WireError

TAG = 16
NONCE = 24


def sha256(data: bytes) -> bytes:
    """`H` of the notation."""
    return hashlib.sha256(data).digest()


def sha512(data: bytes) -> bytes:
    """SHA-512."""
    return hashlib.sha512(data).digest()


def mac(key: bytes, data: bytes, algorithm: str = "sha256") -> bytes:
    """HMAC."""
    return hmac.digest(key, data, algorithm)


def same(a: bytes, b: bytes) -> bool:
    """Comparison in constant time."""
    return hmac.compare_digest(a, b)


def hkdf_extract(salt: bytes, ikm: bytes, algorithm: str = "sha256") -> bytes:
    """HKDF-Extract (RFC 5869). An empty salt is the same as one of zeros."""
    return mac(salt, ikm, algorithm)


def hkdf_expand(prk: bytes, info: bytes, length: int, algorithm: str = "sha256") -> bytes:
    """HKDF-Expand (RFC 5869)."""
    out, block, count = b"", b"", 1
    while len(out) < length:
        block = mac(prk, block + info + bytes([count]), algorithm)
        out += block
        count += 1
    return out[:length]


def ed_public(seed: bytes) -> bytes:
    """The public key of an Ed25519 seed."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed: bytes, label: bytes, rest: bytes) -> bytes:
    """`sign(key, label, rest)` of the notation."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(label + rest)


def verify(key: bytes, label: bytes, rest: bytes, signature: bytes) -> None:
    """The strict check of section 1.

    OpenSSL compares the bytes of R with those of [S]B - [k]A, which is the cofactorless equation
    and admits only the one encoding of R, and it refuses S at or above the order. What it lets
    pass, keys in another encoding and points of small order, is refused here.
    """
    point = ristretto.ed_decode(key)
    commitment = ristretto.ed_decode(signature[:32])
    if point is None or commitment is None or len(signature) != 64:
        raise WireError("signature", "key or R is no point")
    if ristretto.small_order(point) or ristretto.small_order(commitment):
        raise WireError("signature", "key or R of small order")
    if int.from_bytes(signature[32:], "little") >= ristretto.L:
        raise WireError("signature", "S is not below the order")
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, label + rest)
    except InvalidSignature:
        raise WireError("signature", "does not verify") from None


def x_public(secret: bytes) -> bytes:
    """The public key of an X25519 private key."""
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def x_shared(secret: bytes, public: bytes) -> bytes:
    """X25519; a result of zeros is refused."""
    try:
        key = X25519PublicKey.from_public_bytes(public)
        shared = X25519PrivateKey.from_private_bytes(secret).exchange(key)
    except ValueError:
        raise WireError("x25519", "key of small order or of a wrong length") from None
    if not any(shared):
        raise WireError("x25519", "the shared secret is zero")
    return shared


def aead_seal(key: bytes, nonce: bytes, aad: bytes, plain: bytes) -> bytes:
    """XChaCha20-Poly1305, the tag last."""
    return bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, aad, nonce, key)


def aead_open(key: bytes, nonce: bytes, aad: bytes, data: bytes) -> bytes | None:
    """The plain text, or `None` where it does not authenticate."""
    if len(data) < TAG:
        return None
    try:
        return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(data, aad, nonce, key)
    except CryptoError:
        return None


def box_seal(key: bytes, nonce: bytes, aad: bytes, plain: bytes) -> bytes:
    """`box(key, aad, p)` of the notation, under a given nonce."""
    return nonce + aead_seal(key, nonce, aad, plain)


def box_open(key: bytes, aad: bytes, data: bytes) -> bytes | None:
    """Opens a box."""
    return aead_open(key, data[:NONCE], aad, data[NONCE:])
