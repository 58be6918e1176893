"""Whom an account blocks, and what it tells the operator about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


class BlockList:
    """The addresses that an account blocks, in the order in which it did; false when there is none.

    An address is `name@domain/resource`, `name@domain`, `domain/resource` or `domain`, all in normal form.
    """

    __slots__ = ("_known", "addresses")

    def __init__(self, addresses: Iterable[str] = ()) -> None:
        self.addresses = tuple(dict.fromkeys(addresses))
        self._known = frozenset(self.addresses)

    def __bool__(self) -> bool:
        return bool(self.addresses)

    def __contains__(self, address: object) -> bool:
        return address in self._known

    def covers(self, full: str, bare: str, domain: str) -> bool:
        """Whether an address is blocked: itself, any resource of it, or everybody of its domain.

        Args:
            full: the address as it is, with its resource if it has one.
            bare: without the resource.
            domain: its domain alone.
        """
        known = self._known
        return full in known or bare in known or domain in known

    def names_resource_of(self, bare: str) -> bool:
        """Whether a single resource of the bare address is blocked, and so some of its devices and not others."""
        return any(address.startswith(f"{bare}/") for address in self.addresses)


NOBODY: Final = BlockList()


@dataclass(frozen=True, slots=True)
class Complaint:
    """What somebody says about an address that they block.

    Attributes:
        address: the blocked address.
        reason: the reason's name, a URN.
        text: in their own words; "" for none.
        message_ids: ids, in the archive of who complains, of the messages that it is about.
        may_tell_origin: whether the domain of the address may be told.
        may_tell_others: whether services that collect such reports may be told.
    """

    address: str
    reason: str
    text: str = ""
    message_ids: tuple[str, ...] = ()
    may_tell_origin: bool = False
    may_tell_others: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """A complaint as it was recorded. `reporter` is "" when the account is gone; times in microseconds."""

    id: int
    reporter: str
    reported_at: int
    complaint: Complaint
