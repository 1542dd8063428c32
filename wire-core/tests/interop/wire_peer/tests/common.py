"""What the tests share."""

from __future__ import annotations

import os

from wire_peer.identity import first_statement, root_of
from wire_peer.pairing import Agent, PairingA, PairingB, Result, new_agent
from wire_peer.primitives import ed_public, sha256, x_public
from wire_peer.randomness import Random
from wire_peer.ratchet import Ratchet
from wire_peer.record import Signed, encode_payload
from wire_peer.session import Party, Session

URL = "https://relay.example.org"
RELAY = b"\x07" * 32
NOW = 1_700_000_000_000
LIMIT = 65_536


class Identity:
    """An identity with the keys that it rotates to."""

    def __init__(self) -> None:
        self.seeds = [os.urandom(32) for _ in range(4)]
        self.statements = first_statement(self.seeds[0], ed_public(self.seeds[1]))
        self.root = root_of(ed_public(self.seeds[0]), sha256(ed_public(self.seeds[1])))


def ratchets(session_id: bytes | None = None) -> tuple[Ratchet, Ratchet]:
    """Both sides of a fresh session."""
    session_id = session_id or os.urandom(32)
    keys = {name: os.urandom(32) for name in ("rk0", "hkA", "hkB")}
    a, b = os.urandom(32), os.urandom(32)
    return (
        Ratchet.start("A", session_id, keys, a, x_public(b), Random()),
        Ratchet.start("B", session_id, keys, b, x_public(a), Random()),
    )


def sessions() -> tuple[Session, Session, Identity, Identity]:
    """Both sides of a fresh session with identities."""
    a, b = Identity(), Identity()
    ratchet_a, ratchet_b = ratchets()

    def party(who: Identity) -> Party:
        return Party(who.root, ed_public(who.seeds[0]))

    return (
        Session(ratchet_a, a.seeds[0], party(a), party(b), Random()),
        Session(ratchet_b, b.seeds[0], party(b), party(a), Random()),
        a,
        b,
    )


def payload(signed: Signed) -> bytes:
    """The payload of what was signed."""
    return encode_payload(signed.cose, signed.salt, signed.body)


def send(sender: Session, signed: Signed) -> bytes:
    """Seals what was signed."""
    return sender.ratchet.seal(payload(signed))


def say(sender: Session, receiver: Session, kind: str = "msg", body: bytes = b"") -> str:
    """Signs, seals and delivers a record, or a control message."""
    if kind in ("ack", "status"):
        signed = sender.sign_control(kind, NOW)
    else:
        signed = sender.sign_record(kind, body, NOW)
    return receiver.receive(send(sender, signed), NOW, LIMIT).result


def pair(
    prs_a: bytes = b"canyon-velvet-oyster",
    prs_b: bytes = b"canyon-velvet-oyster",
    place: bytes = b"4821",
) -> tuple[PairingA, PairingB]:
    """Both sides of a pairing that has not begun."""
    agents: list[Agent] = [new_agent(Random(), URL, RELAY, name) for name in ("alice", "")]
    return (
        PairingA(agents[0], RELAY, place, prs_a, Random()),
        PairingB(agents[1], RELAY, place, prs_b, Random()),
    )


def run(a: PairingA, b: PairingB) -> tuple[Result, Result]:
    """The whole of a pairing."""
    m3 = a.take_m2(b.take_m1(a.m1))
    m4, result_b = b.take_m3(m3)
    return a.take_m4(m4), result_b
