"""What `parley check` finds."""

from __future__ import annotations

import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from tests.app.calling import DOMAIN, Cli

from parley.app.certificates import make_self_signed

CHECK = "import sys; from parley.app.cli import main; main(sys.argv[1:])"
FREE = (
    "--set",
    'xmpp.c2s=["127.0.0.1:0"]',
    "--set",
    'xmpp.c2s_tls=["127.0.0.1:0"]',
    "--set",
    'http.listen=["127.0.0.1:0"]',
)


def codes(cli: Cli, *arguments: object, status: int = 1) -> set[str]:
    return {each["code"] for each in cli.json("check", *FREE, *arguments, status=status)["problems"]}


def warnings(cli: Cli, *arguments: object) -> set[str]:
    return {each["code"] for each in cli.json("check", *FREE, *arguments)["warnings"]}


def test_a_fresh_installation_has_no_problem(cli: Cli):
    cli("user", "add", f"alice@{DOMAIN}")
    assert codes(cli, status=0) == set()
    assert warnings(cli) <= {"certificate-self-signed", "web-app-missing", "files-limited"}


def test_the_defaults_need_no_more_files_than_a_machine_with_a_tight_limit_gives(cli: Cli):
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 < allowed[1] < 10_200:
        pytest.skip("this process may open fewer files than the defaults need")
    # Checked in a process of its own: what is lowered for good cannot be raised again.
    lowered = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (1024, {{}})); {CHECK}"
    for most, is_limited in ((10_200, False), (10_199, True)):
        done = subprocess.run(
            [sys.executable, "-c", lowered.format(most), "check", "--json", "--config", cli.config, *FREE],
            capture_output=True,
            check=True,
        )
        assert ("files-limited" in done.stdout.decode()) == is_limited


def test_nothing_is_started_or_changed(cli: Cli):
    before = sorted(cli.config.parent.rglob("*"))
    codes(cli, status=0)
    assert sorted(cli.config.parent.rglob("*")) == before


def test_wrong_settings_are_all_named(cli: Cli):
    document = cli.json("check", "--set", "http.foo=1", "--set", "log.level=loud", status=2)
    assert {each["subject"] for each in document["problems"]} == {"http.foo", "log.level"}


def test_ports(cli: Cli):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f'["127.0.0.1:{taken.getsockname()[1]}"]'
        document = cli.json("check", *FREE, "--set", f"xmpp.c2s={place}", status=1)
    (problem,) = document["problems"]
    assert (problem["code"], problem["subject"]) == ("port-unusable", "xmpp.c2s")
    assert "in use" in problem["message"]
    assert "port-twice" in codes(cli, "--set", f"xmpp.c2s={place}", "--set", f"http.listen={place}")
    assert "port-unusable" in codes(cli, "--set", 'xmpp.c2s=["192.0.2.1:5222"]')
    assert "port-unusable" in codes(cli, "--set", 'xmpp.s2s=["192.0.2.1:5269"]')


def test_authorities(cli: Cli, tmp_path):
    (tmp_path / "none.pem").write_text("none")
    on = ("--set", 'xmpp.s2s=["127.0.0.1:0"]', "--set", f"federation.ca_file={tmp_path}/none.pem")
    assert codes(cli, *on) == {"authorities-unusable"}


def test_certificates(cli: Cli, tmp_path):
    certificate, key = cli.config.parent / "certs/fullchain.pem", cli.config.parent / "certs/key.pem"
    assert codes(cli, "--set", 'domains=["other.example"]') == {"certificate-name"}
    key.chmod(0o644)
    assert codes(cli) == {"key-readable"}
    key.chmod(0o600)
    past = make_self_signed([DOMAIN], datetime.now(UTC) - timedelta(days=2000))
    certificate.write_bytes(past.certificate)
    document = cli.json("check", *FREE, status=1)
    assert "does not belong" in document["problems"][0]["message"]
    key.write_bytes(past.private_key)
    assert codes(cli) == {"certificate-expired"}
    soon = make_self_signed([DOMAIN], datetime.now(UTC) - timedelta(days=820))
    certificate.write_bytes(soon.certificate)
    key.write_bytes(soon.private_key)
    assert "certificate-expires" in warnings(cli)
    later = make_self_signed([DOMAIN], datetime.now(UTC) + timedelta(days=2))
    certificate.write_bytes(later.certificate)
    key.write_bytes(later.private_key)
    assert codes(cli) == {"certificate-too-new"}
    certificate.write_text("nonsense")
    assert codes(cli) == {"certificate-unusable"}
    certificate.unlink()
    assert "there is no file" in cli.json("check", *FREE, status=1)["problems"][0]["message"]


def test_data(cli: Cli):
    cli("user", "add", f"alice@{DOMAIN}")
    cli.data.chmod(0o755)
    assert codes(cli) == {"data-readable"}
    cli.data.chmod(0o700)
    (cli.data / "secret.key").write_bytes(b"x")
    (cli.data / "secret.key").chmod(0o600)
    assert codes(cli) == {"secret-malformed"}
    (cli.data / "secret.key").unlink()
    with sqlite3.connect(cli.data / "parley.db") as connection:
        connection.execute("INSERT INTO schema_version SELECT max(version) + 1, 'later', 0 FROM schema_version")
    connection.close()
    assert codes(cli) == {"schema-too-new"}
    (cli.data / "parley.db").write_bytes(b"x" * 8192)
    assert codes(cli) == {"database-corrupt"}
    shutil.rmtree(cli.data)
    cli.data.write_text("")
    assert codes(cli) == {"data-unusable"}


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ('http.listen=["0.0.0.0:0"]', "http-exposed"),
        ("http.public_url=http://chat.example.org", "url-insecure"),
        ("xmpp.require_tls=false", "tls-optional"),
        ('sip.udp=["127.0.0.1:5060"]', "setting-unused"),
        ("media.address=192.0.2.7", "setting-unused"),
        ("media.ports=30000-30999", "setting-unused"),
        ("limits.max_connections=1000000000", "files-limited"),
        ("http.web_dir=nowhere", "web-app-missing"),
        ('xmpp.s2s=["127.0.0.1:0"]', "certificate-service"),
        ('xmpp.s2s_tls=["127.0.0.1:0"]', "certificate-untrusted"),
    ],
)
def test_what_to_think_about(cli: Cli, setting, code):
    assert code in warnings(cli, "--set", setting)


def test_a_full_disk(cli: Cli):
    assert codes(cli, "--set", f"upload.min_free_bytes={2**62}") == {"disk-full"}
