"""What an account keeps for itself or shows of itself, opaque to the server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PrivateElement:
    """One element that only its account sees: `content` is the element itself; an empty one is none."""

    namespace: str
    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Card:
    """The card that an account shows to everybody. `photo_hash` names its picture (SHA-1, hexadecimal), "" for none."""

    content: bytes
    photo_hash: str = ""


@dataclass(frozen=True, slots=True)
class Departure:
    """When the last device of an account left (microseconds), and what it said then."""

    left_at: int
    status: str = ""
