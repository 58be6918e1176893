import tomllib

import pytest
from pydantic import BaseModel

from parley.base.config import Settings, reference_markdown, render_default
from parley.base.config.loading import parse

CONTRACT = """
domains = ["example.org"]
data_dir = "data"
[http]
listen = ["127.0.0.1:8080"]
public_url = "http://localhost:8080"
[tls]
certificate = "certs/fullchain.pem"
private_key = "certs/key.pem"
[xmpp]
c2s = ["127.0.0.1:5222"]
c2s_tls = ["127.0.0.1:5223"]
s2s = []
require_tls = true
registration = "closed"
[archive]
enabled = true
[sip]
udp = []
tcp = []
tls = []
[media]
address = "127.0.0.1"
ports = "20000-20999"
[log]
level = "info"
format = "text"
"""


def settings_of(model: type[BaseModel], prefix: str = ""):
    for name, field in model.model_fields.items():
        below = field.annotation
        if isinstance(below, type) and issubclass(below, BaseModel):
            yield from settings_of(below, f"{prefix}{name}.")
        else:
            yield prefix + name, field


def test_the_example_file_is_the_one_that_operators_were_promised():
    assert tomllib.loads(render_default(["example.org"])) == tomllib.loads(CONTRACT)


def test_the_example_file_takes_other_values(tmp_path):
    text = render_default(
        ["a.example", "bücher.example"],
        {"data_dir": 'odd "name"\\', "limits.max_depth": 32, "xmpp.require_tls": False, "http.listen": ("[::1]:80",)},
    )
    settings = parse(tomllib.loads(text), tmp_path)
    assert settings.domains == ("a.example", "bücher.example")
    assert settings.data_dir == tmp_path / 'odd "name"\\'
    assert settings.limits.max_depth == 32
    assert settings.xmpp.require_tls is False
    assert str(settings.http.listen[0]) == "[::1]:80"


def test_the_example_file_takes_no_unknown_setting():
    with pytest.raises(ValueError, match=r"limits\.none"):
        render_default(["example.org"], {"limits.none": 1})


@pytest.mark.parametrize(("path", "field"), [pytest.param(*item, id=item[0]) for item in settings_of(Settings)])
def test_every_setting_is_documented(path, field):
    name = path.rpartition(".")[2]
    assert (field.description or "").endswith(".")
    assert set(field.json_schema_extra) == {"unit", "reload"}
    assert f"| `{name}` |" in reference_markdown()
    units = {"_bytes": "bytes", "_s": "second", "_days": "days", "_hours": "hours"}
    for suffix, unit in units.items():
        if name.endswith(suffix):
            assert unit in field.json_schema_extra["unit"]


def test_every_number_has_bounds():
    numbers = [(path, field) for path, field in settings_of(Settings) if field.annotation is int]
    assert numbers
    assert [path for path, field in numbers if not field.metadata] == []
