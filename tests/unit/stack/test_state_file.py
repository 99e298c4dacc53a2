"""The state file and the lock: one supervisor a folder, a file that may be broken."""

from pathlib import Path

import pytest

from whaletrader.stack.errors import InUse, NotRunning, StackError
from whaletrader.stack.identity import ProcessIdentity, myself
from whaletrader.stack.state import (
    Phase,
    ProcessState,
    StackLock,
    StackState,
    is_locked,
    live_state,
    read_state,
    survivors,
    write_state,
)

GONE = ProcessIdentity(myself().pid, "long ago")


def state(
    supervisor: ProcessIdentity, phase: Phase = "running", *processes: ProcessState
) -> StackState:
    return StackState(supervisor=supervisor, phase=phase, written_ns=1, processes=processes)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    row = ProcessState("risk", "agent", "backoff", "risk.log", restarts=3, last_exit="exit code 1")
    written = state(myself(), "running", row)
    write_state(tmp_path, written)
    assert read_state(tmp_path) == written


def test_writing_leaves_no_temporary_file_and_is_private(tmp_path: Path) -> None:
    write_state(tmp_path, state(myself()))
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]
    assert (tmp_path / "state.json").stat().st_mode & 0o077 == 0


def test_a_folder_where_nothing_ran_is_not_running(tmp_path: Path) -> None:
    with pytest.raises(NotRunning):
        read_state(tmp_path)


def test_a_broken_state_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"supervisor": ')
    with pytest.raises(StackError, match=r"state\.json cannot be read"):
        read_state(tmp_path)


@pytest.mark.parametrize("phase", ["stopped", "failed"])
def test_a_stack_that_was_stopped_is_not_live(tmp_path: Path, phase: Phase) -> None:
    write_state(tmp_path, state(myself(), phase))
    with pytest.raises(NotRunning):
        live_state(tmp_path)


def test_a_stack_whose_supervisor_is_gone_is_not_live_even_if_its_pid_is_in_use(
    tmp_path: Path,
) -> None:
    write_state(tmp_path, state(GONE))
    with pytest.raises(NotRunning):
        live_state(tmp_path)


def test_survivors_are_those_whose_identity_still_matches() -> None:
    rows = (
        ProcessState("alive", "agent", "ready", "", process=myself()),
        ProcessState("reused pid", "agent", "ready", "", process=GONE),
        ProcessState("never started", "agent", "waiting", ""),
    )
    assert survivors(state(GONE, "running", *rows)) == (myself(),)


def test_a_stack_is_ready_when_all_are_and_not_while_it_prepares() -> None:
    ready = ProcessState("a", "agent", "ready", "")
    late = ProcessState("b", "agent", "starting", "")
    assert state(myself(), "running", ready).is_ready
    assert not state(myself(), "running", ready, late).is_ready
    assert not state(myself(), "preparing").is_ready


def test_the_lock_is_held_by_one_and_can_be_taken_after_it(tmp_path: Path) -> None:
    first, second = StackLock(tmp_path), StackLock(tmp_path)
    assert not is_locked(tmp_path)
    first.acquire()
    assert is_locked(tmp_path)
    with pytest.raises(InUse, match="choose another --data"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_the_refusal_names_the_supervisor_that_holds_the_folder(tmp_path: Path) -> None:
    lock = StackLock(tmp_path)
    lock.acquire()
    write_state(tmp_path, state(myself()))
    with pytest.raises(InUse, match=f"supervisor pid {myself().pid}"):
        StackLock(tmp_path).acquire()
    lock.release()
