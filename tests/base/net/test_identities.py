from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

from parley.base.net.identities import is_valid_for

KEY = ec.generate_private_key(ec.SECP256R1())
LONG = ".".join(["a" * 39] * 4 + ["a" * 40])
XMPP_ADDR, SRV_NAME = ObjectIdentifier("1.3.6.1.5.5.7.8.5"), ObjectIdentifier("1.3.6.1.5.5.7.8.7")


def certificate(*names: x509.GeneralName, common_name: str = "cn.example") -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.datetime(2026, 1, 1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def other(kind: ObjectIdentifier, tag: int, value: str) -> x509.OtherName:
    data = value.encode()
    return x509.OtherName(kind, bytes([tag, len(data)]) + data)


@pytest.mark.parametrize(
    ("name", "domain", "is_valid"),
    [
        (x509.DNSName("alpha.example"), "alpha.example", True),
        (x509.DNSName("ALPHA.example"), "alpha.example", True),
        (x509.DNSName("alpha.example"), "sub.alpha.example", False),
        (x509.DNSName("*.alpha.example"), "sub.alpha.example", True),
        (x509.DNSName("*.alpha.example"), "alpha.example", False),
        (x509.DNSName("*.alpha.example"), "a.sub.alpha.example", False),
        (x509.DNSName("*.example"), "alpha.example", False),
        (x509.DNSName("a*.alpha.example"), "ab.alpha.example", False),
        (x509.DNSName("xn--bcher-kva.example"), "bücher.example", True),
        (other(XMPP_ADDR, 0x0C, "alpha.example"), "alpha.example", True),
        (other(XMPP_ADDR, 0x0C, "bücher.example"), "bücher.example", True),
        (other(XMPP_ADDR, 0x0C, "someone@alpha.example"), "alpha.example", False),
        (other(SRV_NAME, 0x16, "_xmpp-server.alpha.example"), "alpha.example", True),
        (other(SRV_NAME, 0x16, "_xmpp-client.alpha.example"), "alpha.example", False),
        (other(SRV_NAME, 0x16, "_xmpps-server.alpha.example"), "alpha.example", True),
        (other(SRV_NAME, 0x16, "_XMPP-Server.Alpha.Example"), "alpha.example", True),
        (other(SRV_NAME, 0x16, "alpha.example"), "alpha.example", False),
        # RFC 6120 §13.7.1.2: an address of XMPP is one, no pattern; nor is another kind of string an address.
        (other(XMPP_ADDR, 0x0C, "*.alpha.example"), "sub.alpha.example", False),
        (other(XMPP_ADDR, 0x04, "alpha.example"), "alpha.example", False),
        (x509.OtherName(XMPP_ADDR, b"\x0c\x05" + b"other"), "alpha.example", False),
        (x509.OtherName(XMPP_ADDR, b"\x0c\x81\xc8" + LONG.encode()), LONG, True),
        # RFC 9525 §6.3: a wildcard is a whole label, the first one, and there is one.
        (x509.DNSName("*.*.alpha.example"), "a.b.alpha.example", False),
        (x509.DNSName("sub.*.example"), "sub.alpha.example", False),
        (x509.DNSName("*"), "alpha", False),
        (x509.DNSName("*.alpha.example"), "bücher.alpha.example", True),
        (x509.DNSName("alpha.example."), "alpha.example", True),
        # §6.2: only identifiers of these kinds count.
        (x509.RFC822Name("someone@alpha.example"), "alpha.example", False),
        (x509.UniformResourceIdentifier("xmpp:alpha.example"), "alpha.example", False),
    ],
)
def test_names_of_a_certificate(name: x509.GeneralName, domain: str, is_valid: bool) -> None:
    assert is_valid_for(certificate(name), domain) is is_valid


def test_the_common_name_does_not_count() -> None:
    assert not is_valid_for(certificate(), "cn.example")


def test_what_is_no_certificate_speaks_for_nobody() -> None:
    assert not is_valid_for(b"no certificate", "alpha.example")
