import glob
import json
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import click
import numpy as np
import pytest

from nengo_phasor import atomic, datasets, results
from nengo_phasor.models.shared.run_folder import kept, open_run, read

OPEN = """
import sys, time
from pathlib import Path
from nengo_phasor.models.shared.run_folder import open_run
open_run(Path(sys.argv[1]), {"a": 1}, resume=True)
"""


@pytest.fixture
def run(tmp_path):
    """A run's folder, with weights and runs in spikes."""
    open_run(tmp_path / "run", {"a": (1, 2)}, resume=True)
    for name in ("weights.npz", "scores.json", "spiking/0.npz", "page.html"):
        file = tmp_path / "run" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("{}")
    return tmp_path / "run"


PIPES = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)


def files(folder):
    found = {str(path.relative_to(folder)) for path in folder.glob("**/*") if path.is_file()}
    return found - {".lock"}


@contextmanager
def process(text, *arguments):
    """A process that runs a program; it is killed at the end, as by kill -9."""
    command = [sys.executable, "-c", text, *map(str, arguments)]
    child = subprocess.Popen(command, text=True, start_new_session=True, **PIPES)
    try:
        yield child
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def test_resumed_run_keeps_all(run):
    before = files(run)
    open_run(run, {"a": (1, 2)}, resume=True)
    assert files(run) == before


def test_run_with_other_settings_is_not_resumed(run):
    before = files(run)
    with pytest.raises(click.ClickException, match=r"settings\.json belongs to a run with other"):
        open_run(run, {"a": (1, 3)}, resume=True)
    assert files(run) == before


def test_new_run_begins_with_nothing(run):
    open_run(run, {"a": (1, 3)}, resume=False)
    assert files(run) == {"settings.json", "page.html"}
    assert json.loads((run / "settings.json").read_text()) == {"a": [1, 3]}


@pytest.mark.parametrize("resume", [True, False])
def test_folder_of_something_else_is_left_alone(tmp_path, resume):
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "weights.npz").touch()
    with pytest.raises(click.ClickException, match="do not belong to a run"):
        open_run(tmp_path, {"a": 1}, resume)
    assert files(tmp_path) == {"params/weights.npz"}


# --- damage ---------------------------------------------------------------------------------------

DAMAGED = [b"", b'{"a": 1', b"\xff\xfe", b"[1]", b"null"]


@pytest.mark.parametrize("content", DAMAGED)
def test_damaged_settings_are_named_with_the_way_out(run, content):
    (run / "settings.json").write_bytes(content)
    before = files(run)
    with pytest.raises(click.ClickException) as caught:
        open_run(run, {"a": (1, 2)}, resume=True)
    assert str(run / "settings.json") in caught.value.message
    assert "damaged" in caught.value.message
    assert "omit --resume to start again" in caught.value.message
    assert "\n" not in caught.value.message
    assert files(run) == before
    open_run(run, {"a": (1, 2)}, resume=False)  # the way out
    assert files(run) == {"settings.json", "page.html"}


@pytest.mark.parametrize("content", [*DAMAGED, b'{"epoch": []}'])
def test_other_damaged_files_are_named_with_the_way_out(run, content):
    (run / "history.json").write_bytes(content)
    with pytest.raises(click.ClickException, match=r"history\.json is damaged.*delete it") as found:
        read(run / "history.json", "epochs")
    assert "\n" not in found.value.message
    (run / "history.json").write_text('{"epochs": [1], "more": 2}')
    assert read(run / "history.json", "epochs") == {"epochs": [1], "more": 2}


def test_what_is_kept_is_made_once(tmp_path):
    path, made = tmp_path / "scores.json", []

    def make():
        made.append(1)
        return {"curve": (1, 2)}

    for _ in range(2):
        assert kept(path, make) == {"curve": [1, 2]}, "as it is read back, the first time too"
    assert made == [1]
    path.write_text("{")
    with pytest.raises(click.ClickException, match=r"scores\.json is damaged"):
        kept(path, make)


# --- writers that are killed, and disks that are full ---------------------------------------------

WRITE = """
import sys
from nengo_phasor import atomic
with atomic.replacing(sys.argv[1]) as place:
    place.write_text("half")
    print("ready", flush=True)
    sys.stdin.read()
"""


