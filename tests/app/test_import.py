"""Imports: all or none, fast, and every faulty line named."""

from __future__ import annotations

import pytest
from tests.app.calling import DOMAIN, Cli

from parley.app.errors import Unwilling
from parley.app.people import read_people

DOMAINS = (DOMAIN,)


def people(*lines: str):
    return [(each.address, each.password, each.line) for each in read_people([f"{line}\n" for line in lines], DOMAINS)]


def test_a_list_is_read():
    found = people("Address,Password", f"Alice@{DOMAIN},secret", "", f'bob@{DOMAIN},"a,b ""c"""')
    assert found == [(f"alice@{DOMAIN}", "secret", 2), (f"bob@{DOMAIN}", 'a,b "c"', 4)]


def test_a_byte_order_mark_is_not_part_of_an_address():
    assert people(f"\ufeffalice@{DOMAIN},secret") == [(f"alice@{DOMAIN}", "secret", 1)]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (f"alice@{DOMAIN}", "line 2: has 1 fields"),
        (f"alice@{DOMAIN},a,b", "line 2: has 3 fields"),
        (f"alice@{DOMAIN},", "line 2: the password is empty"),
        ("alice,secret", "line 2: 'alice' is not an address"),
        ("alice@elsewhere.example,secret", "line 2: alice@elsewhere.example"),
        (f"FIRST@{DOMAIN},secret", f"line 2: first@{DOMAIN} is on line 1 already"),
        (f"alice@{DOMAIN},a\u0007b", "line 2: the password"),
        (f'alice@{DOMAIN},"a', "cannot be read as CSV"),
    ],
)
def test_a_faulty_line_is_named(line, complaint):
    with pytest.raises(Unwilling) as caught:
        people(f"first@{DOMAIN},secret", line)
    assert complaint in str(caught.value)


def test_every_faulty_line_is_named_but_no_more_than_twenty():
    with pytest.raises(Unwilling) as caught:
        people(*["x"] * 30)
    lines = str(caught.value).splitlines()
    assert lines[1].startswith("line 1: ")
    assert lines[20].startswith("line 20: ")
    assert lines[21:] == ["and 10 more"]


def test_an_empty_list_is_refused():
    with pytest.raises(Unwilling):
        people("", "address,password")


def test_two_thousand_people_come_in_together(cli: Cli, tmp_path):
    lines = "".join(f"user{number}@{DOMAIN},secret-{number}\n" for number in range(2000))
    (tmp_path / "people.csv").write_text(lines)
    assert cli.json("user", "import", tmp_path / "people.csv") == {"added": 2000}
    assert len(cli.json("user", "list")["accounts"]) == 2000


def test_all_or_none(cli: Cli):
    cli("user", "add", f"carol@{DOMAIN}")
    given = f"alice@{DOMAIN},x\ncarol@{DOMAIN},x\n"
    error = cli.json("user", "import", "-", given=given, status=1)["error"]
    assert error["code"] == "account-exists"
    assert f"line 2: there is an account carol@{DOMAIN}" in error["message"]
    assert [each["address"] for each in cli.json("user", "list")["accounts"]] == [f"carol@{DOMAIN}"]


def test_bytes_that_are_no_text_are_refused(cli: Cli, tmp_path):
    (tmp_path / "people.csv").write_bytes(b"\xff\xfe\x00")
    assert cli.json("user", "import", tmp_path / "people.csv", status=1)["error"]["code"] == "import-malformed"
