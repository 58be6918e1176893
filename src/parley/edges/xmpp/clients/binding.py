"""Binding a resource: whether there is room for the device, and whose place it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parley.base import log as logs
from parley.domain.errors import LimitReached, NotFound, StorageUnavailable
from parley.edges.xmpp.clients.session import Session
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError, StreamCondition

if TYPE_CHECKING:
    from parley.domain.accounts import Account
    from parley.edges.xmpp.clients.authentication import SignedIn
    from parley.edges.xmpp.clients.connection import Connection
    from parley.edges.xmpp.host import Host
    from parley.identity.sign_in import SignIn
    from parley.protocols.xmpp.jid import JID

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Installation:
    """What a client says of itself; `client` is the digest of its id, empty when it has none."""

    client: bytes = b""
    software: str = ""
    name: str = ""


UNKNOWN = Installation()


class Installations:
    """The sessions of installations that have an id: each has one at a time."""

    def __init__(self, _host: Host) -> None:
        self._sessions: dict[tuple[int, bytes], Session] = {}
        self._keys: dict[Session, tuple[int, bytes]] = {}

    def opened(self, session: Session, client: bytes) -> None:
        """An installation has bound a resource.

        XEP-0386 §3.2: an earlier session of it SHOULD be terminated.
        """
        if client:
            key = session.account.id, client
            before = self._sessions.get(key)
            self._sessions[key], self._keys[session] = session, key
            if before is not None and not before.is_ended:
                before.close(StreamCondition.CONFLICT, "replaced by a new connection")

    def ended(self, session: Session) -> None:
        """A session is over."""
        key = self._keys.pop(session, None)
        if key is not None and self._sessions[key] is session:
            del self._sessions[key]


class AccountClosed(Exception):
    """The account was suspended or removed, or the credential revoked, since the client signed in."""


async def bind(
    connection: Connection, sign_in: SignIn, signed_in: SignedIn, jid: JID, installation: Installation = UNKNOWN
) -> Session | None:
    """Make the session of a client that has signed in; None when its stream ended meanwhile.

    Raises:
        StanzaError: resource-constraint, when there is no room for one more.
        AccountClosed: see there.
        StorageUnavailable: nobody can tell whether the device was revoked.
    """
    host, account = connection.host, signed_in.account
    await note_device(connection, account, jid.resource, installation)
    if not connection.is_open:
        return None
    held = host.router.of(account.address)
    if jid.resource not in held and len(held) >= host.settings.limits.max_resources_per_account:
        raise StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, "too many sessions")
    before = host.router.find(jid)
    if before is not None:
        # RFC 6120 §7.7.2.2, first way: the new stream takes the resource over.
        before.close(StreamCondition.CONFLICT, "replaced by a new connection")
    session = Session(host, account, jid, connection)
    connection.begin(session)
    host.sessions.opened(session)
    host.memory(Installations).opened(session, installation.client)
    if await _is_revoked(sign_in, signed_in):
        session.close(StreamCondition.NOT_AUTHORIZED, "signed out")
        await host.stores.devices.revoke(account.id, jid.resource)
        return None
    return session if connection.is_open else None


async def note_device(connection: Connection, account: Account, resource: str, installation: Installation) -> None:
    """Note that a device is here.

    Raises:
        StanzaError: resource-constraint, when it is one more than the account may have.
        AccountClosed: the account was suspended or removed since the client signed in.
    """
    host = connection.host
    limits = host.settings.limits
    try:
        await host.stores.devices.seen(
            account.id,
            resource,
            installation.name,
            connection.peer,
            host.clock.now_us(),
            software=installation.software,
            client=installation.client,
            keep=limits.max_devices_per_account,
            is_refusing=limits.device_policy == "refuse",
        )
    except LimitReached as error:
        text = f"the account has {limits.max_devices_per_account} devices already; sign one of them out first"
        raise StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, text) from error
    except StorageUnavailable as error:
        # Who is there can be told later; people can still read, and are told what cannot be stored.
        log.error("a device's sign-in was not noted", code=error.code)
    except NotFound as error:
        raise AccountClosed from error
    # The session is to know whom its account blocks before anything reaches it.
    await host.blocking.get(account.id)
    known = await host.stores.directory.find(account.address)
    if known is None or known.id != account.id or known.is_suspended:
        raise AccountClosed


async def _is_revoked(sign_in: SignIn, signed_in: SignedIn) -> bool:
    """Whether a device was revoked between its proof and its session, which from now on would be ended with it."""
    address = signed_in.account.address
    if signed_in.token is not None:
        return not await sign_in.tokens.has_any(address, signed_in.token.client)
    return bool(signed_in.resource) and await sign_in.is_revoked(address, signed_in.resource)
