"""One training at a time in a run folder, also after the one before was killed."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from nasion.errors import RunError
from nasion.inference.run_folder_lock import FILE, locked

HOLD = """
import sys, time
from pathlib import Path
from nasion.inference.run_folder_lock import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that trains in ``tmp_path``."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_process_is_refused_with_the_first_ones_number(tmp_path, holder):
    with (
        pytest.raises(
            RunError, match=rf"is being trained by process {holder.pid} \(since .*kill {holder.pid}"
        ),
        locked(tmp_path),
    ):
        pass
    assert (tmp_path / FILE).exists()  # still the other's


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_leaves_no_lock_behind(tmp_path, holder, number):
    os.kill(holder.pid, number)
    holder.wait()
    with locked(tmp_path):
        assert str(os.getpid()) in (tmp_path / FILE).read_text()
    assert list(tmp_path.iterdir()) == []


def test_a_second_training_of_the_same_process_is_refused(tmp_path):
    with locked(tmp_path):
        with pytest.raises(RunError, match="is being trained by this process"), locked(tmp_path):
            pass
        # The refused one has not released it.
        with pytest.raises(RunError, match="this process"), locked(tmp_path):
            pass
    with locked(tmp_path):
        pass


def test_what_fails_before_anything_is_written_leaves_no_folder(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "run"):
        raise ZeroDivisionError
    assert not (tmp_path / "run").exists()


def test_a_file_in_the_place_of_the_folder_is_an_error_not_an_endless_wait(tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(RunError, match="run is a file"), locked(tmp_path / "run"):
        pass


def test_a_lock_that_another_program_wrote_into_is_still_a_lock(tmp_path, holder):
    (tmp_path / FILE).write_text("no JSON")
    with pytest.raises(RunError, match="by another process"), locked(tmp_path):
        pass


def test_of_many_at_once_one_at_a_time_is_let_in(tmp_path):
    inside, most, refused, entered = [], [], [], []

    def work():
        for _ in range(50):
            try:
                with locked(tmp_path / "run"):
                    inside.append(1)
                    most.append(len(inside))
                    inside.pop()
                    entered.append(1)
            except RunError:
                refused.append(1)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1 and len(entered) + len(refused) == 300 and entered


def test_a_file_or_a_link_to_nowhere_is_refused_as_a_run_folder(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(RunError, match="file is a file; a run needs a folder"), locked(folder):
            pass
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(RunError, match="link cannot be made or written"), locked(tmp_path / "link"):
        pass
