"""Accounts out and in again, from other servers' files, and what is wrong with them."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest
from tests.app.calling import Cli

from parley.app.errors import Unwilling
from parley.app.moving.prosody import read_prosody
from parley.app.moving.reading import read_portable
from parley.identity.sign_in import fits

PIE = "<server-data xmlns='urn:xmpp:pie:0'><host jid='example.org'>{0}</host></server-data>"
JULIET = """
<user name='Juliet' password='s3crEt'>
  <query xmlns='jabber:iq:roster'>
    <item jid='romeo@montague.net/x' name='Romeo' subscription='both'><group>Friends</group></item>
    <item jid='nurse@example.org' subscription='none' ask='subscribe' approved='true'/>
    <item jid='@'/>
  </query>
  <query xmlns='jabber:iq:privacy'><default name='mine'/>
    <list name='mine'><item type='jid' value='Tybalt@example.org' action='deny' order='1'/>
      <item type='jid' value='spam.example' action='deny' order='2'/>
      <item type='jid' value='loud@example.org' action='deny' order='3'><presence-in/></item>
      <item type='group' value='Friends' action='allow' order='4'/></list>
    <list name='other'><item type='jid' value='friar@example.org' action='deny' order='1'/></list></query>
  <presence xmlns='jabber:client' from='paris@example.org/r' type='subscribe'/>
  <offline-messages>
    <message xmlns='jabber:client' from='romeo@montague.net/orchard' to='juliet@example.org' type='chat'>
      <body>Neither, fair saint.</body><delay xmlns='urn:xmpp:delay' stamp='2020-07-21T00:32:29Z'/>
    </message>
  </offline-messages>
  <query xmlns='jabber:iq:private'><exodus xmlns='exodus:prefs'><nick>J</nick></exodus></query>
  <vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard>
  <pubsub xmlns='http://jabber.org/protocol/pubsub'>
    <items node='urn:test'><item id='1'><mood xmlns='urn:mood'/></item></items>
  </pubsub>
  <pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>
    <configure node='urn:test'><x xmlns='jabber:x:data' type='submit'>
      <field var='pubsub#access_model'><value>open</value></field></x></configure>
  </pubsub>
  <unknown xmlns='urn:x'/>