def killed_writer(path):
    """Kill a process in the middle of writing a file; return what it leaves beside it."""
    with process(WRITE, path) as child:
        assert child.stdout.readline() == "ready\n"
    (left,) = path.parent.glob(glob.escape(path.name) + "?*")
    return left


def test_what_killed_writers_left_is_removed_at_the_next_start(run):
    paths = run / "settings.json", run / "spiking" / "1.npz"
    left = [killed_writer(path) for path in paths]
    open_run(run, {"a": (1, 2)}, resume=True)
    assert not any(path.exists() for path in left)
    assert {"settings.json", "spiking/0.npz", "page.html"} <= files(run)


@pytest.mark.parametrize("name", ["figures.json", "figures[1].json"])
def test_what_a_killed_writer_left_is_removed_when_the_file_is_written_again(tmp_path, name):
    """As soon as it can't be a file that another process, on whatever machine, is writing."""
    path = tmp_path / name
    left = killed_writer(path)
    results.write(path, {})
    assert left.exists()
    hours_ago = time.time() - 1.01 * atomic.STALE_AFTER
    os.utime(left, (hours_ago, hours_ago))
    results.write(path.with_name("other.json"), {})
    assert left.exists()
    results.write(path, {})
    assert files(tmp_path) == {name, "other.json"}


def test_run_that_was_killed_while_it_began_can_begin(tmp_path):
    killed_writer(tmp_path / "settings.json")
    open_run(tmp_path, {"a": 1}, resume=True)
    assert files(tmp_path) == {"settings.json"}


@contextmanager
def no_space(n_bytes):
    """No file can be longer, as on a full disk: the kernel refuses to write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def long_text(path):
    with atomic.replacing(path) as place:
        place.write_text("long" * 1000)


@pytest.mark.parametrize(
    "write",
    [
        long_text,
        lambda path: results.write(path, {"numbers": list(range(1000))}),
        lambda path: datasets.save_params(path, noise=np.random.RandomState(0).rand(1000)),
    ],
    ids=["text", "results", "weights"],
)
@pytest.mark.parametrize("n_bytes", [0, 100, 3000])
def test_full_disk_leaves_the_old_file_and_no_other(tmp_path, write, n_bytes):
    path = tmp_path / "file"
    path.write_text("old")
    with no_space(n_bytes), pytest.raises(OSError, match="File too large"):
        write(path)
    assert path.read_text() == "old"
    assert files(tmp_path) == {"file"}
    write(path)
    assert path.stat().st_size > 3000


# --- several processes ----------------------------------------------------------------------------

HOLD = OPEN + 'print("ready", flush=True); time.sleep(600)'
PARENT = (
    OPEN
    + """
import subprocess
from multiprocessing import get_context
children = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])]
for method in ("fork", "spawn"):
    children.append(get_context(method).Process(target=time.sleep, args=(600,)))
    children[-1].start()
print(*(child.pid for child in children), flush=True)
time.sleep(600)
"""
)


@pytest.mark.parametrize("resume", [True, False])
def test_second_process_is_refused_until_the_first_has_been_killed(tmp_path, resume):
    with process(HOLD, tmp_path) as child:
        assert child.stdout.readline() == "ready\n"
        (tmp_path / "weights.npz").touch()
        with pytest.raises(click.ClickException, match="in use by another process") as caught:
            open_run(tmp_path, {"a": 1}, resume)
        assert str(tmp_path) in caught.value.message
        assert files(tmp_path) == {"settings.json", "weights.npz"}
    open_run(tmp_path, {"a": 1}, resume)
    with process(OPEN, tmp_path) as child:  # now it is the other that is refused
        assert child.wait(60) != 0
        assert "in use by another process" in child.stderr.read()


def test_children_that_live_on_hold_no_folder(tmp_path):
    """Such as dask's workers, whichever way they were started."""
    with process(PARENT, tmp_path) as parent:
        children = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(children) == 3
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        for pid in children:
            os.kill(pid, 0)  # raises if there is none
        open_run(tmp_path, {"a": 1}, resume=True)


def test_same_process_may_open_a_folder_again(run):
    for _ in range(2):
        open_run(run, {"a": (1, 2)}, resume=True)
    began = time.monotonic()
    open_run(run.parent / "other", {"a": 1}, resume=False)
    assert time.monotonic() - began < 5
