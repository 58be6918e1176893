"""Identifiers: UUIDs that sort by time (RFC 9562 version 7) and unguessable tokens.

A UUIDv7 is 48 bits of Unix milliseconds, 4 bits version, 12 bits `rand_a`, 2 bits variant and 62 bits `rand_b`.
Within one process the ids of a generator strictly increase, whatever the wall clock does (RFC 9562 §6.2, method 2:
the 74 random bits of the previous id are incremented by a random step while the millisecond is not a later one). Over
a restart no order is promised: the log's positions give the order of messages, ids only name them.
"""

import base64
import os
import secrets
import uuid
from collections.abc import Callable

from parley.base.clock import Clock
from parley.base.errors import ParleyError

RandomBits = Callable[[int], int]
"""A source of randomness: takes a number of bits, returns an integer of at most that many bits."""

_POOL_BYTES = 1024
_TAIL_BITS = 74
_TAIL_LIMIT = 1 << _TAIL_BITS
_STEP_BITS = 32
_RAND_B_BITS = 62
_TIME_LIMIT_MS = 1 << 48
_VERSION = 7 << 76
_VARIANT = 0b10 << 62


class IdError(ParleyError):
    """A text that is not an identifier of the expected form."""

    def __init__(self, message: str) -> None:
        super().__init__("id-malformed", message)


class _Pool:
    """The system's randomness, fetched some at a time: a call for each id costs more than the id."""

    def __init__(self) -> None:
        self._bytes = b""
        self._place = 0

    def bits(self, count: int) -> int:
        """See `RandomBits`."""
        size = (count + 7) // 8
        start, self._place = self._place, self._place + size
        if self._place > len(self._bytes):
            self._bytes = os.urandom(_POOL_BYTES)
            start, self._place = 0, size
        return int.from_bytes(self._bytes[start : self._place], "big") >> (size * 8 - count)


class Uuid7:
    """Generates UUIDv7 values that strictly increase. One generator belongs to one thread.

    Args:
        clock: its wall time is the first 48 bits. When it steps back, the last time seen is used on.
        random_bits: source of randomness; cryptographically strong by default.
    """

    def __init__(self, clock: Clock, random_bits: RandomBits | None = None) -> None:
        self._clock = clock
        self._random_bits = random_bits or _Pool().bits
        self._time_ms = -1
        self._tail = 0

    def new(self) -> uuid.UUID:
        """Return the next id."""
        return uuid.UUID(int=self._next())

    def text(self) -> str:
        """Return the next id in its canonical form, 36 lower-case characters. Cheaper than `str(new())`."""
        digits = f"{self._next():032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def _next(self) -> int:
        now_ms = self._clock.now_us() // 1000
        if now_ms > self._time_ms:
            self._time_ms = now_ms
            # The top bit stays clear: RFC 9562 §6.2 wants head room for the increments that follow.
            self._tail = self._random_bits(_TAIL_BITS - 1)
        else:
            self._tail += 1 + self._random_bits(_STEP_BITS)
            if self._tail >= _TAIL_LIMIT:
                self._time_ms += 1
                self._tail = self._random_bits(_TAIL_BITS - 1)
        return _assemble(self._time_ms, self._tail)


def _assemble(time_ms: int, tail: int) -> int:
    rand_a = tail >> _RAND_B_BITS
    rand_b = tail & ((1 << _RAND_B_BITS) - 1)
    return (time_ms % _TIME_LIMIT_MS) << 80 | _VERSION | rand_a << 64 | _VARIANT | rand_b


def parse_uuid7(text: str) -> uuid.UUID:
    """Read a UUIDv7 in canonical form (36 lower-case characters).

    Raises:
        IdError: for anything else, other spellings of a valid UUID included: one id has one spelling.
    """
    try:
        value = uuid.UUID(text)
    except ValueError as error:
        raise IdError("not a UUID") from error
    if str(value) != text or value.version != 7:
        raise IdError("not a canonical UUIDv7")
    return value


def time_of(value: uuid.UUID) -> int:
    """Return the wall time in a UUIDv7 as microseconds since the epoch, exact to the millisecond."""
    return (value.int >> 80) * 1000


def token(size_bytes: int = 16) -> str:
    """Return an unguessable URL-safe text (RFC 4648 §5, without padding) from `size_bytes` random bytes.

    Raises:
        ValueError: below 8 bytes, which could be guessed.
    """
    if size_bytes < 8:
        raise ValueError("a token of fewer than 8 bytes can be guessed")
    return base64.urlsafe_b64encode(secrets.token_bytes(size_bytes)).rstrip(b"=").decode("ascii")
