"""Entity capabilities, second version (XEP-0390): sets of hashes that stand for what an entity can do."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from parley.protocols.xmpp.builder import xml
from parley.protocols.xmpp.errors import PayloadError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lxml.etree import _Element

    from parley.protocols.xmpp.caps import DiscoInfo
    from parley.protocols.xmpp.dataforms import Field, Form

NS_CAPS2: Final = "urn:xmpp:caps"
NS_HASHES: Final = "urn:xmpp:hashes:2"

# The strongest first.
_HASHES: Final[Mapping[str, str]] = MappingProxyType(
    {"sha3-512": "sha3_512", "sha-512": "sha512", "sha3-256": "sha3_256", "sha-256": "sha256"}
)
_UNIT, _RECORD, _GROUP, _FILE = b"\x1f", b"\x1e", b"\x1d", b"\x1c"


@dataclass(frozen=True, slots=True)
class CapsHash:
    """One hash: `algorithm` as XEP-0300 names it, `value` in Base64."""

    algorithm: str
    value: str

    @property
    def node(self) -> str:
        """The node to ask for what it stands for (§4.3)."""
        return f"{NS_CAPS2}#{self.algorithm}.{self.value}"


def parse_caps2(element: _Element) -> CapsHash | None:
    """The best hash of a `<c/>`; None when none of its functions is known. Raises PayloadError."""
    if element.tag != f"{{{NS_CAPS2}}}c":
        raise PayloadError("not entity capabilities")
    found = {e.get("algo"): (e.text or "").strip() for e in element.iterchildren(f"{{{NS_HASHES}}}hash")}
    return next((CapsHash(name, found[name] or "") for name in _HASHES if found.get(name)), None)


def hash_of(info: DiscoInfo, algorithm: str) -> CapsHash:
    """The hash of what an entity can do (§4.1, §4.2). Raises PayloadError, also for an unknown function."""
    if algorithm not in _HASHES:
        raise PayloadError("unknown hash function")
    digest = hashlib.new(_HASHES[algorithm], hash_input(info)).digest()
    return CapsHash(algorithm, base64.b64encode(digest).decode())


def hash_input(info: DiscoInfo) -> bytes:
    """What the hash function is given (§4.1); raises PayloadError for a form without a FORM_TYPE (XEP-0068)."""
    if any(not form.form_type for form in info.forms):
        raise PayloadError("a form without a type")
    features = _sorted(_units(feature) for feature in info.features)
    identities = _sorted(_units(i.category, i.type, i.lang, i.name) + _RECORD for i in info.identities)
    forms = _sorted(_form(form) for form in info.forms)
    return features + _FILE + identities + _FILE + forms + _FILE


def verify2(info: DiscoInfo, claimed: CapsHash) -> bool:
    """Whether `info` is what the hash announced, and may be remembered under it (§4.4)."""
    try:
        made = hash_of(info, claimed.algorithm)
    except PayloadError:
        return False
    return hmac.compare_digest(made.value.encode(), claimed.value.encode())


def caps2_to_bytes(hashes: Iterable[CapsHash]) -> bytes:
    """The `<c/>` that announces these."""
    parts = (xml("hash", {"xmlns": NS_HASHES, "algo": each.algorithm}, each.value) for each in hashes)
    return xml("c", {"xmlns": NS_CAPS2}, *parts)


def _units(*texts: str) -> bytes:
    return b"".join(text.encode() + _UNIT for text in texts)


def _sorted(parts: Iterable[bytes]) -> bytes:
    return b"".join(sorted(parts))


def _form(form: Form) -> bytes:
    return _sorted(_field(field) for field in form.fields) + _GROUP


def _field(field: Field) -> bytes:
    return _units(field.var) + _sorted(_units(value) for value in field.values) + _RECORD
