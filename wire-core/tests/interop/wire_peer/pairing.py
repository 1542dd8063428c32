"""Section 6: one pairing, both roles, message by message."""

from __future__ import annotations

from dataclasses import dataclass

from . import cpace, mlkem
from .codes import check_words
from .encoding import be, lv
from .errors import WireError
from .identity import first_statement
from .mailbox import make_certificate
from .offer import CheckedOffer, Offer, encode_body, open_offer, seal_offer
from .primitives import (
    NONCE,
    box_open,
    box_seal,
    ed_public,
    hkdf_expand,
    hkdf_extract,
    mac,
    same,
    sha256,
    sha512,
    x_public,
)
from .randomness import Random

VERSION = 1
PAIRING_SUITE = 1
KNOWN_SUITES = (1,)
SEALED = (4_200, 8_168)
KEY_LENGTHS = {
    "confA": 64, "confB": 64, "boxA": 32, "boxB": 32, "rk0": 32, "hkA": 32, "hkB": 32,
    "rstA": 32, "rstB": 32, "sas": 8,
}  # fmt: skip


@dataclass(frozen=True)
class Agent:
    """Who pairs: an identity and a mailbox made for the other side."""

    id_seed: bytes
    statements: bytes
    url: str
    relay_id: bytes
    mailbox_seed: bytes
    certificate: bytes
    sender_seed: bytes
    display: str = ""

    @property
    def root(self) -> bytes:
        """The name of the identity."""
        return self.statements[1:33]

    def offer(self, dr_secret: bytes) -> Offer:
        """The offer of this agent."""
        return Offer(
            self.statements, x_public(dr_secret), self.url, self.relay_id,
            ed_public(self.mailbox_seed), self.certificate, self.sender_seed, self.display,
        )  # fmt: skip


def new_agent(rand: Random, url: str, relay_id: bytes, display: str = "") -> Agent:
    """An agent with a new identity and the usual certificate, drawn in the order of section 15."""
    id_seed, next_seed = rand("id", 32), rand("next", 32)
    sender_seed, mailbox_seed = rand("sender", 32), rand("mailbox", 32)
    statements = first_statement(id_seed, ed_public(next_seed))
    certificate = make_certificate(mailbox_seed, ed_public(sender_seed))
    return Agent(
        id_seed, statements, url, relay_id, mailbox_seed, certificate, sender_seed, display
    )


@dataclass(frozen=True)
class Result:
    """What a finished pairing hands to the session."""

    session_id: bytes
    words: list[str]
    peer: CheckedOffer
    keys: dict[str, bytes]
    dr_secret: bytes


def channel(relay_id: bytes, place: bytes) -> bytes:
    """`CI`."""
    return lv(b"wire/pair/1") + lv(relay_id) + lv(place) + lv(b"A=alloc;B=join")


def schedule(
    ci: bytes, sid: bytes, m1: bytes, m2: bytes, isk: bytes, ss: bytes
) -> tuple[bytes, dict[str, bytes]]:
    """`TH` and the keys of section 6.3."""
    th = sha512(lv(ci) + lv(sid) + lv(m1) + lv(m2))
    prk = hkdf_extract(th, isk + ss, "sha512")
    keys = {
        name: hkdf_expand(prk, b"wire/pair/1 " + name.encode(), length, "sha512")
        for name, length in KEY_LENGTHS.items()
    }
    return th, keys


