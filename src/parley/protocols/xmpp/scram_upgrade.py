"""Getting the keys of another hash from a client that knows the password (XEP-0480 §3)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from parley.protocols.xmpp.builder import xml
from parley.protocols.xmpp.errors import SASLCondition, SASLError
from parley.protocols.xmpp.namespaces import NS_SASL_UPGRADE, NS_SCRAM_UPGRADE
from parley.protocols.xmpp.sasl import decode_payload
from parley.protocols.xmpp.scram import HASHES, ScramKeys, hash_size, keys_of_salted

if TYPE_CHECKING:
    from parley.protocols.xmpp.element import Element

_PREFIX: Final = "UPGR-"

TASKS: Final = ("UPGR-SCRAM-SHA-256", "UPGR-SCRAM-SHA-512")
"""The tasks that are offered. Nobody is asked for the hash that is on its way out."""


def features() -> bytes:
    """What `<authentication/>` says of them."""
    return b"".join(xml("upgrade", {"xmlns": NS_SASL_UPGRADE}, task) for task in TASKS)


def mechanism_of(task: str) -> str:
    """The mechanism that a task of `TASKS` is for."""
    return task.removeprefix(_PREFIX)


def parameters(salt: bytes, iterations: int) -> bytes:
    """What the client needs to compute its part."""
    attrs = {"xmlns": NS_SCRAM_UPGRADE, "iterations": str(iterations)}
    return xml("salt", attrs, base64.b64encode(salt).decode())


def parse_keys(element: Element, task: str, salt: bytes, iterations: int) -> ScramKeys:
    """The keys out of the client's `<task-data/>`.

    Raises:
        SASLError: malformed-request, incorrect-encoding.
        PayloadError: libxml2 refuses what expat let pass.
    """
    text = element.tree().findtext(f"{{{NS_SCRAM_UPGRADE}}}hash")
    if text is None:
        raise SASLError(SASLCondition.MALFORMED_REQUEST, "there is no hash")
    salted = decode_payload(text.strip())
    hash_name = HASHES[mechanism_of(task)]
    if len(salted) != hash_size(hash_name):
        raise SASLError(SASLCondition.MALFORMED_REQUEST, "the hash has another length")
    return keys_of_salted(hash_name, salted, salt, iterations)
