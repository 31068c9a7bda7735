"""Prime factors and divisors of loop bounds, quick for every bound below 2^63."""

from __future__ import annotations

import math

_TRIAL = 1 << 12  # trial division up to here settles every bound that a layer has
_BASES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)  # Miller-Rabin is exact with these below 3.3e24


def prime_factors(number: int) -> list[int]:
    """Prime factors in ascending order, with repetition; 1 has none."""
    factors: list[int] = []
    for divisor in (2, *range(3, _TRIAL, 2)):
        if divisor * divisor > number:
            break
        while number % divisor == 0:
            factors.append(divisor)
            number //= divisor
    return sorted([*factors, *_split(number)])


def divisors(number: int) -> list[int]:
    """All divisors, ascending."""
    found, new, previous = [1], [1], 0
    for prime in prime_factors(number):
        # A repeated prime multiplies only what the last one brought, or divisors would come twice.
        new = [divisor * prime for divisor in (new if prime == previous else found)]
        found = found + new
        previous = prime
    return sorted(found)


def _split(number: int) -> list[int]:
    """Prime factors of a number without small ones."""
    if number == 1:
        return []
    if number < _TRIAL * _TRIAL or _is_prime(number):
        return [number]
    part = _pollard(number)
    return [*_split(part), *_split(number // part)]


def _is_prime(number: int) -> bool:
    """Miller-Rabin."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in _BASES:
        power = pow(base, odd, number)
        if power in (1, number - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % number
            if power == number - 1:
                break
        else:
            return False
    return True


def _pollard(number: int) -> int:
    """A proper factor of a composite number (Pollard 1975, the rho method with Floyd's cycle search)."""
    step = 1
    while True:
        slow = fast = 2
        factor = 1
        while factor == 1:
            slow = (slow * slow + step) % number
            fast = (fast * fast + step) % number
            fast = (fast * fast + step) % number
            factor = math.gcd(slow - fast, number)
        if factor != number:
            return factor
        step += 1
