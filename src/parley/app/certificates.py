"""Certificates: making a self-signed one, and finding fault with the one that is there."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import idna
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID_DAYS: Final = 825
"""What browsers and clients accept at most from a certificate that an authority of the organisation signed."""
_CLOCKS_DIFFER: Final = timedelta(hours=1)
_LONGEST_COMMON_NAME: Final = 64
_XMPP_ADDRESS: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.5")
_UTF8_STRING: Final = 0x0C


@dataclass(frozen=True, slots=True)
class CertificatePair:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    private_key: bytes


def make_self_signed(domains: Sequence[str], now: datetime) -> CertificatePair:
    """Make a certificate (ECDSA, P-256) for the domains and for this machine.

    Names are those of RFC 6120 §13.7.1.2: each domain as dNSName and, by its XMPP name, as xmppAddr.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, idna_name(domains[0])[:_LONGEST_COMMON_NAME])])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + timedelta(days=_VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(_names(domains)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    certificate = builder.sign(key, hashes.SHA256())
    return CertificatePair(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def expires_at(certificate: x509.Certificate) -> datetime:
    """When the certificate expires."""
    return certificate.not_valid_after_utc


def is_valid_yet(certificate: x509.Certificate, now: datetime) -> bool:
    """Whether its time has begun."""
    return certificate.not_valid_before_utc <= now.astimezone(UTC)


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Whether nobody vouches for the certificate but itself."""
    return certificate.issuer == certificate.subject


def is_for_clients(certificate: x509.Certificate) -> bool:
    """Whether who opens a connection may show the certificate (RFC 5280 §4.2.1.12)."""
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.CLIENT_AUTH in usages or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usages


def covers(certificate: x509.Certificate, domain: str) -> bool:
    """Whether the certificate is for a domain or an IP address.

    A domain is named by dNSName, with wildcards as in RFC 6125 §6.4.3, or by xmppAddr.
    """
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    try:
        return ipaddress.ip_address(domain) in names.get_values_for_type(x509.IPAddress)
    except ValueError:
        pass
    try:
        wanted = idna_name(domain)
    except idna.IDNAError:
        return False
    parent = wanted.partition(".")[2]
    for name in names.get_values_for_type(x509.DNSName):
        if name.lower() == wanted or (parent and name.lower() == f"*.{parent}"):
            return True
    others = names.get_values_for_type(x509.OtherName)
    return any(other.type_id == _XMPP_ADDRESS and other.value == _utf8_string(domain) for other in others)


def idna_name(domain: str) -> str:
    """The domain as DNS has it: A-labels in lower case."""
    return idna.encode(domain, uts46=True).decode("ascii")


def _names(domains: Sequence[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    hosts = list(dict.fromkeys([*(idna_name(domain) for domain in domains), "localhost"]))
    names += [x509.DNSName(host) for host in hosts]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "::1")]
    names += [x509.OtherName(_XMPP_ADDRESS, _utf8_string(domain)) for domain in domains]
    return names


def _utf8_string(text: str) -> bytes:
    """DER of a UTF8String (X.690 §8.23); a domain is never longer than 255 bytes."""
    data = text.encode()
    head = [len(data)] if len(data) < 128 else [0x81, len(data)]
    return bytes([_UTF8_STRING, *head]) + data
