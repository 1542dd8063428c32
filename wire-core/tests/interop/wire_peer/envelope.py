"""Section 8: what a relay stores."""

from __future__ import annotations

from dataclasses import dataclass

from .encoding import be
from .errors import WireError
from .mailbox import USUAL_ENVELOPE
from .primitives import NONCE, TAG, aead_open, aead_seal, hkdf_expand, hkdf_extract, mac, sha256

PREFIX = b"\x01\x01"
HEADER = 56
OVERHEAD = 102
SIZES = tuple(512 << i for i in range(10))


@dataclass(frozen=True)
class Parts:
    """An envelope taken apart."""

    nonce: bytes
    header: bytes
    outside: bytes
    ciphertext: bytes
    name: bytes

    @property
    def head_mark(self) -> bytes:
        """H(nonce || hdr), cut to 8 bytes (section 7, copies)."""
        return sha256(self.nonce + self.header)[:8]


@dataclass(frozen=True)
class Header:
    """The plain text of a header."""

    dh: bytes
    pn: int
    n: int


def padded_size(payload_length: int, limit: int = SIZES[-1]) -> int:
    """The smallest size that holds a payload of this length, at most `limit`."""
    for size in SIZES:
        if payload_length + OVERHEAD <= size <= limit:
            return size
    raise WireError("size", f"no envelope of at most {limit} bytes holds the payload")


def nonce_for(message_key: bytes, r: bytes, payload: bytes) -> bytes:
    """The nonce, from the key, random bytes and the payload."""
    key = hkdf_expand(hkdf_extract(b"", message_key), b"wire/env/1 nonce", 32)
    return mac(key, r + payload)[:NONCE]


def seal(
    header_key: bytes,
    message_key: bytes,
    header: Header,
    session_id: bytes,
    payload: bytes,
    r: bytes,
    limit: int = USUAL_ENVELOPE,
) -> bytes:
    """Builds an envelope."""
    size = padded_size(len(payload), limit)
    nonce = nonce_for(message_key, r, payload)
    plain_header = header.dh + be(header.pn, 4) + be(header.n, 4)
    outside = PREFIX + nonce + aead_seal(header_key, nonce, PREFIX, plain_header)
    plain = be(len(payload), 4) + payload
    plain = plain.ljust(size - len(outside) - TAG, b"\0")
    return outside + aead_seal(message_key, nonce, outside + session_id, plain)


def parse(raw: bytes, limit: int = USUAL_ENVELOPE) -> Parts:
    """Size, version and suite."""
    if len(raw) not in SIZES or len(raw) > limit:
        raise WireError("size", f"{len(raw)} bytes are no size of an envelope here")
    if raw[:2] != PREFIX:
        raise WireError("version", "unknown version or suite")
    end = 2 + NONCE + HEADER
    return Parts(raw[2 : 2 + NONCE], raw[2 + NONCE : end], raw[:end], raw[end:], sha256(raw))


def open_header(parts: Parts, header_key: bytes) -> Header | None:
    """The header, or `None` where this key does not open it."""
    plain = aead_open(header_key, parts.nonce, PREFIX, parts.header)
    if plain is None:
        return None
    pn, n = int.from_bytes(plain[32:36], "big"), int.from_bytes(plain[36:], "big")
    return Header(plain[:32], pn, n)


def open_body(parts: Parts, message_key: bytes, session_id: bytes) -> bytes:
    """The payload; refuses a wrong padding and a size that is too large."""
    aad = parts.outside + session_id
    plain = aead_open(message_key, parts.nonce, aad, parts.ciphertext)
    if plain is None:
        raise WireError("body", "does not authenticate")
    end = 4 + int.from_bytes(plain[:4], "big")
    if end > len(plain) or any(plain[end:]):
        raise WireError("padding", "length or zeros")
    size = len(parts.outside) + len(parts.ciphertext)
    if padded_size(end - 4) != size:
        raise WireError("padding", "a smaller size would have done")
    return plain[4:end]
