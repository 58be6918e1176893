from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

import pytest

from parley.base.net.trust_store import certificates, trusted_digests

PEM = ssl.DER_cert_to_PEM_cert
BROKEN = "-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n"


def test_a_file_with_several_certificates_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("# ours\n" + PEM(b"first") + "\n" + PEM(b"second"))
    found = trusted_digests(path)
    assert {hashlib.sha256(each).digest() for each in (b"first", b"second")} <= found
    assert trusted_digests(None) == found - {hashlib.sha256(each).digest() for each in (b"first", b"second")}


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    assert trusted_digests(tmp_path / "absent.pem") == trusted_digests(None)
    broken = tmp_path / "broken.pem"
    broken.write_text(BROKEN)
    assert trusted_digests(broken) == trusted_digests(None)
    assert certificates("no certificate") == []
    with pytest.raises(ValueError, match="base64"):
        certificates(BROKEN)
