"""The list of blocked addresses as clients see and change it; `edges/xmpp/people/blocking.py` says what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.edges.xmpp.extension import Extension, IqHandler, IqRequest, Target
from parley.edges.xmpp.extensions.xep_0377_reports import complaint_in
from parley.edges.xmpp.people.blocking import is_blocked
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_BLOCKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lxml.etree import _Element

    from parley.domain.accounts import Account
    from parley.domain.people.blocking import BlockList
    from parley.edges.xmpp.host import Host

_ITEM: Final = f"{{{NS_BLOCKING}}}item"


async def _list(request: IqRequest) -> bytes:
    session = request.session
    blocks = await request.host.blocking.get(session.account.id)
    session.is_blocklist_requested = True
    return xml("blocklist", {"xmlns": NS_BLOCKING}, *(_item(address) for address in blocks.addresses))


async def _block(request: IqRequest) -> None:
    host, account = request.host, request.session.account
    items = _items(request.tree)
    if not items:
        # §3.3: at least one.
        raise StanzaError(StanzaCondition.BAD_REQUEST, "nobody is named")
    complaints = [complaint for address, item in items for complaint in complaint_in(item, address)]
    addresses = [address for address, _ in items]
    before = await host.blocking.block(account, addresses, complaints)
    request.answer()
    _push(host, account, "block", addresses)
    await _hide(host, account, before)


async def _unblock(request: IqRequest) -> None:
    host, account = request.host, request.session.account
    addresses = [address for address, _ in _items(request.tree)]
    before = await host.blocking.unblock(account, addresses or None)
    request.answer()
    _push(host, account, "unblock", addresses)
    await _show(host, account, before)


def _items(payload: _Element) -> list[tuple[str, _Element]]:
    """The addresses in normal form with their elements; raises StanzaError, JIDError."""
    items = []
    for item in payload.iterchildren(_ITEM):
        jid = item.get("jid")
        if not jid:
            raise StanzaError(StanzaCondition.BAD_REQUEST, "an item has no address")
        items.append((str(JID.parse(jid)), item))
    return items


def _item(address: str) -> bytes:
    return xml("item", {"jid": address})


def _push(host: Host, account: Account, name: str, addresses: Sequence[str]) -> None:
    """§3.3 to §3.5: to all devices that asked for the list."""
    change = xml(name, {"xmlns": NS_BLOCKING}, *(_item(address) for address in addresses))
    for session in list(host.router.of(account.address).values()):
        if session.is_blocklist_requested:
            session.send(xml("iq", {"type": "set", "id": host.new_id(), "to": str(session.jid)}, change))


async def _hide(host: Host, account: Account, before: BlockList) -> None:
    """§3.3: to who is blocked now and saw the account's presence, it is gone."""
    blocks = await host.blocking.get(account.id)
    for contact in await _watchers(host, account, blocks):
        if not is_blocked(before, account, contact):
            host.presences.hide(account, contact)
    for session in host.router.of(account.address).values():
        for jid in [jid for jid in session.directed if is_blocked(blocks, account, jid)]:
            session.directed.discard(jid)
            host.post.send(xml("presence", {"from": str(session.jid), "to": str(jid), "type": "unavailable"}), jid)


async def _show(host: Host, account: Account, before: BlockList) -> None:
    """§3.4: who is blocked no longer, and may, sees the account's presence again."""
    blocks = await host.blocking.get(account.id)
    for contact in await _watchers(host, account, before, is_mutual=True):
        if not is_blocked(blocks, account, contact):
            await host.presences.show_unblocked(account, contact)


async def _watchers(host: Host, account: Account, blocks: BlockList, *, is_mutual: bool = False) -> Sequence[JID]:
    """Contacts whom the list covers and who may see the account's presence; a single device as its full address.

    `is_mutual`: those whose presence the account may see as well.
    """
    roster = await host.rosters.get(account.id)

    def covered() -> Iterator[JID]:
        for contact in roster.contacts.values():
            if contact.state.from_ or (is_mutual and contact.state.to):
                jid = JID.parse(contact.address)
                if is_blocked(blocks, account, jid):
                    yield jid
                else:
                    prefix = f"{contact.address}/"
                    yield from (JID.parse(each) for each in blocks.addresses if each.startswith(prefix))

    return list(covered())


_ACCOUNT: Final = frozenset({Target.ACCOUNT})

EXTENSION = Extension(
    spec="XEP-0191",
    name="Blocking Command",
    version="1.3",
    status="complete; there are no privacy lists (XEP-0016) beside it",
    server_features=(NS_BLOCKING,),
    account_features=(NS_BLOCKING,),
    iq=(
        IqHandler("get", NS_BLOCKING, "blocklist", _ACCOUNT, _list),
        IqHandler("set", NS_BLOCKING, "block", _ACCOUNT, _block),
        IqHandler("set", NS_BLOCKING, "unblock", _ACCOUNT, _unblock),
    ),
)
