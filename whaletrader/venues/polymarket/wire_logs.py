"""Keeps the loggers of the HTTP, WebSocket and AWS libraries above DEBUG.

There they write headers, frames and bodies, and with them secrets. Called before anything that
holds or fetches a secret is opened, whatever the root logger's level is.
"""

import logging
from typing import Final

_LOUD: Final = (
    "boto3",
    "botocore",
    "h2",
    "hpack",
    "httpcore",
    "s3transfer",
    "urllib3",
    "websockets",
)


def keep_secrets_from_wire_logs() -> None:
    """Raise to INFO whichever of the loggers would say more. Idempotent."""
    for name in _LOUD:
        logger = logging.getLogger(name)
        if logger.getEffectiveLevel() < logging.INFO:
            logger.setLevel(logging.INFO)
