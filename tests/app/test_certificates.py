"""Certificates: the one that is made covers what it should."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from parley.app.certificates import covers, is_self_signed, is_valid_yet, make_self_signed
from parley.base.net.tls import TlsCredentials

NOW = datetime(2025, 6, 1, tzinfo=UTC)


def made(*domains: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(make_self_signed(domains, NOW).certificate)


@pytest.mark.parametrize("domain", ["example.org", "bücher.example", "localhost", "127.0.0.1", "::1"])
def test_it_covers_its_domains(domain):
    certificate = made("example.org", "bücher.example")
    assert covers(certificate, domain)
    assert is_self_signed(certificate)
    assert is_valid_yet(certificate, NOW)
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)


@pytest.mark.parametrize("domain", ["example.com", "sub.example.org", "org", "", "10.0.0.1", "::2"])
def test_it_covers_no_others(domain):
    assert not covers(made("example.org"), domain)


def test_a_wildcard_covers_one_label():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    wildcard = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("*.example.org")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    assert covers(wildcard, "a.example.org")
    assert not covers(wildcard, "a.b.example.org")
    assert not covers(wildcard, "example.org")


def test_a_long_domain_is_named_whole(tmp_path):
    domain = ".".join(["a" * 60] * 4)
    pair = make_self_signed([domain], NOW)
    (tmp_path / "c.pem").write_bytes(pair.certificate)
    (tmp_path / "k.pem").write_bytes(pair.private_key)
    TlsCredentials(tmp_path / "c.pem", tmp_path / "k.pem")
    assert covers(x509.load_pem_x509_certificate(pair.certificate), domain)
