"""ML-KEM-768 (FIPS 203) for section 6.1 and 6.2.

Key generation and decapsulation are those of `cryptography`. Encapsulation with a chosen message,
which the test values of section 15 need and no library offers, is written out here.
"""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

from .errors import WireError

Q = 3329
N = 256
K = 3
DU, DV = 10, 4
ETA = 2
EK_BYTES = 384 * K + 32
CT_BYTES = 32 * (DU * K + DV)

Poly = list[int]


def _bit_reversed(value: int) -> int:
    return int(f"{value:07b}"[::-1], 2)


ZETAS = [pow(17, _bit_reversed(i), Q) for i in range(128)]
GAMMAS = [pow(17, 2 * _bit_reversed(i) + 1, Q) for i in range(128)]


def _ntt(poly: Poly) -> Poly:
    f, index, length = list(poly), 1, 128
    while length >= 2:
        for start in range(0, N, 2 * length):
            zeta = ZETAS[index]
            index += 1
            for j in range(start, start + length):
                t = zeta * f[j + length] % Q
                f[j + length] = (f[j] - t) % Q
                f[j] = (f[j] + t) % Q
        length //= 2
    return f


def _inverse_ntt(poly: Poly) -> Poly:
    f, index, length = list(poly), 127, 2
    while length <= 128:
        for start in range(0, N, 2 * length):
            zeta = ZETAS[index]
            index -= 1
            for j in range(start, start + length):
                t = f[j]
                f[j] = (t + f[j + length]) % Q
                f[j + length] = zeta * (f[j + length] - t) % Q
        length *= 2
    return [value * 3303 % Q for value in f]


def _times(f: Poly, g: Poly) -> Poly:
    """Multiplication in the domain of the transform."""
    out: Poly = []
    for i, gamma in enumerate(GAMMAS):
        a0, a1, b0, b1 = f[2 * i], f[2 * i + 1], g[2 * i], g[2 * i + 1]
        out += [(a0 * b0 + a1 * b1 * gamma) % Q, (a0 * b1 + a1 * b0) % Q]
    return out


def _plus(f: Poly, g: Poly) -> Poly:
    return [(a + b) % Q for a, b in zip(f, g)]


def _sample_ntt(seed: bytes, j: int, i: int) -> Poly:
    stream = hashlib.shake_128(seed + bytes([j, i])).digest(168 * 8)
    out: Poly = []
    for pos in range(0, len(stream), 3):
        a, b, c = stream[pos : pos + 3]
        for value in (a + 256 * (b % 16), b // 16 + 16 * c):
            if value < Q and len(out) < N:
                out.append(value)
    if len(out) < N:
        raise WireError("mlkem", "sampling took more than eight blocks")
    return out


def _sample_cbd(seed: bytes, index: int) -> Poly:
    bits = int.from_bytes(hashlib.shake_256(seed + bytes([index])).digest(64 * ETA), "little")
    out: Poly = []
    for i in range(N):
        part = bits >> (2 * ETA * i) & 15
        out.append(((part & 1) + (part >> 1 & 1) - (part >> 2 & 1) - (part >> 3 & 1)) % Q)
    return out


def _pack(poly: Poly, width: int) -> bytes:
    total = sum(value << (width * i) for i, value in enumerate(poly))
    return total.to_bytes(32 * width, "little")


def _unpack(data: bytes, width: int) -> Poly:
    total, mask = int.from_bytes(data, "little"), (1 << width) - 1
    return [total >> (width * i) & mask for i in range(N)]


def _compress(poly: Poly, width: int) -> Poly:
    return [((value << width) + Q // 2) // Q % (1 << width) for value in poly]


def _decompress(poly: Poly, width: int) -> Poly:
    return [(value * Q + (1 << (width - 1))) >> width for value in poly]


def check_key(ek: bytes) -> None:
    """The check of an encapsulation key: length, and every coefficient below the modulus."""
    if len(ek) != EK_BYTES:
        raise WireError("mlkem", "length of ek")
    for i in range(K):
        if max(_unpack(ek[384 * i : 384 * (i + 1)], 12)) >= Q:
            raise WireError("mlkem", "a coefficient of ek is at or above the modulus")


def encapsulate(ek: bytes, message: bytes) -> tuple[bytes, bytes]:
    """ML-KEM.Encaps_internal: the shared secret and the ciphertext."""
    check_key(ek)
    both = hashlib.sha3_512(message + hashlib.sha3_256(ek).digest()).digest()
    shared, coins = both[:32], both[32:]
    t_hat = [_unpack(ek[384 * i : 384 * (i + 1)], 12) for i in range(K)]
    rho = ek[384 * K :]
    y_hat = [_ntt(_sample_cbd(coins, i)) for i in range(K)]
    e1 = [_sample_cbd(coins, K + i) for i in range(K)]
    e2 = _sample_cbd(coins, 2 * K)
    ciphertext = b""
    for i in range(K):
        row = [0] * N
        for j in range(K):
            # The transposed matrix: the entry in row j and column i.
            row = _plus(row, _times(_sample_ntt(rho, i, j), y_hat[j]))
        ciphertext += _pack(_compress(_plus(_inverse_ntt(row), e1[i]), DU), DU)
    inner = [0] * N
    for i in range(K):
        inner = _plus(inner, _times(t_hat[i], y_hat[i]))
    mu = _decompress(_unpack(message, 1), 1)
    v = _plus(_plus(_inverse_ntt(inner), e2), mu)
    return shared, ciphertext + _pack(_compress(v, DV), DV)


class KemKey:
    """A decapsulation key from `d || z`."""

    def __init__(self, seed: bytes) -> None:
        self._key = MLKEM768PrivateKey.from_seed_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """The shared secret. Any ciphertext of the right length gives one."""
        if len(ciphertext) != CT_BYTES:
            raise WireError("mlkem", "length of ct")
        return self._key.decapsulate(ciphertext)
