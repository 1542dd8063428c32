"""The test values of PROTOCOL.md section 15, and published ones of the primitives."""

from __future__ import annotations

import hashlib
import unittest

from wire_peer import cpace, mlkem, reset, ristretto
from wire_peer.codes import read_code
from wire_peer.identity import first_statement, relay_answer, root_of
from wire_peer.mailbox import make_request
from wire_peer.pairing import PairingA, PairingB, new_agent
from wire_peer.primitives import ed_public, sha256, x_public
from wire_peer.randomness import Blocks, Random
from wire_peer.ratchet import Ratchet
from wire_peer.tests.common import NOW, RELAY, URL

AGENT = ("id", "next", "sender", "mailbox")


def cut(data: bytes) -> str:
    return sha256(data)[:16].hex()


class Section15(unittest.TestCase):
    def test_pairing(self) -> None:
        blocks = Blocks(1)
        a = {name: blocks.take(32) for name in AGENT}
        b = {name: blocks.take(32) for name in AGENT}
        a["sid"], a["scalar"], a["dz"] = (blocks.take(n) for n in (32, 64, 64))
        b["m"], b["scalar"] = blocks.take(32), blocks.take(64)
        for side in (a, b):
            side["dr"], side["nonce"] = blocks.take(32), blocks.take(24)
        code = read_code("4821-canyon-velvet-oyster")
        rand_a, rand_b = Random(a), Random(b)
        alice = new_agent(rand_a, URL, RELAY, "alice")
        bob = new_agent(rand_b, URL, RELAY)
        side_a = PairingA(alice, RELAY, code.place, code.prs, rand_a)
        side_b = PairingB(bob, RELAY, code.place, code.prs, rand_b)
        m2 = side_b.take_m1(side_a.m1)
        m3 = side_a.take_m2(m2)
        m4, result_b = side_b.take_m3(m3)
        result_a = side_a.take_m4(m4)
        self.assertEqual([len(m) for m in (side_a.m1, m2, m3, m4)], [1252, 1122, 4200, 4200])
        self.assertEqual(cut(side_a.m1), "f3c18df71e3c3b4c415dfd4b2acf3cb3")
        self.assertEqual(cut(m2), "ad5126423cf2658cfbda60d08cf34c41")
        self.assertEqual(cut(m3), "d33f49072a89ee868104f4a0d1bf50e7")
        self.assertEqual(cut(m4), "6f70ea47b6cd77088b65869beced6042")
        for result in (result_a, result_b):
            self.assertEqual(
                result.session_id.hex(),
                "9a38e486d484990ff12839737fb674e6c040c08851662c789faac4c048ac6ebe",
            )
            self.assertEqual(" ".join(result.words), "veteran aware force lock develop")
            self.assertEqual(cut(result.keys["rstA"]), "5f80bdae4ebcb4b3deb9925a648998d4")
            self.assertEqual(cut(result.keys["rstB"]), "eee4066e7a9017ca7182a4c016b8da41")

    def test_reset(self) -> None:
        blocks = Blocks(9)
        seeds = [blocks.take(32) for _ in range(4)]
        a_dh, a_kem, b_dh, message, _fresh = (blocks.take(n) for n in (32, 64, 32, 32, 32))
        ids = [ed_public(seed) for seed in seeds]
        roots = [root_of(ids[i], sha256(ids[i + 1])) for i in (0, 2)]
        chains = [first_statement(seeds[i], ids[i + 1]) for i in (0, 2)]
        alice = reset.Side(seeds[0], roots[0], roots[1], chains[0])
        bob = reset.Side(seeds[2], roots[1], roots[0], chains[1])
        known = {4: b"\1" * 32, 8: 5, 9: b"\2" * 32, 10: 7, 11: b"\3" * 32}
        asked = reset.request(alice, 1_750_000_000_000, a_dh, a_kem, known)
        key = mlkem.KemKey(a_kem)
        shared, ct = mlkem.encapsulate(key.public, message)
        self.assertEqual(key.decapsulate(ct), shared)
        ok = reset.answer(bob, asked, b_dh, ct, {8: 0, 10: 0})
        sealed = reset.seal(b"\4" * 32, alice, 3, asked, blocks.take(24))
        self.assertEqual([len(m) for m in (asked, ok, sealed)], [1711, 1535, 2048])
        self.assertEqual(cut(asked), "ca92cf2d56b8d3de9d298aa9a205a6c7")
        self.assertEqual(cut(ok), "15ad097fadf39ecb085ce380c7b79c27")
        self.assertEqual(cut(sealed), "69acea92c477057cde7504f1cbb262e2")
        for agreed in (
            reset.agree(asked, ok, a_dh, x_public(b_dh), shared),
            reset.agree(asked, ok, b_dh, x_public(a_dh), shared),
        ):
            self.assertEqual(
                agreed.session_id.hex(),
                "79ca02cb9b4439f77e32c226da7961f987e6677d0ae6aaac644164a0b5c6cf0a",
            )
            self.assertEqual(
                agreed.words,
                (
                    "sponsor orient soup coast test document sauce wing",
                    "since episode october blade slot pattern raise guitar",
                ),
            )

    def test_session(self) -> None:
        blocks = Blocks(7)
        session_id, rk0, hk_a, hk_b, d_a, d_b, d_fresh = (blocks.take(32) for _ in range(7))
        keys = {"rk0": rk0, "hkA": hk_a, "hkB": hk_b}
        rand_a, rand_b = Random({"d": d_fresh}), Random()
        a = Ratchet.start("A", session_id, keys, d_a, x_public(d_b), rand_a)
        b = Ratchet.start("B", session_id, keys, d_b, x_public(d_a), rand_b)
        blocks = Blocks(8)
        rand_b.chosen["r"] = blocks.take(32)
        first_b = b.seal(b"from B, first")
        rand_a.chosen["r"] = blocks.take(32)
        first_a = a.seal(b"from A, first")
        rand_b.chosen["d"], rand_b.chosen["r"] = blocks.take(32), blocks.take(32)
        self.assertEqual(b.open(first_a, NOW).payload, b"from A, first")
        second_b = b.seal(b"Z" * 1000)
        names = [(len(item), sha256(item).hex()) for item in (first_b, first_a, second_b)]
        self.assertEqual(
            names,
            [
                (512, "e3c616c41eddb2d0be64b0dc0f832e7256de9e0a832d281aa7fb019d6cadefc6"),
                (512, "747d8aea1a53d4e5f01fb44b95cfa88bf6c1883630a844b7b1ec30b18f187b17"),
                (2048, "133e44823cab507785cf2ba3813352e6d545263c90e8fb5b6ad74bb175ea30f7"),
            ],
        )
        self.assertEqual(a.open(second_b, NOW).payload, b"Z" * 1000)
        self.assertEqual(a.open(first_b, NOW).payload, b"from B, first")

    def test_requests(self) -> None:
        relay, mailbox = b"\x02" * 32, b"\x01" * 32
        answer = relay_answer(relay, b"\x07" * 32, "relay.example:8770", 1_000)
        self.assertEqual(answer[:16].hex(), "66c277c68161414019a59b8d16fefd7b")
        request = make_request(
            mailbox, ed_public(relay), 5, ed_public(mailbox), None, 1_700_000_000_000, [1]
        )
        self.assertEqual(
            sha256(request).hex(),
            "a0e851585bd58c6b0e611ecb068b8819ac99686c79bfec825ffbabec5803b381",
        )


