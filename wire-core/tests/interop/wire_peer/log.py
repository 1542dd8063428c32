"""Section 16: the joint log of a session.

`python -m wire_peer.log FILE` prints a report in one line of JSON, or the reason of a refusal.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

from .encoding import b64, unb64
from .errors import WireError
from .identity import Chain, parse_chain
from .record import (
    Ack,
    Control,
    Message,
    Record,
    Signed,
    check_body,
    parse_message,
    record_hash,
    split_cose,
    verify_cose,
)

MAX_LINE = 524_288
SIDES = ("own", "peer")


class LogError(Exception):
    """The file is refused: the number of the line, from 1, and why."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")
        self.line = line
        self.why = why


@dataclass
class Side:
    """What the file says of one side."""

    chain: Chain
    hashes: list[bytes] = field(default_factory=list)
    acks: list[tuple[int, Ack]] = field(default_factory=list)
    control: tuple[int, Control] | None = None
    conflict: bool = False
    pruned: int = 0
    key: int = 0

    def head(self, session_id: bytes, seq: int) -> bytes:
        """The hash of a record; `session_id` at 0."""
        return self.hashes[seq - 1] if seq else session_id

    def report(self) -> dict[str, object]:
        """What the file proves of this side."""
        acks = [ack for _, ack in self.acks]
        if self.control:
            acks.append(self.control[1].ack)
        return {
            "root": b64(self.chain.root),
            "records": len(self.hashes),
            "pruned": self.pruned,
            "received": max((ack.recv for ack in acks), default=0),
            "processed": max((ack.proc for ack in acks), default=0),
            "conflict": self.conflict,
        }


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("a member stands twice")
    return out


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _object(line: bytes) -> dict[str, object]:
    try:
        value = json.loads(
            line.decode("utf-8"),
            object_pairs_hook=_no_duplicates,
            parse_constant=_no_constant,
        )
    except (ValueError, RecursionError) as err:
        raise WireError("json", str(err)) from None
    if not isinstance(value, dict):
        raise WireError("json", "not an object")
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


