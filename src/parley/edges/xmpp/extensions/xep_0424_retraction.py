"""Authors take messages back: the retraction is archived and passed on like what it retracts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.edges.xmpp.delivery.traits import NS_RETRACT
from parley.edges.xmpp.extension import Extension

if TYPE_CHECKING:
    from parley.base.config import Settings


def _is_enabled(settings: Settings) -> bool:
    return settings.archive.enabled


EXTENSION = Extension(
    spec="XEP-0424",
    name="Message Retraction",
    version="0.4.2",
    status="complete: edges/xmpp/delivery/traits.py archives it; `archive.retractions` says what is kept",
    is_enabled=_is_enabled,
    server_features=(NS_RETRACT,),
    account_features=(NS_RETRACT,),
)
