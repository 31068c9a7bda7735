"""The hypergeometric probability as the real program computes it (2.6 to 2.8a): in 80 bits, one of three forms."""

from __future__ import annotations

import math
from decimal import Decimal
from functools import cache, lru_cache

import numpy as np
from jaxtyping import Float64, Int64, UInt64
from numpy import ndarray

from ...kernels.compiling import kernel
from .extended import Extended, exponential, power, root

FACTORIALS = 170
PRIMES = 104729
_POWERS, _FIRST_POWER = 64, 9
_PARTS = 64  # partial products; each but one is beyond 2^8000
_ONE = Extended.of(1)


def chances(k: Int64[ndarray, "m"], r: int, n: int, total: int) -> Float64[ndarray, "m"]:
    """Chance of k nonzeros among n of ``total`` points that hold r, for every k; impossible ones give 0."""
    result = np.zeros(len(k))
    possible = (k >= 0) & (k <= r) & (k <= n) & (k >= n + r - total)
    if n > total or not possible.any():
        return result
    if total <= PRIMES:
        found = np.zeros(int(possible.sum()))
        scratch = np.zeros(_PARTS, np.uint64), np.zeros(_PARTS, np.int64)
        _fill(k[possible], r, n, total, *_tables(), *scratch, found)
    else:
        found = np.array([float(_lanczos(int(each), r, n, total)) for each in k[possible]])
    result[possible] = np.clip(found, 0.0, 1.0)
    return result


def chance(k: int, r: int, n: int, total: int) -> float:
    """``chances`` of one k."""
    return float(chances(np.array([k]), r, n, total)[0])


def extended_chance(k: int, r: int, n: int, total: int) -> Extended:
    """The same in 80 bits, for quantiles."""
    if not (max(0, n + r - total) <= k <= min(n, r)):
        return Extended(0, 0)
    if total > PRIMES:
        return _lanczos(k, r, n, total)
    mantissa, exponent = np.zeros(_PARTS, np.uint64), np.zeros(_PARTS, np.int64)
    _one(k, r, n, total, *_tables(), mantissa, exponent)
    return Extended(int(mantissa[0]), int(exponent[0]))


@cache
def _tables() -> tuple[UInt64[ndarray, "f"], Int64[ndarray, "f"], Int64[ndarray, "q"], UInt64[ndarray, "q e"],
                       Int64[ndarray, "q e"]]:  # fmt: skip
    """Factorials, primes, and powers of small primes from the ninth on, each rounded once."""
    product, factorials = 1, []
    for i in range(FACTORIALS + 1):
        product *= max(1, i)
        factorials.append(Extended.of(product))
    sieve = np.ones(PRIMES + 1, np.bool_)
    sieve[:2] = False
    for i in range(2, int(PRIMES**0.5) + 1):
        if sieve[i]:
            sieve[i * i :: i] = False
    primes = np.flatnonzero(sieve)
    powers = [[Extended.of(int(q) ** (_FIRST_POWER + e)) for e in range(_POWERS)] for q in primes[:32]]
    return (
        np.array([f.mantissa for f in factorials], np.uint64),
        np.array([f.exponent for f in factorials], np.int64),
        primes.astype(np.int64),
        np.array([[f.mantissa for f in row] for row in powers], np.uint64),
        np.array([[f.exponent for f in row] for row in powers], np.int64),
    )


LOW = np.uint64(0xFFFFFFFF)
TOP = np.uint64(1 << 63)
ONE, HALF = np.uint64(1), np.uint64(32)
ZERO, LAST = np.uint64(0), np.uint64(63)


@kernel
def _product(a: np.uint64, ea: int, b: np.uint64, eb: int) -> tuple[np.uint64, int]:
    """Product of two normal numbers, rounded half to even."""
    a0, a1, b0, b1 = a & LOW, a >> HALF, b & LOW, b >> HALF
    low, middle, other, high = a0 * b0, a1 * b0, a0 * b1, a1 * b1
    carry = (low >> HALF) + (middle & LOW) + (other & LOW)
    rest = (low & LOW) | (carry << HALF)
    whole = high + (middle >> HALF) + (other >> HALF) + (carry >> HALF)
    exponent = ea + eb + 64
    if whole < TOP:
        whole = (whole << ONE) | (rest >> LAST)
        rest = rest << ONE
        exponent -= 1
    if rest > TOP or (rest == TOP and (whole & ONE) != ZERO):
        whole += ONE
        if whole == ZERO:
            whole = TOP
            exponent += 1
    return whole, exponent


