"""Section 11: certificates of mailboxes and signed requests."""

from __future__ import annotations

from dataclasses import dataclass

from . import cbor
from .encoding import be
from .errors import WireError
from .primitives import ed_public, sha256, sign, verify

CERTIFICATE = 149
LABEL = b"wire/cert/1"
USUAL_ENVELOPE = 65_536
USUAL_PENDING = 4_096
USUAL_DAY = 4 << 30


@dataclass(frozen=True)
class Certificate:
    """One parsed certificate."""

    mailbox: bytes
    sender: bytes
    epoch: int
    max_envelope: int
    max_pending: int
    bytes_per_day: int


def make_certificate(
    mailbox_seed: bytes,
    sender: bytes,
    epoch: int = 0,
    max_envelope: int = USUAL_ENVELOPE,
    max_pending: int = USUAL_PENDING,
    bytes_per_day: int = USUAL_DAY,
) -> bytes:
    """A certificate for the sender's public key."""
    body = b"\x01" + ed_public(mailbox_seed) + sender + be(epoch, 4)
    body += be(max_envelope, 4) + be(max_pending, 4) + be(bytes_per_day, 8)
    return body + sign(mailbox_seed, LABEL, body)


def parse_certificate(raw: bytes) -> Certificate:
    """Verifies a certificate under its mailbox key."""
    if len(raw) != CERTIFICATE or raw[0] != 1:
        raise WireError("certificate", "length or version")
    verify(raw[1:33], LABEL, raw[:85], raw[85:])
    return Certificate(
        mailbox=raw[1:33],
        sender=raw[33:65],
        epoch=int.from_bytes(raw[65:69], "big"),
        max_envelope=int.from_bytes(raw[69:73], "big"),
        max_pending=int.from_bytes(raw[73:77], "big"),
        bytes_per_day=int.from_bytes(raw[77:85], "big"),
    )


def make_request(
    seed: bytes,
    relay_id: bytes,
    op: int,
    mailbox: bytes,
    certificate: bytes | None,
    time: int,
    args: list[cbor.Value],
) -> bytes:
    """A signed request; `seed` is the owner's without a certificate, else the sender's."""
    raw_args = cbor.encode(args)
    cert_hash = sha256(certificate) if certificate is not None else bytes(32)
    signed = relay_id + be(op, 1) + mailbox + cert_hash + be(time, 8) + sha256(raw_args)
    signature = sign(seed, b"wire-req/1", signed)
    return cbor.encode([op, mailbox, certificate, time, raw_args, signature])
