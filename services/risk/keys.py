"""The key that signs approvals, as files. Composition roots only.

The private half is made once, readable by its owner alone, and never overwritten; the public
half is what execution trusts.
"""

import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from whaletrader.domain.approval import ApprovalSigner


class KeyExposed(RuntimeError):
    """Others may read the private key: it must be replaced, by a person."""


def ensure_signer(private_path: Path, public_path: Path) -> ApprovalSigner:
    """Return the signer of the key in the file, made now if there is none.

    Writes the public half beside it. Two processes that start together get the same key. Raises
    KeyExposed, or KeyUnreadable (whaletrader.domain.approval).
    """
    if not private_path.exists():
        _create(private_path)
    mode = stat.S_IMODE(private_path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyExposed(f"{private_path} has mode {mode:o}; only its owner may read it")
    signer = ApprovalSigner(private_path.read_bytes())
    if not public_path.exists() or public_path.read_bytes() != signer.public_pem():
        _write_whole(public_path, signer.public_pem())
    return signer


def _create(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    try:
        # Fails if another process was first: then its key is the key.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _write_whole(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(content)
    draft.replace(path)
