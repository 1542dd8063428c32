"""Where random bytes come from: the system, chosen values, or the blocks of section 15."""

from __future__ import annotations

import os

from .encoding import be
from .errors import WireError
from .primitives import sha256


class Random:
    """Random bytes by name. Chosen values are used up first, once each; the rest is random."""

    def __init__(self, chosen: dict[str, bytes] | None = None) -> None:
        self.chosen = dict(chosen or {})

    def __call__(self, name: str, length: int) -> bytes:
        value = self.chosen.get(name)
        if value is None:
            return os.urandom(length)
        if len(value) != length:
            raise WireError("random", f"{name} has {len(value)} bytes, not {length}")
        del self.chosen[name]
        return value


class Blocks:
    """Section 15: the blocks H(seed8 || i8), i = 0, 1, 2 ..., read one after the other."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.index = 0
        self.rest = b""

    def take(self, length: int) -> bytes:
        """The next bytes."""
        while len(self.rest) < length:
            self.rest += sha256(be(self.seed, 8) + be(self.index, 8))
            self.index += 1
        out, self.rest = self.rest[:length], self.rest[length:]
        return out
