"""Runs the fuzz targets `tests/fuzz/fuzz_*.py`, each for its share of the time.

Usage: fuzz.py --minutes N [NAME]. NAME picks `tests/fuzz/fuzz_NAME.py`. A target is a script that hands its arguments
to libFuzzer. Inputs that found new paths are kept in `var/fuzz/NAME`; an input that broke a target is kept there as
`crash-…`, and the exit status is 1.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Run the targets and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("name", nargs="?")
    options = parser.parse_args()
    targets = sorted((ROOT / "tests" / "fuzz").glob(f"fuzz_{options.name or '*'}.py"))
    if not targets:
        print(f"no fuzz target named {options.name}", file=sys.stderr)
        return 2
    share_s = max(1, round(options.minutes * 60 / len(targets)))
    broken = [target.stem for target in targets if not _run(target, share_s)]
    print(f"BROKEN: {', '.join(broken)}" if broken else f"{len(targets)} fuzz targets held")
    return 1 if broken else 0


def _run(target: Path, duration_s: int) -> bool:
    print(f"{target.stem}: {duration_s} s", flush=True)
    corpus = ROOT / "var" / "fuzz" / target.stem.removeprefix("fuzz_")
    corpus.mkdir(parents=True, exist_ok=True)
    arguments = [f"-max_total_time={duration_s}", "-timeout=10", f"-artifact_prefix={corpus}/", "-print_final_stats=1"]
    # Some targets talk to a server as the tests do, with what these have for it.
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(target), *arguments, str(corpus)]
    process = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    return process.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
