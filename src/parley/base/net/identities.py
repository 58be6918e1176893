"""For which XMPP domains a certificate speaks (RFC 6125, RFC 9525, RFC 6120 §13.7.1.2)."""

from __future__ import annotations

from typing import Final

import idna
from cryptography import x509
from cryptography.x509.oid import ObjectIdentifier

_XMPP_ADDR: Final = ObjectIdentifier("1.3.6.1.5.5.7.8.5")
_SRV_NAME: Final = ObjectIdentifier("1.3.6.1.5.5.7.8.7")
_SERVICES: Final = ("_xmpp-server.", "_xmpps-server.")
_SHORT_FORM: Final = 0x80
_TEXT_TAGS: Final = frozenset({0x0C, 0x16})  # UTF8String of xmppAddr, IA5String of SRVName


def is_valid_for(certificate_der: bytes, domain: str) -> bool:
    """Whether the certificate names the domain, as a DNS name, an SRV name or an XMPP address.

    Args:
        certificate_der: whose signatures were verified already.
        domain: in the form of `JID.domain`, with Unicode labels.

    A wildcard stands for the whole first label and nothing else. The common name does not count (RFC 9525 §2).
    """
    wanted = _ascii(domain)
    if not wanted:
        return False
    try:
        certificate = x509.load_der_x509_certificate(certificate_der)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return False
    presented = [*names.get_values_for_type(x509.DNSName)]
    for other in names.get_values_for_type(x509.OtherName):
        text = _text(other.value)
        if other.type_id == _XMPP_ADDR:
            presented.append(_ascii(text))
        elif other.type_id == _SRV_NAME:
            service = text.lower()
            presented += [service.removeprefix(prefix) for prefix in _SERVICES if service.startswith(prefix)]
    return any(_matches(name.lower().rstrip("."), wanted) for name in presented)


def _matches(presented: str, wanted: str) -> bool:
    if presented == wanted:
        return bool(wanted)
    first, _, parent = wanted.partition(".")
    # RFC 9525 §6.3: only as the whole leftmost label; and not for all of a top-level domain.
    return presented == f"*.{parent}" and bool(first) and "." in parent


def _ascii(domain: str) -> str:
    try:
        return idna.encode(domain, uts46=True).decode().lower()
    except idna.IDNAError:
        return ""


def _text(value: bytes) -> str:
    """The string of a DER value of one of the two types, in short or long form of its length."""
    if len(value) < 2 or value[0] not in _TEXT_TAGS:
        return ""
    head = 2 if value[1] < _SHORT_FORM else 2 + (value[1] & 0x7F)
    return value[head:].decode("utf-8", "replace")
