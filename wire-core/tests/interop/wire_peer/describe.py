"""How the driver shows things in JSON (bytes in hexadecimal), and reads them back."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

from .errors import WireError
from .offer import CheckedOffer
from .record import Ack, Control, Message, Record, Signed

Json = dict[str, object]
Changed = TypeVar("Changed", bound=Ack | Record | Control)

NAMES = {"sender": "from", "receiver": "to", "excepts": "except"}
"""Where the names of section 9 and 10 cannot be names in Python."""


def shown(value: object) -> object:
    """A value for JSON."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Ack):
        return _members(value)
    if isinstance(value, (list, tuple)):
        return [shown(item) for item in value]
    return value


def _members(value: Ack | Record | Control) -> Json:
    out: Json = {}
    for item in fields(value):
        content = getattr(value, item.name)
        if content is not None:
            out[NAMES.get(item.name, item.name)] = shown(content)
    return out


def message(value: Message) -> Json:
    """A record or a control message."""
    out = _members(value)
    if isinstance(value, Control):
        out["seq"] = 0
    return out


def signed(value: Signed) -> Json:
    """What is signed, with its body if that is there."""
    out: Json = {"message": message(value.message), "cose": value.cose.hex()}
    if isinstance(value.message, Record):
        out["hash"] = value.hash.hex()
        out["salt"] = value.salt.hex() if value.body is not None else None
        out["body"] = value.body.hex() if value.body is not None else None
    return out


def offer(checked: CheckedOffer) -> Json:
    """The peer's side of a finished pairing."""
    value, certificate = checked.offer, checked.certificate
    return {
        "root": checked.chain.root.hex(),
        "ids": [key.hex() for key in checked.chain.ids],
        "statements": value.statements.hex(),
        "dr_pub": value.dr_pub.hex(),
        "url": value.url,
        "relay_id": value.relay_id.hex(),
        "mailbox": value.mailbox.hex(),
        "certificate": value.certificate.hex(),
        "sender_seed": value.sender_seed.hex(),
        "display": value.display,
        "epoch": certificate.epoch,
        "max_envelope": certificate.max_envelope,
        "max_pending": certificate.max_pending,
        "bytes_per_day": certificate.bytes_per_day,
    }


def _read(old: object, new: object) -> object:
    if isinstance(old, Ack):
        if not isinstance(new, dict):
            raise WireError("driver", "ack is an object")
        return change(old, new)
    if isinstance(old, tuple) and isinstance(new, list):
        return tuple(_read_item(item) for item in new)
    if isinstance(new, str) and not isinstance(old, str):
        return bytes.fromhex(new)
    return new


def _read_item(item: object) -> object:
    return bytes.fromhex(item) if isinstance(item, str) else tuple(item)  # type: ignore[arg-type]


def change(value: Changed, changes: Json) -> Changed:
    """A copy of an ack, record or control message with some members changed."""
    names = {NAMES.get(item.name, item.name): item.name for item in fields(value)}
    unknown = set(changes) - set(names)
    if unknown:
        raise WireError("driver", f"no member {sorted(unknown)[0]!r} to change")
    read: dict[str, Any] = {
        names[k]: _read(getattr(value, names[k]), new) for k, new in changes.items()
    }
    return replace(value, **read)