def parse_m1(m1: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """`sid`, `Ya`, the suites and `ek` of an M1, checked as section 6.2 says."""
    if len(m1) < 67 or m1[0] != VERSION:
        raise WireError("m1", "length or version")
    if m1[1] != PAIRING_SUITE:
        raise WireError("m1", "another pairing suite")
    count = m1[66]
    suites, ek = m1[67 : 67 + count], m1[67 + count :]
    if len(ek) != mlkem.EK_BYTES or not count:
        raise WireError("m1", "length")
    if any(a >= b for a, b in zip(suites, suites[1:])):
        raise WireError("m1", "suites do not rise")
    mlkem.check_key(ek)
    return m1[2:34], m1[34:66], suites, ek


class _Side:
    """What both roles share."""

    role = ""

    def __init__(self, agent: Agent, relay_id: bytes, place: bytes, prs: bytes, rand: Random):
        self.agent = agent
        self.prs = prs
        self.rand = rand
        self.ci = channel(relay_id, place)
        self.scalar = 0
        self.dr_secret = b""
        self.th = b""
        self.keys: dict[str, bytes] = {}

    def _sealed(self, m3: bytes = b"") -> bytes:
        h_m3 = sha256(m3) if m3 else b""
        letter = self.role.encode()
        self.dr_secret = self.rand("dr", 32)
        body = encode_body(self.agent.offer(self.dr_secret))
        offer = seal_offer(body, self.agent.id_seed, letter + self.th, h_m3)
        tag = mac(self.keys["conf" + self.role], letter + self.th + h_m3, "sha512")
        nonce = self.rand("nonce", NONCE)
        return tag + box_seal(self.keys["box" + self.role], nonce, self.th + letter + h_m3, offer)

    def _unsealed(self, message: bytes, m3: bytes = b"") -> CheckedOffer:
        h_m3 = sha256(m3) if m3 else b""
        peer = "B" if self.role == "A" else "A"
        letter = peer.encode()
        if len(message) not in SEALED:
            raise WireError("confirm", "length")
        tag = mac(self.keys["conf" + peer], letter + self.th + h_m3, "sha512")
        if not same(tag, message[:64]):
            raise WireError("confirm", "tag: not the same code, or somebody between")
        offer = box_open(self.keys["box" + peer], self.th + letter + h_m3, message[64:])
        if offer is None:
            raise WireError("confirm", "box")
        return open_offer(offer, letter + self.th, self.agent.root, h_m3)

    def _result(
        self, peer: CheckedOffer, root_a: bytes, root_b: bytes, m3: bytes, m4: bytes
    ) -> Result:
        session = b"wire/session/1" + self.th + root_a + root_b + sha256(m3) + sha256(m4)
        words = check_words(self.keys["sas"])
        return Result(sha256(session), words, peer, self.keys, self.dr_secret)


class PairingA(_Side):
    """The side that made the code."""

    role = "A"

    def __init__(
        self,
        agent: Agent,
        relay_id: bytes,
        place: bytes,
        prs: bytes,
        rand: Random,
        suites: bytes = b"\x01",
    ) -> None:
        super().__init__(agent, relay_id, place, prs, rand)
        self.sid = rand("sid", 32)
        self.scalar = cpace.scalar_from(rand("scalar", 64))
        self.kem = mlkem.KemKey(rand("dz", 64))
        self.suites = suites
        self.ya = cpace.share(self.scalar, prs, self.ci, self.sid)
        self.ada = be(len(suites), 1) + suites + self.kem.public
        self.m1 = bytes([VERSION, PAIRING_SUITE]) + self.sid + self.ya + self.ada
        self.m3 = b""

    def take_m2(self, m2: bytes) -> bytes:
        """Checks M2 and answers M3."""
        if self.m3:
            raise WireError("order", "M2 was taken")
        if len(m2) != 34 + mlkem.CT_BYTES or m2[0] != VERSION:
            raise WireError("m2", "length or version")
        yb, adb = m2[1:33], m2[33:]
        if adb[0] not in self.suites:
            raise WireError("m2", "a suite that was not offered")
        if yb == self.ya:
            raise WireError("m2", "the own share came back")
        k = cpace.secret_point(self.scalar, yb)
        isk = cpace.session_key(self.sid, k, self.ya, self.ada, yb, adb)
        ss = self.kem.decapsulate(adb[1:])
        self.th, self.keys = schedule(self.ci, self.sid, self.m1, m2, isk, ss)
        self.m3 = self._sealed()
        return self.m3

    def take_m4(self, m4: bytes) -> Result:
        """Checks M4 and ends the pairing."""
        if not self.m3:
            raise WireError("order", "M2 comes first")
        peer = self._unsealed(m4, self.m3)
        return self._result(peer, self.agent.root, peer.chain.root, self.m3, m4)


class PairingB(_Side):
    """The side that was given the code."""

    role = "B"

    def take_m1(self, m1: bytes) -> bytes:
        """Checks M1 and answers M2."""
        if self.th:
            raise WireError("order", "M1 was taken")
        sid, ya, suites, ek = parse_m1(m1)
        known = [suite for suite in suites if suite in KNOWN_SUITES]
        if not known:
            raise WireError("m1", "no suite that is known")
        scalar = cpace.scalar_from(self.rand("scalar", 64))
        k = cpace.secret_point(scalar, ya)
        ss, ct = mlkem.encapsulate(ek, self.rand("m", 32))
        yb = cpace.share(scalar, self.prs, self.ci, sid)
        adb = bytes([known[-1]]) + ct
        m2 = bytes([VERSION]) + yb + adb
        ada = m1[66:]
        isk = cpace.session_key(sid, k, ya, ada, yb, adb)
        self.th, self.keys = schedule(self.ci, sid, m1, m2, isk, ss)
        return m2

    def take_m3(self, m3: bytes) -> tuple[bytes, Result]:
        """Checks M3, answers M4 and ends the pairing."""
        if not self.th or self.dr_secret:
            raise WireError("order", "M3 comes once, after M1")
        peer = self._unsealed(m3)
        m4 = self._sealed(m3)
        return m4, self._result(peer, peer.chain.root, self.agent.root, m3, m4)
