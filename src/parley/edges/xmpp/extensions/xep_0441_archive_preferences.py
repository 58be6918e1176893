"""Preferences of the archive: everything is kept, and nothing else can be chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parley.edges.xmpp.extension import Extension, IqHandler, IqRequest, Target
from parley.protocols.xmpp.element import xml
from parley.protocols.xmpp.errors import StanzaCondition, StanzaError
from parley.protocols.xmpp.namespaces import NS_MAM

if TYPE_CHECKING:
    from parley.base.config import Settings


async def _get(_request: IqRequest) -> bytes:
    return xml("prefs", {"xmlns": NS_MAM, "default": "always"}, xml("always"), xml("never"))


async def _set(request: IqRequest) -> bytes:
    if request.tree.get("default") != "always" or any(len(rule) for rule in request.tree):
        # §2: the answer is what holds; better none than one that a person may miss.
        raise StanzaError(StanzaCondition.FEATURE_NOT_IMPLEMENTED, "everything is kept in the archive")
    return await _get(request)


def _is_enabled(settings: Settings) -> bool:
    return settings.archive.enabled


_ACCOUNT: Final = frozenset({Target.ACCOUNT})

EXTENSION = Extension(
    spec="XEP-0441",
    name="Message Archive Management Preferences",
    version="0.2.0",
    status="can be read, not changed: `always` for everybody",
    is_enabled=_is_enabled,
    iq=(
        IqHandler("get", NS_MAM, "prefs", _ACCOUNT, _get),
        IqHandler("set", NS_MAM, "prefs", _ACCOUNT, _set),
    ),
)
