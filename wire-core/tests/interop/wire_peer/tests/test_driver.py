"""The driver, as README.md describes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

from wire_peer.driver import Driver
from wire_peer.tests.common import RELAY, URL

ROOT = Path(__file__).resolve().parents[2]


class Driven(unittest.TestCase):
    def setUp(self) -> None:
        self.driver = Driver()

    def call(self, op: str, **members: object) -> dict:
        answer = self.driver.handle(json.dumps({"op": op, **members}))
        self.assertNotIn("error", answer)
        json.dumps(answer)
        return answer

    def fails(self, op: str, **members: object) -> dict:
        answer = self.driver.handle(json.dumps({"op": op, **members}))
        self.assertIn("error", answer)
        return answer

    def pair(self) -> tuple[dict, dict]:
        for name, display in (("alice", "alice"), ("bob", "")):
            self.call("agent_new", agent=name, url=URL, relay_id=RELAY.hex(), display=display)
        code = "4821-canyon-velvet-oyster"
        common = {"relay_id": RELAY.hex(), "code": code}
        m1 = self.call("pair_start", pair="pa", role="A", agent="alice", **common)["m1"]
        self.call("pair_start", pair="pb", role="B", agent="bob", **common)
        self.fails("pair_m1", pair="pb", message=m1[2:])
        m2 = self.call("pair_m1", pair="pb", message=m1)["m2"]
        m3 = self.call("pair_m2", pair="pa", message=m2)["m3"]
        self.fails("pair_m3", pair="pb", message=m3[:-2] + "zz")
        b = self.call("pair_m3", pair="pb", message=m3)
        self.fails("pair_m4", pair="pa", message=m3)
        a = self.call("pair_m4", pair="pa", message=b["m4"])
        return a, b

    def sessions(self) -> None:
        self.pair()
        self.call("session_from_pairing", session="a", pair="pa")
        self.call("session_from_pairing", session="b", pair="pb")

    def say(self, who: str, to: str, kind: str = "msg", body: str = "") -> dict:
        op = "sign_control" if kind in ("ack", "status") else "sign_record"
        signed = self.call(op, session=who, kind=kind, body=body)
        sealed = self.call("seal", session=who, payload=signed["payload"])
        return self.call("receive", session=to, envelope=sealed["envelope"])

    def test_pairing(self) -> None:
        a, b = self.pair()
        self.assertEqual(a["session_id"], b["session_id"])
        self.assertEqual(a["sas"], b["sas"])
        self.assertEqual(b["peer"]["display"], "alice")
        self.assertEqual(a["peer"]["url"], URL)

    def test_conversation_and_log(self) -> None:
        self.sessions()
        self.assertEqual(self.say("a", "b", "hello")["result"], "placed")
        self.assertEqual(self.say("b", "a", "hello")["result"], "placed")
        got = self.say("a", "b", "msg", "c0ffee")
        self.assertEqual((got["body"], got["message"]["seq"]), ("c0ffee", 2))
        self.call("process", session="b", upto=2)
        self.assertEqual(self.say("b", "a", "ack")["message"]["ack"]["proc"], 2)
        state = self.call("session_state", session="a")
        self.assertEqual((state["signed"], state["peer_ack"]["proc"]), (2, 2))
        alice, bob = (self.driver.agents[name].statements.hex() for name in ("alice", "bob"))
        text = self.call("log_write", session="a", own=alice, peer=bob, pruned={"own": [2]})["text"]
        report = self.call("log_verify", text=text)["report"]
        self.assertEqual((report["own"]["pruned"], report["peer"]["received"]), (1, 2))
        self.assertEqual(self.fails("log_verify", text=text[:-1])["line"], 6)
        self.fails("log_verify", path="/nowhere/at/all")

    def test_errors_change_nothing(self) -> None:
        self.sessions()
        signed = self.call("sign_record", session="a", kind="hello")
        envelope = self.call("seal", session="a", payload=signed["payload"])["envelope"]
        before = self.call("session_state", session="b")
        for bad in ("00", envelope[:-2] + "00", envelope[2:] + "00"):
            self.fails("receive", session="b", envelope=bad)
            self.fails("open", session="b", envelope=bad)
        self.fails("receive", session="b", envelope=envelope, rand={"d": "00"})
        after = self.call("session_state", session="b")
        self.assertEqual({**before, "missing": 0}, {**after, "missing": 0})
        self.call("receive", session="b", envelope=envelope)
        again = self.fails("receive", session="b", envelope=envelope)
        self.assertEqual((again["code"], again["alarm"]), ("replay", False))

    def test_chosen_randomness(self) -> None:
        raw = {name: os.urandom(32).hex() for name in ("session_id", "rk0", "hkA", "hkB")}
        public = self.call("identity_new", seed="01" * 32, next_seed="02" * 32)["ids"][0]
        names = set()
        for name in ("one", "two"):
            self.call(
                "session_start", session=name, role="A", dr_secret="03" * 32, id_seed="01" * 32,
                peer_dr_pub="09" + "00" * 31, peer_id=public, rand={"d": "05" * 32}, **raw,
            )  # fmt: skip
            sealed = self.call("seal", session=name, payload="0102", rand={"r": "06" * 32})
            names.add(sealed["name"])
        self.assertEqual(len(names), 1)

    def test_hostile(self) -> None:
        self.sessions()
        self.say("a", "b", "hello")
        bad = self.call(
            "sign_changed", session="a", kind="msg", body="00", change={"prev": "00" * 32}
        )
        self.assertEqual(self.call("session_state", session="a")["signed"], 1)
        self.call("session_clone", session="b", to="b2")
        refused = self.fails("take_payload", session="b", payload=bad["payload"])
        self.assertTrue(refused["alarm"])
        self.fails("sign_record", session="b", kind="msg")
        self.call("sign_record", session="b2", kind="hello")
        lie = self.call(
            "sign_changed", session="a", kind="ack",
            change={"ack": {"recv": 3, "missing": [[1, 2]], "unopenable": ["00" * 32]}},
        )  # fmt: skip
        shown = self.call("open_payload", session="b2", payload=lie["payload"])
        self.assertEqual(shown["message"]["ack"]["missing"], [[1, 2]])
        self.assertTrue(self.fails("take_payload", session="b2", payload=lie["payload"])["alarm"])
        raw = self.call("sign_raw", session="a", map="a0", behind="00")
        self.fails("open_payload", session="b2", payload=raw["payload"])

    def test_values(self) -> None:
        code = self.call("code_read", text="4821 cany velv oyst @localhost:1")
        self.assertEqual(code["relay"], "http://localhost:1")
        text = self.call("invite_make", url=URL)["text"]
        self.assertEqual(self.call("invite_read", text=text)["relay"], URL)
        chain = self.call("identity_new", seed="01" * 32, next_seed="02" * 32)["statements"]
        chain = self.call("identity_rotate", statements=chain, seed="02" * 32, id="04" * 32, after_seed="03" * 32)
        self.assertEqual(len(self.call("identity_check", statements=chain["statements"])["ids"]), 2)
        made = self.call("certificate_make", mailbox_seed="01" * 32, sender_seed="02" * 32)
        self.assertEqual(self.call("certificate_check", **made)["epoch"], 0)
        answer = self.call(
            "relay_answer",
            seed="02" * 32,
            challenge="07" * 32,
            host="relay.example:8770",
            time=1000,
        )
        self.assertTrue(answer["sig"].startswith("66c277c68161414019a59b8d16fefd7b"))
        request = self.call(
            "request_make", seed="01" * 32, relay_id=answer["relay_id"], opcode=5,
            mailbox=self.call("certificate_check", **made)["mailbox"], args="8101",
            time=1_700_000_000_000,
        )  # fmt: skip
        self.assertTrue(request["hash"].startswith("a0e851585bd58c6b"))

    def test_nonsense(self) -> None:
        for line in (
            "",
            "[]",
            "{}",
            '{"op":1}',
            '{"op":"no"}',
            '{"op":"seal"}',
            '{"op":"__init__"}',
        ):
            self.assertIn("error", self.driver.handle(line))

    def test_process(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "wire_peer.driver"],
            input='{"op":"version"}\n\n{"op":"no"}\n',
            capture_output=True, text=True, cwd=ROOT, check=True,
        )  # fmt: skip
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertIn("seal", lines[0]["ops"])
        self.assertEqual(lines[1]["code"], "driver")


if __name__ == "__main__":
    unittest.main()