</user>
"""
SCRAM = """
<user name='{0}'><scram-credentials xmlns='urn:xmpp:pie:0#scram' mechanism='SCRAM-SHA-1'>
<iter-count>4096</iter-count><salt>c2FsdA==</salt><server-key>{1}</server-key><stored-key>{1}</stored-key>
</scram-credentials></user>
"""
KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAA="
ACCOUNT = """return {
\t["iteration_count"] = 10000;
\t["server_key"] = "c7c2fd42a8b86c336e7163eb98e25a27f2908f8018321875bfdf52e00493355a";
\t["salt"] = "6179a544-375b-42c5-91e5-30d166700ec5";
\t["stored_key"] = "ec3005c642ff9ff5a143dc8c11d1e652ffc74d83a7fd152ba5b804c2784d8078";
};
"""
ROSTER = """return {
\t[false] = { ["version"] = 2; ["pending"] = { ["paris@example.org"] = true; }; };
\t["romeo@montague.net"] = { ["subscription"] = "both"; ["name"] = "Romeo"; ["groups"] = { ["Friends"] = true; }; };
};
"""
OFFLINE = """item({
\t["name"] = "message"; ["attr"] = { ["type"] = "chat"; ["from"] = "romeo@montague.net/o";
\t\t["stamp"] = "2020-07-21T00:32:29Z"; ["stamp_legacy"] = "x"; };
\t{ ["name"] = "body"; ["attr"] = {}; "fair saint"; };
});
"""
ARCHIVED = """item({
\t["name"] = "message"; ["key"] = "a-key"; ["when"] = 1595291549.5; ["with"] = "romeo@montague.net";
\t["attr"] = { ["type"] = "chat"; ["from"] = "romeo@montague.net/o"; ["to"] = "juliet@example.org"; };
\t{ ["name"] = "body"; ["attr"] = {}; "fair saint"; };
\t{ ["name"] = "stanza-id";
\t\t["attr"] = { ["xmlns"] = "urn:xmpp:sid:0"; ["by"] = "juliet@example.org"; ["id"] = "x"; }; };
});
"""
PEP = """return { ["urn:test"] = { ["config"] = { ["access_model"] = "whitelist"; ["max_items"] = 5; }; }; };"""
PEP_ITEMS = """item({
\t["name"] = "item"; ["attr"] = { ["id"] = "1"; ["xmlns"] = "http://jabber.org/protocol/pubsub"; };
\t["key"] = "1"; ["when"] = 1595291549;
\t{ ["name"] = "mood"; ["attr"] = { ["xmlns"] = "urn:mood"; }; };
});
"""


def portable(folder: Path, *users: str) -> Path:
    path = folder / "export.xml"
    path.write_text(PIE.format("".join(users)))
    return path


def test_everything_of_an_account_comes_in_and_goes_out(cli: Cli, tmp_path: Path) -> None:
    imported = cli.json("user", "import-xep0227", portable(tmp_path, JULIET))
    assert imported["imported"] == ["juliet@example.org"]
    remarks = [each["remark"] for each in imported["remarks"]]
    assert len(remarks) == 3, remarks
    assert "3 rules of privacy lists were left out" in remarks
    assert remarks[-1] == "unknown in urn:x was left out"
    shown = cli.json("user", "show", "juliet@example.org")
    assert (shown["is_suspended"], shown["contacts"]) == (False, 2)
    assert shown["mechanisms"] == ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"]

    out = tmp_path / "out.xml"
    assert cli.json("user", "export", out)["exported"] == 1
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    (record,) = read_portable(out)
    assert record.remarks == []
    assert {each.mechanism for each in record.credentials} == {"SHA-1", "SHA-256", "SHA-512"}
    romeo = next(each for each in record.contacts if each.address == "romeo@montague.net")
    assert (romeo.name, romeo.groups, romeo.state.subscription) == ("Romeo", ("Friends",), "both")
    nurse = next(each for each in record.contacts if each.address == "nurse@example.org")
    assert (nurse.state.pending_out, nurse.state.approved) == (True, True)
    paris = next(each for each in record.contacts if each.address == "paris@example.org")
    assert (paris.state.pending_in, paris.is_listed) == (True, False)
    assert record.blocked == ["tybalt@example.org", "spam.example"]
    ((stanza, at),) = record.messages
    assert b"<body>Neither, fair saint.</body>" in stanza
    assert at == 1_595_291_549_000_000
    (node,) = record.nodes
    assert (node.name, node.access_model, [each.id for each in node.items]) == ("urn:test", "open", ["1"])
    assert record.private[0].namespace == "exodus:prefs"
    assert b"<FN>Juliet</FN>" in record.card

    # What went out comes in again, as it was.
    cli("user", "remove", "juliet@example.org", "--yes")
    again = cli.json("user", "import-xep0227", out)
    assert again == {"imported": ["juliet@example.org"], "left_out": [], "remarks": []}


ARCHIVE = """
<user name='juliet' password='s3crEt'>
  <offline-messages>
    <message xmlns='jabber:client' from='romeo@montague.net/o' to='juliet@example.org' type='chat' id='m3'>
      <body>third</body><delay xmlns='urn:xmpp:delay' stamp='2020-07-21T00:32:29Z'/>
    </message>
    <message xmlns='jabber:client' from='nurse@example.org/o' to='juliet@example.org' id='n'>
      <body>not archived</body><delay xmlns='urn:xmpp:delay' stamp='2020-07-21T00:32:30Z'/>
    </message>
  </offline-messages>
  <archive xmlns='urn:xmpp:pie:0#mam'>{0}</archive>
  <pubsub xmlns='http://jabber.org/protocol/pubsub'>
    <items node='urn:xmpp:mds:displayed:0'><item id='romeo@montague.net'><displayed xmlns='urn:xmpp:mds:displayed:0'>
      <stanza-id xmlns='urn:xmpp:sid:0' by='juliet@example.org' id='a1'/></displayed></item></items>
  </pubsub>
