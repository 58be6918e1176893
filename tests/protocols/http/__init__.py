"""Tests of HTTP's header syntax."""
