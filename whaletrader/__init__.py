"""Whale Trader: an event-driven, multi-agent trading platform for prediction markets."""

__version__ = "0.1.0"
