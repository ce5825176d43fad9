"""Files are whole or as before, and a folder is one process's."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sentiment_lstm import files
from sentiment_lstm.errors import RunFailure, UsageError

HOLD = (
    "import sys, time\nfrom pathlib import Path\nfrom sentiment_lstm.files import locked\n"
    "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
)


def hold(folder: Path) -> subprocess.Popen[str]:
    """A process of its own that has locked a folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("stage", ["fsync", "replace"])
def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    files.write_file(tmp_path / "a", b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files.os, stage, full)
        with pytest.raises(RunFailure, match=r"a \(3\.00 MB needed\): No space left on device; make room"):
            files.write_file(tmp_path / "a", b"n" * 3_000_000)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_write_is_flushed_before_it_gets_its_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    for name in ("fsync", "replace"):
        own = getattr(os, name)
        monkeypatch.setattr(files.os, name, lambda *args, n=name, f=own: (calls.append(n), f(*args))[1])
    files.write_file(tmp_path / "a", b"new")
    assert calls == ["fsync", "replace", "fsync"]


def test_a_lock_keeps_others_out_and_names_its_owner(tmp_path: Path) -> None:
    owner = hold(tmp_path / "run")
    try:
        with pytest.raises(UsageError, match=f"in use by process {owner.pid}: wait"), files.locked(tmp_path / "run"):
            pass
        assert owner.poll() is None
    finally:
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    with files.locked(tmp_path / "run"):
        assert (tmp_path / "run" / ".lock").read_text() == f"{os.getpid()}\n"


def test_a_lock_leaves_nothing_behind(tmp_path: Path) -> None:
    with files.locked(tmp_path / "new" / "run"):
        pass
    assert not (tmp_path / "new" / "run").exists()
    (tmp_path / "old").mkdir()
    with files.locked(tmp_path / "old"):
        (tmp_path / "old" / "a").write_text("a")
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["a"]


def test_a_lock_where_no_folder_can_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot use"), files.locked(tmp_path / "file" / "run"):
        pass
