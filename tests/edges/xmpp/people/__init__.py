"""Subscriptions and presence."""
