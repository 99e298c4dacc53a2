"""Feeds where markets are live: the deeds of followed wallets, their markets, and how those end."""
