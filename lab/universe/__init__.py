"""Simulated universes of wallets whose skill is known, to hold the statistics to their word."""
