"""Records, control messages and their placement (PROTOCOL.md sections 9 and 10)."""

from __future__ import annotations

import random
import unittest
from dataclasses import replace

from wire_peer import cbor
from wire_peer.encoding import lv
from wire_peer.errors import Alarm, WireError
from wire_peer.record import (
    Ack,
    Control,
    Record,
    encode_payload,
    parse_message,
    sign_cose,
    split_cose,
)
from wire_peer.session import Session
from wire_peer.tests.common import LIMIT, NOW, payload, say, send, sessions

Map = dict[int, cbor.Value]


class Conversation(unittest.TestCase):
    def setUp(self) -> None:
        self.a, self.b, _, _ = sessions()
        say(self.a, self.b, "hello", b"\xa2\x01\x81\x01\x02\x80")
        say(self.b, self.a, "hello", b"\xa2\x01\x81\x01\x02\x80")

    def test_chain(self) -> None:
        for body in (b"", b"text", bytes(49_152)):
            self.assertEqual(say(self.a, self.b, "msg", body), "placed")
        self.assertEqual(self.b.ack().recv, 4)
        self.b.process(3)
        self.assertEqual(say(self.b, self.a, "ack"), "control")
        self.assertEqual((self.a.peer_ack.recv, self.a.peer_ack.proc), (4, 3))
        say(self.a, self.b)
        self.assertEqual(self.b.peer_ack.seen, 3)
        with self.assertRaises(WireError):
            self.a.sign_record("msg", bytes(49_153), NOW)

    def test_held_and_missing(self) -> None:
        raws = [send(self.a, self.a.sign_record("msg", b"%d" % n, NOW)) for n in range(6)]
        self.assertEqual(self.b.receive(raws[2], NOW, LIMIT).result, "held")
        self.assertEqual(self.b.receive(raws[4], NOW, LIMIT).result, "held")
        self.assertEqual(self.b.missing(), [(2, 3), (5, 5)])
        say(self.a, self.b, "status")
        self.assertEqual(self.b.missing(), [(2, 3), (5, 5), (7, 7)])
        self.assertEqual(say(self.b, self.a, "ack"), "control")
        for raw in (raws[0], raws[1], raws[5], raws[3]):
            self.b.receive(raw, NOW, LIMIT)
        self.assertEqual((len(self.b.peer.records), self.b.missing()), (7, []))

    def test_random_schedule(self) -> None:
        """With what is lost sent again, both chains arrive whole."""
        rng = random.Random(1)
        waiting: list[tuple[Session, bytes]] = []
        for _ in range(120):
            sender, receiver = rng.sample([self.a, self.b], 2)
            kind = rng.choice(["msg", "msg", "ask", "ack"])
            if kind == "ack":
                signed = sender.sign_control(kind, NOW)
            else:
                signed = sender.sign_record(kind, b"x" * rng.randrange(900), NOW)
            waiting.append((receiver, send(sender, signed)))
            while len(waiting) > 8 or (waiting and rng.random() < 0.4):
                who, raw = waiting.pop(rng.randrange(len(waiting)))
                who.receive(raw, NOW, LIMIT)
        for who, raw in waiting:
            who.receive(raw, NOW, LIMIT)
        for one, other in ((self.a, self.b), (self.b, self.a)):
            self.assertEqual(len(one.own.records), len(other.peer.records))
            self.assertEqual(other.missing(), [])

    def test_the_same_record_again(self) -> None:
        signed = self.a.sign_record("msg", b"x", NOW)
        first, again = send(self.a, signed), send(self.a, signed)
        self.assertEqual(self.b.receive(first, NOW, LIMIT).result, "placed")
        self.assertEqual(self.b.receive(again, NOW, LIMIT).result, "duplicate")

    def test_stub(self) -> None:
        signed = self.a.sign_record("msg", b"x", NOW)
        got = self.b.receive(self.a.ratchet.seal(encode_payload(signed.cose)), NOW, LIMIT)
        self.assertEqual((got.result, got.signed.body), ("placed", None))

    def test_control_of_before(self) -> None:
        raws = [send(self.a, self.a.sign_control("ack", NOW)) for _ in range(2)]
        self.assertEqual(self.b.receive(raws[1], NOW, LIMIT).result, "control")
        self.assertEqual(self.b.receive(raws[0], NOW, LIMIT).result, "old")

    def test_unknown_kinds_are_excepted(self) -> None:
        for kind in ("msg", "rotate", "hello"):
            say(self.a, self.b, kind)
        self.assertEqual(self.b.excepts, [(3, 4, 0)])
        self.b.process(4)
        self.assertEqual(self.b.sign_record("msg", b"", NOW).message.ack.excepts, ((3, 4, 0),))

    def alarm(self, who: Session, raw: bytes) -> None:
        with self.assertRaises(Alarm):
            who.receive(raw, NOW, LIMIT)
        self.assertTrue(who.frozen)
        with self.assertRaises(WireError):
            who.sign_record("msg", b"", NOW)

    def test_two_records_with_one_seq(self) -> None:
        twin = self.a.clone()
        say(self.a, self.b, "msg", b"one")
        self.a.ratchet.seal(b"")
        other = twin.sign_record("msg", b"other", NOW)
        self.alarm(self.b, self.a.ratchet.seal(payload(other)))
        self.assertEqual(len(self.b.peer.conflict), 2)

    def test_prev_of_another_history(self) -> None:
        twin = self.a.clone()
        say(self.a, self.b, "msg", b"one")
        twin.sign_record("msg", b"other", NOW)
        after = twin.sign_record("msg", b"after", NOW)
        self.alarm(self.b, self.a.ratchet.seal(payload(after)))

    def test_acks_that_lie(self) -> None:
        head = self.b.own.records[0].hash
        say(self.b, self.a)
        said = self.b.sign_control("ack", NOW).message.ack
        for name, ack in {
            "beyond": replace(said, recv=9), "head": replace(said, head=bytes(32)),
            "proc": replace(said, proc=said.recv + 1), "seen": replace(said, seen=2),
        }.items():  # fmt: skip
            a, b = self.a.clone(), self.b.clone()
            control = b.sign_control("ack", NOW).message
            signed = b.sign_any(replace(control, ack=ack))
            with self.subTest(name):
                self.alarm(a, send(b, signed))
        fallen = Ack(0, self.a.session_id, 0, 0)
        record = replace(self.b.clone().sign_record("msg", b"", NOW).message, ack=fallen)
        say(self.a, self.b)
        say(self.b, self.a)
        self.assertEqual(len(head), 32)
        assert isinstance(record, Record)
        fixed = replace(record, seq=4, prev=self.b.own.records[-1].hash)
        self.alarm(self.a, send(self.b, self.b.sign_any(fixed)))


