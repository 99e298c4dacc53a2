"""Market data in: the catalogue, books and wallets' trades, recorded or live."""
