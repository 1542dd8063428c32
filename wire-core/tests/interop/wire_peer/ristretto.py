"""edwards25519 and ristretto255 (RFC 8032, RFC 9496), for CPace (section 6.1) and strict keys."""

from __future__ import annotations

from .errors import WireError

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
SQRT_AD_MINUS_ONE = 25063068953384623474111414158702152701244531502492656460079210482610430750235
INVSQRT_A_MINUS_D = 54469307008909316920995813868745141605393597292927456921205312896311721017578
ONE_MINUS_D_SQ = (1 - D * D) % P
D_MINUS_ONE_SQ = (D - 1) ** 2 % P

Point = tuple[int, int, int, int]
"""Extended coordinates X, Y, Z, T of the curve with a = -1."""

NEUTRAL: Point = (0, 1, 1, 0)


def _negative(value: int) -> bool:
    return value % P & 1 == 1


def _abs(value: int) -> int:
    value %= P
    return P - value if value & 1 else value


def sqrt_ratio(u: int, v: int) -> tuple[bool, int]:
    """SQRT_RATIO_M1 of RFC 9496 section 4.2."""
    u, v = u % P, v % P
    v3 = v * v * v % P
    root = u * v3 * pow(u * v3 * v3 * v % P, (P - 5) // 8, P) % P
    check = v * root * root % P
    correct = check == u
    flipped = check == -u % P
    if flipped or check == -u * SQRT_M1 % P:
        root = root * SQRT_M1 % P
    return correct or flipped, _abs(root)


def add(a: Point, b: Point) -> Point:
    """The complete addition law."""
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    aa = (y1 - x1) * (y2 - x2) % P
    bb = (y1 + x1) * (y2 + x2) % P
    cc = 2 * D * t1 * t2 % P
    dd = 2 * z1 * z2 % P
    e, f, g, h = bb - aa, dd - cc, dd + cc, bb + aa
    return e * f % P, g * h % P, f * g % P, e * h % P


def double(a: Point) -> Point:
    """Doubling."""
    x1, y1, z1, _ = a
    aa, bb = x1 * x1 % P, y1 * y1 % P
    h = aa + bb
    e = h - (x1 + y1) ** 2
    g = aa - bb
    f = 2 * z1 * z1 + g
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(scalar: int, point: Point) -> Point:
    """Scalar multiplication with a window of four bits."""
    table = [NEUTRAL]
    for _ in range(15):
        table.append(add(table[-1], point))
    acc = NEUTRAL
    for digit in f"{scalar:x}":
        for _ in range(4):
            acc = double(acc)
        acc = add(acc, table[int(digit, 16)])
    return acc


def ed_decode(data: bytes) -> Point | None:
    """A point of edwards25519 by RFC 8032 section 5.1.3; `None` if there is none."""
    value = int.from_bytes(data, "little")
    sign, y = value >> 255, value & (1 << 255) - 1
    if len(data) != 32 or y >= P:
        return None
    square, x = sqrt_ratio(y * y - 1, D * y * y + 1)
    if not square or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def ed_encode(point: Point) -> bytes:
    """The encoding of RFC 8032."""
    x, y, z, _ = point
    inverse = pow(z, -1, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def small_order(point: Point) -> bool:
    """Whether eight times the point is the neutral element."""
    x, y, z, _ = double(double(double(point)))
    return x % P == 0 and (y - z) % P == 0


BASE = ed_decode((4 * pow(5, -1, P) % P).to_bytes(32, "little")) or NEUTRAL


def decode(data: bytes) -> Point:
    """RFC 9496 section 4.3.1; refuses whatever is not the canonical encoding."""
    s = int.from_bytes(data, "little")
    if len(data) != 32 or s >= P or s & 1:
        raise WireError("ristretto", "does not decode")
    ss = s * s % P
    u1, u2 = (1 - ss) % P, (1 + ss) % P
    u2_sq = u2 * u2 % P
    v = (-D * u1 * u1 - u2_sq) % P
    square, inv = sqrt_ratio(1, v * u2_sq)
    den_x = inv * u2 % P
    den_y = inv * den_x * v % P
    x = _abs(2 * s * den_x)
    y = u1 * den_y % P
    t = x * y % P
    if not square or _negative(t) or y == 0:
        raise WireError("ristretto", "does not decode")
    return x, y, 1, t


def encode(point: Point) -> bytes:
    """RFC 9496 section 4.3.2."""
    x0, y0, z0, t0 = point
    u1 = (z0 + y0) * (z0 - y0) % P
    u2 = x0 * y0 % P
    _, inv = sqrt_ratio(1, u1 * u2 * u2)
    den1, den2 = inv * u1 % P, inv * u2 % P
    z_inv = den1 * den2 * t0 % P
    x, y, den = x0, y0, den2
    if _negative(t0 * z_inv):
        x, y, den = y0 * SQRT_M1 % P, x0 * SQRT_M1 % P, den1 * INVSQRT_A_MINUS_D % P
    if _negative(x * z_inv):
        y = -y
    return _abs(den * (z0 - y)).to_bytes(32, "little")


def _map(t: int) -> Point:
    r = SQRT_M1 * t * t % P
    u = (r + 1) * ONE_MINUS_D_SQ % P
    v = (-1 - r * D) * (r + D) % P
    square, s = sqrt_ratio(u, v)
    c = -1
    if not square:
        s, c = -_abs(s * t) % P, r
    n = (c * (r - 1) * D_MINUS_ONE_SQ - v) % P
    w0, w1 = 2 * s * v % P, n * SQRT_AD_MINUS_ONE % P
    w2, w3 = (1 - s * s) % P, (1 + s * s) % P
    return w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P


def one_way_map(data: bytes) -> Point:
    """RFC 9496 section 4.3.4, from 64 bytes."""
    mask = (1 << 255) - 1
    first = int.from_bytes(data[:32], "little") & mask
    second = int.from_bytes(data[32:64], "little") & mask
    return add(_map(first % P), _map(second % P))
