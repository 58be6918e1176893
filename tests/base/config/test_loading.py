from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.base.config import apply_reload, load, render_default, unused_settings
from parley.base.config.loading import _override_value, parse
from parley.base.config.values import ListenAddress
from parley.base.errors import ConfigError

FOLDER = Path("/srv/parley")
MINIMAL = {"domains": ["example.org"]}


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "parley.toml"
        path.write_text(text)
        return path

    return write


def test_the_smallest_file_names_the_domains(write, tmp_path):
    settings = load(write('domains = ["Example.org", "example.com"]'))
    assert settings.domains == ("example.org", "example.com")
    assert settings.primary_domain == "example.org"
    assert settings.data_dir == tmp_path / "data"
    assert settings.tls.certificate == tmp_path / "certs" / "fullchain.pem"
    assert settings.xmpp.c2s == (ListenAddress("127.0.0.1", 5222),)


def test_what_is_nested_without_end_is_refused(write):
    with pytest.raises(ConfigError, match="nested too deeply"):
        load(write("a = " + "[" * 5000))
    with pytest.raises(ConfigError):
        load(write('domains = ["a.example"]'), ["log.level=" + "[" * 5000])


def test_absolute_paths_stay(write):
    assert load(write('domains = ["a.example"]\ndata_dir = "/srv/data"')).data_dir == Path("/srv/data")


@pytest.mark.parametrize(
    ("document", "path", "message"),
    [
        ({}, "domains", "is missing"),
        ({"domains": []}, "domains", "at least 1"),
        ({"domains": ["a.example", "A.example"]}, "domains", "listed twice"),
        ({"domains": ["a b"]}, "domains[0]", "not a domain name"),
        (MINIMAL | {"domain": "x"}, "domain", "did you mean domains?"),
        (MINIMAL | {"limits": {"max_conections": 5}}, "limits.max_conections", "did you mean max_connections?"),
        (MINIMAL | {"limitz": {}}, "limitz", "did you mean limits?"),
        (MINIMAL | {"limits": {"zzz": 5}}, "limits.zzz", "unknown setting"),
        (MINIMAL | {"limits": 5}, "limits", "not 5"),
        (MINIMAL | {"limits": {"max_depth": "64"}}, "limits.max_depth", "valid integer"),
        (MINIMAL | {"limits": {"max_depth": True}}, "limits.max_depth", "valid integer"),
        (MINIMAL | {"limits": {"max_stanza_bytes": 9999}}, "limits.max_stanza_bytes", "10000"),
        (MINIMAL | {"archive": {"enabled": 1}}, "archive.enabled", "boolean"),
        (MINIMAL | {"data_dir": ""}, "data_dir", "path"),
        (MINIMAL | {"http": {"listen": "127.0.0.1:80"}}, "http.listen", "a valid list"),
        (MINIMAL | {"http": {"listen": ["127.0.0.1:80", "here"]}}, "http.listen[1]", "here"),
        (MINIMAL | {"xmpp": {"registration": "maybe"}}, "xmpp.registration", "maybe"),
        (MINIMAL | {"media": {"ports": "1"}}, "media.ports", "20000-20999"),
        (MINIMAL | {"metrics": {"allow": ["10.0.0.1/8"]}}, "metrics.allow[0]", "network"),
        (MINIMAL | {"tls": {"certificate": 5}}, "tls.certificate", "path"),
    ],
)
def test_a_wrong_setting_is_named_by_its_path(document, path, message):
    with pytest.raises(ConfigError) as caught:
        parse(document, FOLDER)
    assert caught.value.path == path
    assert message in str(caught.value)


def test_all_wrong_settings_are_listed():
    with pytest.raises(ConfigError) as caught:
        parse({"domains": ["a.example"], "x": 1, "log": {"level": "loud"}}, FOLDER)
    assert "log.level: " in str(caught.value)
    assert "x: unknown setting" in str(caught.value)


@pytest.mark.parametrize(
    ("addresses", "is_refused"),
    [
        (["127.0.0.1:5222"], False),
        (["[::1]:5222", "localhost:5222"], False),
        ([], False),
        (["127.0.0.1:5222", "192.0.2.1:5222"], True),
        (["0.0.0.0:5222"], True),
        (["[::]:5222"], True),
    ],
)
def test_plain_streams_are_refused_beyond_loopback(addresses, is_refused):
    document = MINIMAL | {"xmpp": {"c2s": addresses, "require_tls": False}}
    if is_refused:
        with pytest.raises(ConfigError) as caught:
            parse(document, FOLDER)
        assert caught.value.path == "xmpp.require_tls"
    else:
        assert parse(document, FOLDER).xmpp.require_tls is False
    assert parse(MINIMAL | {"xmpp": {"c2s": addresses}}, FOLDER).xmpp.require_tls is True


