"""Authors take messages back: the retraction is archived and passed on like what it retracts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.edges.xmpp.extension import Extension
from parley.edges.xmpp.traits import NS_RETRACT

if TYPE_CHECKING:
    from parley.base.config import Settings


def _is_enabled(settings: Settings) -> bool:
    return settings.archive.enabled


EXTENSION = Extension(
    spec="XEP-0424",
    name="Message Retraction",
    version="0.4.2",
    status="complete: edges/xmpp/traits.py archives it; `archive.retractions` says what becomes of the message",
    is_enabled=_is_enabled,
    server_features=(NS_RETRACT,),
    account_features=(NS_RETRACT,),
)
