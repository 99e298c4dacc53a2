"""Market data in: catalogue, prints and wallets' trades. In a demo it plays a recorded tape."""