@kernel
def _quotient(a: np.uint64, ea: int, b: np.uint64, eb: int) -> tuple[np.uint64, int]:
    """Quotient of two normal numbers, rounded half to even: 64 bits by shifting and subtracting."""
    exponent = ea - eb - 63
    rest = a
    if a < b:
        exponent -= 1
        carry = (rest & TOP) != ZERO
        rest = rest << ONE
        rest = rest - b if carry or rest >= b else rest
    else:
        rest = rest - b
    whole = ONE
    for _ in range(63):
        carry = (rest & TOP) != ZERO
        rest = rest << ONE
        whole = whole << ONE
        if carry or rest >= b:
            rest = rest - b
            whole |= ONE
    carry = (rest & TOP) != ZERO
    twice = rest << ONE
    if carry or twice > b or (twice == b and (whole & ONE) != ZERO):
        whole += ONE
        if whole == ZERO:
            whole = TOP
            exponent += 1
    return whole, exponent


@kernel
def _double(mantissa: np.uint64, exponent: int) -> float:
    """The nearest double of a normal number."""
    shift = -1074 - exponent
    if shift <= 11:
        return math.ldexp(float(mantissa), exponent)
    if shift > 64:
        return 0.0
    whole = mantissa >> np.uint64(shift - 1) >> ONE
    rest = mantissa - (whole << np.uint64(shift - 1) << ONE)
    half = ONE << np.uint64(shift - 1)
    if rest > half or (rest == half and (whole & ONE) != ZERO):
        whole += ONE
    return float(whole) * 5e-324


@kernel
def _normal(value: int) -> tuple[np.uint64, int]:
    """A positive integer below 2^63 as mantissa and exponent."""
    mantissa, exponent = np.uint64(value), 0
    while (mantissa & TOP) == ZERO:
        mantissa = mantissa << ONE
        exponent -= 1
    return mantissa, exponent


@kernel
def _at_least_one(exponent: int) -> bool:
    return exponent >= -63


@kernel
def _factorial_form(
    k: int, r: int, n: int, total: int, factorial: UInt64[ndarray, "f"], exponents: Int64[ndarray, "f"]
) -> tuple[np.uint64, int]:
    """Up to 170 points (2.7)."""
    v, e = factorial[n], exponents[n]
    above, below = 0, 0
    while above < 3 or below < 5:
        while below < 5 and (_at_least_one(e) or above == 3):
            i = total if below == 0 else k if below == 1 else n - k if below == 2 else r - k
            if below == 4:
                i = total - n - r + k
            v, e = _quotient(v, e, factorial[i], exponents[i])
            below += 1
        while above < 3 and (not _above_one(v, e) or below == 5):
            i = r if above == 0 else total - n if above == 1 else total - r
            v, e = _product(v, e, factorial[i], exponents[i])
            above += 1
    return v, e


@kernel
def _above_one(mantissa: np.uint64, exponent: int) -> bool:
    return exponent > -63 or (exponent == -63 and bool(mantissa > TOP))


@kernel
def _prime_power(
    i: int, q: int, e: int, powers: UInt64[ndarray, "q e"], exponents: Int64[ndarray, "q e"]
) -> tuple[np.uint64, int]:
    """``q ** e`` by the products that the real program makes."""
    m, x = _normal(q)
    if e == 1:
        return m, x
    if e > 8:
        return powers[i, e - 9], exponents[i, e - 9]
    m2, x2 = _product(m, x, m, x)
    if e == 2:
        return m2, x2
    if e == 3:
        return _product(m2, x2, m, x)
    if e == 4:
        return _product(m2, x2, m2, x2)
    if e == 5:
        m3, x3 = _product(m, x, m2, x2)
        return _product(m3, x3, m2, x2)
    if e == 8:
        m4, x4 = _product(m2, x2, m2, x2)
        return _product(m4, x4, m4, x4)
    m3, x3 = _product(m2, x2, m, x)
    if e == 6:
        return _product(m3, x3, m3, x3)
    m4, x4 = _product(m, x, m3, x3)
    return _product(m4, x4, m3, x3)