class Verifier:
    """Reads a log line by line."""

    def __init__(self) -> None:
        self.session_id = b""
        self.sides: dict[str, Side] = {}
        self.stage = 0

    def first(self, line: dict[str, object]) -> None:
        """The first line, and rule 1."""
        if set(line) != {"wire_log", "session", "own", "peer"}:
            raise WireError("members", "the first line has other members")
        if not _is_number(line["wire_log"]) or line["wire_log"] != 1:
            raise WireError("version", "wire_log is not 1")
        self.session_id = unb64(line["session"])
        if len(self.session_id) != 32:
            raise WireError("session", "not 32 bytes")
        for name in SIDES:
            self.sides[name] = Side(parse_chain(unb64(line[name])))
        if self.sides["own"].chain.root == self.sides["peer"].chain.root:
            raise WireError("statement", "both sides have one root")

    def line(self, number: int, line: dict[str, object]) -> None:
        """Any line between the first and the last."""
        by = line.get("by")
        if by not in SIDES:
            raise WireError("members", "by is neither own nor peer")
        names = set(line) - {"by"}
        if names in ({"cose"}, {"cose", "salt", "body"}):
            stage, read = 0, self._record
        elif names == {"control"}:
            stage, read = 1, self._control
        elif names == {"conflict"}:
            stage, read = 2, self._conflict
        else:
            raise WireError("members", "no line of a log has these members")
        if stage < self.stage:
            raise WireError("order", "records come first, then control messages, then conflicts")
        self.stage = stage
        read(number, str(by), line)

    def _open(self, by: str, cose: bytes, start: int = 0) -> tuple[Message, int]:
        """Rules 2 and 3: the message, and which statement's key signed it."""
        side = self.sides[by]
        other = self.sides["peer" if by == "own" else "own"]
        split_cose(cose)
        for index in range(start, len(side.chain.ids)):
            try:
                payload = verify_cose(cose, side.chain.ids[index], self.session_id)
            except WireError as err:
                if err.code != "signature":
                    raise
                continue
            message = parse_message(payload)
            names = (message.sid, message.sender, message.receiver)
            if names != (self.session_id, side.chain.root, other.chain.root):
                raise WireError("parties", "session, from or to")
            return message, index
        raise WireError("signature", "verifies under no key that is in force")

    def _record(self, number: int, by: str, line: dict[str, object]) -> None:
        """Rule 4."""
        side = self.sides[by]
        cose = unb64(line["cose"])
        record, side.key = self._open(by, cose, side.key)
        if not isinstance(record, Record):
            raise WireError("record", "a control message among the records")
        if record.seq != len(side.hashes) + 1:
            raise WireError("seq", f"{record.seq} where {len(side.hashes) + 1} is next")
        if record.prev != side.head(self.session_id, len(side.hashes)):
            raise WireError("prev", "not the hash of the record before")
        if "body" in line:
            check_body(record, unb64(line["salt"]), unb64(line["body"]))
        else:
            side.pruned += 1
        side.hashes.append(record_hash(cose))
        side.acks.append((number, record.ack))

    def _control(self, number: int, by: str, line: dict[str, object]) -> None:
        side = self.sides[by]
        if side.control is not None:
            raise WireError("order", "a second control message of one side")
        message, _ = self._open(by, unb64(line["control"]))
        if not isinstance(message, Control):
            raise WireError("control", "a record among the control messages")
        side.control = (number, message)

    def _conflict(self, number: int, by: str, line: dict[str, object]) -> None:
        """Rule 7."""
        side = self.sides[by]
        listed = line["conflict"]
        if side.conflict:
            raise WireError("order", "a second conflict of one side")
        if not isinstance(listed, list) or not 1 <= len(listed) <= 2:
            raise WireError("conflict", "not a list of one or two")
        signed = []
        for text in listed:
            cose = unb64(text)
            signed.append(Signed(cose, self._open(by, cose)[0]))
        if not _proves(signed, self.session_id):
            raise WireError("conflict", "proves nothing")
        side.conflict = True

    def last(self, number: int, line: dict[str, object]) -> None:
        """The last line, then what needs the whole file: rules 5 and 6."""
        if set(line) != {"end"}:
            raise WireError("members", "the last line is another one")
        counts = line["end"]
        if not isinstance(counts, list) or not all(_is_number(count) for count in counts):
            raise WireError("end", "not a list of numbers")
        if counts != [len(self.sides[name].hashes) for name in SIDES]:
            raise WireError("end", "the file has another number of records")

    def whole(self) -> None:
        """Rules 5 and 6; raises a LogError with the line that they fail in."""
        for name in SIDES:
            side = self.sides[name]
            other = self.sides["peer" if name == "own" else "own"]
            before = Ack(0, b"", 0, 0)
            for number, ack in side.acks:
                self._ack(number, ack, side, other)
                if ack.recv < before.recv or ack.proc < before.proc:
                    raise LogError(number, "ack: recv or proc falls")
                before = ack
            if side.control is None:
                continue
            number, control = side.control
            self._ack(number, control.ack, side, other)
            if control.last > len(side.hashes):
                if name == "own":
                    raise LogError(number, "control: last is above the own records")
            elif control.head != side.head(self.session_id, control.last):
                raise LogError(number, "control: head is of another record")

    def _ack(self, number: int, ack: Ack, side: Side, other: Side) -> None:
        if ack.proc > ack.recv:
            raise LogError(number, "ack: proc is above recv")
        if ack.recv > len(other.hashes):
            raise LogError(number, "ack: recv is above the records of the other side")
        if ack.head != other.head(self.session_id, ack.recv):
            raise LogError(number, "ack: head is of another record")
        if ack.seen > len(side.hashes):
            raise LogError(number, "ack: seen is above the records of its own side")

    def report(self) -> dict[str, object]:
        """What the file proves."""
        out: dict[str, object] = {"session": b64(self.session_id)}
        out.update({name: self.sides[name].report() for name in SIDES})
        return out


def _proves(signed: list[Signed], session_id: bytes) -> bool:
    """Whether the records prove that a key signed two histories."""
    records = [item.message for item in signed]
    first, last = records[0], records[-1]
    if not isinstance(first, Record) or not isinstance(last, Record):
        return False
    if len(signed) == 1:
        return first.seq == 1 and first.prev != session_id
    if first.seq == last.seq:
        return signed[0].cose != signed[1].cose
    return last.seq == first.seq + 1 and last.prev != signed[0].hash


def verify(data: bytes) -> dict[str, object]:
    """Verifies a whole file and answers the report."""
    if not data.endswith(b"\n"):
        raise LogError(data.count(b"\n") + 1, "the last line has no LF")
    lines = data[:-1].split(b"\n")
    if len(lines) < 2:
        raise LogError(1, "a first and a last line are not there")
    verifier = Verifier()
    for number, raw in enumerate(lines, 1):
        if len(raw) + 1 > MAX_LINE:
            raise LogError(number, "longer than 524,288 bytes")
        try:
            line = _object(raw)
            if number == 1:
                verifier.first(line)
            elif number == len(lines):
                verifier.last(number, line)
            else:
                verifier.line(number, line)
        except WireError as err:
            raise LogError(number, str(err)) from None
    verifier.whole()
    return verifier.report()


def verify_file(path: str | Path) -> dict[str, object]:
    """Verifies the file at a path."""
    return verify(Path(path).read_bytes())


def main(arguments: list[str]) -> int:
    """The command line."""
    if len(arguments) != 1:
        print("usage: python -m wire_peer.log FILE", file=sys.stderr)
        return 2
    try:
        report = verify_file(arguments[0])
    except (LogError, OSError) as err:
        print(err, file=sys.stderr)
        return 1
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
