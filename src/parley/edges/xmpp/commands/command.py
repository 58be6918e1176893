"""What a command is: who may have it, the forms it asks for, and what comes out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parley.edges.xmpp.host import Host
    from parley.protocols.xmpp.commands import Note
    from parley.protocols.xmpp.dataforms import Form
    from parley.protocols.xmpp.jid import JID


@dataclass(frozen=True, slots=True)
class Caller:
    """Who has a command executed: a full address, and the domain that they asked."""

    host: Host
    sender: JID
    domain: str

    @property
    def address(self) -> str:
        """The bare address."""
        return str(self.sender.bare)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a command: a form of type result, or none, and remarks."""

    form: Form | None = None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """A form to fill in, and what follows when it comes back. `is_last`: then the command is complete.

    What follows raises StanzaError or a DomainError where the form cannot be used; the client may then send another.
    """

    form: Form
    submit: Callable[[Caller, Form], Awaitable[Stage | Outcome]]
    is_last: bool = True


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `is_allowed` is asked anew at each step, and when commands are listed."""

    node: str
    name: str
    begin: Callable[[Caller], Awaitable[Stage | Outcome]]
    is_allowed: Callable[[Host, JID], bool]


def is_administrator(host: Host, asker: JID) -> bool:
    """Whether the settings name this person as one."""
    return str(asker.bare) in host.settings.admins
