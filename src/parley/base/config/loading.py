"""Reads `parley.toml` and `--set` overrides into `Settings`, and says which changes a running server can take over."""

import difflib
import reprlib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from parley.base.config.sections import Settings
from parley.base.errors import ConfigError

M = TypeVar("M", bound=BaseModel)

_MAX_FILE_BYTES = 1024 * 1024


def load(path: Path, overrides: Sequence[str] = ()) -> Settings:
    """Read a settings file.

    Args:
        path: the TOML file; relative paths inside it start at its folder.
        overrides: texts of the form `section.name=value`, applied in order; the value is read as TOML, and as plain
            text when it is none.

    Raises:
        ConfigError: when the file cannot be read, is not TOML, or a setting is unknown, missing or wrong.
    """
    document = _read(path)
    for override in overrides:
        _override(document, override)
    return parse(document, path.absolute().parent)


def parse(document: dict[str, Any], folder: Path) -> Settings:
    """Check a document that was already read; `folder` is where relative paths start.

    Raises:
        ConfigError: for the first wrong setting; the message lists the others.
    """
    document = {"tls": {}, **document}
    try:
        return Settings.model_validate(_tuples(document), context={"folder": folder})
    except ValidationError as error:
        problems = [_explain(details) for details in error.errors()]
    path, message = problems[0]
    further = [f"{other_path}: {other}" for other_path, other in problems[1:]]
    raise ConfigError(path, "\n".join([message, *further]))


def apply_reload(running: Settings, read: Settings) -> tuple[Settings, list[str]]:
    """Take over what a running server can change.

    Args:
        running: the settings in force.
        read: the settings read anew.

    Returns:
        The settings to use from now on, and the paths of changed settings that need a restart.
    """
    return _merge(running, read, "")


def unused_settings(settings: Settings) -> list[str]:
    """Return paths of settings that are not at their defaults, and are for later releases: they change nothing here."""
    unused = [f"sip.{name}" for name in ("udp", "tcp", "tls") if getattr(settings.sip, name)]
    defaults = type(settings.media)()
    return unused + [
        f"media.{name}"
        for name in type(defaults).model_fields
        if getattr(settings.media, name) != getattr(defaults, name)
    ]


def _merge(running: M, read: M, prefix: str) -> tuple[M, list[str]]:
    changed: dict[str, object] = {}
    needs_restart: list[str] = []
    for name, field in type(running).model_fields.items():
        old, new = getattr(running, name), getattr(read, name)
        extra = field.json_schema_extra
        if isinstance(old, BaseModel):
            changed[name], below = _merge(old, new, f"{prefix}{name}.")
            needs_restart += below
        elif old != new and isinstance(extra, dict) and extra["reload"]:
            changed[name] = new
        elif old != new:
            needs_restart.append(prefix + name)
    return running.model_copy(update=changed), needs_restart


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror}") from error
    if len(content) > _MAX_FILE_BYTES:
        raise ConfigError(str(path), "is larger than 1 MiB")
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), f"is not UTF-8 at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), f"is not TOML: {error}") from error
    except RecursionError as error:
        # The parser of the standard library has no limit of its own.
        raise ConfigError(str(path), "is nested too deeply") from error


def _override(document: dict[str, Any], override: str) -> None:
    path, separator, text = override.partition("=")
    keys = [key.strip() for key in path.split(".")]
    if not separator or not all(keys):
        raise ConfigError("--set", f"expected section.name=value, not {override!r}")
    table = document
    for key in keys[:-1]:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise ConfigError(path.strip(), "is below a value that is not a table")
    table[keys[-1]] = _override_value(text.strip())


def _override_value(text: str) -> Any:
    try:
        document = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    # A line break in the text could have added keys: then it was not one value.
    return document["value"] if len(document) == 1 else text


def _tuples(value: Any) -> Any:
    """Return the document with lists as tuples, which is what frozen settings hold."""
    if isinstance(value, dict):
        return {key: _tuples(below) for key, below in value.items()}
    if isinstance(value, list):
        return tuple(_tuples(below) for below in value)
    return value


def _explain(details: ErrorDetails) -> tuple[str, str]:
    location = details["loc"]
    path = _path(location)
    if details["type"] == "extra_forbidden":
        return path, "unknown setting" + _suggestion(location)
    if details["type"] == "missing":
        return path, "is missing"
    if details["type"] in ("value_error", "assertion_error"):
        return path, details["msg"].removeprefix("Value error, ")
    # Lists of a file are tuples here, which is no word of TOML.
    message = details["msg"].replace("tuple", "list").replace("Tuple", "List")
    return path, f"{_lower_first(message)}, not {reprlib.repr(details['input'])}"


def _path(location: tuple[str | int, ...]) -> str:
    """A setting's dotted path, with the place in a list in brackets."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")


def _suggestion(location: tuple[str | int, ...]) -> str:
    model: type[BaseModel] = Settings
    for part in location[:-1]:
        below = model.model_fields[str(part)].annotation
        if not (isinstance(below, type) and issubclass(below, BaseModel)):
            return ""
        model = below
    similar = difflib.get_close_matches(str(location[-1]), model.model_fields, n=1)
    return f"; did you mean {similar[0]}?" if similar else ""


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