def test_overrides_are_toml_values_or_plain_text(write):
    path = write('domains = ["example.org"]\n[log]\nlevel = "info"')
    settings = load(
        path,
        [
            "log.level=trace",
            "limits.max_depth = 32",
            'http.listen=["127.0.0.1:0", "[::1]:0"]',
            "archive.enabled=false",
            "xmpp.registration='open'",
            "limits.max_depth=33",
        ],
    )
    assert settings.log.level == "trace"
    assert settings.limits.max_depth == 33
    assert [str(address) for address in settings.http.listen] == ["127.0.0.1:0", "[::1]:0"]
    assert settings.archive.enabled is False
    assert settings.xmpp.registration == "open"


@pytest.mark.parametrize(
    ("override", "path"),
    [
        ("log.level", "--set"),
        ("=5", "--set"),
        ("log..level=info", "--set"),
        ("domains.first=a.example", "domains.first"),
        ("log.colour=red", "log.colour"),
    ],
)
def test_wrong_overrides_are_named(write, override, path):
    with pytest.raises(ConfigError) as caught:
        load(write('domains = ["example.org"]'), [override])
    assert caught.value.path == path


@given(st.text())
def test_an_override_is_one_value_whatever_its_text(text):
    document = _override_value(text)
    assert document is not None


def test_an_override_cannot_smuggle_in_a_second_setting():
    assert _override_value("1\nother = 2") == "1\nother = 2"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"domains = [", "is not TOML"),
        (b"domains = ['\xff']", "is not UTF-8"),
        (b"#" * (1024 * 1024 + 1), "larger than 1 MiB"),
    ],
)
def test_an_unreadable_file_is_named(tmp_path, content, message):
    path = tmp_path / "parley.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        load(path)
    assert caught.value.path == str(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "none.toml")


def test_reload_takes_over_what_may_change_and_names_the_rest():
    running = parse(MINIMAL, FOLDER)
    read = parse(
        MINIMAL | {"log": {"level": "debug"}, "xmpp": {"c2s": []}, "archive": {"enabled": False}, "data_dir": "other"},
        FOLDER,
    )
    settings, needs_restart = apply_reload(running, read)
    assert settings.log.level == "debug"
    assert settings.xmpp == running.xmpp
    assert settings.data_dir == running.data_dir
    assert sorted(needs_restart) == ["archive.enabled", "data_dir", "xmpp.c2s"]
    assert apply_reload(running, running) == (running, [])


def test_settings_without_effect_are_named():
    assert unused_settings(parse(MINIMAL, FOLDER)) == []
    settings = parse(MINIMAL | {"sip": {"udp": ["127.0.0.1:5060"]}}, FOLDER)
    assert unused_settings(settings) == ["sip.udp"]
    settings = parse(MINIMAL | {"media": {"address": "127.0.0.1", "ports": "30000-30999"}}, FOLDER)
    assert unused_settings(settings) == ["media.ports"]


def test_administrators_are_named_as_accounts_are():
    settings = parse(MINIMAL | {"admins": ["Alice@EXAMPLE.org", "Jürgen@example.org"]}, FOLDER)
    assert settings.admins == ("alice@example.org", "jürgen@example.org")


@pytest.mark.parametrize(
    "address", ["alice", "@example.org", "alice@other.example", "a/b@example.org", "a b@example.org"]
)
def test_an_administrator_has_an_account_here(address):
    with pytest.raises(ConfigError) as refused:
        parse(MINIMAL | {"admins": [address]}, FOLDER)
    assert refused.value.path.startswith("admins")


def test_components_have_domains_of_their_own():
    sms = {"name": "SMS.example.org", "secret": "long enough"}
    (component,) = parse(MINIMAL | {"components": [sms]}, FOLDER).components
    assert component.name == "sms.example.org"
    assert "long enough" not in repr(component)
    for name in ("example.org", "conference.example.org"):
        with pytest.raises(ConfigError, match=r"components: .* name of another"):
            parse(MINIMAL | {"components": [sms | {"name": name}]}, FOLDER)
    with pytest.raises(ConfigError, match=r"components: .* name of another"):
        parse(MINIMAL | {"components": [sms, sms]}, FOLDER)
    with pytest.raises(ConfigError, match="unknown setting"):
        parse(MINIMAL | {"components": [sms | {"port": 1}]}, FOLDER)


def test_settings_are_frozen():
    settings = parse(MINIMAL, FOLDER)
    with pytest.raises(ValueError, match="frozen"):
        settings.limits.max_depth = 3


def test_the_example_file_means_the_defaults(write):
    path = write(render_default(["example.org"]))
    assert load(path) == load(write('domains = ["example.org"]'))
