"""The command line without a server: what it prints, where, and with which status it ends."""

from __future__ import annotations

import json
import re
import stat

import pytest
from tests.app.calling import DOMAIN, FAST, Cli, call

from parley.app.cli import main

ALICE = f"alice@{DOMAIN}"


def test_init_writes_what_check_is_content_with(cli: Cli):
    document = cli.json(
        "check",
        "--set",
        'xmpp.c2s=["127.0.0.1:0"]',
        "--set",
        'xmpp.c2s_tls=["127.0.0.1:0"]',
        "--set",
        'http.listen=["127.0.0.1:0"]',
    )
    assert document["problems"] == []
    assert stat.S_IMODE(cli.data.stat().st_mode) == 0o700
    assert stat.S_IMODE((cli.config.parent / "certs/key.pem").stat().st_mode) == 0o600


@pytest.mark.parametrize("there", ["parley.toml", "certs/key.pem", "certs/fullchain.pem", "data/parley.db"])
def test_init_never_overwrites(tmp_path, there):
    path = tmp_path / there
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    result = call("init", tmp_path, "--domain", DOMAIN)
    assert result.exit_code == 1
    assert path.read_text() == "mine"
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == [path]


@pytest.mark.parametrize("domains", [[], ["no domain"], ["a.example", "A.example"]])
def test_init_wants_proper_domains(tmp_path, domains):
    options = [part for domain in domains for part in ("--domain", domain)]
    assert call("init", tmp_path / "x", *options).exit_code == 2
    assert not (tmp_path / "x").exists()


def test_a_generated_password_is_the_only_output(cli: Cli):
    result = cli("user", "add", ALICE)
    assert result.exit_code == 0
    assert re.fullmatch(r"([a-z2-9]{4}-){3}[a-z2-9]{4}\n", result.stdout)


def test_a_given_password_is_never_printed(cli: Cli):
    result = cli("user", "add", ALICE, "--password-stdin", given="sesame\nsecond line\n")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "sesame" not in result.stderr


def test_documents_of_accounts(cli: Cli):
    assert cli.json("user", "add", ALICE, "--password-stdin", given="sesame\n") == {"address": ALICE}
    added = cli.json("user", "add", f"bob@{DOMAIN}")
    assert set(added) == {"address", "password"}
    listed = cli.json("user", "list")["accounts"]
    assert [each["address"] for each in listed] == [ALICE, f"bob@{DOMAIN}"]
    assert set(listed[0]) == {"address", "created_at", "is_suspended", "sessions"}
    shown = cli.json("user", "show", ALICE)
    assert shown["mechanisms"] == ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"]
    assert (shown["contacts"], shown["uploads_bytes"], shown["devices"]) == (0, 0, [])
    assert cli.json("user", "suspend", ALICE) == {"address": ALICE, "is_suspended": True, "sessions_ended": 0}
    assert cli.json("user", "list")["accounts"][0]["is_suspended"] is True
    assert cli.json("user", "resume", ALICE)["is_suspended"] is False
    assert set(cli.json("user", "password", ALICE)) == {"address", "password", "sessions_ended"}
    assert cli.json("device", "list", ALICE) == {"address": ALICE, "devices": []}
    assert cli.json("user", "remove", ALICE, "--yes") == {"address": ALICE, "sessions_ended": 0}
    assert [each["address"] for each in cli.json("user", "list")["accounts"]] == [f"bob@{DOMAIN}"]


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (["user", "add", f"alice@{DOMAIN}"], 1, "account-exists"),
        (["user", "add", f"ALICE@{DOMAIN}"], 1, "account-exists"),
        (["user", "add", "alice@elsewhere.example"], 1, "address-foreign"),
        (["user", "add", "alice"], 2, "wrong-usage"),
        (["user", "add", "a b@example.org"], 2, "wrong-usage"),
        (["user", "add", f"alice@{DOMAIN}/phone"], 2, "wrong-usage"),
        (["user", "show", f"nobody@{DOMAIN}"], 1, "account-not-found"),
        (["user", "suspend", f"nobody@{DOMAIN}"], 1, "account-not-found"),
        (["user", "remove", f"nobody@{DOMAIN}", "--yes"], 1, "account-not-found"),
        (["user", "remove", f"nobody@{DOMAIN}"], 1, "account-not-found"),
        (["device", "revoke", f"alice@{DOMAIN}", "phone"], 1, "device-not-found"),
        (["device", "revoke", f"alice@{DOMAIN}"], 2, "wrong-usage"),
        (["device", "revoke", f"alice@{DOMAIN}", "phone", "--all"], 2, "wrong-usage"),
        (["user", "fly"], 2, "wrong-usage"),
        (["user", "list", "--set", "http.port=1"], 2, "config-invalid"),
        (["user", "list", "--set", "nonsense"], 2, "config-invalid"),
        (["backup", "verify", "/nowhere/at/all"], 2, "wrong-usage"),
    ],
)
def test_refusals_have_a_status_and_a_code(cli: Cli, arguments, status, code):
    cli("user", "add", ALICE)
    assert cli.json(*arguments, status=status)["error"]["code"] == code
    plain = cli(*arguments)
    assert plain.exit_code == status
    assert plain.stdout == ""
    assert plain.stderr


