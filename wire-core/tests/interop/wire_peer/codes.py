"""Section 4: typed codes, invites and addresses; section 6.3: check words."""

from __future__ import annotations

import difflib
import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from .encoding import b64, unb64
from .errors import WireError
from .primitives import sha256

WORDS = tuple(Path(__file__).with_name("english.txt").read_text("ascii").split())
MAX_CODE = 512
MAX_URL = 255
_SEPARATORS = "-_. "
_SPACE = " \t\r\n\v\f"
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::([1-9][0-9]{0,4}))?")


@dataclass(frozen=True)
class Code:
    """What is needed to pair: the place, the password, and the relay if one is named."""

    place: bytes
    prs: bytes
    relay: str | None


def _is_host(host: str) -> bool:
    if host.startswith("["):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            return False
        return True
    labels = host.split(".")
    if labels[-1].isdigit():
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            return False
        return True
    return len(host) <= 253 and all(_LABEL.fullmatch(label) for label in labels)


def is_authority(text: str) -> bool:
    """Whether this is `HOST[:PORT]`."""
    match = _HOST_PORT.fullmatch(text)
    if not match or not _is_host(match[1]):
        return False
    return match[2] is None or int(match[2]) <= 65_535


def is_url(text: str) -> bool:
    """Whether this is `http(s)://HOST[:PORT]` of at most 255 bytes (section 6.4)."""
    scheme, mark, authority = text.partition("://")
    return (
        scheme in ("http", "https")
        and bool(mark)
        and len(text.encode("utf-8", "replace")) <= MAX_URL
        and is_authority(authority)
    )


def _is_loopback(authority: str) -> bool:
    match = _HOST_PORT.fullmatch(authority)
    host = match[1] if match else ""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return address == ipaddress.ip_address("::1") or (address.version == 4 and address.is_loopback)


def _word(typed: str) -> str:
    if typed in WORDS:
        return typed
    found = [word for word in WORDS if len(typed) >= 4 and word.startswith(typed)]
    if len(found) == 1:
        return found[0]
    nearest = difflib.get_close_matches(typed, WORDS, n=1, cutoff=0.0)
    raise WireError("code", f"unknown word {typed!r}, nearest is {nearest[0]!r}")


def _suffix(text: str) -> str:
    url = text
    if "://" not in text:
        url = ("http://" if _is_loopback(text) else "https://") + text
    if not is_url(url):
        raise WireError("code", "what follows @ is no relay")
    return url


def read_code(text: str) -> Code:
    """Reads a typed code as the reader of section 4 does."""
    if len(text.encode("utf-8", "replace")) > MAX_CODE:
        raise WireError("code", "too long")
    lowered = "".join(c.lower() if c.isascii() else c for c in text)
    left, at, right = lowered.strip(_SPACE + _SEPARATORS).partition("@")
    left = left.strip(_SPACE + _SEPARATORS)
    if not re.fullmatch(r"[a-z0-9\-_. ]+", left):
        raise WireError("code", "a character that no code has")
    nameplate, *typed = re.split(r"[-_. ]+", left)
    if not re.fullmatch(r"[0-9]{4,9}", nameplate):
        raise WireError("code", "missing or wrong nameplate")
    if not 3 <= len(typed) <= 8:
        raise WireError("code", f"{len(typed)} words, not 3 to 8")
    words = "-".join(_word(word) for word in typed)
    return Code(nameplate.encode(), words.encode(), _suffix(right) if at else None)


def make_invite(url: str, rid: bytes, secret: bytes) -> str:
    """The link of an invite."""
    check = sha256(b"wire/invite/1" + rid + secret)[:4]
    return f"{url}/j#1.{b64(rid + secret + check)}"


def read_invite(text: str) -> Code:
    """Reads an invite; takes exactly its form, with white space around it."""
    match = re.fullmatch(r"(https?://[^/#]+)/j#1\.([A-Za-z0-9_-]+)", text.strip(_SPACE))
    if not match or not is_url(match[1]):
        raise WireError("invite", "not the form of an invite")
    raw = unb64(match[2])
    if len(raw) != 36 or sha256(b"wire/invite/1" + raw[:32])[:4] != raw[32:]:
        raise WireError("invite", "length or check")
    return Code(raw[:16], raw[16:32], match[1])


def check_words(sas: bytes) -> list[str]:
    """The first 55 bits of `sas` as five words."""
    bits = int.from_bytes(sas, "big") >> (8 * len(sas) - 55)
    return [WORDS[bits >> shift & 2047] for shift in (44, 33, 22, 11, 0)]
