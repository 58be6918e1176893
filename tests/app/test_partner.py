"""`parley partner`: agreements, with and without a server."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from tests.app.calling import DOMAIN, Cli

PARTNER = "partner.example"


def write_certificate(path: Path) -> tuple[str, str]:
    """Make a certificate; returns the digests of its key and of itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, PARTNER)])
    start = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(start).not_valid_after(start + datetime.timedelta(days=1))
    made = builder.sign(key, hashes.SHA256())
    path.write_bytes(b"about it\n" + made.public_bytes(Encoding.PEM))
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest(), made.fingerprint(hashes.SHA256()).hex()


def test_an_agreement_that_names_nothing_is_as_usual(cli: Cli) -> None:
    added = cli.json("partner", "add", "Partner.Example")
    assert added["state"] == "in force"
    shown = cli.json("partner", "show", PARTNER)
    assert shown == {
        "domain": PARTNER,
        "directions": ["in", "out"],
        "kinds": ["files", "messages", "presence", "requests", "rooms"],
        "pins": [],
        "authorities": [],
        "max_stanza_bytes": None,
        "rates": None,
        "starts_at": None,
        "expires_at": None,
        "is_for_services": True,
        "is_dialback_allowed": False,
        "note": "",
        "revoked_at": None,
        "state": "in force",
        "waiting": 0,
        "streams": 0,
        "cut_off_s": 0,
    }
    assert cli.json("partner", "list") == {"partners": [shown], "waiting_for_others": []}


def test_every_option_is_kept_and_a_change_leaves_the_others(cli: Cli, tmp_path: Path) -> None:
    key, fingerprint = write_certificate(tmp_path / "ca.pem")
    cli.json(
        "partner", "add", PARTNER, "--direction", "in", "--kinds", "messages,rooms", "--pin", tmp_path / "ca.pem",
        "--pin", "sha256:" + "AB:" * 31 + "AB", "--ca", tmp_path / "ca.pem", "--max-stanza-bytes", 20_000,
        "--stanzas-per-s", 5, "--expires", "2990-01-02", "--starts", "2020-01-02T03:04:05", "--no-services",
        "--note", "the grüne contract",
    )  # fmt: skip
    shown = cli.json("partner", "show", PARTNER)
    assert shown["directions"] == ["in"]
    assert shown["kinds"] == ["messages", "rooms"]
    assert shown["pins"] == sorted([key, "ab" * 32])
    assert shown["authorities"] == [fingerprint]
    assert shown["rates"] == {
        "stanzas_per_s": 5,
        "burst_stanzas": 2000,
        "bytes_per_s": 524_288,
        "burst_bytes": 4 * 1024 * 1024,
    }
    assert (shown["starts_at"], shown["expires_at"]) == ("2020-01-02T03:04:05Z", "2990-01-02T00:00:00Z")
    changed = cli.json(
        "partner", "change", PARTNER, "--pin", "none", "--expires", "never", "--max-stanza-bytes", 0,
        "--burst-bytes", 70_000,
    )  # fmt: skip
    assert changed["streams_ended"] == 0
    now = cli.json("partner", "show", PARTNER)
    assert (now["pins"], now["expires_at"], now["max_stanza_bytes"]) == ([], None, None)
    assert now["rates"] == shown["rates"] | {"burst_bytes": 70_000}
    assert {name: now[name] for name in ("directions", "kinds", "authorities", "note", "is_for_services")} == {
        name: shown[name] for name in ("directions", "kinds", "authorities", "note", "is_for_services")
    }


def test_who_changed_what_is_kept(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "root")
    monkeypatch.setenv("SUDO_USER", "carol")
    cli.json("partner", "add", PARTNER, "--note", "first")
    cli.json("partner", "add", "other.example")
    monkeypatch.delenv("SUDO_USER")
    cli.json("partner", "change", PARTNER, "--note", "second")
    revoked = cli.json("partner", "revoke", PARTNER)
    assert revoked["state"] == "revoked"
    changes = cli.json("partner", "log", PARTNER)["changes"]
    assert [(each["action"], each["by"], each["agreement"]["note"]) for each in changes] == [
        ("revoked", "root", "second"),
        ("changed", "root", "second"),
        ("added", "carol as root", "first"),
    ]
    assert len(cli.json("partner", "log")["changes"]) == 4
    assert [each["action"] for each in cli.json("partner", "log", "--limit", "1")["changes"]] == ["revoked"]
    text = cli("partner", "log", PARTNER).stdout
    assert f"{PARTNER}  added by carol as root" in text
    assert f"{PARTNER}  revoked  both" in cli("partner", "list").stdout


def test_what_cannot_be_is_refused_with_its_code(cli: Cli) -> None:
    def code(*arguments: object) -> str:
        found: str = cli.json("partner", *arguments, status=1)["error"]["code"]
        return found

    assert code("show", PARTNER) == "partner-not-found"
    assert code("change", PARTNER, "--note", "x") == "partner-not-found"
    assert code("add", DOMAIN) == "partner-is-local"
    assert code("add", "no domain") == "domain-malformed"
    assert code("add", PARTNER, "--starts", "2030-01-01", "--expires", "2029-01-01") == "agreement-invalid"
    assert code("add", PARTNER, "--dialback", "--pin", "ab" * 32) == "agreement-invalid"
    assert cli.json("partner", "list")["partners"] == []
    cli.json("partner", "add", PARTNER)
    assert code("add", PARTNER) == "partner-exists"
    cli.json("partner", "revoke", PARTNER)
    assert code("revoke", PARTNER) == "partner-not-found"
    assert cli.json("partner", "add", PARTNER, "--note", "again")["state"] == "in force"


@pytest.mark.parametrize(
    "options",
    [
        ["--kinds", "messages,telepathy"],
        ["--pin", "abcdef"],
        ["--ca", "/nowhere.pem"],
        ["--expires", "tomorrow"],
        ["--direction", "up"],
        ["--stanzas-per-s", "0"],
    ],
)
def test_wrong_usage_is_told(cli: Cli, options: list[str]) -> None:
    assert cli("partner", "add", PARTNER, *options).exit_code == 2
    assert cli("partner", "change", PARTNER).exit_code == 2


def test_people_read_a_few_lines(cli: Cli) -> None:
    result = cli("partner", "add", PARTNER, "--direction", "out", "--expires", "2020-01-01")
    assert (result.stdout, result.stderr) == ("", f"There is an agreement with {PARTNER}: expired.\n")
    assert cli("partner", "list").stdout == (
        f"{PARTNER}  expired  out  files,messages,presence,requests,rooms  until 2020-01-01T00:00:00Z\n"
    )
    assert "expires      2020-01-01T00:00:00Z" in cli("partner", "show", PARTNER).stdout
