"""Reads the members of a request to the driver."""

from __future__ import annotations

import time

from .describe import Json
from .errors import WireError
from .randomness import Random


class Request:
    """Reads the members of one request."""

    def __init__(self, members: Json) -> None:
        self.members = members

    def has(self, name: str) -> bool:
        """Whether a member stands there with a value."""
        return self.members.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """A string."""
        value = self.members.get(name, default)
        if not isinstance(value, str):
            raise WireError("driver", f"{name} is missing or no string")
        return value

    def raw(self, name: str, default: bytes | None = None) -> bytes:
        """Bytes, in hexadecimal."""
        if not self.has(name) and default is not None:
            return default
        try:
            return bytes.fromhex(self.text(name))
        except ValueError:
            raise WireError("driver", f"{name} is not hexadecimal") from None

    def number(self, name: str, default: int | None = None) -> int:
        """A number."""
        value = self.members.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise WireError("driver", f"{name} is missing or no number")
        return value

    def now(self, name: str = "now") -> int:
        """A time; the clock's by default."""
        return self.number(name, int(time.time() * 1000))

    def object(self, name: str) -> Json:
        """An object, empty by default."""
        value = self.members.get(name) or {}
        if not isinstance(value, dict):
            raise WireError("driver", f"{name} is no object")
        return value

    def random(self) -> Random:
        """The chosen random values of this request."""
        chosen = Request(self.object("rand"))
        return Random({name: chosen.raw(name) for name in chosen.members})
