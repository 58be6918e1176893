from __future__ import annotations

from pathlib import Path

import pytest
from tests.web.stage import play

pytestmark = pytest.mark.peer


def test_what_is_written_offline_is_sent_once_in_order_also_after_a_reload(tmp_path: Path) -> None:
    play("offline", tmp_path)


def test_nothing_is_lost_or_doubled_over_cuts_in_mid_conversation(tmp_path: Path) -> None:
    play("cuts", tmp_path)


def test_a_history_whose_fetching_was_cut_for_long_is_there_once_and_in_order(tmp_path: Path) -> None:
    play("long-cut", tmp_path)


def test_a_double_click_on_try_again_sends_once(tmp_path: Path) -> None:
    play("retry", tmp_path, settings={"upload": ["max_size_bytes = 2048"]})


def test_uploads_go_on_after_a_reload_and_after_the_browser_was_killed(tmp_path: Path) -> None:
    play("upload", tmp_path)
