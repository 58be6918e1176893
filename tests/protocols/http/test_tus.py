import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.protocols.http import tus
from parley.protocols.http.digests import parse_content_digest, parse_legacy_digest
from parley.protocols.http.errors import HeaderError

keys = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters=","), min_size=1, max_size=10)


@given(st.integers(0, 10**18 - 1))
def test_numbers(number: int):
    assert tus.parse_number("Upload-Offset", str(number)) == number


@pytest.mark.parametrize("value", [None, "", " 1", "1 ", "-0", "+1", "1.0", "0x1", "٣", "1" * 19, "1\n"])
def test_what_is_no_number(value: str | None):
    with pytest.raises(HeaderError) as refusal:
        tus.parse_number("Upload-Offset", value)
    assert refusal.value.header == "Upload-Offset"


@given(st.dictionaries(keys, st.binary(max_size=20), max_size=6))
def test_metadata_round_trips(pairs: dict[str, bytes]):
    assert tus.parse_metadata(tus.format_metadata(pairs)) == pairs


def test_metadata_as_clients_write_it():
    assert tus.parse_metadata("filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential") == {
        "filename": b"world_domination_plan.pdf",
        "is_confidential": b"",
    }
    assert tus.parse_metadata("a , b YQ==") == {"a": b"", "b": b"a"}
    assert tus.parse_metadata("") == {}


@pytest.mark.parametrize(
    "value", ["a,,b", ",", "a YQ==,a", "a YQ", "a Y Q==", "a YR==", "ü YQ==", "a " + "YQ==" * 3000]
)
def test_malformed_metadata(value: str):
    with pytest.raises(HeaderError):
        tus.parse_metadata(value)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
@given(data=st.binary(max_size=20))
def test_checksums(algorithm: str, data: bytes):
    digest = hashlib.new(algorithm, data).digest()
    value = f"{algorithm} {base64.b64encode(digest).decode()}"
    assert tus.parse_checksum(value) == tus.Checksum(algorithm, digest)


@pytest.mark.parametrize(
    "value", ["", "sha1", "sha1 ", "sha1  AAAA", "sha1 AAAA", "sha256 " + "A" * 28, "sha1 ====", "sha1 ü"]
)
def test_malformed_checksums(value: str):
    with pytest.raises(HeaderError) as refusal:
        tus.parse_checksum(value)
    assert not isinstance(refusal.value, tus.UnsupportedAlgorithmError)


@pytest.mark.parametrize("algorithm", ["md5", "SHA1", "crc32"])
def test_other_algorithms(algorithm: str):
    with pytest.raises(tus.UnsupportedAlgorithmError):
        tus.parse_checksum(f"{algorithm} AAAA")


DIGEST = hashlib.sha256(b"x").digest()
ENCODED = base64.b64encode(DIGEST).decode()


@pytest.mark.parametrize(
    ("value", "digest"),
    [
        (f"sha-256=:{ENCODED}:", DIGEST),
        (f"sha-512=:AAAA:,\tsha-256=:{ENCODED}:", DIGEST),
        ("md5=:AAAA:", None),
    ],
)
def test_content_digest(value: str, digest: bytes | None):
    assert parse_content_digest("Content-Digest", value) == digest


@pytest.mark.parametrize(
    "value",
    ["", "sha-256", f"sha-256={ENCODED}", "sha-256=:AAAA:", "sha-256=:?:", f"SHA-256=:{ENCODED}:", "sha-256=:A:"],
)
def test_malformed_content_digest(value: str):
    with pytest.raises(HeaderError):
        parse_content_digest("Content-Digest", value)


def test_legacy_digest():
    assert parse_legacy_digest(f"md5=AAAA, SHA-256={ENCODED}") == DIGEST
    assert parse_legacy_digest("md5=AAAA") is None
    for value in ("", "sha-256", "sha-256=AAAA", "=x"):
        with pytest.raises(HeaderError):
            parse_legacy_digest(value)
