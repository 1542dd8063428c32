"""The ratchet and the envelope (PROTOCOL.md sections 7 and 8)."""

from __future__ import annotations

import os
import random
import unittest

from wire_peer import envelope, ratchet
from wire_peer.envelope import Header, padded_size
from wire_peer.errors import Alarm, WireError
from wire_peer.ratchet import Ratchet
from wire_peer.tests.common import LIMIT, NOW, ratchets


def state(side: Ratchet) -> str:
    """Everything that a refusal must leave as it was."""
    chains = [side.current, *side.closed]
    return repr((side.root, side.sending, side.next_send_header, side.next_receive_header, chains))


class Schedules(unittest.TestCase):
    def test_random(self) -> None:
        """Loss, reordering and duplicates: what arrives opens once, and nothing is an alarm."""
        for seed in range(12):
            rng = random.Random(seed)
            sides = ratchets()
            flying: list[list[bytes]] = [[], []]
            sent: dict[bytes, bytes] = {}
            done: list[list[bytes]] = [[], []]
            for step in range(250):
                who = rng.randrange(2)
                if rng.random() < 0.5:
                    text = f"{seed} {step}".encode() * rng.randrange(1, 90)
                    raw = sides[who].seal(text)
                    sent[raw] = text
                    if rng.random() < 0.9:
                        flying[1 - who].append(raw)
                    continue
                if done[who] and rng.random() < 0.2:
                    before = state(sides[who])
                    with self.assertRaises(WireError) as caught:
                        sides[who].open(rng.choice(done[who]), NOW)
                    self.assertIn(caught.exception.code, ("replay", "unopenable"))
                    self.assertEqual(state(sides[who]), before)
                elif flying[who]:
                    window = flying[who][-6:] if rng.random() < 0.5 else flying[who][:6]
                    raw = rng.choice(window)
                    flying[who].remove(raw)
                    try:
                        self.assertEqual(sides[who].open(raw, NOW).payload, sent[raw])
                    except WireError as err:
                        # Older than five closed chains.
                        self.assertEqual(err.code, "unopenable")
                    done[who].append(raw)

    def test_in_order_of_turns_nothing_is_lost(self) -> None:
        a, b = ratchets()
        late = []
        for _ in range(5):
            late.append((b, a.seal(b"late")))
            self.assertEqual(b.open(a.seal(b"x"), NOW).payload, b"x")
            late.append((a, b.seal(b"late")))
            self.assertEqual(a.open(b.seal(b"y"), NOW).payload, b"y")
        for side, raw in late:
            self.assertEqual(side.open(raw, NOW).payload, b"late")


class Refusals(unittest.TestCase):
    def refused(self, side: Ratchet, raw: bytes, code: str) -> None:
        before = state(side)
        with self.assertRaises(WireError) as caught:
            side.open(raw, NOW)
        self.assertEqual(caught.exception.code, code)
        self.assertEqual(state(side), before)

    def test_every_byte_counts(self) -> None:
        a, b = ratchets()
        raw = a.seal(b"payload")
        for place in (0, 1, 2, 25, 26, 81, 82, 300, 511):
            bad = bytearray(raw)
            bad[place] ^= 0x80
            code = "version" if place < 2 else "unopenable" if place < 82 else "body"
            self.refused(b, bytes(bad), code)
        self.refused(b, raw[:-1], "size")
        self.refused(b, raw + bytes(512), "body")
        b.open(raw, NOW)
        self.refused(b, raw, "replay")
        self.refused(b, raw[:-1] + bytes([raw[-1] ^ 1]), "altered")

    def test_refused_payload(self) -> None:
        a, b = ratchets()
        raw = a.seal(b"payload")

        def refuse(_: bytes) -> None:
            raise WireError("payload", "not accepted")

        before = state(b)
        with self.assertRaises(WireError):
            b.open(raw, NOW, refuse)
        self.assertEqual(state(b), before)
        b.open(raw, NOW)

    def test_too_far_ahead(self) -> None:
        a, b = ratchets()

        def at(pn: int, n: int) -> bytes:
            header = Header(a_public(a), pn, n)
            key = a.sending.header_key
            return envelope.seal(key, bytes(32), header, a.session_id, b"x", os.urandom(32))

        self.refused(b, at(0, 2_000), "body")
        self.refused(b, at(0, 2_001), "header")
        b.open(a.seal(b"0"), NOW)
        self.refused(b, at(0, 2_001), "body")
        self.refused(b, at(0, 2_002), "header")
        a.open(b.seal(b"turn"), NOW)
        self.refused(b, at(2_001, 2_000), "body")
        self.refused(b, at(2_002, 0), "header")

    def test_another_ratchet_key_in_a_chain(self) -> None:
        a, b = ratchets()
        b.open(a.seal(b"0"), NOW)
        a.sending.dh_secret = os.urandom(32)
        self.refused(b, a.seal(b"1"), "header")

    def test_low_order_ratchet_key(self) -> None:
        a, b = ratchets()
        key = a.sending.header_key
        raw = envelope.seal(key, bytes(32), Header(bytes(32), 0, 0), a.session_id, b"", bytes(32))
        self.refused(b, raw, "x25519")

    def test_room(self) -> None:
        a, b = ratchets()
        a.sending.n = 1_499
        a.seal(b"last")
        with self.assertRaises(WireError):
            a.seal(b"over")
        for _ in range(100):
            a.seal(b"again", reserved=True)
        with self.assertRaises(WireError):
            a.seal(b"over", reserved=True)
        a.open(b.seal(b"turns nothing, it is B's first chain"), NOW)
        self.assertEqual(a.sending.n, 1_600)

    def test_answer_at_once(self) -> None:
        a, b = ratchets()
        raws = [a.seal(b"x") for _ in range(401)]
        self.assertFalse(b.open(raws[399], NOW).answer_at_once)
        self.assertTrue(b.open(raws[400], NOW).answer_at_once)
        self.assertEqual(b.describe()["skipped"], 399)

    def test_skipped_keys_are_bounded(self) -> None:
        a, b = ratchets()
        raws = [a.seal(b"x", reserved=True) for _ in range(1_600)]
        b.open(raws[-1], NOW)
        a.open(b.seal(b"turn"), NOW)
        more = [a.seal(b"y") for _ in range(600)]
        b.open(more[-1], NOW)
        self.assertEqual(b.describe()["skipped"], 2_000)
        self.refused(b, raws[0], "unopenable")
        self.refused(b, raws[197], "unopenable")
        b.open(raws[198], NOW)
        b.open(raws[1_598], NOW)

    def test_age(self) -> None:
        a, b = ratchets()
        late, raw = a.seal(b"late"), a.seal(b"x")
        b.open(raw, NOW)
        kept = b.clone()
        kept.open(late, NOW + ratchet.MAX_AGE_MS)
        with self.assertRaisesRegex(WireError, "unopenable"):
            b.open(late, NOW + ratchet.MAX_AGE_MS + 1)

    def test_closed_chains(self) -> None:
        a, b = ratchets()
        late = []
        for _ in range(7):
            late.append(a.seal(b"late"))
            b.open(a.seal(b"x"), NOW)
            a.open(b.seal(b"y"), NOW)
        self.assertEqual(len(b.closed), 5)
        self.refused(b, late[0], "unopenable")
        b.open(late[1], NOW)


