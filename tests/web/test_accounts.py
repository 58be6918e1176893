from __future__ import annotations

from pathlib import Path

import pytest
from tests.web.stage import play

pytestmark = pytest.mark.peer


def test_a_second_device_sees_all_from_then_on_and_all_learn_of_it(tmp_path: Path) -> None:
    play("devices", tmp_path)


def test_devices_are_listed_and_signed_out_one_by_one_and_everywhere(tmp_path: Path) -> None:
    play("sign-out", tmp_path)


def test_refused_sign_ins_say_why(tmp_path: Path) -> None:
    play("refused", tmp_path, settings={"login": ["failures_per_account = 4"]})


def test_one_tab_at_a_time_has_the_app(tmp_path: Path) -> None:
    play("tabs", tmp_path)


def test_a_changed_key_holds_messages_back_until_the_person_decides(tmp_path: Path) -> None:
    play("trust", tmp_path)


def test_a_browser_keeps_nothing_of_a_conversation_in_clear(tmp_path: Path) -> None:
    play("at-rest", tmp_path)
