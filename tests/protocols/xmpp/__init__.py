"""Tests of the XMPP building blocks; `strategies` makes XML as peers may write it."""
