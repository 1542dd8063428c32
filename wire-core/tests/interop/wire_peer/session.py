"""Sections 9 and 10: the chains of records of a session, and what is acknowledged of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from .encoding import be
from .errors import Alarm, WireError
from .primitives import sha256
from .randomness import Random
from .ratchet import Opened, Ratchet
from .record import (
    CONTROL_KINDS,
    Ack,
    Control,
    Exception_,
    Range,
    Record,
    Signed,
    encode_payload,
    open_payload,
    sign_cose,
)

MAX_HELD = 1_024
MAX_HELD_BYTES = 16 << 20
MAX_BODY = 49_152
MAX_MISSING = 16
KINDS = ("hello", "msg", "ask", "reply", "cert")
REFUSED = 0


@dataclass
class Party:
    """One side: its root, the key it signs with now, and its chain of records."""

    root: bytes
    id: bytes
    records: list[Signed] = field(default_factory=list)
    control: Signed | None = None
    conflict: list[bytes] = field(default_factory=list)

    def head(self, session_id: bytes, seq: int | None = None) -> bytes:
        """The hash of a record, of the last one by default; `session_id` at 0."""
        seq = len(self.records) if seq is None else seq
        return self.records[seq - 1].hash if seq else session_id


@dataclass(frozen=True)
class Received:
    """What became of an envelope."""

    result: str
    opened: Opened
    signed: Signed


class Session:
    """One side of a session: the ratchet and both chains."""

    def __init__(
        self, ratchet: Ratchet, seed: bytes, own: Party, peer: Party, rand: Random
    ) -> None:
        self.ratchet = ratchet
        self.seed = seed
        self.own = own
        self.peer = peer
        self.rand = rand
        self.held: dict[int, Signed] = {}
        self.proc = 0
        self.said = 0
        self.excepts: list[Exception_] = []
        self.cseq = 0
        self.peer_last = 0
        self.peer_ack = Ack(0, ratchet.session_id, 0, 0)
        self.unopenable: list[bytes] = []
        self.frozen = ""

    @property
    def session_id(self) -> bytes:
        """The name of the session."""
        return self.ratchet.session_id

    # Signing

    def ack(self) -> Ack:
        """Key 6 as this side would sign it now, without what is missing."""
        recv = len(self.peer.records)
        excepts = tuple(item for item in self.excepts if item[1] > self.peer_ack.seen)
        return Ack(recv, self.peer.head(self.session_id), self.proc, self.peer_ack.proc, excepts)

    def sign_record(
        self,
        kind: str,
        body: bytes,
        now: int,
        ctype: str = "",
        answers: bytes | None = None,
        expires: int | None = None,
    ) -> Signed:
        """Signs the next record of the own chain."""
        self.thawed()
        if len(body) > MAX_BODY:
            raise WireError("size", "the body is longer than a sender takes")
        salt = self.rand("salt", 16)
        record = Record(
            self.session_id, self.own.root, self.peer.root, len(self.own.records) + 1,
            self.own.head(self.session_id), self.ack(), now, kind, ctype,
            be(now, 6) + self.rand("id", 10), sha256(salt + body), len(body), answers, expires,
        )  # fmt: skip
        signed = self.sign_any(record, salt, body)
        open_payload(
            encode_payload(signed.cose, salt, body),
            self.own.id, self.session_id, self.own.root, self.peer.root,
        )  # fmt: skip
        self.own.records.append(signed)
        self.said = self.proc
        return signed

    def sign_any(
        self, message: Record | Control, salt: bytes = b"", body: bytes | None = None
    ) -> Signed:
        """Signs whatever is given and keeps nothing of it."""
        cose = sign_cose(self.seed, self.session_id, message.encode())
        return Signed(cose, message, salt, body)

    def sign_control(self, kind: str, now: int) -> Signed:
        """Signs an ACK or a STATUS."""
        self.thawed()
        if kind not in CONTROL_KINDS:
            raise WireError("record", "no kind of a control message")
        missing = tuple(self.missing())
        ack = replace(
            self.ack(), missing=missing, unopenable=tuple(self.unopenable) if missing else ()
        )
        control = Control(
            self.session_id, self.own.root, self.peer.root, ack, now, kind, self.cseq + 1,
            len(self.own.records), self.own.head(self.session_id),
        )  # fmt: skip
        self.own.control = self.sign_any(control)
        self.cseq += 1
        self.said = self.proc
        return self.own.control

    def missing(self) -> list[Range]:
        """What is missing below what is held and up to the highest `last`, at most 16 ranges."""
        out: list[Range] = []
        start = len(self.peer.records) + 1
        for seq in [*sorted(self.held), self.peer_last + 1]:
            if seq > start:
                out.append((start, seq - 1))
            start = max(start, seq + 1)
        return out[:MAX_MISSING]

    # Receiving

    def receive(self, raw: bytes, now: int, limit: int) -> Received:
        """Accepts an envelope as section 9 says; an alarm freezes the session."""
        self.thawed()
        placed: list[tuple[str, Signed, Callable[[], None]]] = []

        def accept(payload: bytes) -> None:
            signed = self.open_payload(payload)
            placed.append(self._place(signed))

        try:
            opened = self.ratchet.open(raw, now, accept, limit)
        except Alarm as alarm:
            self.frozen = alarm.detail
            raise
        except WireError as err:
            if err.code == "unopenable":
                self.unopenable = [sha256(raw), *self.unopenable][:16]
            raise
        result, signed, commit = placed[0]
        commit()
        return Received(result, opened, signed)

    def open_payload(self, payload: bytes) -> Signed:
        """Checks a payload without placing it."""
        return open_payload(payload, self.peer.id, self.session_id, self.peer.root, self.own.root)

    def take(self, payload: bytes) -> tuple[str, Signed]:
        """Checks and places a payload that came without an envelope."""
        self.thawed()
        try:
            result, signed, commit = self._place(self.open_payload(payload))
        except Alarm as alarm:
            self.frozen = alarm.detail
            raise
        commit()
        return result, signed

    def _place(self, signed: Signed) -> tuple[str, Signed, Callable[[], None]]:
        if isinstance(signed.message, Control):
            return self._place_control(signed, signed.message)
        record = signed.message
        recv = len(self.peer.records)
        known = self._known(record.seq)
        if known is not None:
            if known.cose == signed.cose:
                return "duplicate", signed, lambda: None
            self._conflict(known.cose, signed.cose)
        if record.seq > recv + 1:
            size = sum(len(item.body or b"") for item in self.held.values())
            if len(self.held) >= MAX_HELD or record.seq > recv + MAX_HELD:
                raise WireError("held", "too many records are held")
            if size + len(signed.body or b"") > MAX_HELD_BYTES:
                raise WireError("held", "too many bytes are held")
            return "held", signed, lambda: self.held.update({record.seq: signed})
        run = [signed]
        while (recv + len(run) + 1) in self.held:
            run.append(self.held[recv + len(run) + 1])
        self._check_run(run)
        return "placed", signed, lambda: self._append(run)

    def _known(self, seq: int) -> Signed | None:
        if seq <= len(self.peer.records):
            return self.peer.records[seq - 1]
        return self.held.get(seq)

    def _check_run(self, run: list[Signed]) -> None:
        before = self.peer.records[-1].cose if self.peer.records else b""
        head, ack = self.peer.head(self.session_id), self._last_record_ack()
        for item in run:
            assert isinstance(item.message, Record)
            if item.message.prev != head:
                self._conflict(*([before] if before else []), item.cose)
            self._check_ack(item.message.ack)
            if item.message.ack.recv < ack.recv or item.message.ack.proc < ack.proc:
                raise Alarm("recv or proc falls")
            before, head, ack = item.cose, item.hash, item.message.ack

    def _last_record_ack(self) -> Ack:
        if not self.peer.records:
            return Ack(0, self.session_id, 0, 0)
        return self.peer.records[-1].message.ack

    def _check_ack(self, ack: Ack) -> None:
        if ack.recv > len(self.own.records):
            raise Alarm("recv is beyond what was sent")
        if ack.head != self.own.head(self.session_id, ack.recv):
            raise Alarm("head is of another record")
        if ack.proc > ack.recv:
            raise Alarm("proc is above recv")
        if ack.seen > self.said:
            raise Alarm("seen is above what was said")

    def _conflict(self, *proof: bytes) -> None:
        self.peer.conflict = list(proof)
        raise Alarm("the peer signed two histories")

    def _append(self, run: list[Signed]) -> None:
        for item in run:
            assert isinstance(item.message, Record)
            self.held.pop(item.message.seq, None)
            self.peer.records.append(item)
            self.peer_last = max(self.peer_last, item.message.seq)
            self._merge(item.message.ack)
            if not _fits(item.message):
                self._except(item.message.seq, REFUSED)
        if not self.held:
            self.unopenable = []

    def _place_control(
        self, signed: Signed, control: Control
    ) -> tuple[str, Signed, Callable[[], None]]:
        newest = self.peer.control.message if self.peer.control else None
        if isinstance(newest, Control) and control.cseq <= newest.cseq:
            return "old", signed, lambda: None
        self._check_ack(control.ack)
        if control.last <= len(self.peer.records):
            if control.head != self.peer.head(self.session_id, control.last):
                raise Alarm("a control message names another head")

        def commit() -> None:
            self.peer.control = signed
            self.peer_last = max(self.peer_last, control.last)
            self._merge(control.ack)

        return "control", signed, commit

    def _merge(self, ack: Ack) -> None:
        old = self.peer_ack
        newer = ack if ack.recv >= old.recv else old
        self.peer_ack = replace(newer, proc=max(old.proc, ack.proc), seen=max(old.seen, ack.seen))

    def process(self, upto: int, why: int | None = None) -> None:
        """The application is done with records up to a seq, or with an exception."""
        if not self.proc < upto <= len(self.peer.records):
            raise WireError("process", "proc rises, and not above recv")
        if why not in (None, 0, 1, 2):
            raise WireError("process", "why is 0, 1 or 2")
        if why is not None:
            for seq in range(self.proc + 1, upto + 1):
                self._except(seq, why)
        self.proc = upto

    def _except(self, seq: int, why: int) -> None:
        if any(first <= seq <= last for first, last, _ in self.excepts):
            return
        if self.excepts and self.excepts[-1][1:] == (seq - 1, why):
            self.excepts[-1] = (self.excepts[-1][0], seq, why)
        else:
            self.excepts.append((seq, seq, why))

    def thawed(self) -> None:
        """Refuses where the session is frozen."""
        if self.frozen:
            raise WireError("frozen", self.frozen)

    def clone(self) -> Session:
        """A copy, as a machine that was copied would have it."""
        twin = Session(
            self.ratchet.clone(), self.seed, _copy(self.own), _copy(self.peer),
            Random(self.rand.chosen),
        )  # fmt: skip
        # The ratchet and the session draw from one source.
        twin.ratchet.rand = twin.rand
        twin.held, twin.excepts = dict(self.held), list(self.excepts)
        twin.unopenable = list(self.unopenable)
        twin.proc, twin.said, twin.cseq = self.proc, self.said, self.cseq
        twin.frozen = self.frozen
        twin.peer_last, twin.peer_ack = self.peer_last, self.peer_ack
        return twin


def _fits(record: Record) -> bool:
    """Whether the kind is known, and `hello` is seq 1 and nothing else is."""
    return record.kind in KINDS and (record.kind == "hello") == (record.seq == 1)


def _copy(party: Party) -> Party:
    return replace(party, records=list(party.records), conflict=list(party.conflict))
