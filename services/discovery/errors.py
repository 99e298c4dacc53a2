"""Errors of discovery. Each means: this message cannot be handled, keep it as a dead letter."""


class DiscoveryError(ValueError):
    """Base of what discovery raises."""


class InvalidTrade(DiscoveryError):
    """A wallet's trade without wallet, market, side, size or a price between 0 and 1."""


class InvalidDeed(DiscoveryError):
    """A split, merge, conversion, redemption or income that no wallet can have."""


class InvalidListing(DiscoveryError):
    """A listing that names no market, or one without two outcomes."""


class InvalidResolution(DiscoveryError):
    """A resolution that names no market or no winner."""


class InvalidRuling(DiscoveryError):
    """A ruling without a wallet, a person, or one of the three words."""
