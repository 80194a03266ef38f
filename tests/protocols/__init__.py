"""Protocols as pure functions: golden rows of their specifications, round trips, hostile heads."""
