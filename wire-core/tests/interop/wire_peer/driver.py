"""A driver for test harnesses: one JSON object per line in, one out. See README.md.

`python -m wire_peer.driver`
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path

from . import describe, log, logwrite
from .codes import Code, read_code, read_invite
from .describe import Json
from .driver_values import Values
from .errors import Alarm, WireError
from .identity import first_statement, root_of
from .mailbox import USUAL_ENVELOPE, make_certificate
from .pairing import Agent, PairingA, PairingB, Result
from .primitives import ed_public, sha256, x_public
from .randomness import Random
from .ratchet import Opened, Ratchet
from .record import Control, encode_payload, sign_cose
from .request import Request
from .session import Party, Session

VERSION = 1
UNUSABLE = (
    ValueError, TypeError, AttributeError, LookupError, ArithmeticError, OSError, RecursionError
)  # fmt: skip
"""What a request that makes no sense can lead to."""


class Pair:
    """A pairing that is under way or finished."""

    def __init__(self, side: PairingA | PairingB) -> None:
        self.side = side
        self.result: Result | None = None


class Driver(Values):
    """All named states of one process."""

    def __init__(self) -> None:
        self.agents: dict[str, Agent] = {}
        self.pairs: dict[str, Pair] = {}
        self.sessions: dict[str, Session] = {}

    def handle(self, line: str) -> Json:
        """Answers one line."""
        try:
            members = json.loads(line)
            if not isinstance(members, dict):
                raise WireError("driver", "a request is an object")
            request = Request(members)
            method: Callable[[Request], Json] | None = getattr(
                self, "op_" + request.text("op"), None
            )
            if method is None:
                raise WireError("driver", "no such op")
            return method(request)
        except WireError as err:
            return {"error": str(err), "code": err.code, "alarm": isinstance(err, Alarm)}
        except log.LogError as err:
            return {"error": str(err), "code": "log", "alarm": False, "line": err.line}
        except UNUSABLE as err:
            return {"error": f"driver: {err}", "code": "driver", "alarm": False}

    @staticmethod
    def _named(states: dict[str, object], request: Request, name: str) -> object:
        key = request.text(name)
        if key not in states:
            raise WireError("driver", f"no {name} {key!r}")
        return states[key]

    def _session(self, request: Request, name: str = "session") -> Session:
        session = self._named(self.sessions, request, name)  # type: ignore[arg-type]
        assert isinstance(session, Session)
        session.rand.chosen = request.random().chosen
        return session

    def op_version(self, request: Request) -> Json:
        """The version of this interface."""
        return {"version": VERSION, "ops": sorted(n[3:] for n in dir(self) if n[:3] == "op_")}

    # Pairing

    def op_agent_new(self, request: Request) -> Json:
        """An agent; whatever is not given is made."""
        rand = request.random()
        seeds = {}
        for name in ("id", "next", "sender", "mailbox"):
            drawn = rand(name, 32)
            seeds[name] = request.raw(f"{name}_seed", drawn)
        statements = request.raw(
            "statements", first_statement(seeds["id"], ed_public(seeds["next"]))
        )
        certificate = request.raw(
            "certificate", make_certificate(seeds["mailbox"], ed_public(seeds["sender"]))
        )
        self.agents[request.text("agent")] = Agent(
            seeds["id"], statements, request.text("url"), request.raw("relay_id"),
            seeds["mailbox"], certificate, seeds["sender"], request.text("display", ""),
        )  # fmt: skip
        return {
            **{f"{name}_seed": seed.hex() for name, seed in seeds.items()},
            "statements": statements.hex(),
            "root": statements[1:33].hex(),
            "id": ed_public(seeds["id"]).hex(),
            "mailbox": ed_public(seeds["mailbox"]).hex(),
            "certificate": certificate.hex(),
        }

    def op_pair_start(self, request: Request) -> Json:
        """Starts a pairing; A answers M1."""
        agent = self._named(self.agents, request, "agent")  # type: ignore[arg-type]
        assert isinstance(agent, Agent)
        if request.has("code"):
            code = read_code(request.text("code"))
        elif request.has("invite"):
            code = read_invite(request.text("invite"))
        else:
            code = Code(request.raw("place"), request.raw("prs"), None)
        common = (agent, request.raw("relay_id"), code.place, code.prs, request.random())
        role, name = request.text("role"), request.text("pair")
        if role == "A":
            first = PairingA(*common, request.raw("suites", b"\x01"))
            self.pairs[name] = Pair(first)
            return {"m1": first.m1.hex()}
        if role != "B":
            raise WireError("driver", "role is A or B")
        self.pairs[name] = Pair(PairingB(*common))
        return {}

    def _pair(self, request: Request, role: str) -> tuple[Pair, PairingA | PairingB]:
        """A pairing and a copy of its side to work on, which is kept only on success."""
        pair = self._named(self.pairs, request, "pair")  # type: ignore[arg-type]
        assert isinstance(pair, Pair)
        if pair.side.role != role:
            raise WireError("driver", f"this message is for {role}")
        trial = copy.copy(pair.side)
        trial.rand = Random({**pair.side.rand.chosen, **request.random().chosen})
        return pair, trial

    def op_pair_m1(self, request: Request) -> Json:
        """B takes M1 and answers M2."""
        pair, side = self._pair(request, "B")
        assert isinstance(side, PairingB)
        m2 = side.take_m1(request.raw("message"))
        pair.side = side
        return {"m2": m2.hex()}

    def op_pair_m2(self, request: Request) -> Json:
        """A takes M2 and answers M3."""
        pair, side = self._pair(request, "A")
        assert isinstance(side, PairingA)
        m3 = side.take_m2(request.raw("message"))
        pair.side = side
        return {"m3": m3.hex()}

    def op_pair_m3(self, request: Request) -> Json:
        """B takes M3, answers M4 and is done."""
        pair, side = self._pair(request, "B")
        assert isinstance(side, PairingB)
        m4, result = side.take_m3(request.raw("message"))
        pair.side, pair.result = side, result
        return {"m4": m4.hex(), **_result(result)}

    def op_pair_m4(self, request: Request) -> Json:
        """A takes M4 and is done."""
        pair, side = self._pair(request, "A")
        assert isinstance(side, PairingA)
        result = side.take_m4(request.raw("message"))
        pair.side, pair.result = side, result
        return _result(result)

    # Session

    def op_session_start(self, request: Request) -> Json:
        """A session from given keys."""
        rand = request.random()
        seed = request.raw("id_seed", rand("id", 32))
        own_id = ed_public(seed)
        peer_id = request.raw("peer_id", own_id)
        own = Party(request.raw("root", root_of(own_id, bytes(32))), own_id)
        peer = Party(request.raw("peer_root", root_of(peer_id, bytes(32))), peer_id)
        keys = {name: request.raw(name) for name in ("rk0", "hkA", "hkB")}
        return self._start(
            request, rand, request.raw("session_id"), keys, request.raw("dr_secret"),
            request.raw("peer_dr_pub"), seed, own, peer,
        )  # fmt: skip

    def op_session_from_pairing(self, request: Request) -> Json:
        """The session of a finished pairing."""
        pair = self._named(self.pairs, request, "pair")  # type: ignore[arg-type]
        assert isinstance(pair, Pair)
        result, agent = pair.result, pair.side.agent
        if result is None:
            raise WireError("driver", "this pairing is not finished")
        own = Party(agent.root, ed_public(agent.id_seed))
        peer = Party(result.peer.chain.root, result.peer.chain.current)
        request.members["role"] = pair.side.role
        return self._start(
            request, request.random(), result.session_id, result.keys, result.dr_secret,
            result.peer.offer.dr_pub, agent.id_seed, own, peer,
        )  # fmt: skip

    def _start(
        self, request: Request, rand: Random, session_id: bytes, keys: dict[str, bytes],
        secret: bytes, peer_dr: bytes, seed: bytes, own: Party, peer: Party,
    ) -> Json:  # fmt: skip
        role, name = request.text("role"), request.text("session")
        if role not in ("A", "B"):
            raise WireError("driver", "role is A or B")
        ratchet = Ratchet.start(role, session_id, keys, secret, peer_dr, rand)
        self.sessions[name] = Session(ratchet, seed, own, peer, rand)
        return {"dr_pub": x_public(secret).hex(), **self._state(self.sessions[name])}

    def op_session_clone(self, request: Request) -> Json:
        """A copy under another name, as a machine that was copied would have it."""
        self.sessions[request.text("to")] = self._session(request).clone()
        return {}

    def op_session_state(self, request: Request) -> Json:
        """Numbers of a session."""
        return self._state(self._session(request))

    @staticmethod
    def _state(session: Session) -> Json:
        return {
            "session_id": session.session_id.hex(),
            "root": session.own.root.hex(),
            "id": session.own.id.hex(),
            "peer_root": session.peer.root.hex(),
            "peer_id": session.peer.id.hex(),
            "signed": len(session.own.records),
            "recv": len(session.peer.records),
            "proc": session.proc,
            "held": sorted(session.held),
            "missing": describe.shown(session.missing()),
            "except": describe.shown(session.excepts),
            "cseq": session.cseq,
            "peer_ack": describe.shown(session.peer_ack),
            "frozen": session.frozen,
            "ratchet": session.ratchet.describe(),
        }

    def op_session_keys(self, request: Request) -> Json:
        """Another own signing key, or another pinned key of the peer."""
        session = self._session(request)
        seed = request.raw("id_seed", session.seed)
        own_id, peer_id = ed_public(seed), request.raw("peer_id", session.peer.id)
        session.seed, session.own.id, session.peer.id = seed, own_id, peer_id
        return self._state(session)

    def op_seal(self, request: Request) -> Json:
        """Seals a payload."""
        session = self._session(request)
        session.thawed()
        raw = session.ratchet.seal(
            request.raw("payload"),
            request.number("max_envelope", USUAL_ENVELOPE),
            bool(request.members.get("reserved")),
        )
        return {"envelope": raw.hex(), "name": sha256(raw).hex()}

    def op_open(self, request: Request) -> Json:
        """Opens an envelope without looking at its payload."""
        session = self._session(request)
        session.thawed()
        opened = session.ratchet.open(
            request.raw("envelope"), request.now(),
            limit=request.number("max_envelope", USUAL_ENVELOPE),
        )  # fmt: skip
        return {"payload": opened.payload.hex(), **_opened(opened)}

    def op_receive(self, request: Request) -> Json:
        """Opens an envelope and accepts what is in it."""
        got = self._session(request).receive(
            request.raw("envelope"), request.now(), request.number("max_envelope", USUAL_ENVELOPE)
        )
        return {"result": got.result, **describe.signed(got.signed), **_opened(got.opened)}

    def op_sign_record(self, request: Request) -> Json:
        """Signs the next record of the own chain."""
        session = self._session(request)
        signed = session.sign_record(
            request.text("kind"), request.raw("body", b""), request.now("ts"),
            request.text("ctype", ""),
            request.raw("re") if request.has("re") else None,
            request.number("exp") if request.has("exp") else None,
        )  # fmt: skip
        payload = encode_payload(signed.cose, signed.salt, signed.body)
        stub = encode_payload(signed.cose)
        return {"payload": payload.hex(), "stub": stub.hex(), **describe.signed(signed)}

    def op_sign_control(self, request: Request) -> Json:
        """Signs an ACK or a STATUS."""
        session = self._session(request)
        signed = session.sign_control(request.text("kind"), request.now("ts"))
        return {"payload": encode_payload(signed.cose).hex(), **describe.signed(signed)}

    def op_sign_changed(self, request: Request) -> Json:
        """Signs the next record or control message with some members changed; keeps nothing."""
        session = self._session(request)
        twin = session.clone()
        kind = request.text("kind")
        body = None
        if kind in ("ack", "status"):
            signed = twin.sign_control(kind, request.now("ts"))
        else:
            body = request.raw("body", b"")
            signed = twin.sign_record(kind, body, request.now("ts"), request.text("ctype", ""))
        message = describe.change(signed.message, request.object("change"))
        changed = twin.sign_any(message, signed.salt, body)
        out = {"payload": encode_payload(changed.cose, changed.salt, body).hex()}
        return {**out, **describe.signed(changed)}

    def op_sign_raw(self, request: Request) -> Json:
        """Signs any bytes as the payload of a COSE_Sign1; keeps nothing."""
        session = self._session(request)
        cose = sign_cose(session.seed, session.session_id, request.raw("map"))
        payload = encode_payload(cose) + request.raw("behind", b"")
        return {"cose": cose.hex(), "payload": payload.hex()}

    def op_open_payload(self, request: Request) -> Json:
        """Checks a payload and keeps nothing."""
        signed = self._session(request).open_payload(request.raw("payload"))
        kind = "control" if isinstance(signed.message, Control) else "record"
        return {"is": kind, **describe.signed(signed)}

    def op_take_payload(self, request: Request) -> Json:
        """Checks and places a payload."""
        result, signed = self._session(request).take(request.raw("payload"))
        return {"result": result, **describe.signed(signed)}

    def op_process(self, request: Request) -> Json:
        """The application is done with records up to a seq."""
        session = self._session(request)
        why = request.number("why") if request.has("why") else None
        session.process(request.number("upto"), why)
        return self._state(session)

    # Log

    def op_log_write(self, request: Request) -> Json:
        """The log of a session."""
        pruned = {by: set(seqs) for by, seqs in request.object("pruned").items()}  # type: ignore
        data = logwrite.write(
            self._session(request), request.raw("own"), request.raw("peer"), pruned
        )
        if request.has("path"):
            Path(request.text("path")).write_bytes(data)
            return {"bytes": len(data)}
        return {"text": data.decode("utf-8")}

    def op_log_verify(self, request: Request) -> Json:
        """Verifies a log."""
        if request.has("path"):
            return {"report": log.verify_file(request.text("path"))}
        return {"report": log.verify(request.text("text").encode("utf-8"))}

    def op_drop(self, request: Request) -> Json:
        """Forgets states."""
        for name, states in (
            ("agent", self.agents), ("pair", self.pairs), ("session", self.sessions),
        ):  # fmt: skip
            if request.has(name):
                states.pop(request.text(name), None)  # type: ignore[attr-defined]
        return {}


def _result(result: Result) -> Json:
    return {
        "session_id": result.session_id.hex(),
        "sas": result.words,
        "keys": {name: key.hex() for name, key in result.keys.items()},
        "dr_secret": result.dr_secret.hex(),
        "peer": describe.offer(result.peer),
    }


def _opened(opened: Opened) -> Json:
    return {
        "n": opened.header.n,
        "pn": opened.header.pn,
        "turned": opened.turned,
        "answer_at_once": opened.answer_at_once,
    }


def main() -> None:
    """Reads requests until the end of the input."""
    driver = Driver()
    for line in sys.stdin:
        if line.strip():
            print(json.dumps(driver.handle(line), separators=(",", ":")), flush=True)


if __name__ == "__main__":
    main()
