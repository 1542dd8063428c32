"""Pairings of Python with Python (PROTOCOL.md section 6)."""

from __future__ import annotations

import os
import unittest
from dataclasses import replace

from wire_peer import mlkem
from wire_peer.errors import WireError
from wire_peer.identity import rotate
from wire_peer.mailbox import make_certificate
from wire_peer.offer import encode_body, open_offer, seal_offer
from wire_peer.pairing import Agent, PairingA, PairingB, new_agent
from wire_peer.primitives import ed_public
from wire_peer.randomness import Random
from wire_peer.ratchet import Ratchet
from wire_peer.tests.common import NOW, RELAY, URL, pair, run


def flip(data: bytes, place: int) -> bytes:
    out = bytearray(data)
    out[place] ^= 1
    return bytes(out)


class Whole(unittest.TestCase):
    def test_both_agree(self) -> None:
        a, b = pair()
        result_a, result_b = run(a, b)
        self.assertEqual(result_a.session_id, result_b.session_id)
        self.assertEqual(result_a.words, result_b.words)
        self.assertEqual(result_a.keys, result_b.keys)
        self.assertEqual(result_a.peer.chain.root, b.agent.root)
        self.assertEqual(result_b.peer.chain.root, a.agent.root)
        self.assertEqual(result_b.peer.offer.display, "alice")
        self.assertEqual(result_a.peer.offer.sender_seed, b.agent.sender_seed)
        sides = [
            Ratchet.start(
                role, result.session_id, result.keys, result.dr_secret,
                result.peer.offer.dr_pub, Random(),
            )
            for role, result in (("A", result_a), ("B", result_b))
        ]  # fmt: skip
        self.assertEqual(sides[1].open(sides[0].seal(b"hello"), NOW).payload, b"hello")
        self.assertEqual(sides[0].open(sides[1].seal(b"hello"), NOW).payload, b"hello")

    def test_long_chains(self) -> None:
        a, b = pair()
        seeds = [os.urandom(32) for _ in range(32)]
        chain = new_agent(Random({"id": seeds[0], "next": seeds[1]}), URL, RELAY).statements
        for index in range(1, 31):
            chain = rotate(chain, seeds[index], ed_public(seeds[index][::-1]), ed_public(seeds[index + 1]))
        a.agent = replace(a.agent, id_seed=seeds[30][::-1], statements=chain)
        m3 = a.take_m2(b.take_m1(a.m1))
        self.assertEqual(len(m3), 8_168)
        _, result = b.take_m3(m3)
        self.assertEqual(len(result.peer.chain.ids), 31)

    def test_another_code(self) -> None:
        a, b = pair(prs_b=b"canyon-velvet-zoo")
        m3 = a.take_m2(b.take_m1(a.m1))
        with self.assertRaisesRegex(WireError, "tag"):
            b.take_m3(m3)

    def test_another_relay(self) -> None:
        a, _ = pair()
        b = PairingB(a.agent, b"\x08" * 32, b"4821", a.prs, Random())
        with self.assertRaisesRegex(WireError, "tag"):
            b.take_m3(a.take_m2(b.take_m1(a.m1)))

    def test_own_root(self) -> None:
        a, b = pair()
        b.agent = a.agent
        with self.assertRaisesRegex(WireError, "own"):
            b.take_m3(a.take_m2(b.take_m1(a.m1)))

    def test_suites(self) -> None:
        _, b = pair()
        agent = new_agent(Random(), URL, RELAY)
        a = PairingA(agent, RELAY, b"4821", b.prs, Random(), suites=b"\x01\x02\xff")
        m2 = b.take_m1(a.m1)
        self.assertEqual(m2[33], 1)
        b.take_m3(a.take_m2(m2))


