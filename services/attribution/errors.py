"""Errors of attribution. Each stops the message, which is kept as a dead letter for a person."""


class AttributionError(ValueError):
    """Base of what attribution raises."""


class InvalidFill(AttributionError):
    """A fill without order, trade, market, token or side, or with amounts out of range."""


class FillContradiction(AttributionError):
    """The same fill is told in two ways that cannot both be true: other amounts, or final twice."""


class ResolutionContradiction(AttributionError):
    """A market is said to have resolved a second time, with another winner."""


class BooksDoNotBalance(AttributionError):
    """Cash plus the cost of what is open is not deposits plus realised profit less fees."""
