"""Section 1: deterministic CBOR. Whatever has another encoding is refused while decoding."""

from __future__ import annotations

from .errors import WireError

Value = int | bytes | str | bool | None | list | dict
MAX_DEPTH = 16


def _head(major: int, value: int) -> bytes:
    if value < 24:
        return bytes([major << 5 | value])
    for code, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if value < 1 << (8 * width):
            return bytes([major << 5 | code]) + value.to_bytes(width, "big")
    raise WireError("cbor", "number too large")


def encode(value: Value) -> bytes:
    """The one encoding of a value. Integers are unsigned; keys of maps are integers."""
    if value is None:
        return b"\xf6"
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        if value < 0:
            raise WireError("cbor", "negative number")
        return _head(0, value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        raw = value.encode("utf-8")
        return _head(3, len(raw)) + raw
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(encode(item) for item in value)
    if isinstance(value, dict):
        pairs = (encode(key) + encode(value[key]) for key in sorted(value))
        return _head(5, len(value)) + b"".join(pairs)
    raise WireError("cbor", f"no encoding of {type(value).__name__}")


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pos = 0

    def take(self, count: int) -> bytes:
        part = self.data[self.pos : self.pos + count]
        if len(part) != count:
            raise WireError("cbor", "cut short")
        self.pos += count
        return part

    def head(self) -> tuple[int, int]:
        first = self.take(1)[0]
        major, info = first >> 5, first & 31
        if major == 7:
            return major, info
        if info < 24:
            return major, info
        if info > 27:
            raise WireError("cbor", "indefinite or reserved length")
        width = 1 << (info - 24)
        value = int.from_bytes(self.take(width), "big")
        if value < (24 if width == 1 else 1 << (4 * width)):
            raise WireError("cbor", "head is not the shortest")
        return major, value

    def value(self, depth: int) -> Value:
        if depth > MAX_DEPTH:
            raise WireError("cbor", "nested too deep")
        major, arg = self.head()
        if major == 0:
            return arg
        if major == 2:
            return self.take(arg)
        if major == 3:
            try:
                return self.take(arg).decode("utf-8")
            except UnicodeDecodeError:
                raise WireError("cbor", "text is not UTF-8") from None
        if major == 4:
            return [self.value(depth + 1) for _ in range(self._count(arg))]
        if major == 5:
            return self._map(arg, depth)
        if major == 7 and arg in (20, 21, 22):
            return {20: False, 21: True, 22: None}[arg]
        raise WireError("cbor", f"major type {major} is not used")

    def _count(self, count: int) -> int:
        if count > len(self.data) - self.pos:
            raise WireError("cbor", "cut short")
        return count

    def _map(self, count: int, depth: int) -> dict[int, Value]:
        out: dict[int, Value] = {}
        last = -1
        for _ in range(self._count(count)):
            key = self.value(depth + 1)
            if isinstance(key, bool) or not isinstance(key, int):
                raise WireError("cbor", "key of a map is not a number")
            if key <= last:
                raise WireError("cbor", "keys do not rise")
            out[key] = self.value(depth + 1)
            last = key
        return out


def decode(data: bytes) -> Value:
    """Decodes exactly one value that fills `data`."""
    reader = _Reader(data)
    value = reader.value(0)
    if reader.pos != len(data):
        raise WireError("cbor", "trailing bytes")
    return value
