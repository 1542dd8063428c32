"""Sections 8 to 10: signed records and control messages, as COSE_Sign1 and as payloads."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from . import cbor
from .encoding import lv, take_lv
from .errors import WireError
from .primitives import sha256, sign, verify

MAX_COSE = 16 * 1024
MAX_NUMBER = 2**63 - 1
MAX_BODY_LEN = 2**64 - 1
MAX_WHY = 2
MAX_EXCEPT = 256
MAX_RANGES = 16
MAX_CTYPE = 128
PAYLOAD_RECORD = 1
PROTECTED = b"\xa1\x01\x27"
CONTROL_KINDS = ("ack", "status")
_KIND = re.compile(r"[a-z0-9.-]{1,32}")
_CTYPE = re.compile(r"[ -~]{0,128}")

T = TypeVar("T")
Range = tuple[int, int]
Exception_ = tuple[int, int, int]


@dataclass(frozen=True)
class Ack:
    """Key 6: what the sender has of the receiver's chain (section 10)."""

    recv: int
    head: bytes
    proc: int
    seen: int
    excepts: tuple[Exception_, ...] = ()
    missing: tuple[Range, ...] = ()
    unopenable: tuple[bytes, ...] = ()

    def encode(self) -> dict[int, cbor.Value]:
        """The map; empty lists are left out."""
        out: dict[int, cbor.Value] = {1: self.recv, 2: self.head, 3: self.proc, 4: self.seen}
        if self.excepts:
            out[5] = [list(item) for item in self.excepts]
        if self.missing:
            out[6] = [list(item) for item in self.missing]
        if self.unopenable:
            out[7] = list(self.unopenable)
        return out


@dataclass(frozen=True)
class Record:
    """The payload of a record (section 9)."""

    sid: bytes
    sender: bytes
    receiver: bytes
    seq: int
    prev: bytes
    ack: Ack
    ts: int
    kind: str
    ctype: str
    id: bytes
    body_hash: bytes
    body_len: int
    re: bytes | None = None
    exp: int | None = None

    def encode(self) -> bytes:
        """The CBOR that is signed."""
        out: dict[int, cbor.Value] = {
            1: self.sid, 2: self.sender, 3: self.receiver, 4: self.seq, 5: self.prev,
            6: self.ack.encode(), 7: self.ts, 8: self.kind, 9: self.ctype, 10: self.id,
            13: self.body_hash, 14: self.body_len,
        }  # fmt: skip
        if self.re is not None:
            out[11] = self.re
        if self.exp is not None:
            out[12] = self.exp
        return cbor.encode(out)


@dataclass(frozen=True)
class Control:
    """The payload of ACK and STATUS (section 10)."""

    sid: bytes
    sender: bytes
    receiver: bytes
    ack: Ack
    ts: int
    kind: str
    cseq: int
    last: int
    head: bytes

    def encode(self) -> bytes:
        """The CBOR that is signed."""
        return cbor.encode({
            1: self.sid, 2: self.sender, 3: self.receiver, 4: 0, 6: self.ack.encode(),
            7: self.ts, 8: self.kind, 15: self.cseq, 16: self.last, 17: self.head,
        })  # fmt: skip


Message = Record | Control


@dataclass(frozen=True)
class Signed:
    """A COSE_Sign1 with what it says and, for a record, its body unless that is gone."""

    cose: bytes
    message: Message
    salt: bytes = b""
    body: bytes | None = None

    @property
    def hash(self) -> bytes:
        """`record_hash`."""
        return record_hash(self.cose)


def record_hash(cose: bytes) -> bytes:
    """The hash that chains records."""
    return sha256(b"wire/rec/1 hash" + cose)


def _to_sign(session_id: bytes, payload: bytes) -> bytes:
    # A Sig_structure begins with the text "Signature1", so there is no label before it.
    return (
        b"\x84"
        + cbor.encode("Signature1")
        + cbor.encode(PROTECTED)
        + cbor.encode(b"wire/rec/1" + session_id)
        + cbor.encode(payload)
    )


def sign_cose(seed: bytes, session_id: bytes, payload: bytes) -> bytes:
    """A COSE_Sign1 over any payload."""
    signature = sign(seed, b"", _to_sign(session_id, payload))
    return (
        b"\x84"
        + cbor.encode(PROTECTED)
        + b"\xa0"
        + b"".join(cbor.encode(part) for part in (payload, signature))
    )


def split_cose(cose: bytes) -> tuple[bytes, bytes]:
    """The payload and the signature of a COSE_Sign1 in its one encoding."""
    if len(cose) > MAX_COSE:
        raise WireError("cose", "longer than 16 KiB")
    value = cbor.decode(cose)
    if not isinstance(value, list) or len(value) != 4:
        raise WireError("cose", "not an array of four")
    protected, unprotected, payload, signature = value
    if protected != PROTECTED or unprotected != {}:
        raise WireError("cose", "headers")
    if not isinstance(payload, bytes) or not isinstance(signature, bytes):
        raise WireError("cose", "payload or signature")
    if len(signature) != 64:
        raise WireError("cose", "length of the signature")
    return payload, signature


def verify_cose(cose: bytes, key: bytes, session_id: bytes) -> bytes:
    """The payload, if the signature verifies under the key."""
    payload, signature = split_cose(cose)
    verify(key, b"", _to_sign(session_id, payload), signature)
    return payload


