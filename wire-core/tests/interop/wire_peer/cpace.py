"""Section 6.1 and 6.3: CPace on ristretto255 with SHA-512, initiator and responder."""

from __future__ import annotations

from . import ristretto
from .encoding import lv
from .errors import WireError
from .primitives import sha512

DSI = b"CPaceRistretto255"


def generator_string(prs: bytes, ci: bytes, sid: bytes) -> bytes:
    """What is hashed for the generator."""
    head = lv(DSI) + lv(prs)
    return head + lv(bytes(max(0, 127 - len(head)))) + lv(ci) + lv(sid)


def generator(prs: bytes, ci: bytes, sid: bytes) -> ristretto.Point:
    """The generator of one run."""
    return ristretto.one_way_map(sha512(generator_string(prs, ci, sid)))


def scalar_from(wide: bytes) -> int:
    """A scalar from 64 bytes, little-endian, modulo the group order."""
    return int.from_bytes(wide, "little") % ristretto.L


def share(scalar: int, prs: bytes, ci: bytes, sid: bytes) -> bytes:
    """`Ya` or `Yb`."""
    return ristretto.encode(ristretto.multiply(scalar, generator(prs, ci, sid)))


def secret_point(scalar: int, peer_share: bytes) -> bytes:
    """`K`; a share that does not decode and the identity end the run."""
    k = ristretto.encode(ristretto.multiply(scalar, ristretto.decode(peer_share)))
    if not any(k):
        raise WireError("cpace", "the shared point is the identity")
    return k


def session_key(sid: bytes, k: bytes, ya: bytes, ada: bytes, yb: bytes, adb: bytes) -> bytes:
    """`ISK`."""
    transcript = lv(ya) + lv(ada) + lv(yb) + lv(adb)
    return sha512(lv(DSI + b"_ISK") + lv(sid) + lv(k) + transcript)
