"""Risk's public key: read from its file once risk has made it.

Until then nothing verifies, so nothing is traded. Used by the composition root.
"""

import asyncio
from pathlib import Path
from typing import Final

from whaletrader.domain.approval import ApprovalVerifier, ForgedApproval, KeyUnreadable

_LOOK_S: Final = 0.2


class RiskKey:
    """Checks risk's signatures with the key in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._verifier: ApprovalVerifier | None = None

    async def load(self, wait_s: float) -> None:
        """Wait for the file. Raises KeyUnreadable if it does not come, or holds no key."""
        for _ in range(int(wait_s / _LOOK_S)):
            if self._path.is_file():
                break
            await asyncio.sleep(_LOOK_S)
        self.read()

    def read(self) -> None:
        """Read the file now. Raises KeyUnreadable."""
        if not self._path.is_file():
            raise KeyUnreadable(f"risk has written no public key to {self._path}")
        self._verifier = ApprovalVerifier([self._path.read_bytes()])

    def verify(self, payload: bytes, signature: bytes, key_id: str) -> None:
        """Return if risk signed the bytes. Raises ForgedApproval."""
        if self._verifier is None:
            raise ForgedApproval("risk's public key is not known yet")
        self._verifier.verify(payload, signature, key_id)
