"""Polymarket behind the venue port, on its official Python client, unmodified."""
