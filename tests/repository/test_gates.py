"""The gates' runner: what passes, what fails, what the summary names."""

import json
import os
import sys

import gates
import pytest

REPORT = """<testsuites><testsuite>
<testcase classname="tests.peers.test_profanity" name="test_in"><skipped message="profanity is missing"/></testcase>
<testcase classname="tests.peers.test_profanity" name="test_text"><skipped message="profanity is missing"/></testcase>
<testcase classname="tests.base.test_ids" name="test_order"><failure message="no"/></testcase>
<testcase classname="tests.base.test_ids" name="test_layout"/>
</testsuite></testsuites>"""


def python_gate(code: str, **options) -> gates.Gate:
    return gates.Gate("a gate", (sys.executable, "-c", code), **options)


def test_the_summary_counts_names_and_measures(tmp_path):
    (tmp_path / "pytest.xml").write_text(REPORT)
    figures = {"numPassedTests": 5, "numFailedTests": 0, "numPendingTests": 1, "numTodoTests": 1}
    (tmp_path / "vitest.json").write_text(json.dumps(figures))
    counted = {"covered_lines": 9, "num_statements": 10, "covered_branches": 1, "num_branches": 2}
    files = {"src/parley/protocols/xmpp/jid.py": {"summary": counted}}
    (tmp_path / "coverage.json").write_text(json.dumps({"files": files}))
    lines = gates.summary(tmp_path)
    assert lines[0] == "Tests: 4 collected, 1 passed, 1 failed"
    assert lines[1] == "SKIPPED: 2 tests"
    assert lines[2].split() == ["2", "x", "tests.peers.test_profanity:", "profanity", "is", "missing"]
    assert lines[3] == "Web tests: 5 passed, 0 failed, SKIPPED: 2"
    assert lines[5].split() == ["protocols", "90.0", "%", "50.0", "%"]
    assert lines[6].split() == ["domain", "–", "–"]


def test_missing_reports_are_said(tmp_path):
    assert gates.summary(tmp_path) == ["Tests: no report", "Web tests: no report", "Coverage: no report"]


@pytest.mark.parametrize(
    ("environment", "absent"),
    [
        ({}, []),
        ({"CI": "true"}, ["curl is not installed", "not installed: chromium, sox"]),
        ({"CI": "false"}, []),
        ({"PARLEY_REQUIRE_PEERS": "1"}, ["curl is not installed", "not installed: chromium, sox"]),
        ({"CI": "true", "PARLEY_REQUIRE_PEERS": "0"}, []),
        ({"CI": "true", "PARLEY_WAIVED_PEERS": "curl"}, ["not installed: chromium, sox"]),
        ({"CI": "true", "PARLEY_WAIVED_PEERS": "curl, chromium"}, []),
    ],
)
def test_what_is_not_installed_counts_where_peers_are_required(environment, absent, tmp_path):
    reasons = ("not installed: chromium, sox", "curl is not installed", "curl is not installed", "only root can")
    skips = "".join(f'<testcase><skipped message="{reason}"/></testcase>' for reason in reasons)
    report = tmp_path / "pytest.xml"
    report.write_text(f"<testsuites><testsuite>{skips}</testsuite></testsuites>")
    assert gates.absent_peers(report, environment) == absent


@pytest.mark.parametrize(("code", "passed"), [("", True), ("print('why'); raise SystemExit(3)", False)])
def test_a_gate_passes_by_its_status_and_says_why_it_failed(code, passed, capsys):
    assert gates.run(python_gate(code), dict(os.environ)) is passed
    assert ("why" in capsys.readouterr().out) is not passed


def test_a_gate_that_hangs_has_failed(capsys):
    gate = python_gate("import sys, time; print('started', flush=True); time.sleep(600)", timeout_s=0.5)
    assert gates.run(gate, dict(os.environ)) is False
    assert "not done after" in capsys.readouterr().out


def test_there_is_nothing_else_to_run(capsys):
    assert gates.main(["all"]) == 2
    assert "gates.py lint" in capsys.readouterr().err
