"""Binding together with signing in (XEP-0386): the address, what is enabled with it, and where the archive stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.base import log as logs
from parley.domain.errors import StorageUnavailable
from parley.edges.xmpp.clients.binding import bind as bind_resource
from parley.edges.xmpp.delivery import archives
from parley.protocols.xmpp.bind2 import bound, full_address, parse_tag
from parley.protocols.xmpp.element import Element
from parley.protocols.xmpp.jid import JID

if TYPE_CHECKING:
    from lxml.etree import _Element

    from parley.domain.accounts import Account
    from parley.edges.xmpp.clients.authentication import SignedIn
    from parley.edges.xmpp.clients.binding import Installation
    from parley.edges.xmpp.clients.connection import Connection
    from parley.edges.xmpp.clients.session import Session
    from parley.edges.xmpp.host import Host
    from parley.identity.sign_in import SignIn

log = logs.get(__name__)

_PAGE: Final = 100
_MOST_PAGES: Final = 20


async def bind(
    connection: Connection, sign_in: SignIn, signed_in: SignedIn, wanted: _Element, installation: Installation
) -> tuple[Session | None, bytes]:
    """Bind a resource and enable what `wanted`, the client's `<bind/>`, asks for.

    Returns:
        the session (None when the stream ended meanwhile) and the `<bound/>` that answers.

    Raises:
        StanzaError, AccountClosed: as `binding.bind`.
    """
    host, account = connection.host, signed_in.account
    jid = _address(sign_in, signed_in, wanted, installation)
    session = await bind_resource(connection, sign_in, signed_in, jid, installation)
    if session is None:
        return None, b""
    results = enable(host, session, wanted)
    if host.settings.archive.enabled:
        results += await _archive(host, account)
    return session if connection.is_open else None, bound(results)


def _address(sign_in: SignIn, signed_in: SignedIn, wanted: _Element, installation: Installation) -> JID:
    bare = JID.parse(signed_in.account.address)
    if signed_in.resource:
        # A device with a credential of its own is that device and no other.
        return bare.with_resource(signed_in.resource)
    tokens = sign_in.tokens
    client = installation.client
    identifier = tokens.resource_of(signed_in.account.id, client) if client else tokens.random_resource()
    return full_address(bare, parse_tag(wanted), identifier)


def enable(host: Host, session: Session, wanted: _Element) -> list[bytes]:
    """Enable what the children of `<bind/>` name, in their order; returns what is answered."""
    known = {key: handle for extension in host.extensions for key, handle in extension.bind_features.items()}
    results: list[bytes] = []
    for child in wanted:
        namespace, _, name = str(child.tag).removeprefix("{").rpartition("}")
        handle = known.get((namespace, name))
        if handle is not None:
            results.append(handle(host, session, Element.from_tree(child)) or b"")
    return results


async def _archive(host: Host, account: Account) -> list[bytes]:
    messages = host.stores.messages
    try:
        await _skip_archived(host, account)
        ends = await messages.bounds(account.id)
    except StorageUnavailable as error:
        log.error("the archive cannot be read", code=error.code)
        return []
    if ends is None:
        return [archives.metadata(None)]
    first, last = ends
    return [archives.metadata(((first.id, first.received_at), (last.id, last.received_at)))]


async def _skip_archived(host: Host, account: Account) -> None:
    """Take what waits for the account as delivered: the client reads it in the archive (XEP-0386 §3.2).

    As far as it is there: the first message that no archive holds, and all behind it, wait to be sent. Where another
    session takes mail, what waits is on its way to it.
    """
    messages = host.stores.messages
    cursor = 0
    for _ in range(_MOST_PAGES):
        if host.router.mail_ready(account.address):
            return
        page = await messages.pending(account.id, cursor, _PAGE)
        for message in page:
            if not message.is_archived:
                return
            cursor = message.seq
            messages.delivered(account.id, cursor)
        if len(page) < _PAGE:
            return
