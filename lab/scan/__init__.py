"""Collects wallets' histories into the folder that `whaletrader evidence` reads; resumable."""