@kernel
def _exponent(q: int, k: int, r: int, n: int, total: int) -> int:
    """Exponent of the prime q in the probability."""
    e, j = 0, q
    while j <= total:
        e += n // j + r // j + (total - n) // j + (total - r) // j
        e -= total // j + k // j + (n - k) // j + (r - k) // j + (total - n - r + k) // j
        j *= q
    return e


@kernel
def _prime_form(
    k: int, r: int, n: int, total: int, primes: Int64[ndarray, "q"], powers: UInt64[ndarray, "q e"],
    exponents: Int64[ndarray, "q e"], parts: UInt64[ndarray, "s"], sizes: Int64[ndarray, "s"],
) -> tuple[np.uint64, int]:  # fmt: skip
    """Up to 104729 points (2.8); what would leave the range of 80 bits is multiplied at the end."""
    v, x = TOP, -63
    count = 0
    for i in range(primes.shape[0]):
        q = primes[i]
        if q > total:
            break
        e = _exponent(q, k, r, n, total)
        if e == 0:
            continue
        m, y = _prime_power(i, q, abs(e), powers, exponents)
        if e < 0:
            m, y = _quotient(TOP, -63, m, y)
        both, size = _product(v, x, m, y)
        if size + 63 > 16383 or size + 63 < -16382:
            parts[count], sizes[count] = v, x
            count += 1
            both, size = m, y
        v, x = both, size
    parts[count], sizes[count] = v, x
    return _together(parts, sizes, count + 1)


@kernel
def _together(parts: UInt64[ndarray, "s"], sizes: Int64[ndarray, "s"], count: int) -> tuple[np.uint64, int]:
    """The product of partial products, newest first, large and small ones in turn."""
    if count == 1:
        return parts[0], sizes[0]
    v, x = TOP, -63
    large, small = count - 1, count - 1
    while True:
        while large >= 0 and not _at_least_one(sizes[large]):
            large -= 1
        while small >= 0 and _at_least_one(sizes[small]):
            small -= 1
        if large < 0 and small < 0:
            return v, x
        if large >= 0 and (small < 0 or not _above_one(v, x)):
            v, x = _product(v, x, parts[large], sizes[large])
            large -= 1
        else:
            v, x = _product(v, x, parts[small], sizes[small])
            small -= 1


@kernel
def _one(
    k: int, r: int, n: int, total: int, factorial: UInt64[ndarray, "f"], sizes: Int64[ndarray, "f"],
    primes: Int64[ndarray, "q"], powers: UInt64[ndarray, "q e"], exponents: Int64[ndarray, "q e"],
    mantissa: UInt64[ndarray, "s"], exponent: Int64[ndarray, "s"],
) -> None:  # fmt: skip
    """One probability in 80 bits, left in the first elements of the last two arrays."""
    if total <= 170:
        v, x = _factorial_form(k, r, n, total, factorial, sizes)
    else:
        v, x = _prime_form(k, r, n, total, primes, powers, exponents, mantissa, exponent)
    mantissa[0], exponent[0] = v, x


@kernel
def _fill(
    k: Int64[ndarray, "m"], r: int, n: int, total: int, factorial: UInt64[ndarray, "f"], sizes: Int64[ndarray, "f"],
    primes: Int64[ndarray, "q"], powers: UInt64[ndarray, "q e"], exponents: Int64[ndarray, "q e"],
    mantissa: UInt64[ndarray, "s"], exponent: Int64[ndarray, "s"], result: Float64[ndarray, "m"],
) -> None:  # fmt: skip
    for i in range(k.shape[0]):
        _one(k[i], r, n, total, factorial, sizes, primes, powers, exponents, mantissa, exponent)
        result[i] = _double(mantissa[0], exponent[0])


_G = Extended.decimal(Decimal("12.2252227365970611572265625"))
_HALF = Extended.of(0.5)
_NUMERATOR = (
    "2715894658327.717377557655133124376674911", "3590179526097.912105038525528721129550434",
    "2223966599737.814969312127353235818710172", "856940834518.9562481809925866825485883417",
    "229885871668.749072933597446453399395469", "45526171687.54610815813502794395753410032",
    "6884887713.165178784550917647709216424823", "811048596.1407531864760282453852372777439",
    "75213915.96540822314499613623119501704812", "5509245.417224265151697527957954952830126",
    "317673.5368435419126714931842182369574221", "14268.27989845035520147014373320337523596",
    "489.3618720403263670213909083601787814792", "12.38941330038454449295883217865458609584",
    "0.2183627389504614963941574507281683147897", "0.002393749522058449186690627996063983095463",
    "0.00001229541408909435212800785616808830746135",
)  # fmt: skip
_DENOMINATOR = (
    0, 1307674368000, 4339163001600, 6165817614720, 5056995703824, 2706813345600, 1009672107080, 272803210680,
    54631129553, 8207628000, 928095740, 78558480, 4899622, 218400, 6580, 120, 1,
)  # fmt: skip


