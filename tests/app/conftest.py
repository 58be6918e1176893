"""Installations for the tests of commands."""

from pathlib import Path

import pytest
from tests.app.calling import Cli


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "home")
