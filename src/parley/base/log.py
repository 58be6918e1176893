"""Structured logs on the standard `logging` module.

    log = get(__name__)
    log.info("login refused", reason="throttled", pii={"account": str(jid), "address": peer})

The message is static, so that it can be counted and searched; what varies is an attribute. Personal data goes under
`pii` and becomes `pii.account` and so on, which a sink can drop. Attributes whose name looks like a credential are
never written. `trace` is below `debug` and carries protocol transcripts, from which the caller has taken credentials.
"""

import json
import logging
import re
import sys
import time
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Literal, TextIO

TRACE = 5
REDACTED = "[redacted]"

_ATTRIBUTES = "parley_attributes"
_SECRET = re.compile(
    r"(^|[._-])(pass(word|wd|phrase)?|secret|token|credentials?|authorization|cookie|private_?key|api_?key|proof|salted)"
    r"($|[._-])",
    re.IGNORECASE,
)
_PLAIN = re.compile(r"[^\s\"'=\\\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Log:
    """Writes events of one module. Cheap when the level is off: attributes are not looked at."""

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    @property
    def is_tracing(self) -> bool:
        """Whether transcripts are wanted; ask before building one."""
        return self._logger.isEnabledFor(TRACE)

    def trace(self, message: str, *, pii: Mapping[str, object] | None = None, **attributes: object) -> None:
        """Write a piece of a protocol transcript, without credentials."""
        self._write(TRACE, message, pii, attributes)

    def debug(self, message: str, *, pii: Mapping[str, object] | None = None, **attributes: object) -> None:
        """Write what only a developer needs."""
        self._write(logging.DEBUG, message, pii, attributes)

    def info(self, message: str, *, pii: Mapping[str, object] | None = None, **attributes: object) -> None:
        """Write what an operator wants to know on a normal day."""
        self._write(logging.INFO, message, pii, attributes)

    def warning(self, message: str, *, pii: Mapping[str, object] | None = None, **attributes: object) -> None:
        """Write what may need an operator."""
        self._write(logging.WARNING, message, pii, attributes)

    def error(self, message: str, *, pii: Mapping[str, object] | None = None, **attributes: object) -> None:
        """Write what needs an operator."""
        self._write(logging.ERROR, message, pii, attributes)

    def defect(
        self, message: str, error: BaseException, *, pii: Mapping[str, object] | None = None, **attributes: object
    ) -> None:
        """Write a defect with its traceback."""
        exc_info = (type(error), error, error.__traceback__)
        self._write(logging.ERROR, message, pii, attributes, exc_info)

    def _write(
        self,
        level: int,
        message: str,
        pii: Mapping[str, object] | None,
        attributes: dict[str, object],
        exc_info: _ExcInfo | None = None,
    ) -> None:
        if not self._logger.isEnabledFor(level):
            return
        if pii:
            attributes.update((f"pii.{key}", value) for key, value in pii.items())
        record = self._logger.makeRecord(
            self._logger.name, level, "", 0, message, (), exc_info, extra={_ATTRIBUTES: attributes}
        )
        self._logger.handle(record)


def get(name: str) -> Log:
    """Return the log of a module; pass `__name__`."""
    return Log(logging.getLogger(name))


def setup(
    level: str = "info",
    format: Literal["text", "json"] = "text",  # noqa: A002 - the setting's name
    *,
    drop_pii: bool = False,
    stream: TextIO | None = None,
) -> None:
    """Send all logs of the process to one stream. A second call replaces the first.

    Args:
        level: `trace`, `debug`, `info`, `warning` or `error`.
        format: `text` for people, `json` for one object per line.
        drop_pii: leave out `pii.*` attributes, and the texts of exceptions, which may quote input.
        stream: standard error when not given.

    Raises:
        ValueError: for an unknown level.
    """
    logging.addLevelName(TRACE, "TRACE")
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(JsonFormatter(drop_pii=drop_pii) if format == "json" else TextFormatter(drop_pii=drop_pii))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("parley").setLevel(level_number(level))


def level_number(level: str) -> int:
    """Return the number of a level's name.

    Raises:
        ValueError: for an unknown name.
    """
    levels = {
        "trace": TRACE,
        "debug": logging.DEBUG,
        "info": logging.INFO,
        "warning": logging.WARNING,
        "error": logging.ERROR,
    }
    if level not in levels:
        raise ValueError(f"unknown log level {level!r}")
    return levels[level]


class _StructuredFormatter(logging.Formatter):
    def __init__(self, *, drop_pii: bool = False) -> None:
        super().__init__()
        self._drop_pii = drop_pii

    def _attributes(self, record: logging.LogRecord) -> dict[str, object]:
        given: dict[str, object] = getattr(record, _ATTRIBUTES, {})
        kept = {}
        for key, value in given.items():
            if self._drop_pii and (key == "pii" or key.startswith("pii.")):
                continue
            kept[key] = REDACTED if _SECRET.search(key) else value
        return kept

    def _trace_back(self, record: logging.LogRecord) -> str | None:
        if not record.exc_info or record.exc_info[1] is None:
            return None
        kind, error, trace = record.exc_info
        if self._drop_pii:
            name = kind.__name__ if kind is not None else "Exception"
            return "".join(traceback.format_tb(trace)) + name
        return "".join(traceback.format_exception(error)).rstrip("\n")


class TextFormatter(_StructuredFormatter):
    """One line for people: time in UTC, level, module, message, `key=value` pairs; a traceback follows indented."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; control characters in values are escaped, so that no value can forge a line."""
        parts = [
            _stamp(record),
            f"{record.levelname:<7}",
            record.name.removeprefix("parley."),
            _escape(_message(record)),
        ]
        parts += [f"{key}={_text_value(value)}" for key, value in self._attributes(record).items()]
        line = " ".join(parts)
        trace_back = self._trace_back(record)
        if trace_back is None:
            return line
        return "\n".join([line, *(f"    {row}" for row in trace_back.splitlines())])


class JsonFormatter(_StructuredFormatter):
    """One JSON object per line: `time`, `level`, `module`, `message`, the attributes, and `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object; values that JSON does not know are written as text."""
        body: dict[str, object] = dict(self._attributes(record))
        body.update(time=_stamp(record), level=record.levelname.lower(), module=record.name, message=_message(record))
        trace_back = self._trace_back(record)
        if trace_back is not None:
            body["exception"] = trace_back
        return json.dumps(body, default=str, ensure_ascii=False, separators=(",", ":"))


def _message(record: logging.LogRecord) -> str:
    return record.getMessage()


def _stamp(record: logging.LogRecord) -> str:
    # The one place that formats the record's own wall time, which `logging` took from the machine.
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{int(record.msecs):03d}Z"


def _escape(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _text_value(value: object) -> str:
    text = str(value)
    if _PLAIN.fullmatch(text):
        return _escape(text)
    return _escape(json.dumps(text, ensure_ascii=False))
