"""Section 6.4: the offers that the two sides of a pairing exchange, sealed."""

from __future__ import annotations

from dataclasses import dataclass

from . import cbor
from .codes import is_url
from .encoding import be
from .errors import WireError
from .identity import Chain, last_key, parse_chain
from .mailbox import CERTIFICATE, Certificate, parse_certificate
from .primitives import ed_public, sha256, sign, verify, x_shared

LABEL = b"wire/pair/1 offer"
SIZES = (4_096, 8_064)
MAX_DISPLAY = 64


@dataclass(frozen=True)
class Offer:
    """What an offer says."""

    statements: bytes
    dr_pub: bytes
    url: str
    relay_id: bytes
    mailbox: bytes
    certificate: bytes
    sender_seed: bytes
    display: str = ""


@dataclass(frozen=True)
class CheckedOffer:
    """An offer after every check."""

    offer: Offer
    chain: Chain
    certificate: Certificate


def encode_body(offer: Offer) -> bytes:
    """The CBOR of an offer."""
    key3: list[cbor.Value] = [
        offer.url,
        offer.relay_id,
        offer.mailbox,
        offer.certificate,
        offer.sender_seed,
    ]
    body: dict[int, cbor.Value] = {1: offer.statements, 2: offer.dr_pub, 3: key3}
    if offer.display:
        body[4] = offer.display
    return cbor.encode(body)


def seal_offer(body: bytes, id_seed: bytes, context: bytes, h_m3: bytes = b"") -> bytes:
    """Signs and pads a body; `context` is the role's letter and TH, `h_m3` only B's."""
    signature = sign(id_seed, LABEL, context + sha256(body) + h_m3)
    filled = be(len(body), 4) + body + signature
    for size in SIZES:
        if len(filled) <= size:
            return filled.ljust(size, b"\0")
    raise WireError("offer", "too long")


def _fixed(value: cbor.Value, width: int) -> bytes:
    if not isinstance(value, bytes) or len(value) != width:
        raise WireError("offer", f"a field is not of {width} bytes")
    return value


def _parse_body(body: bytes) -> Offer:
    value = cbor.decode(body)
    if not isinstance(value, dict) or set(value) not in ({1, 2, 3}, {1, 2, 3, 4}):
        raise WireError("offer", "keys")
    key3, display = value[3], value.get(4, "")
    if not isinstance(key3, list) or len(key3) != 5 or not isinstance(key3[0], str):
        raise WireError("offer", "key 3")
    if not isinstance(value[1], bytes) or not isinstance(display, str):
        raise WireError("offer", "statements or display")
    if 4 in value and not display:
        raise WireError("offer", "an empty display is left out")
    return Offer(
        statements=value[1],
        dr_pub=_fixed(value[2], 32),
        url=key3[0],
        relay_id=_fixed(key3[1], 32),
        mailbox=_fixed(key3[2], 32),
        certificate=_fixed(key3[3], CERTIFICATE),
        sender_seed=_fixed(key3[4], 32),
        display=display,
    )


def open_offer(raw: bytes, context: bytes, own_root: bytes, h_m3: bytes = b"") -> CheckedOffer:
    """Every check of section 6.5 behind the box, in its order."""
    length = int.from_bytes(raw[:4], "big")
    end = 4 + length + 64
    if len(raw) not in SIZES or end > len(raw) or any(raw[end:]):
        raise WireError("offer", "length or padding")
    if len(raw) != SIZES[0] and end <= SIZES[0]:
        raise WireError("offer", "a smaller size would have done")
    body, signature = raw[4 : 4 + length], raw[4 + length : end]
    offer = _parse_body(body)
    signed = context + sha256(body) + h_m3
    verify(last_key(offer.statements), LABEL, signed, signature)
    chain = parse_chain(offer.statements)
    certificate = parse_certificate(offer.certificate)
    if certificate.mailbox != offer.mailbox:
        raise WireError("offer", "the certificate is of another mailbox")
    if certificate.sender != ed_public(offer.sender_seed):
        raise WireError("offer", "the certificate names another sender")
    # Any private key shows a public key of small order.
    x_shared(b"\x01" * 32, offer.dr_pub)
    if chain.root == own_root:
        raise WireError("offer", "the root is the own one")
    if not is_url(offer.url):
        raise WireError("offer", "url")
    if len(offer.display.encode("utf-8")) > MAX_DISPLAY:
        raise WireError("offer", "display")
    return CheckedOffer(offer, chain, certificate)
