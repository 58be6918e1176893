"""Tasks by which an account gets keys of a SCRAM mechanism that it has none for, from a client with the password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parley.edges.xmpp.extension import Extension
from parley.protocols.xmpp.scram_upgrade import features

if TYPE_CHECKING:
    from parley.edges.xmpp.host import Host


def _features(_host: Host) -> bytes:
    # To everybody alike: an offer that depended on the account would tell strangers of it. What an account has already
    # is not asked for.
    return features()


EXTENSION = Extension(
    spec="XEP-0480",
    name="SASL Upgrade Tasks",
    version="0.2.0",
    status="complete; keys that an account has are not replaced",
    authentication_features=_features,
)
