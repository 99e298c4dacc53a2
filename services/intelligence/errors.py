"""Errors of intelligence. Each means: this message cannot be handled, keep it as a dead letter."""


class InvalidPrint(ValueError):
    """A print without a market or size, or with a price that is not between 0 and 1."""
