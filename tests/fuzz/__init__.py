"""Fuzz targets: each `fuzz_*.py` has `target(data)` and runs under atheris; `test_targets` runs all a little."""
