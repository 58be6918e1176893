"""Tests against programs that others wrote: each file names its peer and is skipped by name where that is missing."""
