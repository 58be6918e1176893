"""Entity capabilities (XEP-0115): the hash that stands for what a client can do."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from parley.protocols.xmpp.builder import xml
from parley.protocols.xmpp.dataforms import parse_form
from parley.protocols.xmpp.errors import PayloadError
from parley.protocols.xmpp.namespaces import NS_CAPS, NS_DATA, NS_DISCO_INFO, XML_LANG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lxml.etree import _Element

    from parley.protocols.xmpp.dataforms import Form

_HASHES: Final[Mapping[str, str]] = MappingProxyType(
    {"sha-1": "sha1", "sha-224": "sha224", "sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}
)


@dataclass(frozen=True, slots=True)
class Identity:
    """What kind of entity this is (XEP-0030 §3.1)."""

    category: str
    type: str
    lang: str = ""
    name: str = ""

    def to_bytes(self) -> bytes:
        """The `<identity/>`."""
        return xml(
            "identity",
            {"category": self.category, "type": self.type, "xml:lang": self.lang or None, "name": self.name or None},
        )


@dataclass(frozen=True, slots=True)
class DiscoInfo:
    """The content of a disco#info answer; duplicates are kept, because `verify` must see them."""

    identities: tuple[Identity, ...]
    features: tuple[str, ...]
    forms: tuple[Form, ...] = ()

    def to_bytes(self, node: str | None = None) -> bytes:
        """The `<query/>`."""
        return xml(
            "query",
            {"xmlns": NS_DISCO_INFO, "node": node},
            *(identity.to_bytes() for identity in self.identities),
            *(xml("feature", {"var": feature}) for feature in self.features),
            *(form.to_bytes() for form in self.forms),
        )


@dataclass(frozen=True, slots=True)
class Caps:
    """The `<c/>` in a presence; `hash` is "" in the format from before XEP-0115 1.4, which cannot be verified."""

    hash: str
    node: str
    ver: str

    def to_bytes(self) -> bytes:
        """The `<c/>`."""
        return xml("c", {"xmlns": NS_CAPS, "hash": self.hash or None, "node": self.node, "ver": self.ver})


def parse_caps(element: _Element) -> Caps:
    """The capabilities that `<c/>` announces; raises PayloadError."""
    node, ver = element.get("node"), element.get("ver")
    if element.tag != f"{{{NS_CAPS}}}c" or not node or not ver:
        raise PayloadError("not entity capabilities")
    return Caps(element.get("hash") or "", node, ver)


def parse_disco_info(query: _Element) -> DiscoInfo:
    """The content of a disco#info `<query/>`; raises PayloadError."""
    identities = tuple(
        Identity(e.get("category") or "", e.get("type") or "", e.get(XML_LANG) or "", e.get("name") or "")
        for e in query.iterchildren(f"{{{NS_DISCO_INFO}}}identity")
    )
    features = tuple(e.get("var") or "" for e in query.iterchildren(f"{{{NS_DISCO_INFO}}}feature"))
    forms = tuple(parse_form(e) for e in query.iterchildren(f"{{{NS_DATA}}}x"))
    return DiscoInfo(identities, features, forms)


def verification_string(info: DiscoInfo, algorithm: str = "sha-1") -> str:
    """The `ver` of `info` (XEP-0115 §5.1).

    Args:
        info: what the entity can do.
        algorithm: the hash function's name as IANA registers it.

    Raises:
        PayloadError: the algorithm is unknown, or a text holds "<".
    """
    if algorithm not in _HASHES:
        raise PayloadError("unknown hash function")
    names = sorted([part.encode() for part in (i.category, i.type, i.lang, i.name)] for i in info.identities)
    parts = [b"/".join(name) for name in names]
    parts += sorted(feature.encode() for feature in info.features)
    for form in sorted(info.forms, key=lambda form: form.form_type.encode()):
        if form.form_type and _has_hidden_type(form):
            parts += _form_parts(form)
    # The separator inside a text would let two different answers have one hash, so such an answer has none.
    if any(b"<" in part for part in parts):
        raise PayloadError('"<" in service discovery')
    joined = b"".join(part + b"<" for part in parts)
    return base64.b64encode(hashlib.new(_HASHES[algorithm], joined, usedforsecurity=False).digest()).decode()


def verify(info: DiscoInfo, caps: Caps) -> bool:
    """Whether `info` is what `caps` announced, and may be remembered under it (XEP-0115 §5.4)."""
    form_types = [form.form_type for form in info.forms if form.form_type]
    is_repeating = (
        len(set(info.identities)) < len(info.identities)
        or len(set(info.features)) < len(info.features)
        or len(set(form_types)) < len(form_types)
        or any(len(set(field.values)) > 1 for form in info.forms for field in form.fields if field.var == "FORM_TYPE")
    )
    if is_repeating:
        return False
    try:
        return hmac.compare_digest(verification_string(info, caps.hash).encode(), caps.ver.encode())
    except PayloadError:
        return False


def _has_hidden_type(form: Form) -> bool:
    # XEP-0115 §5.4: a FORM_TYPE that is not hidden does not count.
    field = form.field("FORM_TYPE")
    return field is not None and field.type == "hidden"


def _form_parts(form: Form) -> list[bytes]:
    parts = [form.form_type.encode()]
    for field in sorted(form.fields, key=lambda field: field.var.encode()):
        if field.var != "FORM_TYPE":
            parts.append(field.var.encode())
            parts += sorted(value.encode() for value in field.values)
    return parts
