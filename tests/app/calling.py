"""Calls the command line within the test's process."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from tests.support.raw_client import RawClient

from parley.app.cli import main

DOMAIN = "example.org"
FAST = ("--set", "login.scram_iterations=4096")


def call(*arguments: object, given: str | None = None, env: dict[str, str] | None = None) -> Result:
    """Run a command; no defect may show as a traceback or an unexpected exception."""
    result = CliRunner().invoke(main, [str(each) for each in arguments], input=given, env=env)
    assert isinstance(result.exception, SystemExit | None), result.exc_info
    assert "Traceback" not in result.output
    return result


class Cli:
    """Commands on one installation."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "parley.toml"
        self.data = folder / "data"
        assert call("init", folder, "--domain", DOMAIN).exit_code == 0

    def __call__(self, *arguments: object, given: str | None = None) -> Result:
        return call(*arguments, "--config", self.config, *FAST, given=given)

    def json(self, *arguments: object, given: str | None = None, status: int = 0) -> dict[str, Any]:
        result = self(*arguments, "--json", given=given)
        assert result.exit_code == status, result.output
        document: dict[str, Any] = json.loads(result.stdout)
        return document


async def slot(client: RawClient, size_bytes: int) -> str:
    """Ask for a slot and return where to put the content."""
    request = f"<request xmlns='urn:xmpp:http:upload:0' filename='a' size='{size_bytes}'/>"
    answer = await client.iq("get", request, f"upload.{client.domain}")
    return next(element for element in answer.iter() if str(element.tag).endswith("}put")).get("url") or ""


async def upload(client: RawClient, content: bytes) -> None:
    """Put a content into a slot."""
    put = urllib.request.Request(await slot(client, len(content)), data=content, method="PUT")
    await asyncio.to_thread(lambda: urllib.request.urlopen(put, timeout=10).close())