def test_an_empty_password_is_wrong_usage(cli: Cli):
    assert cli("user", "add", ALICE, "--password-stdin", given="\n").exit_code == 2
    assert cli("user", "add", ALICE, "--password-stdin", given="").exit_code == 2
    assert cli.json("user", "add", ALICE, "--password-stdin", given="a\x00b\n", status=1)["error"]["code"] == (
        "password-unusable"
    )
    assert cli.json("user", "list")["accounts"] == []


def test_remove_asks_first(cli: Cli):
    cli("user", "add", ALICE)
    refused = cli("user", "remove", ALICE, given="n\n")
    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert len(cli.json("user", "list")["accounts"]) == 1
    assert cli("user", "remove", ALICE, given="y\n").exit_code == 0
    assert cli.json("user", "list")["accounts"] == []


def test_common_options_stand_anywhere(cli: Cli):
    places = [
        ["--config", cli.config, "--json", "user", "list"],
        ["user", "--config", cli.config, "--json", "list"],
        ["user", "list", "--json", "--config", cli.config],
    ]
    for arguments in places:
        assert json.loads(call(*arguments).stdout) == {"accounts": []}
    named = call("user", "list", "--json", env={"PARLEY_CONFIG": str(cli.config)})
    assert json.loads(named.stdout) == {"accounts": []}
    # What stands on the command line wins, wherever it stands.
    both = call("--config", cli.config, "user", "list", "--json", env={"PARLEY_CONFIG": "/nowhere.toml"})
    assert both.exit_code == 0


def test_without_settings_a_command_says_how_to_name_them():
    result = call("user", "list", env={"PARLEY_CONFIG": ""})
    assert result.exit_code == 2
    assert "--config" in result.stderr
    assert "PARLEY_CONFIG" in result.stderr


def test_every_command_explains_itself():
    def texts(command, path):
        result = call(*path, "--help")
        assert result.exit_code == 0
        assert "--json" in result.output
        assert "--config" in result.output
        for name, below in getattr(command, "commands", {}).items():
            assert below.help, path
            texts(below, [*path, name])

    texts(main, [])
    version = call("--version").stdout.removeprefix("parley ").strip()
    assert version.count(".") == 2
    for arguments in (("--version", "--json"), ("--json", "--version")):
        assert json.loads(call(*arguments).stdout) == {"version": version}


def test_a_defect_shows_no_traceback(cli: Cli, monkeypatch):
    def broken(*_arguments):
        raise RuntimeError("boom")

    monkeypatch.setattr("parley.app.commands.user.ask", broken)
    result = cli("user", "list", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["code"] == "internal"
    assert "RuntimeError: boom" in result.stderr


def test_migrate_makes_and_keeps_the_schema(cli: Cli):
    version = cli.json("migrate")["schema_version"]
    assert version >= 1
    assert cli.json("migrate")["schema_version"] == version
    assert call("user", "list", "--config", cli.config, *FAST).exit_code == 0
