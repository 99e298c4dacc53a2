"""The signing key as files: made once, kept private, never replaced."""

import os
import stat
from pathlib import Path

import pytest

from whaletrader.domain.approval import ApprovalVerifier, KeyUnreadable
from whaletrader.services.risk.keys import KeyExposed, ensure_signer


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "keys" / "risk.pem", tmp_path / "public" / "risk.pub.pem"


def test_a_key_is_made_once_and_only_its_owner_may_read_it(files: tuple[Path, Path]) -> None:
    private, public = files
    first = ensure_signer(private, public)
    pem = private.read_bytes()
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert ensure_signer(private, public).key_id == first.key_id
    assert private.read_bytes() == pem
    assert [path.name for path in private.parent.iterdir()] == ["risk.pem"]


def test_the_public_file_verifies_what_the_private_one_signs(files: tuple[Path, Path]) -> None:
    signer = ensure_signer(*files)
    verifier = ApprovalVerifier([files[1].read_bytes()])
    verifier.verify(b"bytes", signer.sign(b"bytes"), signer.key_id)
    assert b"PRIVATE" not in files[1].read_bytes()


def test_a_lost_or_foreign_public_file_is_written_again(files: tuple[Path, Path]) -> None:
    signer = ensure_signer(*files)
    files[1].write_bytes(b"another")
    ensure_signer(*files)
    assert files[1].read_bytes() == signer.public_pem()
    files[1].unlink()
    ensure_signer(*files)
    assert files[1].read_bytes() == signer.public_pem()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_may_read_is_refused(files: tuple[Path, Path], mode: int) -> None:
    ensure_signer(*files)
    files[0].chmod(mode)
    with pytest.raises(KeyExposed):
        ensure_signer(*files)


def test_a_damaged_key_stops_the_start_and_is_not_replaced(files: tuple[Path, Path]) -> None:
    ensure_signer(*files)
    files[0].write_bytes(b"damaged")
    with pytest.raises(KeyUnreadable):
        ensure_signer(*files)
    assert files[0].read_bytes() == b"damaged"


def test_of_two_that_start_together_both_get_the_key_of_the_first(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link
    winners = []

    def link_after_another_process(draft: Path, path: Path) -> None:
        if not winners:
            monkeypatch.setattr(os, "link", link)
            monkeypatch.setattr(os, "getpid", lambda: 1)
            winners.append(ensure_signer(*files))
        link(draft, path)

    monkeypatch.setattr(os, "link", link_after_another_process)
    loser = ensure_signer(*files)
    assert loser.key_id == winners[0].key_id
    assert [path.name for path in files[0].parent.iterdir()] == ["risk.pem"]
