"""Tests of the extensions, one file each, as transcripts: send this, expect that."""
