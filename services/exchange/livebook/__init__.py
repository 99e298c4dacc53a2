"""Paper trading: a real venue's book, followed, and our orders filled against it honestly."""
