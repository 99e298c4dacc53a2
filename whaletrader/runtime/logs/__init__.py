"""Adapters of the Log port."""
