"""What all commands share: the common options, one JSON document or text for people, and one way of failing."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from parley.app.addresses import parse_address
from parley.app.errors import Unwilling
from parley.app.source import SettingsSource
from parley.base.config import Settings
from parley.base.errors import ConfigError, ParleyError
from parley.domain.errors import DomainError

CONFIG_VARIABLE: Final = "PARLEY_CONFIG"
DEBUG_VARIABLE: Final = "PARLEY_DEBUG"

FAILED: Final = 1
WRONG_USAGE: Final = 2


@dataclass(slots=True)
class Invocation:
    """The common options of one call, wherever they stood on the command line."""

    config: Path | None = None
    overrides: tuple[str, ...] = ()
    is_json: bool = False

    def source(self) -> SettingsSource:
        """The settings file to use; raises click.UsageError when none was named."""
        path = self.config or Path(os.environ.get(CONFIG_VARIABLE) or "")
        if path == Path():
            raise click.UsageError(f"No settings file: pass --config FILE or set {CONFIG_VARIABLE}.")
        return SettingsSource(path, self.overrides)

    def settings(self) -> Settings:
        """The settings; raises click.UsageError or ConfigError."""
        return self.source().load()

    def say(self, text: str) -> None:
        """Tell people something, on standard error."""
        click.echo(text, err=True)

    def answer(self, document: dict[str, Any], text: str = "") -> None:
        """Print the result on standard output: the document with --json, else the text, if there is any."""
        if self.is_json:
            click.echo(json.dumps(document, ensure_ascii=False))
        elif text:
            click.echo(text)


pass_invocation = click.make_pass_decorator(Invocation, ensure=True)


def _take_address(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    # A malformed address is wrong usage; one that does not exist is a refusal, and the command's own.
    try:
        return parse_address(value)
    except Unwilling as error:
        raise click.BadParameter(str(error)) from error


address_argument = click.argument("address", callback=_take_address)
"""ADDRESS of an account, in normal form."""


def _invocation(context: click.Context) -> Invocation:
    return context.find_root().ensure_object(Invocation)


def _take_config(context: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        _invocation(context).config = value


def _take_overrides(context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> None:
    _invocation(context).overrides += value


def _take_json(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        _invocation(context).is_json = True


def _common_options() -> list[click.Parameter]:
    return [
        click.Option(
            ["--config"],
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            expose_value=False,
            callback=_take_config,
            help=f"The settings file; without it, the one named by {CONFIG_VARIABLE}.",
        ),
        click.Option(
            ["--set"],
            multiple=True,
            metavar="SECTION.NAME=VALUE",
            expose_value=False,
            callback=_take_overrides,
            help="Override a setting for this call; may be repeated.",
        ),
        click.Option(
            ["--json"],
            is_flag=True,
            # Before the options that answer at once, wherever it stands.
            is_eager=True,
            expose_value=False,
            callback=_take_json,
            help="Print one JSON document on standard output.",
        ),
    ]


class Command(click.Command):
    """A command with the common options."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.params += _common_options()


class Group(click.Group):
    """A group of commands with the common options; the outermost one also catches every failure."""

    command_class = Command
    group_class = type

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.params += _common_options()

    def main(self, args: Sequence[str] | None = None, *further: Any, **settings: Any) -> NoReturn:
        """Run the command line and exit with its status."""
        settings["standalone_mode"] = False
        is_json = "--json" in (sys.argv[1:] if args is None else args)
        try:
            status = super().main(args, *further, **settings)
        except click.ClickException as error:
            error.show()
            sys.exit(_failed(is_json, "wrong-usage", error.format_message(), WRONG_USAGE))
        except (click.Abort, KeyboardInterrupt):
            click.echo("Stopped.", err=True)
            sys.exit(_failed(is_json, "stopped", "stopped", FAILED))
        except ConfigError as error:
            sys.exit(_refused(is_json, error.code, str(error), WRONG_USAGE))
        except (ParleyError, DomainError) as error:
            sys.exit(_refused(is_json, error.code, str(error), FAILED))
        except BrokenPipeError:
            # Whoever read the output has had enough; Python would complain once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(FAILED)
        except Exception as error:
            # The edge to people: whatever it is, they get a line and a status, and a traceback only on request.
            if os.environ.get(DEBUG_VARIABLE):
                traceback.print_exc()
            message = f"{type(error).__name__}: {error} (a defect; {DEBUG_VARIABLE}=1 shows where)"
            sys.exit(_refused(is_json, "internal", message, FAILED))
        sys.exit(status if isinstance(status, int) else 0)


def _refused(is_json: bool, code: str, message: str, status: int) -> int:
    click.echo(f"parley: {message}", err=True)
    return _failed(is_json, code, message, status)


def _failed(is_json: bool, code: str, message: str, status: int) -> int:
    if is_json:
        click.echo(json.dumps({"error": {"code": code, "message": message}}, ensure_ascii=False))
    return status