@cache
def _coefficients() -> tuple[tuple[Extended, ...], tuple[Extended, ...]]:
    return (
        tuple(Extended.decimal(Decimal(text)) for text in _NUMERATOR),
        tuple(Extended.of(value) for value in _DENOMINATOR),
    )


@lru_cache(maxsize=1 << 16)
def _series(z: int) -> Extended:
    """The Lanczos sum without its exponential, of a positive integer."""
    value, (above, below) = Extended.of(z), _coefficients()
    if value > _ONE:
        above, below = above[::-1], below[::-1]
        return _polynomial(above, _ONE / value, _ONE / (value * value)) / _polynomial(
            below, _ONE / value, _ONE / (value * value)
        )
    return _polynomial(above, value, value * value) / _polynomial(below, value, value * value)


def _polynomial(coefficients: tuple[Extended, ...], y: Extended, square: Extended) -> Extended:
    """Even and odd powers by Horner's rule, apart."""
    even, odd = coefficients[16], coefficients[15]
    for i in range(14, -1, -2):
        even = even * square + coefficients[i]
    for i in range(13, 0, -2):
        odd = odd * square + coefficients[i]
    return even + odd * y


class _Record:
    """(base * e**shift) ** exponent."""

    def __init__(self, base: Extended, exponent: Extended, shift: int) -> None:
        self.base, self.exponent, self.shift = base, exponent, shift


def _lanczos(k: int, r: int, n: int, total: int) -> Extended:
    """More than 104729 points (2.8a)."""
    records = []
    for i, z in enumerate((n, r, total - n, total - r, total, k, n - k, r - k, total - n - r + k)):
        size = Extended.of(z)
        base = (size + _G) + _HALF
        records.append(_Record(base if i < 4 else _ONE / base, size + _HALF, -1 if i < 4 else 1))
    records.sort(key=lambda record: record.exponent, reverse=True)
    if not _spread(records):
        return Extended(0, 0)
    _merge(records)
    value = power(records[0].base * exponential(Extended.of(records[0].shift)), records[0].exponent)
    for record in records[1:]:
        if record.exponent.mantissa <= 0:
            break
        if value.subnormal:
            return Extended(0, 0)
        base = record.base * exponential(Extended.of(record.shift))
        if record.exponent == _HALF:
            base = root(base)
        elif record.exponent != _ONE:
            base = power(base, record.exponent)
        value = value * base
    one = [_series(z + 1) for z in (n, r, total - n, total - r)]
    other = [_series(z + 1) for z in (total, k, n - k, r - k, total - n - r + k)]
    return value * (
        one[0] * one[1] * one[2] * one[3] / (other[0] * other[1] * other[2] * other[3] * other[4])
    )


def _move_back(records: list[_Record], i: int) -> None:
    """Restore the order after the exponent of record i has become smaller."""
    record = records.pop(i)
    while i < len(records) and records[i].exponent >= record.exponent:
        i += 1
    records.insert(i, record)


def _spread(records: list[_Record]) -> bool:
    """Subtract exponents of neighbours until they are small; false where the result underflows."""
    while True:
        first, second = records[0], records[1]
        first.exponent = first.exponent - second.exponent
        second.base = second.base * first.base
        if second.base.subnormal and second.exponent.mantissa != 0:
            return False
        second.shift += first.shift
        _move_back(records, 0)
        if not records[1].exponent > _ONE:
            return True


def _merge(records: list[_Record]) -> None:
    """Make one record of those with the same exponent."""
    j = len(records) - 1
    while records[j].exponent.mantissa == 0:
        j -= 1
    while j > 0:
        while j > 0 and records[j - 1].exponent == records[j].exponent:
            records[j - 1].base = records[j - 1].base * records[j].base
            records[j - 1].shift += records[j].shift
            records[j].exponent = Extended(0, 0)
            _move_back(records, j)
            j -= 1
        j -= 1
