"""Runs the gates one after the other and ends with one summary: `gates.py lint` or `gates.py test`.

Every gate runs even when an earlier one has failed, so that one run shows everything that is wrong. A gate that passes
prints one line; one that fails prints all it had to say. The exit status is 0 only when all passed.
"""

import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "var" / "test"
BIN = ROOT / ".venv" / "bin"
WEB_BIN = "node_modules/.bin"


@dataclass(frozen=True, slots=True)
class Gate:
    """One command that must succeed.

    Attributes:
        name: what it checks.
        command: program and arguments.
        folder: where it runs, below the root.
        timeout_s: seconds after which it is killed and has failed.
        is_shown: whether its output is shown as it comes.
    """

    name: str
    command: tuple[str, ...]
    folder: str = "."
    timeout_s: float = 300
    is_shown: bool = False


LINT = (
    Gate("format of Python files", (f"{BIN}/ruff", "format", "--check", "--quiet", ".")),
    Gate("lint of Python files", (f"{BIN}/ruff", "check", "--quiet", ".")),
    Gate("types of Python files", (f"{BIN}/mypy",)),
    Gate("import contracts", (f"{BIN}/lint-imports", "--no-cache")),
    Gate("names of files", (f"{BIN}/python", "tools/check_tree.py")),
    Gate("format and lint of web files", (f"{WEB_BIN}/biome", "ci", "--colors=off", "--error-on-warnings", "."), "web"),
    Gate(
        "format and lint of browser scenarios",
        (f"{WEB_BIN}/biome", "ci", "--colors=off", "--error-on-warnings", "--config-path=.", "../tests/web/e2e"),
        "web",
    ),
    Gate("types of web files", (f"{WEB_BIN}/tsc", "--noEmit"), "web"),
)
WEB_TESTS = Gate(
    "unit tests of the web app",
    (f"{WEB_BIN}/vitest", "run", "--reporter=default", "--reporter=json", f"--outputFile.json={REPORTS}/vitest.json"),
    "web",
    timeout_s=300,
)
PYTHON_TESTS = Gate(
    "tests",
    (
        *(f"{BIN}/coverage", "run", "-m", "pytest", "--numprocesses=2", "--dist=loadgroup"),
        *("--junit-xml", f"{REPORTS}/pytest.xml", "--durations=10"),
    ),
    timeout_s=1320,
    is_shown=True,
)
COVERAGE = (
    Gate("coverage data", (f"{BIN}/coverage", "combine", "--quiet")),
    Gate("coverage report", (f"{BIN}/coverage", "json", "--quiet", "-o", f"{REPORTS}/coverage.json")),
)


def main(arguments: list[str]) -> int:
    """Run the gates of `lint` or `test` and return the exit status."""
    if arguments not in (["lint"], ["test"]):
        print(__doc__, file=sys.stderr)
        return 2
    is_test = arguments == ["test"]
    started = time.monotonic()
    REPORTS.mkdir(parents=True, exist_ok=True)
    for report in REPORTS.iterdir():
        report.unlink()
    gates = (*LINT, WEB_TESTS, PYTHON_TESTS, *COVERAGE) if is_test else LINT
    environment = os.environ | {"PATH": f"{_node_folder()}:{os.environ['PATH']}", "NO_COLOR": "1"}
    failed = [gate.name for gate in gates if not run(gate, environment)]
    if is_test:
        print("\n".join(["", *summary(REPORTS)]))
        if absent := absent_peers(REPORTS / "pytest.xml", os.environ):
            print("NOT INSTALLED, and required here:", *(f"  {reason}" for reason in absent), sep="\n")
            failed.append("peers that tests need")
    print(f"{'FAILED: ' + ', '.join(failed) if failed else 'All gates passed'} ({time.monotonic() - started:.0f} s)")
    return 1 if failed else 0


