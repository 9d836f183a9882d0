import ast
import importlib.metadata
import importlib.util
import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pytest

from nengo_phasor import datasets, extras, models
from nengo_phasor.cli import app as cli
from nengo_phasor.cli import console, info
from nengo_phasor.cli import run as cli_run
from nengo_phasor.cli import setup as cli_setup
from tests.cli.common import invoke

ROOT = Path(__file__).resolve().parents[2]

TOY = '''"""A toy.

    \\b
    python networks/toy.py train        count
    python networks/toy.py test         nothing
    python networks/toy.py test --all   nothing, longer
    nengo networks/toy.py               Nengo GUI
"""
import json, sys, time
from pathlib import Path
from nengo_phasor import results
state = Path("state.json")
def main(prog_name):
    if "train" in sys.argv:
        n = json.loads(state.read_text()) if "--resume" in sys.argv else 0
        while True:
            n += 1
            state.with_suffix(".tmp").write_text(json.dumps(n))
            state.with_suffix(".tmp").rename(state)
            print("epoch", n, flush=True)
            time.sleep(0.02)
    print(prog_name, sys.argv[1:], results.report({}, [], {}, [])["command"])
    sys.exit(3 if "fail" in sys.argv else 0)
'''

SHOWN = '''"""For the eye.

    nengo networks/shown.py
"""
def main(prog_name):
    print("its only command")
'''

WITH_TOYS = """
import runpy, sys
from nengo_phasor import models
from nengo_phasor.cli import main, run
models.__path__.append({folder!r})
models.MODELS = {{
    "toy": models.Model("toys.toy_commands", "toys.toy_gui", ("train", "test")),
    "shown": models.Model("toys.shown_commands", None),
}}
run.GRACE = 0.5
run.RUNNER = (sys.executable, {file!r}, "--system")
if "--system" in sys.argv:
    sys.argv.remove("--system")
    runpy.run_module("nengo_phasor.models", run_name="__main__", alter_sys=True)
elif __name__ == "__main__":
    main()
"""
"""The command line, and the process that it starts, with toys for models."""


