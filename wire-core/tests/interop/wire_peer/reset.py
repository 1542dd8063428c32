"""Section 17: RESET, RESET_OK, their envelope, and what both sides have then."""

from __future__ import annotations

from dataclasses import dataclass

from . import cbor, mlkem
from .codes import WORDS
from .encoding import be, lv
from .envelope import NONCE, PREFIX, TAG, padded_size
from .primitives import (
    aead_seal,
    hkdf_expand,
    hkdf_extract,
    sha256,
    sha512,
    sign,
    x_public,
    x_shared,
)


@dataclass(frozen=True)
class Side:
    """Who sends, and for whom."""

    seed: bytes
    root: bytes
    peer: bytes
    statements: bytes


@dataclass(frozen=True)
class Agreed:
    """The keys of the new session and the words of either side."""

    session_id: bytes
    keys: dict[str, bytes]
    words: tuple[str, str]


def request(side: Side, ctr: int, dh: bytes, kem_seed: bytes, said: dict[int, cbor.Value]) -> bytes:
    """RESET; `said` are the keys 4 and 8 to 11."""
    fields = {1: 1, 2: side.root, 3: side.peer, 5: ctr, 6: x_public(dh)}
    fields |= {7: mlkem.KemKey(kem_seed).public, 12: side.statements} | said
    return _signed(side, b"wire/reset/1", fields)


def answer(side: Side, reset: bytes, dh: bytes, ct: bytes, said: dict[int, cbor.Value]) -> bytes:
    """RESET_OK; `said` are the keys 8 to 11."""
    fields = {1: 1, 2: side.root, 3: side.peer, 4: sha256(reset), 6: x_public(dh), 7: ct}
    return _signed(side, b"wire/reset-ok/1", fields | {12: side.statements} | said)


def _signed(side: Side, label: bytes, fields: dict[int, cbor.Value]) -> bytes:
    body = cbor.encode(dict(fields))
    return body + sign(side.seed, label, body)


def agree(reset: bytes, ok: bytes, dh: bytes, peer_dh: bytes, shared: bytes) -> Agreed:
    """The key schedule."""
    transcript = lv(reset) + lv(ok)
    salt = sha512(b"wire/reset/1" + transcript)
    prk = hkdf_extract(salt, x_shared(dh, peer_dh) + shared, "sha512")

    def key(name: str, length: int = 32) -> bytes:
        return hkdf_expand(prk, b"wire/reset/1 " + name.encode(), length, "sha512")

    return Agreed(
        sha256(b"wire/session/1" + transcript),
        {name: key(name) for name in ("rk0", "hkA", "hkB")},
        (_words(key("wordsA", 11)), _words(key("wordsB", 11))),
    )


def _words(bits: bytes) -> str:
    value = int.from_bytes(bits, "big")
    return " ".join(WORDS[value >> 11 * (7 - i) & 2047] for i in range(8))


def seal(key: bytes, side: Side, kind: int, message: bytes, nonce: bytes) -> bytes:
    """The envelope of a message under a reset key; `nonce` is random."""
    payload = bytes([kind]) + message
    outside = PREFIX + nonce[:NONCE] + aead_seal(key, nonce, PREFIX, bytes(40))
    message_key = hkdf_expand(hkdf_extract(nonce, key), b"wire/rst/1 mk", 32)
    plain = (be(len(payload), 4) + payload).ljust(padded_size(len(payload)) - len(outside) - TAG, b"\0")
    return outside + aead_seal(message_key, nonce, outside + side.root + side.peer, plain)
