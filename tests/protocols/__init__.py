"""Tests of the sans-IO protocol cores, by protocol."""
