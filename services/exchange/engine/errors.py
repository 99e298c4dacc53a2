"""What the engine refuses, by how the caller should react.

ExchangeError
|-- OrderRefused       the venue says no: the text goes to the client word for word
|-- BadInstruction     a call that contradicts the exchange's state (409)
|   `-- OperationRefused   a chain operation that the settled balance does not cover
|-- SnapshotError      bytes that are no snapshot this version can read
`-- InvariantBroken    money does not add up: stop, a human must look
"""


class ExchangeError(Exception):
    """Base of everything that the engine raises on purpose."""


class OrderRefused(ExchangeError):
    """An order that the venue does not take; nothing was stored or reserved for it.

    `status` is the HTTP status. `code` and `retry_after_s` are further fields of the answer, when
    the venue gives them.
    """

    def __init__(
        self, text: str, status: int = 400, *, code: str = "", retry_after_s: int | None = None
    ) -> None:
        super().__init__(text)
        self.text = text
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s


class BadInstruction(ExchangeError):
    """An instruction that cannot follow from the present state; nothing changed."""


class OperationRefused(BadInstruction):
    """A split, merge, conversion or withdrawal of more than is settled; nothing changed."""


class SnapshotError(ExchangeError):
    """Bytes that are no snapshot, or one of another version. Nothing was restored."""


class InvariantBroken(ExchangeError):
    """Balances that contradict each other. Never caught and carried on from."""