class Refused(unittest.TestCase):
    def test_m1(self) -> None:
        a, _ = pair()
        m1 = a.m1
        bad_ek = m1[:68] + b"\xff\xff\xff" + m1[71:]
        identity = m1[:34] + bytes(32) + m1[66:]
        for name, bad in {
            "version": flip(m1, 0), "pairing suite": flip(m1, 1), "no group element": flip(m1, 34),
            "identity": identity, "count": flip(m1, 66),
            "unknown suite": m1[:67] + b"\x02" + m1[68:],
            "ek": bad_ek, "short": m1[:-1], "long": m1 + b"\0", "empty": b"",
            "no suite": m1[:66] + b"\0" + m1[68:], "twice": m1[:66] + b"\x02\x01\x01" + m1[68:],
            "falling": m1[:66] + b"\x02\x02\x01" + m1[68:],
        }.items():  # fmt: skip
            _, b = pair()
            with self.assertRaises(WireError, msg=name):
                b.take_m1(bad)
            b.take_m1(m1)

    def test_m2(self) -> None:
        a, b = pair()
        m2 = b.take_m1(a.m1)
        own = m2[:1] + a.ya + m2[33:]
        for name, bad in {
            "version": flip(m2, 0), "suite": flip(m2, 33), "own share": own, "short": m2[:-1],
            "identity": m2[:1] + bytes(32) + m2[33:], "long": m2 + b"\0",
        }.items():  # fmt: skip
            with self.assertRaises(WireError, msg=name):
                a.take_m2(bad)
        b.take_m3(a.take_m2(m2))

    def test_changed_ciphertext_fails_at_the_tag(self) -> None:
        a, b = pair()
        m3 = a.take_m2(flip(b.take_m1(a.m1), 34 + mlkem.CT_BYTES - 1))
        with self.assertRaisesRegex(WireError, "tag"):
            b.take_m3(m3)

    def test_m3_and_m4(self) -> None:
        a, b = pair()
        m3 = a.take_m2(b.take_m1(a.m1))
        for place in (0, 63, 64, 88, 4_199):
            with self.assertRaises(WireError):
                b.take_m3(flip(m3, place))
        for bad in (m3[:-1], m3 + bytes(3_968), b""):
            with self.assertRaises(WireError):
                b.take_m3(bad)
        m4, _ = b.take_m3(m3)
        for bad in (flip(m4, 0), flip(m4, 70), m3, m4[:-1]):
            with self.assertRaises(WireError):
                a.take_m4(bad)
        a.take_m4(m4)


class Offers(unittest.TestCase):
    """What a peer that knows the code can still get wrong."""

    def setUp(self) -> None:
        self.agent = new_agent(Random(), URL, RELAY, "x" * 64)
        self.offer = self.agent.offer(os.urandom(32))

    def check(self, raw: bytes) -> None:
        open_offer(raw, b"A" + bytes(64), bytes(32))

    def sealed(self, agent: Agent, body: bytes) -> bytes:
        return seal_offer(body, agent.id_seed, b"A" + bytes(64))

    def test_good(self) -> None:
        self.check(self.sealed(self.agent, encode_body(self.offer)))

    def test_bad(self) -> None:
        other = os.urandom(32)
        sender = ed_public(self.agent.sender_seed)
        for name, change in {
            "low order": {"dr_pub": bytes(32)},
            "long display": {"display": "é" * 33},
            "url": {"url": "https://a/b"},
            "mailbox": {"mailbox": other},
            "sender": {"sender_seed": other},
            "certificate": {"certificate": flip(self.offer.certificate, 66)},
            "another mailbox": {"certificate": make_certificate(other, sender)},
            "statements": {"statements": self.offer.statements * 2},
            "no statement": {"statements": b""},
            "short key": {"dr_pub": bytes(31)},
        }.items():
            body = encode_body(replace(self.offer, **change))  # type: ignore[arg-type]
            with self.assertRaises(WireError, msg=name):
                self.check(self.sealed(self.agent, body))

    def test_form(self) -> None:
        good = self.sealed(self.agent, encode_body(self.offer))
        body = encode_body(self.offer)
        empty = encode_body(replace(self.offer, display=""))
        for name, bad in {
            "padding": flip(good, 4_095), "length": flip(good, 3), "larger": good + bytes(3_968),
            "signature": flip(good, 4 + len(body)),
            "trailing": self.sealed(self.agent, body + b"\0"),
            "empty display": self.sealed(self.agent, b"\xa4" + empty[1:] + b"\x04\x60"),
            "unknown key": self.sealed(self.agent, b"\xa5" + body[1:] + b"\x05\x00"),
        }.items():  # fmt: skip
            with self.assertRaises(WireError, msg=name):
                self.check(bad)


if __name__ == "__main__":
    unittest.main()
