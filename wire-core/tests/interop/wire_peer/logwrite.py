"""Section 16: writes the log of a session."""

from __future__ import annotations

import json

from .encoding import b64
from .session import Session


def line(members: dict[str, object]) -> bytes:
    """One line of a log."""
    return json.dumps(members, separators=(",", ":")).encode("ascii") + b"\n"


def write(
    session: Session,
    own_statements: bytes,
    peer_statements: bytes,
    pruned: dict[str, set[int]] | None = None,
) -> bytes:
    """The log as this side of the session writes it; `pruned` names seqs without a body."""
    out = line({
        "wire_log": 1,
        "session": b64(session.session_id),
        "own": b64(own_statements),
        "peer": b64(peer_statements),
    })  # fmt: skip
    sides = (("own", session.own), ("peer", session.peer))
    for by, party in sides:
        for seq, signed in enumerate(party.records, 1):
            members: dict[str, object] = {"by": by, "cose": b64(signed.cose)}
            if signed.body is not None and seq not in (pruned or {}).get(by, ()):
                members.update(salt=b64(signed.salt), body=b64(signed.body))
            out += line(members)
    for by, party in sides:
        if party.control:
            out += line({"by": by, "control": b64(party.control.cose)})
    for by, party in sides:
        if party.conflict:
            out += line({"by": by, "conflict": [b64(cose) for cose in party.conflict]})
    return out + line({"end": [len(session.own.records), len(session.peer.records)]})
