"""Section 1: `lv`, base64url without padding, fixed-width integers."""

from __future__ import annotations

import base64

from .errors import WireError

MAX_LEB = 4


def be(value: int, width: int) -> bytes:
    """A fixed-width unsigned integer, big-endian."""
    return value.to_bytes(width, "big")


def uleb(value: int) -> bytes:
    """Unsigned LEB128 in the fewest bytes, at most four."""
    if not 0 <= value < 1 << (7 * MAX_LEB):
        raise WireError("length", "does not fit four bytes of LEB128")
    out = bytearray()
    while True:
        low, value = value & 0x7F, value >> 7
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def lv(data: bytes) -> bytes:
    """Length as LEB128, then the bytes."""
    return uleb(len(data)) + data


def take_lv(data: bytes, limit: int) -> tuple[bytes, bytes]:
    """Reads one `lv` of at most `limit` bytes; answers it and the rest."""
    length, shift, pos = 0, 0, 0
    while True:
        if pos == MAX_LEB or pos >= len(data):
            raise WireError("length", "LEB128 is cut or too long")
        byte = data[pos]
        length |= (byte & 0x7F) << shift
        shift, pos = shift + 7, pos + 1
        if not byte & 0x80:
            break
    if pos > 1 and data[pos - 1] == 0:
        raise WireError("length", "LEB128 is not the shortest")
    if length > limit:
        raise WireError("length", f"{length} is over the limit of {limit}")
    if len(data) - pos < length:
        raise WireError("length", "cut short")
    return data[pos : pos + length], data[pos + length :]


def b64(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64(text: object) -> bytes:
    """The inverse of `b64`; refuses padding, foreign characters and stray bits."""
    if not isinstance(text, str):
        raise WireError("base64url", "not a string")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, UnicodeEncodeError) as err:
        raise WireError("base64url", str(err)) from None
    if b64(data) != text:
        raise WireError("base64url", "not the one encoding")
    return data