@pytest.fixture
def toys(tmp_path, monkeypatch):
    """Two systems instead of ours: one with commands, and one that has none."""
    room = tmp_path / "toys"
    room.mkdir()
    (room / "__init__.py").touch()
    (room / "toy_commands.py").write_text(TOY)
    (room / "shown_commands.py").write_text(SHOWN)
    file = tmp_path / "with_toys.py"
    file.write_text(WITH_TOYS.format(folder=str(tmp_path), file=str(file)))
    for name, value in (("GRACE", 5.0), ("RUNNER", ())):
        monkeypatch.setattr(cli_run, name, value)
    monkeypatch.setattr(models, "MODELS", {})
    monkeypatch.setattr(models, "__path__", list(models.__path__))
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(file))
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("nengo_phasor.models.toys")]:
        del sys.modules[name]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository without results."""
    (tmp_path / "setup.cfg").touch()
    (tmp_path / "results").mkdir()
    monkeypatch.setattr(console, "CHECKOUT", tmp_path)
    return tmp_path


# ------------------------------------------------------------------------------------------- help


def test_help_names_all_commands_and_each_has_examples():
    shown = invoke("--help")
    assert shown.exit_code == 0
    for name in cli.main.commands:
        assert re.search(rf"^  {name} ", shown.output, flags=re.MULTILINE)
        of_command = invoke(name, "--help")
        assert of_command.exit_code == 0
        assert name == "info" or "nengo-phasor" in of_command.output


@pytest.mark.parametrize("name", models.MODELS)
def test_help_of_a_model_keeps_its_usage_lines(name):
    """As click formats the docstring, which each system gives it as its help."""
    spec = importlib.util.find_spec(f"nengo_phasor.models.{models.MODELS[name].commands}")
    text = ast.get_docstring(ast.parse(Path(spec.origin).read_text()))
    group = click.Group(name, help=text)
    shown = [line.strip() for line in group.get_help(click.Context(group)).splitlines()]
    usage = re.findall(r"^ *((?:python|nengo) networks/.*)", text, flags=re.MULTILINE)
    assert len(usage) > 1
    assert all(line in shown for line in usage)


def test_runs_as_a_module():
    command = [sys.executable, "-m", "nengo_phasor"]
    done = subprocess.run([*command, "--version"], capture_output=True, text=True)
    assert done.returncode == 0
    assert re.search(r"version \d", done.stdout)
    assert subprocess.run([*command, "dance"], capture_output=True).returncode == 2


@pytest.mark.parametrize("module", ["nengo_phasor", "nengo_phasor.models"])
def test_without_its_extra_the_command_line_says_so_in_one_line(module):
    code = (
        "import runpy, sys; sys.modules['click'] = None; sys.argv[1:] = ['local_rhythms'];"
        f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == 'Error: click is not installed. Run: pip install "nengo-phasor[cli]"\n'


# ------------------------------------------------------------------------------------------ setup


@pytest.mark.parametrize("code", [0, 1])
def test_setup_installs_nengo_dl_as_our_folder_builds_it(monkeypatch, code):
    ran = []

    def run(command):
        ran.append(command)
        return subprocess.CompletedProcess(command, code)

    monkeypatch.setattr(cli_setup.subprocess, "run", run)
    monkeypatch.setattr(cli_setup, "INSTALLED", ("nengo_absent",))
    shown = invoke("setup", "dl")
    assert shown.exit_code == code
    assert ran[0][-2:] == ["nengo-phasor[dl]", str(extras.NENGO_DL)]
    assert ran[0][0] in (sys.executable, shutil.which("uv"))
    assert " ".join(ran[0]) in shown.output, "it says what it does"


def test_setup_leaves_alone_what_is_there(monkeypatch):
    monkeypatch.setattr(cli_setup.subprocess, "run", lambda *_: pytest.fail("installs"))
    monkeypatch.setattr(cli_setup, "INSTALLED", ("numpy",))
    shown = invoke("setup", "dl")
    assert shown.exit_code == 0
    assert "already installed" in shown.output


def test_setup_uses_uv_where_pip_is_not(monkeypatch):
    monkeypatch.setattr(cli_setup.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(cli_setup.shutil, "which", lambda name: "/bin/uv")
    assert cli_setup.installer() == ["/bin/uv", "pip", "install", "--python", sys.executable]
    monkeypatch.setattr(cli_setup.shutil, "which", lambda name: None)
    with pytest.raises(click.ClickException, match="has no pip, and uv is not on the PATH"):
        cli_setup.installer()


# ------------------------------------------------------------------------------------------- list


def test_lists_every_model_with_commands_and_says_what_it_is():
    shown = invoke("list", "models").output
    for name in models.MODELS:
        assert re.search(rf"^  {name} +(\w+, )*(\w+|Nengo GUI) +\w.*\.$", shown, re.MULTILINE)


def test_lists_what_a_model_can_do(toys):
    shown = invoke("list", "models").output
    assert re.search(r"toy +train, test, Nengo GUI +A toy\.", shown)
    assert re.search(r"shown +For the eye\.", shown)
    assert not [name for name in sys.modules if "toy_commands" in name], "imported for its text"


def test_lists_data_sets_without_fetching_them(tmp_path, monkeypatch):
    monkeypatch.setenv("NENGO_PHASOR_DATA", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(datasets, "DEBIAN", tmp_path)
    monkeypatch.setattr(datasets, "FETCHED", tmp_path)
    monkeypatch.setattr(datasets, "_download", lambda name: pytest.fail("downloads"))
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "mnist.npz").touch()
    shown = invoke("list", "data").output
    assert re.search(r"fashion_mnist .* missing\. To get FashionMNIST", shown)
    assert re.search(rf"mnist +MNIST +in {tmp_path / 'mnist'}\n", shown)
    assert re.search(r"iris +Iris +in ", shown)


def test_lists_results_with_targets_counted(checkout):
    claims = [
        {"name": "a", "value": 2.0, "unit": "", "bound": ">= 1", "paper": ""},
        {"name": "b", "value": 2.0, "unit": "", "bound": "<= 1", "paper": ""},
    ]
    content = {"date": "2001-02-03", "command": "python x.py", "claims": claims}
    (checkout / "results" / "toy.json").write_text(json.dumps(content))
    assert re.search(
        r"toy +2001-02-03 +1 of 2 targets met +python x\.py", invoke("list", "results").output
    )


# -------------------------------------------------------------------------------------------- run


def test_run_passes_arguments_and_exit_code_through(toys, capfd):
    assert invoke("run", "toy", "test", "--images", "3", "--help").exit_code == 0
    program, arguments, command = re.fullmatch(
        r"(.*) (\[.*\]) (.*)\n", capfd.readouterr().out
    ).groups()
    assert program == "nengo-phasor run toy"
    assert arguments == "['test', '--images', '3', '--help']"
    assert command == "nengo-phasor run toy test --images 3 --help", "what results say of it"
    assert invoke("run", "toy", "test", "fail").exit_code == 3


def test_run_without_a_command_says_what_the_model_can_do(toys):
    shown = invoke("run", "toy")
    assert shown.exit_code == 0
    assert (
        "A toy.\n\n"
        "nengo-phasor run toy train          count\n"
        "nengo-phasor run toy test           nothing\n"
        "nengo-phasor run toy test --all     nothing, longer\n"
        "nengo-phasor gui toy                Nengo GUI\n"
    ) in shown.output, "columns stay; no mark of click's"
    assert "nengo-phasor run toy train --help" in shown.output


def test_run_says_what_can_be_run(toys, capfd):
    wrong = invoke("run", "tpy")
    assert wrong.exit_code == 2
    assert "'tpy' is not one of toy, shown" in wrong.output
    assert invoke("run", "shown").exit_code == 0
    assert capfd.readouterr().out == "its only command\n"


@pytest.mark.parametrize("command", ["run", "gui"])
@pytest.mark.parametrize("path", ["networks/toy.py", "./toy.py", "toy.py", "/x/networks/toy.py"])
def test_a_path_in_place_of_a_model_is_said_to_be_one(toys, command, path):
    wrong = invoke(command, path)
    assert wrong.exit_code == 2
    assert f"MODEL: {path!r} is a path; give the model's name, 'toy'" in " ".join(
        wrong.output.split()
    )


def test_an_installation_without_results_says_so(tmp_path, monkeypatch):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "x.json").touch()  # some other package's
    monkeypatch.setattr(console, "CHECKOUT", tmp_path)
    shown = invoke("list")
    assert shown.exit_code == 0
    assert "none here: this installation lacks them" in shown.output
    assert "local_rhythms" in shown.output


@pytest.mark.parametrize("to_all", [True, False], ids=["as a terminal", "only to us"])
def test_ctrl_c_stops_the_model_and_leaves_its_state(toys, to_all):
    def interrupted(*arguments):
        process = subprocess.Popen(
            [sys.executable, "with_toys.py", "run", "toy", "train", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # where the tests themselves run in the background, Ctrl-C is ignored
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        first = process.stdout.readline()
        time.sleep(0.2)
        (os.killpg if to_all else os.kill)(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "--resume to continue from here" in errors
        return first, json.loads((toys / "state.json").read_text())

    first, reached = interrupted()
    assert first == "epoch 1\n"
    time.sleep(0.1)
    assert json.loads((toys / "state.json").read_text()) == reached, "still running"
    first, _ = interrupted("--resume")
    assert first == f"epoch {reached + 1}\n"


def test_terminating_the_command_terminates_the_model(toys):
    process = subprocess.Popen(
        [sys.executable, "with_toys.py", "run", "toy", "train"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "epoch 1\n"
    process.terminate()
    assert process.wait(timeout=30) == 128 + signal.SIGTERM
    process.communicate(timeout=30)  # the pipe has an end: nobody writes to it any more
    reached = (toys / "state.json").read_text()
    time.sleep(0.3)
    assert (toys / "state.json").read_text() == reached, "still running"


# ------------------------------------------------------------------------------------------- info


def test_info_imports_no_backend():
    code = (
        "import sys; from click.testing import CliRunner; from nengo_phasor.cli import main;"
        "print(CliRunner().invoke(main, ['info']).output);"
        "print({'tensorflow', 'nengo_dl', 'nengo_loihi', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip().endswith("set()"), done.stdout + done.stderr
    assert re.search(rf"numpy +{re.escape(np.__version__)}\n", done.stdout)


def test_info_tries_backends(monkeypatch):
    backends = {"nengo": info.BACKENDS["nengo"], "broken": info.Backend("nengo_broken", None)}
    monkeypatch.setattr(info, "BACKENDS", backends)
    assert invoke("info").exit_code == 0
    shown = invoke("info", "--check")
    assert shown.exit_code == 1
    assert re.search(r"nengo +works\n", shown.output)
    assert re.search(r"broken +FAILS: ModuleNotFoundError: .*nengo_broken", shown.output)


def test_info_says_how_to_get_a_backend(monkeypatch):
    monkeypatch.setattr(extras, "EXTRAS", {"nengo_absent": "loihi"})
    monkeypatch.setattr(info, "BACKENDS", {"nengo_loihi": info.BACKENDS["nengo_loihi"]})
    shown = invoke("info", "--check")
    assert shown.exit_code == 0, "what is not installed has not failed"
    assert re.search(
        r"nengo_loihi +lacks nengo_absent\. Run: pip install .*nengo-phasor\[loihi\]", shown.output
    )


def test_output_that_nobody_reads_ends_quietly():
    """Pipes the list into a reader that has ended, as ``head`` may have."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "nengo_phasor", "list"]
    ended = subprocess.run(command, cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert ended.stderr == ""
