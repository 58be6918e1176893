"""XMPP addresses (RFC 7622): parsing, normal form, comparison.

A `JID` always holds the normal form, so two addresses are the same exactly when they are equal. Most addresses on the
wire are plain ASCII and take a path of two regular expressions; the rest goes through PRECIS and IDNA2008.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import Final

import idna
from precis_i18n import get_profile

from parley.protocols.xmpp.errors import JIDError

MAX_PART_BYTES: Final = 1023
"""RFC 7622 §3.2 to §3.4: no part may be longer than 1,023 octets of UTF-8."""

_LONGEST_TEXT: Final = 3 * MAX_PART_BYTES + 2
_CACHED: Final = 8192

# RFC 7622 §3.3.1 leaves these out of what UsernameCaseMapped allows.
_LOCAL_EXCLUDED: Final = frozenset("\"&'/:<>@")
_ASCII_LOCAL: Final = re.compile(r"[!#-%(-.0-9;=?A-Z\[-~]+")
# No label with a hyphen in third place: "xn--" and other tagged labels need IDNA.
_ASCII_LABEL: Final = r"(?!..--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ASCII_DOMAIN: Final = re.compile(rf"{_ASCII_LABEL}(?:\.{_ASCII_LABEL})*")
_ASCII_RESOURCE: Final = re.compile(r"[ -~]+")

_username = get_profile("UsernameCaseMapped")
_opaque = get_profile("OpaqueString")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class JID:
    """An address in normal form; `local` and `resource` are "" when absent.

    Use `JID.parse` for anything that was not parsed before: the constructor trusts its arguments.
    """

    local: str
    domain: str
    resource: str = ""
    _text: str = field(init=False)
    _bare: JID | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        text = f"{self.local}@{self.domain}" if self.local else self.domain
        object.__setattr__(self, "_text", f"{text}/{self.resource}" if self.resource else text)

    @staticmethod
    def parse(text: str) -> JID:
        """The address that `text` names, normalised.

        Raises:
            JIDError: `text` is not an address by RFC 7622 §3.
        """
        return _parse(text)

    @property
    def bare(self) -> JID:
        """The address without its resource."""
        if not self.resource:
            return self
        if self._bare is None:
            object.__setattr__(self, "_bare", JID(self.local, self.domain))
        return self._bare  # type: ignore[return-value]  # set above

    @property
    def is_bare(self) -> bool:
        """Whether there is no resource (a domain alone is bare too)."""
        return not self.resource

    @property
    def is_full(self) -> bool:
        """Whether there is a resource."""
        return bool(self.resource)

    def with_resource(self, resource: str) -> JID:
        """The same account or domain with `resource`, which is normalised; raises `JIDError`."""
        return JID(self.local, self.domain, _resource(resource))

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"JID({self._text!r})"

    def __hash__(self) -> int:
        return hash(self._text)

    def __eq__(self, other: object) -> bool:
        # The text is unambiguous: no local part holds "@" or "/", no domain holds "/".
        return self._text == other._text if isinstance(other, JID) else NotImplemented

    def __lt__(self, other: JID) -> bool:
        return self._text < other._text


@lru_cache(maxsize=_CACHED)
def _parse(text: str) -> JID:
    if len(text) > _LONGEST_TEXT:
        raise JIDError("the address is too long")
    # RFC 7622 §3.2: the resource starts at the first "/", the domain after the first "@" before that.
    rest, slash, resource = text.partition("/")
    local, at, domain = rest.partition("@")
    if not at:
        local, domain = "", rest
    elif not local:
        raise JIDError("the local part is empty")
    if slash and not resource:
        raise JIDError("the resource is empty")
    return JID(_local(local) if at else "", _domain(domain), _resource(resource) if slash else "")


def _local(text: str) -> str:
    if _ASCII_LOCAL.fullmatch(text):
        return _checked_length(text.lower(), "local part")
    try:
        prepared = _username.enforce(text)
    except UnicodeError as error:
        raise JIDError("the local part is not a username by RFC 8265") from error
    if not _LOCAL_EXCLUDED.isdisjoint(prepared):
        raise JIDError("the local part holds a character that addresses may not have")
    return _checked_length(prepared, "local part")


def _resource(text: str) -> str:
    if _ASCII_RESOURCE.fullmatch(text):
        return _checked_length(text, "resource")
    try:
        prepared = _opaque.enforce(text)
    except UnicodeError as error:
        raise JIDError("the resource is not an opaque string by RFC 8265") from error
    return _checked_length(prepared, "resource")


def _domain(text: str) -> str:
    if text.startswith("[") and text.endswith("]"):
        return _ipv6(text[1:-1])
    # RFC 7622 §3.2: a final label separator MUST be stripped before anything else is done with the domain.
    text = text[:-1] if text.endswith((".", "\u3002", "\uff0e", "\uff61")) else text
    if _ASCII_DOMAIN.fullmatch(text):
        return _checked_length(text.lower(), "domain")
    if len(text) > MAX_PART_BYTES:
        raise JIDError("the domain is too long")
    try:
        prepared = idna.decode(text, uts46=True)
        # Lengths of labels are limited in their ASCII form (RFC 5890 §2.3.1).
        idna.encode(prepared)
    except (idna.IDNAError, UnicodeError) as error:
        raise JIDError("the domain is neither a host name nor an internationalised one") from error
    if prepared.endswith("."):
        raise JIDError("the domain has an empty label")
    return _checked_length(prepared, "domain")


def _ipv6(text: str) -> str:
    if "%" in text:
        raise JIDError("the domain is an IPv6 address with a zone")
    try:
        return f"[{IPv6Address(text)}]"
    except AddressValueError as error:
        raise JIDError("the domain is not an IPv6 address") from error


def _checked_length(text: str, part: str) -> str:
    if not 0 < len(text.encode()) <= MAX_PART_BYTES:
        raise JIDError(f"the {part} is empty or longer than {MAX_PART_BYTES} bytes")
    return text
