"""Section 2: statements of an identity and chains of them; section 3: a relay's answer."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from .encoding import be
from .errors import WireError
from .primitives import ed_public, sha256, sign, verify

STATEMENT = 229
MAX_STATEMENTS = 32
LABEL = b"wire/stmt/1"


@dataclass(frozen=True)
class Statement:
    """One parsed statement."""

    root: bytes
    id: bytes
    next_digest: bytes
    serial: int
    prev_hash: bytes
    by: bytes


@dataclass(frozen=True)
class Chain:
    """A verified chain of statements."""

    raw: bytes
    statements: tuple[Statement, ...]

    @property
    def root(self) -> bytes:
        """The name that stays."""
        return self.statements[0].root

    @property
    def ids(self) -> tuple[bytes, ...]:
        """Every key of the identity, the first one first."""
        return tuple(statement.id for statement in self.statements)

    @property
    def current(self) -> bytes:
        """The key that speaks for the root now."""
        return self.statements[-1].id


def root_of(first_id: bytes, next_digest: bytes) -> bytes:
    """`root = H("wire/id/1" || first id || its next_digest)`."""
    return sha256(b"wire/id/1" + first_id + next_digest)


def root_text(root: bytes) -> str:
    """`wid:` and 52 characters of base32."""
    return "wid:" + base64.b32encode(root).decode("ascii").rstrip("=").lower()


def _statement(root: bytes, id_: bytes, digest: bytes, serial: int, prev: bytes, by: bytes) -> bytes:
    body = b"\x01" + root + id_ + digest + be(serial, 4) + prev + ed_public(by)
    return body + sign(by, LABEL, body)


def first_statement(seed: bytes, next_id: bytes) -> bytes:
    """The first statement of an identity with this seed, which commits to the key `next_id`."""
    id_, digest = ed_public(seed), sha256(next_id)
    return _statement(root_of(id_, digest), id_, digest, 0, bytes(32), seed)


def rotate(chain: bytes, by_seed: bytes, id_: bytes, after_id: bytes) -> bytes:
    """The chain with one more statement, for the key `id_`, by the key that the last one committed to."""
    last = chain[-STATEMENT:]
    serial = int.from_bytes(last[97:101], "big") + 1
    return chain + _statement(last[1:33], id_, sha256(after_id), serial, sha256(last), by_seed)


def _parse(raw: bytes) -> Statement:
    if raw[0] != 1:
        raise WireError("statement", "unknown version")
    statement = Statement(
        root=raw[1:33],
        id=raw[33:65],
        next_digest=raw[65:97],
        serial=int.from_bytes(raw[97:101], "big"),
        prev_hash=raw[101:133],
        by=raw[133:165],
    )
    verify(statement.by, LABEL, raw[:165], raw[165:])
    return statement


def parse_chain(raw: bytes) -> Chain:
    """Verifies a chain of 1 to 32 statements."""
    count, rest = divmod(len(raw), STATEMENT)
    if rest or not 1 <= count <= MAX_STATEMENTS:
        raise WireError("statement", "length of the chain")
    parts = [raw[i * STATEMENT : (i + 1) * STATEMENT] for i in range(count)]
    statements = [_parse(part) for part in parts]
    first = statements[0]
    founds = first.root == root_of(first.id, first.next_digest) and first.by == first.id
    if first.serial or any(first.prev_hash) or not founds:
        raise WireError("statement", "the first one does not found its root")
    for index in range(1, count):
        before, now = statements[index - 1], statements[index]
        if now.root != before.root or now.serial != before.serial + 1:
            raise WireError("statement", "root or serial")
        if now.prev_hash != sha256(parts[index - 1]):
            raise WireError("statement", "prev_hash")
        if sha256(now.by) != before.next_digest:
            raise WireError("statement", "not the key that was committed to")
    return Chain(raw, tuple(statements))


def last_key(raw: bytes) -> bytes:
    """The `id` of the last statement, unverified: an offer's signature is checked before them."""
    if not raw or len(raw) % STATEMENT:
        raise WireError("statement", "length of the chain")
    return raw[-STATEMENT + 33 : -STATEMENT + 65]


def relay_answer(seed: bytes, challenge: bytes, host: str, time: int) -> bytes:
    """Section 3: the signature under a challenge."""
    return sign(seed, b"wire/relay/1", challenge + host.encode("ascii") + be(time, 8))
