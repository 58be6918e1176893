"""Tests of the edges, one package each."""