class Alarms(unittest.TestCase):
    def test_rolled_back_sender(self) -> None:
        a, b = ratchets()
        twin = a.clone()
        b.open(a.seal(b"one"), NOW)
        with self.assertRaises(Alarm):
            b.open(twin.seal(b"one"), NOW)

    def test_past_the_end_of_a_closed_chain(self) -> None:
        a, b = ratchets()
        twin = a.clone()
        b.open(a.seal(b"one"), NOW)
        a.open(b.seal(b"turn"), NOW)
        b.open(a.seal(b"two"), NOW)
        twin.seal(b"one")
        with self.assertRaises(Alarm):
            b.open(twin.seal(b"past"), NOW)

    def test_pn_below_what_has_arrived(self) -> None:
        a, b = ratchets()
        b.open(a.seal(b"one"), NOW)
        answer = b.seal(b"turn")
        twin = a.clone()
        b.open(a.seal(b"two"), NOW)
        twin.open(answer, NOW)
        with self.assertRaises(Alarm):
            b.open(twin.seal(b"other branch"), NOW)


class Envelopes(unittest.TestCase):
    def test_sizes(self) -> None:
        for length, size in ((0, 512), (410, 512), (411, 1_024), (65_434, 65_536)):
            self.assertEqual(padded_size(length), size)
        a, b = ratchets()
        self.assertEqual(len(a.seal(bytes(65_434))), 65_536)
        with self.assertRaises(WireError):
            a.seal(bytes(65_435))
        self.assertEqual(a.sending.n, 1)
        large = a.seal(bytes(65_435), limit=262_144)
        with self.assertRaises(WireError):
            b.open(large, NOW)
        b.open(large, NOW, limit=262_144)

    def padded(self, plain: bytes) -> None:
        a, b = ratchets()
        head = Header(a_public(a), 0, 0)
        key = ratchet.message_key(a.sending.chain_key)
        nonce = os.urandom(24)
        header = head.dh + bytes(8)
        outside = envelope.PREFIX + nonce
        outside += envelope.aead_seal(a.sending.header_key, nonce, envelope.PREFIX, header)
        raw = outside + envelope.aead_seal(key, nonce, outside + a.session_id, plain)
        b.open(raw, NOW, limit=LIMIT)

    def test_padding(self) -> None:
        self.padded(bytes([0, 0, 0, 1, 7]).ljust(512 - 98, b"\0"))
        for bad in (
            bytes([0, 0, 0, 1, 7]).ljust(512 - 99, b"\0") + b"\x01",
            bytes([0, 0, 0, 1, 7]).ljust(1_024 - 98, b"\0"),
            bytes([0, 0, 2, 0]).ljust(512 - 98, b"\0"),
        ):
            with self.assertRaisesRegex(WireError, "padding"):
                self.padded(bad)


def a_public(side: Ratchet) -> bytes:
    return bytes.fromhex(str(side.describe()["dh"]))


if __name__ == "__main__":
    unittest.main()
