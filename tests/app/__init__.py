"""Tests of the program: commands in this process, servers in their own."""
