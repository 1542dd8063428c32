"""Strict signatures and encodings, ristretto255, ML-KEM, codes and invites."""

from __future__ import annotations

import os
import unittest

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey

from wire_peer import cbor, mlkem, ristretto
from wire_peer.codes import WORDS, check_words, is_url, make_invite, read_code, read_invite
from wire_peer.encoding import b64, lv, take_lv, uleb, unb64
from wire_peer.errors import WireError
from wire_peer.identity import first_statement, parse_chain, root_text, rotate
from wire_peer.mailbox import make_certificate, parse_certificate
from wire_peer.primitives import ed_public, sha512, sign, verify, x_public, x_shared

TORSION = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")


class Encodings(unittest.TestCase):
    def test_lv(self) -> None:
        for size in (0, 1, 127, 128, 16_383, 16_384):
            self.assertEqual(take_lv(lv(bytes(size)) + b"x", 20_000), (bytes(size), b"x"))
        self.assertEqual(uleb(300), b"\xac\x02")
        for bad in (b"", b"\x80", b"\x80\x00", b"\x82\x80\x00", b"\x80" * 4 + b"\x01", b"\x02a"):
            with self.assertRaises(WireError):
                take_lv(bad, 20_000)
        with self.assertRaises(WireError):
            take_lv(lv(bytes(5)), 4)

    def test_base64(self) -> None:
        self.assertEqual(unb64(b64(b"\xff\xfe")), b"\xff\xfe")
        for bad in ("//4", "__4=", "__5", "_", "__ 4", "__4\n", 7, None, "é"):
            with self.assertRaises(WireError):
                unb64(bad)

    def test_cbor(self) -> None:
        value: cbor.Value = {
            1: [0, 23, 24, 2**32],
            2: "é",
            3: {},
            40: None,
            41: True,
            300: b"\0" * 300,
        }
        self.assertEqual(cbor.decode(cbor.encode(value)), value)
        for bad in (
            "1800", "190017", "1a00000001", "5f4100ff", "a2020001", "a201000100", "a2020001 00",
            "a1610000", "20", "c000", "f97c00", "f7", "62c3", "61ff", "0000", "83",
            "9b7fffffffffffffff", "3b", "f818", "81" * 40 + "00",
        ):  # fmt: skip
            with self.assertRaises(WireError, msg=bad):
                cbor.decode(bytes.fromhex(bad))


class Signatures(unittest.TestCase):
    def setUp(self) -> None:
        self.seed = os.urandom(32)
        self.key = ed_public(self.seed)
        self.signature = sign(self.seed, b"label", b"text")

    def refused(self, key: bytes, label: bytes, rest: bytes, signature: bytes) -> None:
        with self.assertRaises(WireError):
            verify(key, label, rest, signature)

    def test_plain(self) -> None:
        verify(self.key, b"label", b"text", self.signature)
        self.refused(self.key, b"other", b"text", self.signature)
        self.refused(self.key, b"label", b"tex", self.signature)
        self.refused(self.key, b"label", b"text", self.signature[:-1])

    def test_s_is_below_the_order(self) -> None:
        s = int.from_bytes(self.signature[32:], "little") + ristretto.L
        self.refused(self.key, b"label", b"text", self.signature[:32] + s.to_bytes(32, "little"))

    def test_small_order(self) -> None:
        small = [(1).to_bytes(32, "little"), bytes(32), TORSION]
        for point in small:
            decoded = ristretto.ed_decode(point)
            self.assertTrue(decoded and ristretto.small_order(decoded))
            self.refused(point, b"label", b"text", point + bytes(32))
            self.refused(self.key, b"label", b"text", point + self.signature[32:])

    def test_cofactorless(self) -> None:
        """A signature that only the equation with the cofactor lets pass."""
        torsion = ristretto.ed_decode(TORSION)
        assert torsion
        secret, nonce = 12345, 6789
        key = ristretto.ed_encode(
            ristretto.add(ristretto.multiply(secret, ristretto.BASE), torsion)
        )
        r = ristretto.ed_encode(ristretto.multiply(nonce, ristretto.BASE))
        passed = 0
        for count in range(32):
            text = b"text %d" % count
            k = int.from_bytes(sha512(r + key + b"label" + text), "little") % ristretto.L
            s = (nonce + k * secret) % ristretto.L
            signature = r + s.to_bytes(32, "little")
            if k % 8:
                self.refused(key, b"label", text, signature)
            else:
                verify(key, b"label", text, signature)
                passed += 1
        self.assertLess(passed, 32)

    def test_key_in_another_encoding(self) -> None:
        self.refused((ristretto.P + 3).to_bytes(32, "little"), b"", b"", self.signature)


