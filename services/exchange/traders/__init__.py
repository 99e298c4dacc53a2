"""Traders without intelligence, who make a living book where nobody else trades."""
