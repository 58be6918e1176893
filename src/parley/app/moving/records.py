"""What moves with an account, whatever format it comes in."""

from __future__ import annotations

from dataclasses import dataclass, field

from parley.domain.accounts import Credential
from parley.domain.contacts import Contact
from parley.domain.people.personal import PrivateElement
from parley.domain.pubsub.nodes import NodeItem


@dataclass(slots=True)
class NodeRecord:
    """A personal node: its access model as XEP-0060 names it ("" for the default), and its items, the oldest first."""

    name: str
    access_model: str = ""
    max_items: int = 1
    items: list[NodeItem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ArchivedRecord:
    """A message of an archive: the stanza, when it came (microseconds, 0 for unknown), and its id there."""

    stanza: bytes
    at: int
    id: str = ""


@dataclass(slots=True)
class AccountRecord:
    """One account: `name` and `domain` as the source spells them; `password` in clear where the source has that.

    `messages` are those that wait for the account: the stanza, and when it came (microseconds, 0 for unknown). They may
    be in its `archive` too, which is in its order.
    `remarks` say what was left out.
    """

    name: str
    domain: str
    password: str = ""
    credentials: list[Credential] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)
    messages: list[tuple[bytes, int]] = field(default_factory=list)
    archive: list[ArchivedRecord] = field(default_factory=list)
    nodes: list[NodeRecord] = field(default_factory=list)
    private: list[PrivateElement] = field(default_factory=list)
    card: bytes = b""
    remarks: list[str] = field(default_factory=list)

    @property
    def source(self) -> str:
        """The address as the source spells it."""
        return f"{self.name}@{self.domain}"