class Published(unittest.TestCase):
    """Values of RFC 9496 and of the draft of CPace."""

    def test_ristretto(self) -> None:
        self.assertEqual(
            ristretto.encode(ristretto.BASE).hex(),
            "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76",
        )
        wide = hashlib.sha512(b"Ristretto is traditionally a short shot of espresso coffee")
        self.assertEqual(
            ristretto.encode(ristretto.one_way_map(wide.digest())).hex(),
            "3066f82a1a747d45120d1740f14358531a8f04bbffe6a819f86dfe50f44a0a46",
        )
        self.assertEqual(
            ristretto.encode(ristretto.multiply(ristretto.L, ristretto.BASE)), bytes(32)
        )

    def test_cpace(self) -> None:
        prs, sid = b"Password", bytes.fromhex("7e4b4791d6a8ef019b936c79fb7f2c57")
        ci = b"oc\x0bB_responder\x0bA_initiator"
        scalars = [
            "da3d23700a9e5699258aef94dc060dfda5ebb61f02a5ea77fad53f4ff0976d08",
            "d2316b454718c35362d83d69df6320f38578ed5984651435e2949762d900b80d",
        ]
        ya, yb = (int.from_bytes(bytes.fromhex(text), "little") for text in scalars)
        self.assertEqual(
            ristretto.encode(cpace.generator(prs, ci, sid)).hex(),
            "a6fc82c3b8968fbb2e06fee81ca858586dea50d248f0c7ca6a18b0902a30b36b",
        )
        share_a, share_b = cpace.share(ya, prs, ci, sid), cpace.share(yb, prs, ci, sid)
        self.assertEqual(
            share_a.hex(), "d40fb265a7abeaee7939d91a585fe59f7053f982c296ec413c624c669308f87a"
        )
        self.assertEqual(
            share_b.hex(), "08bcf6e9777a9c313a3db6daa510f2d398403319c2341bd506a92e672eb7e307"
        )
        k = cpace.secret_point(ya, share_b)
        self.assertEqual(k, cpace.secret_point(yb, share_a))
        self.assertEqual(
            k.hex(), "e22b1ef7788f661478f3cddd4c600774fc0f41e6b711569190ff88fa0e607e09"
        )
        self.assertEqual(
            cpace.session_key(sid, k, share_a, b"ADa", share_b, b"ADb").hex(),
            "4c5469a16b2364c4b944ebc1a79e51d1674ad47db26e8718154f59faebfaa52d"
            "8346f30aa58377117eb20d527f2cbc5c76381f7fd372e89df8239f87f2e02ed1",
        )


if __name__ == "__main__":
    unittest.main()
