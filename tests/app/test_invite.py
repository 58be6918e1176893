"""`parley invite`, on an installation without a server."""

from __future__ import annotations

import pytest
from tests.app.calling import Cli


@pytest.fixture
def inviting(cli: Cli) -> Cli:
    settings = cli.config.read_text()
    cli.config.write_text(settings.replace('registration = "closed"', 'registration = "invite"'))
    assert cli("user", "add", "alice@example.org", "--password-stdin", given="secret\n").exit_code == 0
    return cli


def test_made_listed_and_revoked(inviting: Cli) -> None:
    made = inviting.json("invite", "create", "--contact", "alice@example.org", "--uses", "3")
    assert made["uri"].startswith("xmpp:alice@example.org?roster;preauth=")
    assert made["uri"].endswith(";ibr=y")
    (listed,) = inviting.json("invite", "list")["invitations"]
    assert listed["id"] == made["id"]
    assert listed["uses_left"] == 3
    line = inviting("invite", "list").stdout
    assert "from alice@example.org  3 uses left" in line
    inviting.json("invite", "revoke", made["id"])
    assert inviting.json("invite", "list") == {"invitations": []}
    assert inviting.json("invite", "revoke", made["id"], status=1)["error"]["code"] == "invitation-not-found"


def test_printed_alone_on_standard_output(inviting: Cli) -> None:
    result = inviting("invite", "create", "--address", "Carol@example.org")
    assert result.stdout.startswith("xmpp:carol@example.org?register;preauth=")
    assert result.stdout.count("\n") == 1


def test_what_makes_no_sense(inviting: Cli) -> None:
    assert inviting("invite", "create", "--contact-only").exit_code == 2
    assert inviting("invite", "create", "--address", "carol@example.org", "--uses", "2").exit_code == 2
    assert inviting("invite", "create", "--uses", "0").exit_code == 2
    taken = inviting.json("invite", "create", "--address", "alice@example.org", status=1)
    assert taken["error"]["code"] == "account-exists"


def test_a_closed_server_is_said_to_be_closed(cli: Cli) -> None:
    assert cli.json("invite", "create", status=1)["error"]["code"] == "registration-closed"


def test_disconnecting(inviting: Cli) -> None:
    assert inviting.json("user", "disconnect", "alice@example.org")["sessions_ended"] == 0
