"""What an extension declares: one file, one constant, and nothing happens at import.

A module in `extensions/` exports `EXTENSION`. Its features feed service discovery and `docs/reference/extensions.md`;
its handlers are looked up by namespace and name. Hooks run at named moments, in the order of the modules' names; none
may depend on another's having run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from parley.edges.xmpp.clients.session import Session
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError

if TYPE_CHECKING:
    from lxml.etree import _Element

    from parley.base.config import Settings
    from parley.domain.accounts import Account
    from parley.domain.pubsub.nodes import Node, NodeItem
    from parley.edges.xmpp.commands.command import Command
    from parley.edges.xmpp.host import Host
    from parley.edges.xmpp.origin import Origin
    from parley.edges.xmpp.people.rosters import RosterUpdate
    from parley.protocols.xmpp.dataforms import Form
    from parley.protocols.xmpp.element import Child, Element
    from parley.protocols.xmpp.jid import JID


ANY_SERVICE = "*"
"""In `IqHandler.service`: the domains themselves and every service below them."""


class Target(StrEnum):
    """Whom a request addresses."""

    SERVER = "server"  # a domain of ours, or a service below it that the handler names
    ACCOUNT = "account"  # the sender's own bare address, or no address at all
    CONTACT = "contact"  # the bare address of another account of ours


@dataclass(frozen=True, slots=True)
class IqRequest:
    """A request for the server itself. `payload` is the stanza's one child.

    `account` is the account addressed (the sender's own for ACCOUNT), None for SERVER. `to` is the address the answer
    comes from, `sender` the full address of who asks.
    """

    host: Host
    origin: Origin
    sender: JID
    element: Element
    payload: Child
    target: Target
    to: JID
    account: Account | None

    @property
    def session(self) -> Session:
        """The session of the asking client. Raises StanzaError (forbidden) for who is no client of ours."""
        if not isinstance(self.origin, Session):
            raise StanzaError(StanzaCondition.FORBIDDEN, "only people of this server may ask this")
        return self.origin

    @property
    def asker(self) -> JID:
        """The bare address of who asks."""
        return self.sender.bare

    @property
    def tree(self) -> _Element:
        """The payload as a tree, not to be changed; raises PayloadError."""
        return self.element.child_tree(self.payload)

    def answer(self, result: bytes = b"") -> None:
        """Send the result now, for a handler that has more to send behind it and returns None."""
        # An empty address is as good as none: it is that of nobody.
        attrs = {"type": "result", "id": self.element.id, "from": self.element.to or None, "to": str(self.sender)}
        self.origin.answer(xml("iq", attrs, result))


IqHandle = Callable[[IqRequest], Awaitable[bytes | None]]
"""Returns the XML inside the result (empty for none), or None when `IqRequest.answer` was called.

Raises StanzaError, or a DomainError that has a mapping.
"""


@dataclass(frozen=True, slots=True)
class IqHandler:
    """One kind of request: `type` is get or set.

    With target SERVER, `service` is the key of the service that answers, such as `upload`; empty for the domain itself.
    `for_strangers` says whether others than clients of this server may ask: partners' users, components, rooms.
    """

    type: str
    namespace: str
    name: str
    targets: frozenset[Target]
    handle: IqHandle
    service: str = ""
    for_strangers: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """A disco identity (XEP-0030 §3.1)."""

    category: str
    type: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Inbound:
    """A stanza for an address of a service. `origin` is None for what the server or a service of it sent."""

    host: Host
    origin: Origin | None
    element: Element
    sender: JID
    to: JID


class Receiver(Protocol):
    """What takes the stanzas for the addresses of a service. Each may raise StanzaError, or a DomainError."""

    async def message(self, stanza: Inbound) -> None:
        """A message of any type."""
        ...

    async def presence(self, stanza: Inbound) -> None:
        """A presence of any type."""
        ...

    async def iq(self, stanza: Inbound) -> bytes | None:
        """An iq of any type, results and errors too, that no `IqHandler` of the service takes.

        Returns the XML inside the result, or None when it is not answered, or has been already.
        """
        ...


@dataclass(frozen=True, slots=True)
class Service:
    """A service on a subdomain: `name` is its key, such as `upload`; the subdomain's label is a setting."""

    name: str
    identity: Identity
    features: tuple[str, ...]
    form: Callable[[Host], Form] | None = None
    """An extended information form (XEP-0128) for its disco#info."""
    receiver: Callable[[Host], Receiver] | None = None
    """Who takes its stanzas; without, all but the requests that handlers answer are refused."""


@dataclass(frozen=True, slots=True)
class Extension:
    """One specification as this server implements it.

    `spec` is `XEP-0199` or `RFC 6121`; `version` the specification's version it was written against; `status` is
    `complete` or says in words what is left out. `server_features` and `account_features` are disco#info variables.
    """

    spec: str
    name: str
    version: str
    status: str = "complete"
    is_enabled: Callable[[Settings], bool] | None = None
    """Whether the settings want it; without, always."""
    server_features: tuple[str, ...] = ()
    server_forms: tuple[Callable[[Host], Form | None], ...] = ()
    """Extended information (XEP-0128) of the server itself; None for nothing to say. Made once."""
    account_features: tuple[str, ...] = ()
    account_identities: tuple[Identity, ...] = ()
    services: tuple[Service, ...] = ()
    secret_namespaces: tuple[str, ...] = ()
    """Namespaces whose elements hold credentials: transcripts leave out stanzas that name them."""
    iq: tuple[IqHandler, ...] = ()
    commands: tuple[Command, ...] = ()
    """Ad-hoc commands of the server (XEP-0050)."""
    inline_features: Callable[[Host, Mapping[str, bytes]], bytes] | None = None
    """XML for what can go with signing in (`<inline/>` of XEP-0388), for the channel bindings of a connection."""
    authentication_features: Callable[[Host], bytes] | None = None
    """XML for the offer of the newer SASL profile itself (`<authentication/>` of XEP-0388)."""
    bind_features: Mapping[tuple[str, str], Callable[[Host, Session, Element], bytes | None]] = field(
        default_factory=dict
    )
    """Elements in the `<bind/>` of XEP-0386 by namespace and name: each enables something, and returns the answer."""
    stream_features: Callable[[Host, bool], bytes] | None = None
    """XML for the stream's features; the flag says whether the client has signed in."""
    nonzas: Mapping[tuple[str, str], Callable[[Host, Session, Element], None]] = field(default_factory=dict)
    assistants: Mapping[tuple[str, str], Callable[[Host, Account, Element, Child], Coroutine[Any, Any, None]]] = field(
        default_factory=dict
    )
    """Children of messages that are for the sender's own server: done beside the message, which goes on without."""
    on_available: Callable[[Host, Session], Awaitable[None]] | None = None
    """The session became available (its first presence was broadcast)."""
    on_presence: Callable[[Host, Session, Element], Awaitable[None]] | None = None
    """Each available presence that the session broadcasts, the first included."""
    on_unavailable: Callable[[Host, Session, bytes], Awaitable[None]] | None = None
    """The session is available no longer; the stanza is the one that was broadcast."""
    on_published: Callable[[Host, Account, Node, NodeItem], Awaitable[None]] | None = None
    """An item was published at a node of the account, by a request."""
    on_retracted: Callable[[Host, Account, Node, str], Awaitable[None]] | None = None
    """The item with this id was deleted from a node of the account; "" for all of them. By a request."""
    decorate_presence: Callable[[Host, Session, Element], Awaitable[Element]] | None = None
    """Each available presence of a session, directed ones too, before it goes on: as it is to be."""
    on_own_form: Callable[[Host, Account, Element], Awaitable[bool]] | None = None
    """A client sent a message with a data form to its own account. True: it was for this extension and goes nowhere."""
    on_ended: Callable[[Host, Session], None] | None = None
    """The session is over for good (after a resumption's time has passed)."""
    on_stranger: Callable[[Host, Account, JID, Element], Awaitable[None]] | None = None
    """Presence, available or not, came to the account alone: from this full address of another domain, or from a device
    of ours that sent it to the account directly."""
    on_subscribed: Callable[[Host, Account, JID], Awaitable[None]] | None = None
    """The contact (bare address) may see the account's presence from now on."""
    on_bounce: Callable[[Host, Account, JID, Element], Coroutine[Any, Any, None]] | None = None
    """A message of type error came to the account's bare address, from this address."""
    on_contact_changed: Callable[[Host, RosterUpdate], None] | None = None
    """A contact of an account is not what it was; called while the roster is locked, so what takes time is spawned."""
