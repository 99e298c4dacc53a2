"""Builds the shipped sample of real wallet trades; `python -m whaletrader.lab.sample` runs it."""