def run(gate: Gate, environment: dict[str, str]) -> bool:
    """Run one gate, print its line, and return whether it passed."""
    print(f"{gate.name} …", end="\n" if gate.is_shown else " ", flush=True)
    started = time.monotonic()
    output = None if gate.is_shown else subprocess.PIPE
    process = subprocess.Popen(
        gate.command,
        cwd=ROOT / gate.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        text, _ = process.communicate(timeout=gate.timeout_s)
        result = "ok" if process.returncode == 0 else f"FAILED with status {process.returncode}"
    except subprocess.TimeoutExpired:
        result = f"FAILED: not done after {gate.timeout_s:.0f} s"
        text = _kill(process)
    except KeyboardInterrupt:
        _kill(process)
        raise
    print(f"{gate.name + ': ' if gate.is_shown else ''}{result} ({time.monotonic() - started:.1f} s)", flush=True)
    if result != "ok" and text:
        print(text.decode(errors="replace"), flush=True)
    return result == "ok"


def _kill(process: subprocess.Popen[bytes]) -> bytes:
    """Kill the gate's whole session, which its servers and browsers share, and return what it had printed."""
    os.killpg(process.pid, signal.SIGKILL)
    return process.communicate()[0] or b""


def summary(reports: Path) -> list[str]:
    """Return the lines that say how many tests ran, which were skipped and why, and what was covered."""
    return [*_python_summary(reports / "pytest.xml"), *_web_summary(reports / "vitest.json"), *_covered(reports)]


def absent_peers(report: Path, environment: Mapping[str, str]) -> list[str]:
    """Return why tests were skipped for want of a program, where that counts as a failure.

    It does where `PARLEY_REQUIRE_PEERS` or, without it, `CI` says yes. What `PARLEY_WAIVED_PEERS` names (words,
    separated by commas) may be absent all the same.
    """
    wish = environment.get("PARLEY_REQUIRE_PEERS") or environment.get("CI") or ""
    if wish.lower() in {"", "0", "false", "no"} or not report.exists():
        return []
    waived = [word.strip() for word in environment.get("PARLEY_WAIVED_PEERS", "").split(",") if word.strip()]
    marks = ET.parse(report).getroot().iter("skipped")  # noqa: S314 - our own report
    reasons = {mark.get("message", "") for mark in marks}
    return sorted(
        reason for reason in reasons if "not installed" in reason and not any(word in reason for word in waived)
    )


def _python_summary(report: Path) -> list[str]:
    if not report.exists():
        return ["Tests: no report"]
    suite = ET.parse(report).getroot()  # noqa: S314 - our own report
    cases = list(suite.iter("testcase"))
    skipped = [(case, mark) for case in cases for mark in case.iter("skipped")]
    failed = sum(1 for case in cases if case.find("failure") is not None or case.find("error") is not None)
    lines = [f"Tests: {len(cases)} collected, {len(cases) - len(skipped) - failed} passed, {failed} failed"]
    if skipped:
        lines.append(f"SKIPPED: {len(skipped)} tests")
        reasons = Counter((case.get("classname", ""), mark.get("message", "")) for case, mark in skipped)
        lines += [f"  {count:4} x {module}: {reason}" for (module, reason), count in sorted(reasons.items())]
    return lines


def _web_summary(report: Path) -> list[str]:
    if not report.exists():
        return ["Web tests: no report"]
    figures = json.loads(report.read_text())
    passed, failed = figures["numPassedTests"], figures["numFailedTests"]
    skipped = figures["numPendingTests"] + figures["numTodoTests"]
    return [f"Web tests: {passed} passed, {failed} failed" + (f", SKIPPED: {skipped}" if skipped else "")]


def _covered(reports: Path) -> list[str]:
    report = reports / "coverage.json"
    if not report.exists():
        return ["Coverage: no report"]
    files = json.loads(report.read_text())["files"]
    lines = ["Coverage       lines  branches"]
    for name, prefix in (("protocols", "src/parley/protocols/"), ("domain", "src/parley/domain/"), ("all", "src/")):
        totals: Counter[str] = Counter()
        for path, figures in files.items():
            if path.startswith(prefix):
                totals.update({key: value for key, value in figures["summary"].items() if isinstance(value, int)})
        of_lines = _share(totals["covered_lines"], totals["num_statements"])
        of_branches = _share(totals["covered_branches"], totals["num_branches"])
        lines.append(f"  {name:<11} {of_lines:>6} {of_branches:>9}")
    return lines


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def _node_folder() -> str:
    return subprocess.run(["tools/node_bin.sh"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