</user>"""
RESULT = """<result xmlns='urn:xmpp:mam:2' id='a{0}'><forwarded xmlns='urn:xmpp:forward:0'>
<delay xmlns='urn:xmpp:delay' stamp='2020-07-0{0}T00:00:00.000001Z'/><message xmlns='jabber:client' id='m{0}' {1}>
<body>{2}</body><stanza-id xmlns='urn:xmpp:sid:0' by='Juliet@example.org' id='a{0}'/></message></forwarded></result>"""
FROM_ROMEO = "from='romeo@montague.net/o' to='juliet@example.org' type='chat'"
RESULTS = (
    RESULT.format(1, FROM_ROMEO, "first"),
    RESULT.format(2, "from='juliet@example.org/b' to='romeo@montague.net' type='chat'", "second"),
    RESULT.format(3, FROM_ROMEO, "third"),
    RESULT.format(4, "from='room@rooms.example/romeo' type='groupchat'", "said in a room"),
    "<result xmlns='urn:xmpp:mam:2' id='a5'/>",
    RESULT.format(6, "from='@'", "from nobody"),
)


def test_an_archive_moves_with_its_account(cli: Cli, tmp_path: Path) -> None:
    imported = cli.json("user", "import-xep0227", portable(tmp_path, ARCHIVE.format("".join(RESULTS))))
    assert [each["remark"] for each in imported["remarks"]] == [
        "archive: a result without a message or its time",
        "archive: 1 messages of rooms were left out",
        "archive: 1 messages that cannot be read were left out",
    ]
    out = tmp_path / "out.xml"
    cli("user", "export", out)
    (record,) = read_portable(out)
    assert record.remarks == []
    said = [re.search(b"<body>(.*)</body>", each.stanza)[1].decode() for each in record.archive]  # type: ignore[index]
    assert said == ["first", "second", "third"]
    assert [each.at for each in record.archive] == [1593561600000001 + day * 86_400_000_000 for day in range(3)]
    # The old archive's ids mean nothing here.
    assert not any(b"stanza-id" in each.stanza for each in record.archive)
    # What waits and is in the archive is one message; what is not in there is not put there.
    assert [re.search(b' id="(.*?)"', stanza)[1] for stanza, _ in record.messages] == [b"m3", b"n"]  # type: ignore[index]
    # What was seen is seen still.
    (node,) = record.nodes
    assert f'id="{record.archive[0].id}"'.encode() in node.items[0].payload

    cli("user", "remove", "juliet@example.org", "--yes")
    again = cli.json("user", "import-xep0227", out)
    assert again["remarks"] == []
    last = tmp_path / "last.xml"
    cli("user", "export", last)
    (same,) = read_portable(last)
    assert [(each.stanza, each.at) for each in same.archive] == [(each.stanza, each.at) for each in record.archive]
    assert same.messages == record.messages


def test_no_export_writes_over_a_file(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "out.xml").write_text("precious")
    assert cli.json("user", "export", tmp_path / "out.xml", status=1)["error"]["code"] == "file-unusable"
    assert (tmp_path / "out.xml").read_text() == "precious"
    other = tmp_path / "other.xml"
    missing = cli.json("user", "export", other, "nobody@example.org", status=1)
    assert missing["error"]["code"] == "account-not-found"
    assert not other.exists()


def test_one_that_cannot_come_leaves_the_others_alone(cli: Cli, tmp_path: Path) -> None:
    cli("user", "add", "taken@example.org", "--password-stdin", given="x\n")
    users = [SCRAM.format(name, KEY) for name in ("Straße", "strasse", "taken", "a b", "STRASSE")]
    result = cli("user", "import-xep0227", portable(tmp_path, *users))
    assert result.exit_code == 1
    assert "taken@example.org was not imported: there is an account" in result.stderr
    assert "a b@example.org was not imported" in result.stderr
    # Two spellings that are one address today are told, and the first one stays.
    assert "STRASSE@example.org and strasse@example.org are one address" in result.stderr
    listed = {each["address"] for each in cli.json("user", "list")["accounts"]}
    assert {"taken@example.org", "strasse@example.org"} <= listed


def test_hosts_that_are_not_served_here_are_told(cli: Cli, tmp_path: Path) -> None:
    path = portable(tmp_path, SCRAM.format("juliet", KEY))
    path.write_text(path.read_text().replace("jid='example.org'", "jid='other.example'"))
    result = cli("user", "import-xep0227", path)
    assert result.exit_code == 1
    assert "other.example is not served here" in result.stderr


def test_credentials_that_do_not_fit_are_told(tmp_path: Path) -> None:
    (record,) = read_portable(portable(tmp_path, SCRAM.format("juliet", "AAAA")))
    assert record.credentials == []
    assert record.remarks == ["scram-credentials: credentials are not base64"]


EJABBERD = """<user name='juliet'><scram-credentials xmlns='urn:xmpp:pie:0#scram' mechanism='SCRAM-SHA-1'>
<iter-count>4096</iter-count><salt>VnIrdHhtNUhmOUxlUTY3OXR5Slh0UT09</salt>
<server-key>bjVGdUIyei9BcEROUm0wWE5NdjBleFFrcjdVPQ==</server-key>
<stored-key>UG4vd2VRZlF5RzhCQllOWGUyYTR6djJ0T3pzPQ==</stored-key></scram-credentials><offline-messages>
<message to='juliet@example.org' from='romeo@montague.net/o' type='chat' xmlns='jabber:client'><delay
from='example.org' stamp='2026-11-24T01:58:29.730908Z' xmlns='urn:xmpp:delay'>Offline storage</delay>
<body>fair saint</body></message></offline-messages></user>"""


def test_credentials_as_ejabberd_writes_them(tmp_path: Path) -> None:
    (record,) = read_portable(portable(tmp_path, EJABBERD))
    assert record.remarks == []
    (credential,) = record.credentials
    assert fits("s3crEt", credential)
    assert not fits("another", credential)
    assert len(record.messages) == 1


def test_files_that_are_included(tmp_path: Path) -> None:
    xi = "xmlns:xi='http://www.w3.org/2001/XInclude'"
    main = tmp_path / "main.xml"
    main.write_text(f"<server-data xmlns='urn:xmpp:pie:0' {xi}><xi:include href='example.org.xml'/></server-data>")
    host = tmp_path / "example.org.xml"
    host.write_text(f"<host xmlns='urn:xmpp:pie:0' {xi} jid='example.org'><xi:include href='users/juliet.xml'/></host>")
    (tmp_path / "users").mkdir()
    (tmp_path / "users" / "juliet.xml").write_text("<user xmlns='urn:xmpp:pie:0' name='juliet' password='x'/>")
    (record,) = read_portable(main)
    assert record.source == "juliet@example.org"


@pytest.mark.parametrize("href", ["../secret.xml", "/etc/passwd", "http://other.example/x.xml", "main.xml"])
def test_what_lies_elsewhere_is_not_included(tmp_path: Path, href: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "secret.xml").write_text(PIE.format("<user name='x' password='y'/>"))
    main = folder / "main.xml"
    xi = "xmlns:xi='http://www.w3.org/2001/XInclude'"
    main.write_text(f"<server-data xmlns='urn:xmpp:pie:0' {xi}><xi:include href='{href}'/></server-data>")
    with pytest.raises(Unwilling):
        list(read_portable(main))


@pytest.mark.parametrize(
    "document",
    [
        "<!DOCTYPE x [<!ENTITY a 'b'>]><server-data xmlns='urn:xmpp:pie:0'>&a;</server-data>",
        "<!DOCTYPE x SYSTEM 'file:///etc/passwd'><server-data xmlns='urn:xmpp:pie:0'/>",
        "<html/>",
        "<server-data xmlns='urn:xmpp:pie:0'>",
        "",
    ],
)
def test_other_documents_are_refused(tmp_path: Path, document: str) -> None:
    path = tmp_path / "x.xml"
    path.write_text(document)
    with pytest.raises(Unwilling):
        list(read_portable(path))


def prosody(folder: Path) -> Path:
    files = {
        "accounts/juliet.dat": ACCOUNT,
        "roster/juliet.dat": ROSTER,
        "offline/juliet.list": OFFLINE,
        "blocklist/juliet.dat": 'return { ["tybalt@example.org"] = true; [false] = { ["created"] = 1; }; };',
        "archive/juliet.list": ARCHIVED + ARCHIVED.replace('"message"', '"iq"'),
        "pep/juliet.dat": PEP,
        "pep_urn%3atest/juliet.list": PEP_ITEMS,
        "accounts/caf%c3%a9.dat": 'return { ["password"] = "plain"; };',
        "accounts/odd.dat": "return { f() }",
    }
    for name, content in files.items():
        path = folder / "data" / "example%2eorg" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder / "data"


def test_a_data_folder_of_prosody(tmp_path: Path) -> None:
    cafe, juliet, odd = read_prosody(prosody(tmp_path))
    assert (cafe.source, cafe.password) == ("café@example.org", "plain")
    assert juliet.remarks == ["archive: not a message"]
    (kept,) = juliet.archive
    assert (kept.id, kept.at) == ("a-key", 1_595_291_549_500_000)
    assert kept.stanza.endswith(b"<body>fair saint</body></message>")
    (credential,) = juliet.credentials
    assert (credential.mechanism, credential.iterations, credential.salt[:8]) == ("SHA-256", 10000, b"6179a544")
    assert [each.address for each in juliet.contacts] == ["romeo@montague.net", "paris@example.org"]
    assert juliet.contacts[1].state.pending_in
    assert juliet.blocked == ["tybalt@example.org"]
    ((stanza, at),) = juliet.messages
    assert b"<body>fair saint</body>" in stanza
    assert at == 1_595_291_549_000_000
    (node,) = juliet.nodes
    assert (node.access_model, node.max_items, node.items[0].payload) == ("whitelist", 5, b'<mood xmlns="urn:mood"/>')
    assert odd.remarks


@pytest.mark.parametrize("rounds", ["0", "4000000000"])
def test_rounds_that_nobody_could_compute_are_not_taken_over(tmp_path: Path, rounds: str) -> None:
    data = prosody(tmp_path)
    file = data / "example%2eorg" / "accounts" / "juliet.dat"
    file.write_text(ACCOUNT.replace("10000", rounds))
    juliet = list(read_prosody(data))[1]
    assert juliet.credentials == []
    assert juliet.remarks[0] == "account: credentials have a wrong number of rounds"


def test_a_time_beyond_all_counting_does_not_end_the_import(tmp_path: Path) -> None:
    data = prosody(tmp_path)
    file = data / "example%2eorg" / "pep_urn%3atest" / "juliet.list"
    before = file.read_text()
    file.write_text(re.sub(r'\["when"\] = [0-9.]+', '["when"] = 1e999', before))
    assert file.read_text() != before
    juliet = list(read_prosody(data))[1]
    assert [item.published_at for node in juliet.nodes for item in node.items] == [0]


def test_it_comes_in(cli: Cli, tmp_path: Path) -> None:
    result = cli.json("user", "import-prosody", prosody(tmp_path))
    assert result["imported"] == ["café@example.org", "juliet@example.org", "odd@example.org"]
    assert cli.json("user", "show", "juliet@example.org")["contacts"] == 1
    assert cli("user", "import-prosody", tmp_path).exit_code == 1
