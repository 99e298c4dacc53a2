"""Plain values that every agent shares: money, prices, identifiers. No I/O, no clock."""