class Groups(unittest.TestCase):
    def test_ristretto(self) -> None:
        for _ in range(8):
            point = ristretto.one_way_map(os.urandom(64))
            raw = ristretto.encode(point)
            self.assertEqual(ristretto.encode(ristretto.decode(raw)), raw)
            self.assertEqual(ristretto.encode(ristretto.multiply(ristretto.L, point)), bytes(32))
            twice = ristretto.encode(ristretto.double(point))
            self.assertEqual(twice, ristretto.encode(ristretto.add(point, point)))
            negative = (ristretto.P - int.from_bytes(raw, "little")).to_bytes(32, "little")
            with self.assertRaises(WireError):
                ristretto.decode(negative)
        with self.assertRaises(WireError):
            ristretto.decode(ristretto.P.to_bytes(32, "little"))

    def test_torsion_does_not_show(self) -> None:
        torsion = ristretto.ed_decode(TORSION)
        assert torsion
        point = ristretto.one_way_map(os.urandom(64))
        moved = ristretto.add(point, ristretto.double(torsion))
        self.assertEqual(ristretto.encode(point), ristretto.encode(moved))

    def test_x25519(self) -> None:
        a, b = os.urandom(32), os.urandom(32)
        self.assertEqual(x_shared(a, x_public(b)), x_shared(b, x_public(a)))
        for bad in (bytes(32), (1).to_bytes(32, "little"), b"\x01"):
            with self.assertRaises(WireError):
                x_shared(a, bad)

    def test_mlkem(self) -> None:
        for _ in range(5):
            key = mlkem.KemKey(os.urandom(64))
            shared, ciphertext = mlkem.encapsulate(key.public, os.urandom(32))
            self.assertEqual(key.decapsulate(ciphertext), shared)
        library, ciphertext = MLKEM768PublicKey.from_public_bytes(key.public).encapsulate()
        self.assertEqual(key.decapsulate(ciphertext), library)
        with self.assertRaises(WireError):
            mlkem.encapsulate(b"\xff\xff\xff" + key.public[3:], bytes(32))


class Codes(unittest.TestCase):
    def test_words(self) -> None:
        self.assertEqual(len(WORDS), 2048)
        self.assertEqual(len({word[:4] for word in WORDS}), 2048)
        self.assertEqual(check_words(bytes(8)), ["abandon"] * 5)
        self.assertEqual(check_words(b"\xff" * 8), ["zoo"] * 5)

    def test_typed(self) -> None:
        for text in (
            "4821-canyon-velvet-oyster", " 4821 CANY velv_oyst. ", "4821.canyon--velve-oyste",
        ):  # fmt: skip
            code = read_code(text)
            self.assertEqual((code.place, code.prs), (b"4821", b"canyon-velvet-oyster"))
        relays = {
            "@relay.example.org": "https://relay.example.org",
            "@localhost:8770": "http://localhost:8770",
            "@127.9.9.9": "http://127.9.9.9",
            "@[::1]:80": "http://[::1]:80",
            "@http://10.0.0.1": "http://10.0.0.1",
        }
        for suffix, relay in relays.items():
            self.assertEqual(read_code("4821-act-add-zoo" + suffix).relay, relay)
        for bad in (
            "canyon-velvet-oyster", "482-canyon-velvet-oyster", "4821-canyon-velvet",
            "4821-cax-velvet-oyster", "4821-canyons-velvet-oyster", "4821-canyon/velvet-oyster",
            "4821" + "-zoo" * 9, "4821-a-b-c" + " " * 600, "4821-canyon-velvet-oyster@a/b",
            "4821-canyon-velvet-oyster@a:0", "4821-canyon-velvet-oyster@a:65536",
            "4821-canyon-velvet-oyster@u@a", "4821-canyon-velvet-oyster@", "١٢٣٤-act-add-zoo",
        ):  # fmt: skip
            with self.assertRaises(WireError, msg=bad):
                read_code(bad)
        with self.assertRaisesRegex(WireError, "canyon"):
            read_code("4821-canion-velvet-oyster")

    def test_invite(self) -> None:
        rid, secret = os.urandom(16), os.urandom(16)
        text = make_invite("https://relay.example.org", rid, secret)
        code = read_invite(f" {text}\n")
        self.assertEqual((code.place, code.prs), (rid, secret))
        end = "A" if text[-1] != "A" else "Q"
        for bad in (text[:-1], text[:-1] + end, text + "=", text.replace("#1", "#2"), text[1:]):
            with self.assertRaises(WireError):
                read_invite(bad)

    def test_urls(self) -> None:
        for good in ("http://a", "https://a.b-c.example:8770", "https://[2001:db8::1]:1"):
            self.assertTrue(is_url(good), good)
        for bad in (
            "HTTPS://a", "ftp://a", "https://a/", "https://a:01", "https://u@a", "https://a?b",
            "https://-a", "https://1.2.3", "https://01.2.3.4", "https://[1.2.3.4]", "a", "https://",
            "https://" + "a." * 130,
        ):  # fmt: skip
            self.assertFalse(is_url(bad), bad)


class Identities(unittest.TestCase):
    def test_chain(self) -> None:
        seeds = [os.urandom(32) for _ in range(34)]
        ids = [ed_public(seeds[0])] + [ed_public(os.urandom(32)) for _ in seeds[1:]]
        chain = first_statement(seeds[0], ed_public(seeds[1]))
        for index in range(1, 4):
            chain = rotate(chain, seeds[index], ids[index], ed_public(seeds[index + 1]))
        parsed = parse_chain(chain)
        self.assertEqual(parsed.ids, tuple(ids[:4]))
        self.assertEqual(len(root_text(parsed.root)), 56)
        wrong = rotate(chain, seeds[9], ids[9], ed_public(seeds[10]))
        two = chain[: 2 * 229]
        for bad in (b"", chain[:-1], wrong, chain[229:], two + chain[3 * 229 :], two + two):
            with self.assertRaises(WireError):
                parse_chain(bad)
        for index in range(4, 33):
            chain = rotate(chain, seeds[index], ids[index], ed_public(seeds[index + 1]))
        parse_chain(chain[: 32 * 229])
        with self.assertRaises(WireError):
            parse_chain(chain)

    def test_certificate(self) -> None:
        seed = os.urandom(32)
        raw = make_certificate(seed, ed_public(seed), epoch=3)
        self.assertEqual(parse_certificate(raw).epoch, 3)
        for place in (0, 1, 40, 68, 80, 148):
            bad = bytearray(raw)
            bad[place] ^= 1
            with self.assertRaises(WireError):
                parse_certificate(bytes(bad))


if __name__ == "__main__":
    unittest.main()
