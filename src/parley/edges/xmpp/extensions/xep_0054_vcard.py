"""The card that everybody may see; a picture that is put on it becomes the account's avatar (XEP-0398)."""

from __future__ import annotations

from typing import Final

from parley.edges.xmpp.extension import Extension, IqHandler, IqRequest, Target
from parley.edges.xmpp.extensions.profile.cards import Cards, photo_of
from parley.edges.xmpp.extensions.xep_0398_avatar_conversion import card_changed
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_VCARD


async def _get(request: IqRequest) -> bytes:
    card = None if request.account is None else await request.host.stores.personal.card(request.account.id)
    if card is None:
        # §3.1, §3.3: SHOULD be this one for the own card and MAY be for that of others.
        raise StanzaError(StanzaCondition.ITEM_NOT_FOUND)
    return card.content


async def _set(request: IqRequest) -> bytes:
    host, account = request.host, request.session.account
    cards = host.memory(Cards)
    before = await cards.photo_hash(account.id)
    await cards.put(account.id, request.tree)
    await card_changed(host, account, before, photo_of(request.tree))
    return b""


async def _forbidden(_request: IqRequest) -> bytes:
    # §3.2: nobody changes the card of somebody else.
    raise StanzaError(StanzaCondition.FORBIDDEN)


_ACCOUNT: Final = frozenset({Target.ACCOUNT})
_CONTACT: Final = frozenset({Target.CONTACT})

EXTENSION = Extension(
    spec="XEP-0054",
    name="vcard-temp",
    version="1.3.0",
    server_features=(NS_VCARD,),
    account_features=(NS_VCARD,),
    iq=(
        IqHandler("get", NS_VCARD, "vCard", _ACCOUNT | _CONTACT, _get, for_strangers=True),
        IqHandler("set", NS_VCARD, "vCard", _ACCOUNT, _set),
        IqHandler("set", NS_VCARD, "vCard", _CONTACT, _forbidden, for_strangers=True),
    ),
)
