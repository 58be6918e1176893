import io
import json
import logging

import pytest

from parley.base import log as logs


@pytest.fixture
def restored_logging():
    root, parley = logging.getLogger(), logging.getLogger("parley")
    before = root.handlers[:], root.level, parley.level
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    parley.setLevel(before[2])


@pytest.fixture
def lines(restored_logging):
    """Set logging up as told and return what was written, line by line."""
    stream = io.StringIO()

    def start(level="info", log_format="text", **options):
        logs.setup(level, log_format, stream=stream, **options)
        return lambda: stream.getvalue().splitlines()

    return start


log = logs.get("parley.test")


def test_a_text_line_has_time_level_module_message_and_attributes(lines):
    written = lines()
    log.warning("login refused", reason="throttled", count=3)
    stamp, rest = written()[0].split(" ", 1)
    assert rest == "WARNING test login refused reason=throttled count=3"
    assert stamp.endswith("Z")
    assert len(stamp) == len("2024-01-01T00:00:00.000Z")


def test_a_json_line_is_one_object(lines):
    written = lines(log_format="json")
    log.info("stream opened", transport="tcp", pii={"address": "192.0.2.1"}, waited_s=0.5)
    body = json.loads(written()[0])
    assert body.pop("time")
    assert body == {
        "level": "info",
        "module": "parley.test",
        "message": "stream opened",
        "transport": "tcp",
        "pii.address": "192.0.2.1",
        "waited_s": 0.5,
    }


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_personal_data_can_be_dropped(lines, log_format):
    written = lines(log_format=log_format, drop_pii=True)
    log.info("login refused", pii={"account": "alice@example.org"}, reason="throttled")
    quoted_input = "alice@example.org"
    try:
        raise ValueError(quoted_input)  # noqa: TRY301
    except ValueError as error:
        log.defect("handler failed", error)
    text = "\n".join(written())
    assert "alice" not in text
    assert "throttled" in text
    assert "ValueError" in text


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize(
    "name", ["password", "new_password", "Authorization", "api_key", "client.secret", "access_token", "set-cookie"]
)
def test_values_under_secret_names_are_never_written(lines, log_format, name):
    written = lines(log_format=log_format)
    log.info("request", **{name: "hunter2"})
    log.info("request", pii={name: "hunter2"})
    assert "hunter2" not in "\n".join(written())
    assert logs.REDACTED in written()[0]


def test_names_that_only_contain_such_a_word_are_written(lines):
    written = lines()
    log.info("figures", tokenizer="fast", passed=3)
    assert written()[0].endswith("tokenizer=fast passed=3")


@pytest.mark.parametrize("value", ["a\nb", "a\r\x1b[31mb", "a\u2028b", "a\u0085b", 'say "x"', "two words", "a=b", ""])
def test_no_value_can_forge_a_line_or_an_attribute(lines, value):
    written = lines()
    log.info("seen", value=value, after=1)
    assert len(written()) == 1
    quoted = written()[0].split("value=", 1)[1].removesuffix(" after=1")
    assert quoted.startswith('"')
    assert quoted.isprintable()


def test_messages_of_other_libraries_are_escaped_too(lines):
    written = lines()
    logging.getLogger("other").warning("from %s", "peer\nFORGED")
    assert len(written()) == 1
    assert "from peer\\nFORGED" in written()[0]


def test_trace_is_below_debug(lines):
    written = lines(level="debug")
    assert not log.is_tracing
    log.trace("received", data="<r/>")
    assert written() == []
    written = lines(level="trace")
    assert log.is_tracing
    log.trace("received", data="<r/>")
    assert " TRACE " in written()[0]


def test_a_level_that_is_off_does_not_look_at_its_attributes(lines):
    looked_at = []

    class Value:
        def __str__(self):
            looked_at.append(self)
            return ""

    lines(level="info")
    log.debug("seen", value=Value())
    assert not looked_at
    log.info("seen", value=Value())
    assert looked_at


def test_a_defect_comes_with_its_traceback(lines):
    written = lines()
    try:
        raise KeyError("gone")  # noqa: TRY301
    except KeyError as error:
        log.defect("handler failed", error, work="cursor")
    assert written()[0].endswith("handler failed work=cursor")
    assert written()[-1] == "    KeyError: 'gone'"


def test_a_second_setup_replaces_the_first(lines):
    lines()
    written = lines()
    log.info("once")
    assert len(written()) == 1


def test_an_unknown_level_is_refused(lines):
    with pytest.raises(ValueError, match="loud"):
        logs.level_number("loud")
