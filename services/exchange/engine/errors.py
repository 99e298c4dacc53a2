"""What the engine refuses, by how the caller should react.

ExchangeError
|-- OrderRefused       the venue says no: the text goes to the client word for word
|-- BadInstruction     an admin call that contradicts the exchange's state (409)
`-- InvariantBroken    money does not add up: stop, a human must look
"""


class ExchangeError(Exception):
    """Base of everything that the engine raises on purpose."""


class OrderRefused(ExchangeError):
    """An order that the venue does not take; nothing was stored or reserved for it."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


class BadInstruction(ExchangeError):
    """An admin instruction that cannot follow from the present state; nothing changed."""


class InvariantBroken(ExchangeError):
    """Balances that contradict each other. Never caught and carried on from."""
