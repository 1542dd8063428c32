"""The driver's operations on values that need no state: codes, identities, certificates."""

from __future__ import annotations

from . import cbor, describe
from .codes import Code, make_invite, read_code, read_invite
from .describe import Json
from .errors import WireError
from .identity import first_statement, parse_chain, relay_answer, root_text, rotate
from .mailbox import (
    USUAL_DAY,
    USUAL_ENVELOPE,
    USUAL_PENDING,
    make_certificate,
    make_request,
    parse_certificate,
)
from .primitives import ed_public, sha256
from .request import Request


class Values:
    """Operations without state."""

    def op_code_read(self, request: Request) -> Json:
        """Reads a typed code."""
        return _code(read_code(request.text("text")))

    def op_invite_read(self, request: Request) -> Json:
        """Reads an invite."""
        return _code(read_invite(request.text("text")))

    def op_invite_make(self, request: Request) -> Json:
        """Makes an invite."""
        rand = request.random()
        return {"text": make_invite(request.text("url"), rand("rid", 16), rand("secret", 16))}

    def op_identity_new(self, request: Request) -> Json:
        """The first statement of an identity."""
        seed = request.raw("seed")
        return _chain(first_statement(seed, ed_public(request.raw("next_seed"))))

    def op_identity_rotate(self, request: Request) -> Json:
        """A chain with one more statement."""
        after = ed_public(request.raw("after_seed"))
        return _chain(rotate(request.raw("statements"), request.raw("seed"), request.raw("id"), after))

    def op_identity_check(self, request: Request) -> Json:
        """Verifies a chain."""
        return _chain(request.raw("statements"))

    def op_certificate_make(self, request: Request) -> Json:
        """Makes a certificate."""
        raw = make_certificate(
            request.raw("mailbox_seed"),
            ed_public(request.raw("sender_seed")),
            request.number("epoch", 0),
            request.number("max_envelope", USUAL_ENVELOPE),
            request.number("max_pending", USUAL_PENDING),
            request.number("bytes_per_day", USUAL_DAY),
        )
        return {"certificate": raw.hex()}

    def op_certificate_check(self, request: Request) -> Json:
        """Verifies a certificate."""
        value = parse_certificate(request.raw("certificate"))
        return {name: describe.shown(item) for name, item in vars(value).items()}

    def op_relay_answer(self, request: Request) -> Json:
        """The signature of a relay under a challenge."""
        seed = request.raw("seed")
        signature = relay_answer(
            seed, request.raw("challenge"), request.text("host"), request.number("time")
        )
        return {"relay_id": ed_public(seed).hex(), "sig": signature.hex()}

    def op_request_make(self, request: Request) -> Json:
        """A signed request to a relay; `args` is given as CBOR."""
        certificate = request.raw("certificate") if request.has("certificate") else None
        args = cbor.decode(request.raw("args"))
        if not isinstance(args, list):
            raise WireError("driver", "args is no array")
        raw = make_request(
            request.raw("seed"), request.raw("relay_id"), request.number("opcode"),
            request.raw("mailbox"), certificate, request.number("time"), args,
        )  # fmt: skip
        return {"request": raw.hex(), "hash": sha256(raw).hex()}


def _code(code: Code) -> Json:
    return {"place": code.place.hex(), "prs": code.prs.hex(), "relay": code.relay}


def _chain(raw: bytes) -> Json:
    chain = parse_chain(raw)
    return {
        "statements": raw.hex(),
        "root": chain.root.hex(),
        "wid": root_text(chain.root),
        "ids": [key.hex() for key in chain.ids],
    }
