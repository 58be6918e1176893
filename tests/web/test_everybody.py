from __future__ import annotations

from pathlib import Path

import pytest
from tests.web.stage import play

pytestmark = pytest.mark.peer


def test_axe_finds_nothing_serious_on_any_screen(tmp_path: Path) -> None:
    play("access", tmp_path)


def test_everything_works_by_keyboard_alone(tmp_path: Path) -> None:
    play("keyboard", tmp_path)


def test_the_pace_on_a_slow_machine_is_measured(tmp_path: Path) -> None:
    figures = play("pace", tmp_path)
    assert isinstance(figures["firstPageGzipBytes"], int)
