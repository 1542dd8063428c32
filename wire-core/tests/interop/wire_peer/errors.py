"""What a refusal looks like. A refusal never changes state (PROTOCOL.md section 1)."""

from __future__ import annotations


class WireError(Exception):
    """A refusal: `code` is a short fixed word, `detail` is for people."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class Alarm(WireError):
    """Proof that the peer's state was copied or rolled back (sections 7, 9 and 10)."""

    def __init__(self, detail: str) -> None:
        super().__init__("alarm", detail)
