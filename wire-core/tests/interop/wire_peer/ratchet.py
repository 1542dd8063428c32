"""Section 7: the Double Ratchet with header encryption."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from . import envelope
from .envelope import Header, Parts
from .errors import Alarm, WireError
from .mailbox import USUAL_ENVELOPE
from .primitives import hkdf_expand, hkdf_extract, mac, x_public, x_shared
from .randomness import Random

MAX_AHEAD = 2_000
MAX_SKIPPED = 2_000
MAX_CLOSED = 5
MAX_PLACES = 2_000
MAX_AGE_MS = 30 * 86_400_000
ROOM = 1_500
ROOM_RESERVED = 1_600
ANSWER_AT = 400

Accept = Callable[[bytes], object]


def kdf_root(root: bytes, shared: bytes) -> tuple[bytes, bytes, bytes]:
    """`KDF_RK`: the next root key, a chain key and the next header key."""
    out = hkdf_expand(hkdf_extract(root, shared), b"wire/dr/1 rk", 96)
    return out[:32], out[32:64], out[64:]


def message_key(chain_key: bytes) -> bytes:
    """The message key of a chain key."""
    return mac(chain_key, b"\x01")


def next_chain_key(chain_key: bytes) -> bytes:
    """The chain key after it."""
    return mac(chain_key, b"\x02")


@dataclass
class Sending:
    """The sending chain."""

    dh_secret: bytes
    header_key: bytes
    chain_key: bytes
    pn: int
    n: int = 0


@dataclass
class Receiving:
    """A receiving chain: the current one, or a closed one, which has no chain key any more.

    `n` is the number that is expected next, and of a closed chain its length. `skipped` keeps
    message keys with the time of their derivation, `places` the marks of used places.
    """

    header_key: bytes
    dh: bytes
    chain_key: bytes | None
    n: int = 0
    closed_at: int = 0
    skipped: dict[int, tuple[bytes, int]] = field(default_factory=dict)
    places: dict[int, tuple[bytes, bytes, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Opened:
    """What came out of an envelope."""

    payload: bytes
    header: Header
    turned: bool
    answer_at_once: bool
    accepted: object


def _derive(
    chain_key: bytes, start: int, end: int, now: int
) -> tuple[bytes, dict[int, tuple[bytes, int]]]:
    """The chain key at `end`, and the message keys from `start` up to it."""
    keys: dict[int, tuple[bytes, int]] = {}
    for n in range(start, end):
        keys[n] = (message_key(chain_key), now)
        chain_key = next_chain_key(chain_key)
    return chain_key, keys


class Ratchet:
    """One side of a session."""

    def __init__(self, session_id: bytes, rand: Random) -> None:
        self.session_id = session_id
        self.rand = rand
        self.root = b""
        self.sending = Sending(b"", b"", b"", 0)
        self.next_send_header = b""
        self.next_receive_header = b""
        self.current: Receiving | None = None
        self.closed: list[Receiving] = []
        self.place_count = 0

    @classmethod
    def start(
        cls,
        role: str,
        session_id: bytes,
        keys: dict[str, bytes],
        own_secret: bytes,
        peer_public: bytes,
        rand: Random,
    ) -> Ratchet:
        """The start of section 7; `keys` holds rk0, hkA and hkB."""
        self = cls(session_id, rand)
        shared = x_shared(own_secret, peer_public)
        root, chain_key, next_header = kdf_root(keys["rk0"], shared)
        if role == "B":
            self.root, self.next_send_header = root, next_header
            self.sending = Sending(own_secret, keys["hkB"], chain_key, 0)
            self.next_receive_header = keys["hkA"]
            return self
        self.current = Receiving(keys["hkB"], peer_public, chain_key)
        self.next_receive_header = next_header
        secret = rand("d", 32)
        shared = x_shared(secret, peer_public)
        self.root, chain_key, self.next_send_header = kdf_root(root, shared)
        self.sending = Sending(secret, keys["hkA"], chain_key, 0)
        return self

    def seal(self, payload: bytes, limit: int = USUAL_ENVELOPE, reserved: bool = False) -> bytes:
        """Seals a payload. `reserved` is for what section 7 lets into the last hundred places."""
        chain = self.sending
        if chain.n >= (ROOM_RESERVED if reserved else ROOM):
            raise WireError("room", f"{chain.n} messages in this chain, the peer has to turn")
        header = Header(x_public(chain.dh_secret), chain.pn, chain.n)
        envelope.padded_size(len(payload), limit)
        r = self.rand("r", 32)
        key = message_key(chain.chain_key)
        raw = envelope.seal(chain.header_key, key, header, self.session_id, payload, r, limit)
        chain.chain_key = next_chain_key(chain.chain_key)
        chain.n += 1
        return raw

    def open(
        self,
        raw: bytes,
        now: int,
        accept: Accept | None = None,
        limit: int = USUAL_ENVELOPE,
    ) -> Opened:
        """Opens an envelope. `accept` may refuse the payload; then nothing has changed."""
        parts = envelope.parse(raw, limit)
        self._expire(now)
        if self.current is not None:
            header = envelope.open_header(parts, self.current.header_key)
            if header is not None:
                return self._open_current(self.current, parts, header, now, accept)
        header = envelope.open_header(parts, self.next_receive_header)
        if header is not None:
            return self._open_turn(parts, header, now, accept)
        for chain in self.closed:
            header = envelope.open_header(parts, chain.header_key)
            if header is not None:
                return self._open_closed(chain, parts, header, now, accept)
        raise WireError("unopenable", "no live key opens the header")

    def _open_current(
        self, chain: Receiving, parts: Parts, header: Header, now: int, accept: Accept | None
    ) -> Opened:
        if header.dh != chain.dh:
            raise WireError("header", "another ratchet key than that of the chain")
        if header.n < chain.n:
            return self._open_skipped(chain, parts, header, now, accept)
        if header.n - chain.n > MAX_AHEAD:
            raise WireError("header", "n is too far ahead")
        assert chain.chain_key is not None
        chain_key, keys = _derive(chain.chain_key, chain.n, header.n, now)
        opened = self._accept(parts, header, message_key(chain_key), False, accept)
        chain.skipped.update(keys)
        chain.chain_key, chain.n = next_chain_key(chain_key), header.n + 1
        self._use(chain, parts, header.n, now)
        return opened

    def _open_turn(self, parts: Parts, header: Header, now: int, accept: Accept | None) -> Opened:
        old = self.current
        expected = old.n if old else 0
        if header.pn < expected:
            raise Alarm("pn is below what has arrived")
        if header.pn - expected > MAX_AHEAD or header.n > MAX_AHEAD:
            raise WireError("header", "n or pn is too far ahead")
        shared = x_shared(self.sending.dh_secret, header.dh)
        root, chain_key, next_receive = kdf_root(self.root, shared)
        chain_key, keys = _derive(chain_key, 0, header.n, now)
        opened = self._accept(parts, header, message_key(chain_key), True, accept)
        secret = self.rand("d", 32)
        root, send_key, next_send = kdf_root(root, x_shared(secret, header.dh))
        if old is not None:
            assert old.chain_key is not None
            _, rest = _derive(old.chain_key, old.n, header.pn, now)
            old.skipped.update(rest)
            old.chain_key, old.n, old.closed_at = None, header.pn, now
            self.closed.insert(0, old)
        chain = Receiving(
            self.next_receive_header, header.dh, next_chain_key(chain_key), header.n + 1
        )
        chain.skipped = keys
        self.current = chain
        self.sending = Sending(secret, self.next_send_header, send_key, self.sending.n)
        self.root, self.next_send_header, self.next_receive_header = root, next_send, next_receive
        while len(self.closed) > MAX_CLOSED:
            self.closed.pop()
        self._use(chain, parts, header.n, now)
        return opened

    def _open_closed(
        self, chain: Receiving, parts: Parts, header: Header, now: int, accept: Accept | None
    ) -> Opened:
        if header.dh != chain.dh:
            raise WireError("header", "another ratchet key than that of the chain")
        if header.n >= chain.n:
            raise Alarm("a message past the end of a closed chain")
        return self._open_skipped(chain, parts, header, now, accept)

    def _open_skipped(
        self, chain: Receiving, parts: Parts, header: Header, now: int, accept: Accept | None
    ) -> Opened:
        used = chain.places.get(header.n)
        if used is not None:
            if used[0] != parts.head_mark:
                raise Alarm("another message at a used place")
            if used[1] == parts.name[:8]:
                raise WireError("replay", "the same envelope again")
            raise WireError("altered", "an altered copy of an envelope")
        stored = chain.skipped.get(header.n)
        if stored is None:
            raise WireError("unopenable", "nothing is known of this place any more")
        opened = self._accept(parts, header, stored[0], False, accept)
        del chain.skipped[header.n]
        self._use(chain, parts, header.n, now)
        return opened

    def _accept(
        self, parts: Parts, header: Header, key: bytes, turned: bool, accept: Accept | None
    ) -> Opened:
        payload = envelope.open_body(parts, key, self.session_id)
        accepted = accept(payload) if accept else None
        return Opened(payload, header, turned, header.n >= ANSWER_AT, accepted)

    def _use(self, chain: Receiving, parts: Parts, n: int, now: int) -> None:
        self.place_count += 1
        chain.places[n] = (parts.head_mark, parts.name[:8], self.place_count)
        chains = [*reversed(self.closed), *([self.current] if self.current else [])]
        self._evict_places(chains)
        surplus = sum(len(item.skipped) for item in chains) - MAX_SKIPPED
        for item in chains:
            # Keys stand in the order of their derivation, older chains before newer ones.
            for old in list(item.skipped)[: max(0, surplus)]:
                del item.skipped[old]
                surplus -= 1

    def _evict_places(self, chains: list[Receiving]) -> None:
        total = sum(len(item.places) for item in chains)
        while total > MAX_PLACES:
            # Within a chain the marks stand in the order of their use.
            oldest = min(
                (item for item in chains if item.places),
                key=lambda item: next(iter(item.places.values()))[2],
            )
            del oldest.places[next(iter(oldest.places))]
            total -= 1

    def _expire(self, now: int) -> None:
        self.closed = [c for c in self.closed if now - c.closed_at <= MAX_AGE_MS]
        for chain in [*self.closed, *([self.current] if self.current else [])]:
            for n in [n for n, (_, at) in chain.skipped.items() if now - at > MAX_AGE_MS]:
                del chain.skipped[n]

    def describe(self) -> dict[str, object]:
        """Numbers for a test harness."""
        chains = [*self.closed, *([self.current] if self.current else [])]
        return {
            "n": self.sending.n,
            "pn": self.sending.pn,
            "dh": x_public(self.sending.dh_secret).hex(),
            "expected": self.current.n if self.current else 0,
            "closed": len(self.closed),
            "skipped": sum(len(chain.skipped) for chain in chains),
            "places": sum(len(chain.places) for chain in chains),
        }

    def clone(self) -> Ratchet:
        """A copy, as a machine that was copied would have it."""
        twin = Ratchet(self.session_id, Random(self.rand.chosen))
        twin.root = self.root
        twin.sending = replace(self.sending)
        twin.next_send_header = self.next_send_header
        twin.next_receive_header = self.next_receive_header
        twin.current = _copy(self.current) if self.current else None
        twin.closed = [_copy(chain) for chain in self.closed]
        twin.place_count = self.place_count
        return twin


def _copy(chain: Receiving) -> Receiving:
    return replace(chain, skipped=dict(chain.skipped), places=dict(chain.places))