class Forms(unittest.TestCase):
    """What a peer with the right keys can still get wrong in a record."""

    def setUp(self) -> None:
        self.a, self.b, _, _ = sessions()
        self.signed = self.a.clone().sign_record("hello", b"body", NOW)

    def refused(self, map_: Map | bytes, name: object, behind: bytes | None = None) -> None:
        raw = map_ if isinstance(map_, bytes) else cbor.encode(map_)
        cose = sign_cose(self.a.seed, self.a.session_id, raw)
        behind = self.signed.salt + b"body" if behind is None else behind
        with self.assertRaises(WireError, msg=str(name)):
            self.b.take(b"\x01" + lv(cose) + behind)
        self.assertFalse(self.b.frozen)

    def map(self) -> Map:
        value = cbor.decode(self.signed.message.encode())
        assert isinstance(value, dict)
        return value

    def test_keys(self) -> None:
        for key in self.map():
            value = self.map()
            del value[key]
            self.refused(value, key)
        cases: list[tuple[int, cbor.Value]] = [
            (1, bytes(32)), (2, bytes(32)), (3, bytes(32)), (3, self.a.own.root), (4, 2**63),
            (5, bytes(31)), (6, {}), (7, 2**63), (8, ""), (8, "A"), (8, "a" * 33), (9, "é"),
            (9, "a" * 129), (9, None), (10, bytes(15)), (11, b""), (11, bytes(17)), (12, None),
            (13, bytes(32)), (14, 5), (15, 1), (16, 0), (18, 0), (7, True), (4, b"\x01"),
        ]  # fmt: skip
        for key, bad in cases:
            self.refused({**self.map(), key: bad}, (key, bad))

    def test_ack(self) -> None:
        for key, bad in [
            (1, 2**63), (2, bytes(31)), (3, None), (5, []), (5, [[1, 2]]), (5, [[0, 1, 0]]),
            (5, [[2, 1, 0]]), (5, [[1, 1, 3]]), (5, [[1, 1, 0]] * 257), (6, [[1, 1]]),
            (7, [bytes(32)]), (8, 0),
        ]:  # fmt: skip
            ack = self.map()[6]
            assert isinstance(ack, dict)
            self.refused({**self.map(), 6: {**ack, key: bad}}, (key, bad))

    def test_control(self) -> None:
        control = self.a.clone().sign_control("ack", NOW).message
        good = cbor.decode(control.encode())
        assert isinstance(good, dict)
        ack = good[6]
        assert isinstance(ack, dict)
        self.refused(good, "a body behind a control message")
        cases: list[tuple[int, cbor.Value]] = [
            (4, 1), (5, bytes(32)), (8, "msg"), (15, 0), (16, 2**63), (17, bytes(31)), (9, ""),
            (6, {**ack, 6: []}), (6, {**ack, 6: [[1, 1]] * 17}), (6, {**ack, 7: [bytes(32)]}),
            (6, {**ack, 6: [[1, 1]], 7: [bytes(31)]}), (6, {**ack, 6: [[2, 1]]}),
        ]  # fmt: skip
        for key, bad in cases:
            self.refused({**good, key: bad}, (key, bad), b"")
        parsed = parse_message(cbor.encode({**good, 6: {**ack, 6: [[1, 3]], 7: [bytes(32)]}}))
        assert isinstance(parsed, Control)
        self.assertEqual(parsed.ack.missing, ((1, 3),))

    def test_bounds_that_hold(self) -> None:
        value = {**self.map(), 9: "", 11: bytes(16), 12: 0, 8: "a.b-9" + "z" * 27}
        self.assertIsInstance(parse_message(cbor.encode(value)), Record)
        self.assertIsInstance(parse_message(cbor.encode({**value, 14: 2**64 - 1})), Record)

    def test_bodies(self) -> None:
        salt = self.signed.salt
        for bad in (salt, salt + b"bodY", b"\0", salt[:-1] + b"\0body", salt + b"body\0"):
            self.refused(self.map(), bad, bad)

    def test_cbor_in_another_form(self) -> None:
        raw = self.signed.message.encode()
        self.refused(raw + b"\0", "trailing")
        self.refused(b"\xbf" + raw[1:] + b"\xff", "indefinite")
        self.refused(b"\xb8\x0c" + raw[1:], "long head")

    def test_cose(self) -> None:
        cose = self.signed.cose
        message, signature = split_cose(cose)
        parts: list[cbor.Value] = [b"\xa1\x01\x27", {}, message, signature]
        self.assertEqual(cbor.encode(parts), cose)
        changes: list[tuple[int, cbor.Value]] = [
            (0, b"\xa1\x01\x26"), (0, b"\xa0"), (1, {1: 2}), (2, None), (3, signature[:-1]),
            (3, bytes(64)), (2, message[:-1]), (0, b""),
        ]  # fmt: skip
        for index, bad in changes:
            changed = list(parts)
            changed[index] = bad
            with self.assertRaises(WireError):
                self.b.take(encode_payload(cbor.encode(changed), self.signed.salt, b"body"))
        for bad_payload in (
            b"", b"\x02" + payload(self.signed)[1:], b"\x01\xd2" + payload(self.signed)[1:],
            encode_payload(b"\xd2" + cose, self.signed.salt, b"body"),
            encode_payload(bytes(16_385)),
        ):  # fmt: skip
            with self.assertRaises(WireError):
                self.b.take(bad_payload)
        self.assertEqual(self.b.take(payload(self.signed))[0], "placed")

    def test_another_session_or_key(self) -> None:
        raw = self.signed.message.encode()
        for cose in (
            sign_cose(self.b.seed, self.a.session_id, raw),
            sign_cose(self.a.seed, bytes(32), raw),
        ):
            with self.assertRaises(WireError):
                self.b.take(encode_payload(cose, self.signed.salt, b"body"))


if __name__ == "__main__":
    unittest.main()