class _Fields:
    """Takes the fields out of a map and refuses what is left over."""

    def __init__(self, value: cbor.Value, what: str) -> None:
        if not isinstance(value, dict):
            raise WireError(what, "not a map")
        self.map, self.what = dict(value), what

    def take(self, key: int) -> cbor.Value:
        if key not in self.map:
            raise WireError(self.what, f"key {key} is missing")
        return self.map.pop(key)

    def number(self, key: int, low: int = 0, high: int = MAX_NUMBER) -> int:
        return _number(self.take(key), low, high, self.what)

    def fixed(self, key: int, width: int) -> bytes:
        return _fixed(self.take(key), width, self.what)

    def text(self, key: int, pattern: re.Pattern[str]) -> str:
        value = self.take(key)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise WireError(self.what, f"key {key} is not the text it should be")
        return value

    def optional(self, key: int, parse: Callable[[int], T]) -> T | None:
        return parse(key) if key in self.map else None

    def items(self, key: int, most: int) -> list[cbor.Value]:
        """An optional list, which is left out when it is empty."""
        if key not in self.map:
            return []
        value = self.take(key)
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            raise WireError(self.what, f"key {key} is not a list of 1 to {most}")
        return value

    def end(self) -> None:
        if self.map:
            raise WireError(self.what, f"unknown key {min(self.map)}")


def _number(value: cbor.Value, low: int, high: int, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise WireError(what, "a number is missing or out of bounds")
    return value


def _fixed(value: cbor.Value, width: int, what: str) -> bytes:
    if not isinstance(value, bytes) or len(value) != width:
        raise WireError(what, f"a byte string is not of {width} bytes")
    return value


def _range(value: cbor.Value) -> Range:
    if not isinstance(value, list) or len(value) != 2:
        raise WireError("ack", "not a range")
    first = _number(value[0], 1, MAX_NUMBER, "ack")
    return first, _number(value[1], first, MAX_NUMBER, "ack")


def _exception(value: cbor.Value) -> Exception_:
    if not isinstance(value, list) or len(value) != 3:
        raise WireError("ack", "not an exception")
    return (*_range(value[:2]), _number(value[2], 0, MAX_WHY, "ack"))


def _parse_ack(value: cbor.Value, control: bool) -> Ack:
    fields = _Fields(value, "ack")
    missing = fields.items(6, MAX_RANGES) if control else []
    unopenable = fields.items(7, MAX_RANGES) if control else []
    ack = Ack(
        recv=fields.number(1),
        head=fields.fixed(2, 32),
        proc=fields.number(3),
        seen=fields.number(4),
        excepts=tuple(_exception(item) for item in fields.items(5, MAX_EXCEPT)),
        missing=tuple(_range(item) for item in missing),
        unopenable=tuple(_fixed(item, 32, "ack") for item in unopenable),
    )
    fields.end()
    if ack.unopenable and not ack.missing:
        raise WireError("ack", "unopenable stands only with missing")
    return ack


def parse_message(payload: bytes) -> Message:
    """Strict CBOR and bounds, of a record or of a control message (seq 0)."""
    fields = _Fields(cbor.decode(payload), "record")
    sid, sender, receiver = fields.fixed(1, 32), fields.fixed(2, 32), fields.fixed(3, 32)
    seq = fields.number(4)
    if seq == 0:
        control = Control(
            sid, sender, receiver,
            ack=_parse_ack(fields.take(6), True),
            ts=fields.number(7),
            kind=fields.text(8, re.compile("|".join(CONTROL_KINDS))),
            cseq=fields.number(15, 1),
            last=fields.number(16),
            head=fields.fixed(17, 32),
        )  # fmt: skip
        fields.end()
        return control
    record = Record(
        sid, sender, receiver, seq,
        prev=fields.fixed(5, 32),
        ack=_parse_ack(fields.take(6), False),
        ts=fields.number(7),
        kind=fields.text(8, _KIND),
        ctype=fields.text(9, _CTYPE),
        id=fields.fixed(10, 16),
        re=fields.optional(11, lambda key: fields.fixed(key, 16)),
        exp=fields.optional(12, fields.number),
        body_hash=fields.fixed(13, 32),
        body_len=fields.number(14, 0, MAX_BODY_LEN),
    )  # fmt: skip
    fields.end()
    return record


def check_body(record: Record, salt: bytes, body: bytes) -> None:
    """Length and hash of the body."""
    if len(salt) != 16 or len(body) != record.body_len:
        raise WireError("body", "length of salt or body")
    if sha256(salt + body) != record.body_hash:
        raise WireError("body", "hash of the body")


def encode_payload(cose: bytes, salt: bytes = b"", body: bytes | None = None) -> bytes:
    """The payload of an envelope; without a body a stub or a control message."""
    return b"\x01" + lv(cose) + (salt + body if body is not None else b"")


def split_payload(payload: bytes) -> tuple[bytes, bytes]:
    """The COSE_Sign1 of a payload, and what is behind it."""
    if not payload or payload[0] != PAYLOAD_RECORD:
        raise WireError("payload", "type is not known")
    return take_lv(payload[1:], MAX_COSE)


def open_payload(payload: bytes, key: bytes, sid: bytes, sender: bytes, receiver: bytes) -> Signed:
    """From the payload's type to length and hash of the body, in the order of section 9."""
    cose, rest = split_payload(payload)
    message = parse_message(verify_cose(cose, key, sid))
    if (message.sid, message.sender, message.receiver) != (sid, sender, receiver):
        raise WireError("parties", "session, from or to")
    if isinstance(message, Control):
        if rest:
            raise WireError("payload", "a control message has no body")
        return Signed(cose, message)
    if not rest:
        return Signed(cose, message)
    salt, body = rest[:16], rest[16:]
    check_body(message, salt, body)
    return Signed(cose, message, salt, body)
