"""The log file (PROTOCOL.md section 16)."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
import unittest
from collections.abc import Callable
from dataclasses import replace

from wire_peer import cbor, log, logwrite
from wire_peer.encoding import b64, unb64
from wire_peer.identity import first_statement, rotate
from wire_peer.log import LogError, verify
from wire_peer.primitives import ed_public
from wire_peer.record import Control, Message, Record, Signed, sign_cose
from wire_peer.session import Session
from wire_peer.tests.common import NOW, say, sessions

Line = dict[str, object]
Mutation = Callable[[list[Line]], object]


class Case(unittest.TestCase):
    """A log with six records of own, the last three by the next key, and four of peer."""

    def setUp(self) -> None:
        self.own, self.peer, self.id_own, self.id_peer = sessions()
        say(self.own, self.peer, "hello", b"own")
        say(self.peer, self.own, "hello", b"peer")
        say(self.own, self.peer, "ask", b"question")
        self.peer.process(2)
        say(self.peer, self.own, "reply", b"answer")
        say(self.own, self.peer, "msg", "é".encode())
        self.own.seed = self.id_own.seeds[3]
        self.chain = rotate(
            self.id_own.statements,
            self.id_own.seeds[1],
            ed_public(self.own.seed),
            ed_public(self.id_own.seeds[2]),
        )
        self.own.own.id = self.peer.peer.id = ed_public(self.own.seed)
        self.own.process(2, 2)
        for body in (b"", b"four", b"five"):
            say(self.own, self.peer, "msg", body)
        self.peer.process(6)
        say(self.peer, self.own, "msg", b"three")
        say(self.peer, self.own, "msg", b"four")
        say(self.own, self.peer, "status")
        say(self.peer, self.own, "ack")

    def text(self, **kwargs: object) -> bytes:
        return logwrite.write(self.own, self.chain, self.id_peer.statements, **kwargs)  # type: ignore

    def lines(self) -> list[Line]:
        return [json.loads(line) for line in self.text().splitlines()]

    def join(self, lines: list[Line]) -> bytes:
        return b"".join(logwrite.line(line) for line in lines)

    def refused(self, data: bytes, why: str = "") -> None:
        with self.assertRaisesRegex(LogError, why):
            verify(data)

    def sign(self, side: Session, message: Message, **changes: object) -> str:
        return b64(side.sign_any(replace(message, **changes)).cose)  # type: ignore[arg-type]


class Good(Case):
    def test_report(self) -> None:
        report = verify(self.text())
        own, peer = report["own"], report["peer"]
        assert isinstance(own, dict) and isinstance(peer, dict)
        self.assertEqual(report["session"], b64(self.own.session_id))
        names = ("records", "pruned", "received", "processed", "conflict")
        self.assertEqual([own[name] for name in names], [6, 0, 4, 2, False])
        self.assertEqual([peer[name] for name in names], [4, 0, 6, 6, False])

    def test_the_other_side_writes_one(self) -> None:
        data = logwrite.write(self.peer, self.id_peer.statements, self.chain)
        own = verify(data)["own"]
        assert isinstance(own, dict)
        self.assertEqual(own["records"], 4)

    def test_pruned(self) -> None:
        report = verify(self.text(pruned={"own": {1, 4}, "peer": {1, 2, 3, 4}}))
        own, peer = report["own"], report["peer"]
        assert isinstance(own, dict) and isinstance(peer, dict)
        self.assertEqual((own["pruned"], peer["pruned"]), (2, 4))

    def test_interleaved(self) -> None:
        lines = self.lines()
        records = [line for line in lines if "cose" in line]
        own = [line for line in records if line["by"] == "own"]
        peer = [line for line in records if line["by"] == "peer"]
        mixed = [peer[0], own[0], own[1], peer[1], peer[2], own[2], peer[3], *own[3:]]
        controls = [line for line in lines if "control" in line]
        verify(self.join([lines[0], *mixed, *reversed(controls), lines[-1]]))

    def test_members_in_any_order(self) -> None:
        verify(self.join([dict(reversed(line.items())) for line in self.lines()]))

    def test_empty(self) -> None:
        lines = self.lines()
        verify(self.join([lines[0], {"end": [0, 0]}]))

    def test_newest_records_left_out(self) -> None:
        """A shorter log that is just as true; a control message of the peer may name more."""
        lines = self.lines()
        kept = [line for line in lines if line.get("by") == "own" and "cose" in line][:2]
        first = [line for line in lines if line.get("by") == "peer" and "cose" in line][:1]
        verify(self.join([lines[0], *kept, *first, {"end": [2, 1]}]))

    def test_peer_control_that_names_more(self) -> None:
        lines = [line for line in self.lines() if line.get("by") != "own" or "cose" in line]
        third = [line for line in lines if line.get("by") == "peer" and "cose" in line][3]
        lines.remove(third)
        lines[-1] = {"end": [6, 3]}
        verify(self.join(lines))

    def test_conflicts(self) -> None:
        twin = self.peer.clone()
        one = self.peer.sign_record("msg", b"one", NOW)
        other = twin.sign_record("msg", b"other", NOW)
        after = twin.sign_record("msg", b"after", NOW)
        record = self.peer.peer.records[0].message
        first = Session(
            self.own.ratchet, self.id_own.seeds[0], self.own.own, self.own.peer, self.own.rand
        )
        bad_first = self.sign(first, self.own.own.records[0].message, prev=bytes(32))
        self.assertIsInstance(record, Record)
        lines = self.lines()
        for by, listed in (
            ("peer", [b64(one.cose), b64(other.cose)]),
            ("peer", [b64(one.cose), b64(after.cose)]),
            ("own", [bad_first]),
        ):
            data = self.join([*lines[:-1], {"by": by, "conflict": listed}, lines[-1]])
            side = verify(data)[by]
            assert isinstance(side, dict)
            self.assertTrue(side["conflict"])

    def test_command(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "log")
            with open(path, "wb") as file:
                file.write(self.text())
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                self.assertEqual(log.main([path]), 0)
                with open(path, "ab") as file:
                    file.write(b"\n")
                self.assertEqual(log.main([path]), 1)
            self.assertEqual(json.loads(out.getvalue())["own"]["records"], 6)
            self.assertIn("line 14", err.getvalue())


class Mutated(Case):
    """Each mutation has a name, and each is refused."""

    def test_lines(self) -> None:
        # 0 first; 1 to 6 own; 7 to 10 peer; 11 and 12 control; 13 end.
        mutations: dict[str, Mutation] = {
            "another version": lambda x: x[0].update(wire_log=2),
            "version as true": lambda x: x[0].update(wire_log=True),
            "version as float": lambda x: x[0].update(wire_log=1.0),
            "another session": lambda x: x[0].update(session=b64(bytes(32))),
            "short session": lambda x: x[0].update(session=b64(bytes(31))),
            "one root twice": lambda x: x[0].update(peer=x[0]["own"]),
            "sides exchanged": lambda x: x[0].update(peer=x[0]["own"], own=x[0]["peer"]),
            "first statement only": lambda x: x[0].update(own=b64(self.id_own.statements)),
            "statements changed": lambda x: x[0].update(own=_flipped(x[0]["own"], 100)),
            "no statements": lambda x: x[0].update(peer=""),
            "extra member in the first line": lambda x: x[0].update(more=1),
            "first line missing": lambda x: x.pop(0),
            "member missing in the first line": lambda x: x[0].pop("own"),
            "record left out": lambda x: x.pop(2),
            "newest record left out": lambda x: x.pop(6),
            "newest of the peer left out": lambda x: x.pop(10),
            "records exchanged": lambda x: x.insert(1, x.pop(2)),
            "record twice": lambda x: x.insert(2, dict(x[1])),
            "record of the other side": lambda x: x[1].update(by="peer"),
            "by nobody": lambda x: x[1].update(by="third"),
            "by is missing": lambda x: x[1].pop("by"),
            "signature changed": lambda x: x[1].update(cose=_flipped(x[1]["cose"], -1)),
            "payload changed": lambda x: x[1].update(cose=_flipped(x[1]["cose"], 20)),
            "body changed": lambda x: x[1].update(body=b64(b"owN")),
            "body longer": lambda x: x[1].update(body=b64(b"own\0")),
            "salt changed": lambda x: x[1].update(salt=_flipped(x[1]["salt"], 0)),
            "salt short": lambda x: x[1].update(salt=b64(bytes(15))),
            "body without salt": lambda x: x[1].pop("salt"),
            "salt without body": lambda x: x[1].pop("body"),
            "padding in base64url": lambda x: x[1].update(salt=str(x[1]["salt"]) + "=="),
            "stray bits in base64url": lambda x: x[1].update(salt=_stray(str(x[1]["salt"]))),
            "hash put in for the body": lambda x: x[1].update(body=None),
            "extra member in a record": lambda x: x[1].update(note=""),
            "control among the records": lambda x: x[1].update(cose=x[11]["control"]),
            "record as control": lambda x: x[11].update(control=x[6]["cose"]),
            "two control messages": lambda x: x.insert(12, dict(x[11])),
            "control before records": lambda x: x.insert(1, x.pop(11)),
            "control of the other side": lambda x: x[11].update(by="peer"),
            "control with a body": lambda x: x[11].update(body=""),
            "end too high": lambda x: x[13].update(end=[7, 4]),
            "end exchanged": lambda x: x[13].update(end=[4, 6]),
            "end of three": lambda x: x[13].update(end=[6, 4, 0]),
            "end as floats": lambda x: x[13].update(end=[6.0, 4.0]),
            "end missing": lambda x: x.pop(),
            "end twice": lambda x: x.append({"end": [6, 4]}),
            "something behind the end": lambda x: x.append(dict(x[11])),
            "empty conflict": lambda x: x.insert(13, {"by": "own", "conflict": []}),
            "conflict of one record": lambda x: x.insert(13, _conflict(x[1])),
            "conflict of a record twice": lambda x: x.insert(13, _conflict(x[1], x[1])),
            "conflict of two that fit": lambda x: x.insert(13, _conflict(x[1], x[2])),
            "conflict of records far apart": lambda x: x.insert(13, _conflict(x[1], x[3])),
            "conflict of three": lambda x: x.insert(13, _conflict(x[1], x[2], x[3])),
            "conflict of control messages": lambda x: x.insert(
                13, {"by": "own", "conflict": [x[11]["control"]]}
            ),
        }  # fmt: skip
        verify(self.join(self.lines()))
        for name, mutate in mutations.items():
            with self.subTest(name):
                lines = self.lines()
                mutate(lines)
                self.refused(self.join(lines))
        self.assertGreaterEqual(len(mutations), 20)

    def test_bytes(self) -> None:
        text = self.text()
        lines = text.splitlines(keepends=True)
        long = json.loads(lines[1])
        long["salt"] = "A" * 524_288
        for name, bad in {
            "empty": b"", "only LF": b"\n", "no LF at the end": text[:-1],
            "empty line": text + b"\n", "cut within a line": text[:-9],
            "byte order mark": b"\xef\xbb\xbf" + text,
            "no UTF-8": lines[0] + b'{"by":"\xff"}\n' + b"".join(lines[1:]),
            "member twice": text.replace(b'{"by":"own",', b'{"by":"own","by":"own",', 1),
            "no object": lines[0] + b"[]\n" + b"".join(lines[1:]),
            "no JSON": lines[0] + b"{by:1}\n" + b"".join(lines[1:]),
            "not a number": text.replace(b'"end":[6,4]', b'"end":[NaN,4]'),
            "line too long": lines[0] + logwrite.line(long) + b"".join(lines[1:]),
        }.items():  # fmt: skip
            with self.subTest(name):
                self.refused(bad)

    def test_length_of_a_line(self) -> None:
        text = self.text()
        first, rest = text.split(b"\n", 1)
        room = log.MAX_LINE - 1 - len(first)
        verify(first[:-1] + b" " * room + b"}\n" + rest)
        self.refused(first[:-1] + b" " * (room + 1) + b"}\n" + rest, "line 1: longer")


class Signed_(Case):
    """What a side that signs can get wrong."""

    def last(self, by: Session) -> Signed:
        return by.own.records[-1]

    def with_record(self, by: str, cose: str) -> bytes:
        """The log with the last record of a side replaced by another one."""
        lines = self.lines()
        index = 6 if by == "own" else 10
        lines[index] = {"by": by, "cose": cose}
        return self.join([line for line in lines if "control" not in line])

    def test_records(self) -> None:
        message = self.last(self.peer).message
        assert isinstance(message, Record)
        ack = message.ack
        before = self.peer.own.records[-2].message.ack
        self.assertEqual(before.recv, 6)
        fallen = replace(ack, recv=5, proc=5, head=self.peer.peer.records[4].hash, seen=ack.seen)
        verify(self.with_record("peer", self.sign(self.peer, message)))
        cases: dict[str, dict[str, object]] = {
            "seq too high": {"seq": 5}, "seq too low": {"seq": 3}, "prev": {"prev": bytes(32)},
            "from": {"sender": bytes(32)}, "to": {"receiver": message.sender},
            "session": {"sid": bytes(32)}, "recv too high": {"ack": replace(ack, recv=7)},
            "proc above recv": {"ack": replace(ack, proc=7)}, "recv falls": {"ack": fallen},
            "proc falls": {"ack": replace(ack, proc=ack.proc - 1)},
            "head": {"ack": replace(ack, head=bytes(32))}, "seen": {"ack": replace(ack, seen=5)},
            "kind": {"kind": "Msg"}, "ctype": {"ctype": "\n"}, "id": {"id": bytes(15)},
            "exception": {"ack": replace(ack, excepts=((2, 1, 0),))},
            "missing in a record": {"ack": replace(ack, missing=((1, 1),))},
        }  # fmt: skip
        for name, changes in cases.items():
            with self.subTest(name):
                bad = self.sign(self.peer, message, **changes)
                self.refused(self.with_record("peer", bad))
        loose = sign_cose(self.peer.seed, self.peer.session_id, message.encode() + b"\0")
        self.refused(self.with_record("peer", b64(loose)), "cbor")
        parts = cbor.decode(unb64(self.sign(self.peer, message)))
        assert isinstance(parts, list)
        tagged = b"\xd2" + cbor.encode(parts)
        self.refused(self.with_record("peer", b64(tagged)), "cbor")

    def test_rotation(self) -> None:
        message = self.last(self.own).message
        verify(self.with_record("own", self.sign(self.own, message)))
        for seed in (self.id_own.seeds[0], self.id_own.seeds[2]):
            self.own.seed = seed
            self.refused(self.with_record("own", self.sign(self.own, message)), "signature")

    def test_control_by_an_older_key(self) -> None:
        control = self.own.own.control
        assert control
        self.own.seed = self.id_own.seeds[0]
        lines = self.lines()
        lines[11]["control"] = self.sign(self.own, control.message)
        verify(self.join(lines))

    def test_control(self) -> None:
        for by, index in (("own", 11), ("peer", 12)):
            side = self.own if by == "own" else self.peer
            assert side.own.control
            message = side.own.control.message
            assert isinstance(message, Control)
            ack = message.ack
            changes: dict[str, dict[str, object]] = {
                "head": {"head": bytes(32)},
                "head at 0": {"last": 0},
                "ack head": {"ack": replace(ack, head=bytes(32))},
                "ack recv": {"ack": replace(ack, recv=9)},
                "cseq": {"cseq": 0},
                "kind": {"kind": "msg"},
            }
            if by == "own":
                changes["last of own"] = {"last": 7}
            for name, change in changes.items():
                with self.subTest(f"{by} {name}"):
                    lines = self.lines()
                    lines[index]["control"] = self.sign(side, message, **change)
                    self.refused(self.join(lines))
        lines = self.lines()
        lines[12]["control"] = self.sign(self.peer, message, last=7, head=bytes(32))
        verify(self.join(lines))
        lines[12]["control"] = self.sign(self.peer, message, last=0, head=self.peer.session_id)
        verify(self.join(lines))

    def test_conflict_of_a_stranger(self) -> None:
        twin = self.peer.clone()
        one = self.peer.sign_record("msg", b"one", NOW)
        other = twin.sign_record("msg", b"other", NOW)
        lines = self.lines()
        for by, listed in (
            ("own", [one, other]),
            ("peer", [one]),
            ("peer", [other, self.last(self.own)]),
        ):
            bad: Line = {"by": by, "conflict": [b64(item.cose) for item in listed]}
            self.refused(self.join([*lines[:-1], bad, lines[-1]]))
        good: Line = {"by": "peer", "conflict": [b64(one.cose), b64(other.cose)]}
        verify(self.join([*lines[:-1], good, lines[-1]]))
        self.refused(self.join([*lines[:-1], good, good, lines[-1]]), "second")
        self.refused(self.join([*lines[:11], good, *lines[11:]]), "order")

    def test_chain_of_another_key(self) -> None:
        seeds = [os.urandom(32) for _ in range(3)]
        foreign = first_statement(seeds[0], ed_public(seeds[1]))
        lines = self.lines()
        lines[0]["peer"] = b64(foreign)
        self.refused(self.join(lines), "signature|parties")


def _flipped(text: object, place: int) -> str:
    raw = bytearray(unb64(text))
    raw[place] ^= 1
    return b64(bytes(raw))


def _stray(text: str) -> str:
    """Sixteen bytes end in a character with four bits that must be zero."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) + 1]


def _conflict(*lines: Line) -> Line:
    return {"by": "own", "conflict": [line["cose"] for line in lines]}


if __name__ == "__main__":
    unittest.main()
