"""Of a retracted message only a tombstone stays in the archives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.edges.xmpp.delivery.traits import NS_RETRACT
from parley.edges.xmpp.extension import Extension

if TYPE_CHECKING:
    from parley.base.config import Settings


def _is_enabled(settings: Settings) -> bool:
    return settings.archive.enabled and settings.archive.retractions == "tombstone"


EXTENSION = Extension(
    spec="XEP-0424",
    name="Message Retraction: tombstones",
    version="0.4.2",
    status="off unless `archive.retractions` is `tombstone`: edges/xmpp/delivery/tombstones.py",
    is_enabled=_is_enabled,
    server_features=(f"{NS_RETRACT}#tombstone",),
    account_features=(f"{NS_RETRACT}#tombstone",),
)
