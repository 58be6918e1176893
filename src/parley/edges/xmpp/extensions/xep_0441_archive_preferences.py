"""What an account wants to have in its archive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.domain.archive.preferences import MAX_LISTED, Keep, Preferences
from parley.edges.xmpp.extension import Extension, IqHandler, IqRequest, Target
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import PayloadError, StanzaCondition, StanzaError
from parley.protocols.xmpp.jid import JID
from parley.protocols.xmpp.namespaces import NS_MAM

if TYPE_CHECKING:
    from lxml.etree import _Element

    from parley.base.config import Settings


async def _get(request: IqRequest) -> bytes:
    return _prefs(await request.host.archiving.get(request.session.account.id))


async def _set(request: IqRequest) -> bytes:
    archiving, account_id = request.host.archiving, request.session.account.id
    wanted = parse_preferences(request.tree)
    if wanted != await archiving.get(account_id):
        if archiving.is_fixed:
            # §2.1: "the server generally does not allow changing of configuration preferences".
            raise StanzaError(StanzaCondition.NOT_ALLOWED, "what is archived here is not for people to choose")
        await archiving.choose(account_id, wanted)
    return _prefs(wanted)


def _prefs(preferences: Preferences) -> bytes:
    lists = {"always": preferences.always, "never": preferences.never}
    parts = [xml(name, None, *(xml("jid", None, text) for text in listed)) for name, listed in lists.items()]
    return xml("prefs", {"xmlns": NS_MAM, "default": preferences.default.value}, *parts)


def parse_preferences(tree: _Element) -> Preferences:
    """What `<prefs/>` of type set asks for (§2.1).

    Raises:
        PayloadError: an unknown default; JIDError: an address that is none; StanzaError: lists that are too long.
    """
    try:
        default = Keep(tree.get("default", ""))
    except ValueError as error:
        # §2.1.1: it MUST be one of the three.
        raise PayloadError("the default is always, never or roster") from error
    return Preferences(default, _listed(tree, "always"), _listed(tree, "never"))


def _listed(tree: _Element, name: str) -> tuple[str, ...]:
    jids = [jid.text or "" for each in tree.iterchildren(f"{{{NS_MAM}}}{name}") for jid in each.iterchildren()]
    if len(jids) > MAX_LISTED:
        raise StanzaError(StanzaCondition.RESOURCE_CONSTRAINT, f"at most {MAX_LISTED} addresses in a list")
    return tuple(dict.fromkeys(str(JID.parse(text.strip())) for text in jids))


def _is_enabled(settings: Settings) -> bool:
    return settings.archive.enabled


_ACCOUNT: Final = frozenset({Target.ACCOUNT})

EXTENSION = Extension(
    spec="XEP-0441",
    name="Message Archive Management Preferences",
    version="0.2.0",
    status="complete; `archive.preferences` says whether people may choose",
    is_enabled=_is_enabled,
    iq=(
        IqHandler("get", NS_MAM, "prefs", _ACCOUNT, _get),
        IqHandler("set", NS_MAM, "prefs", _ACCOUNT, _set),
    ),
)
