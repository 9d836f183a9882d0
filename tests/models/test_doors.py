"""Doors, `networks/NAME.py`: short, in the words of their rooms, opened by people alone."""

import ast
import importlib
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import nengo
import pytest
from nengo.exceptions import ValidationError

from nengo_phasor import models
from nengo_phasor.models.shared import gui

ROOT = Path(__file__).resolve().parents[2]
NETWORKS = ROOT / "networks"
PLACES = ("nengo_phasor", "networks", "tests", "benchmarks", "docs", "tools")

ROOMS = ROOT / "nengo_phasor" / "models"

HEAVY = """
import importlib, json, sys, nengo
before = set(sys.modules)
for name in sys.argv[1:]:
    importlib.import_module(f"nengo_phasor.models.{name}")
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""


def commands_file(name):
    return ROOMS / f"{models.MODELS[name].commands.replace('.', '/')}.py"


def docstring(path):
    return ast.get_docstring(ast.parse(path.read_text()), clean=False)


def usage(text):
    return [line for line in text.splitlines() if re.match(r" *(python|nengo) networks/", line)]


def imports(source):
    """Return the first names of all modules that a source imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def cells(notebook):
    """Return the source of a notebook's cells of code, without IPython's own lines."""
    found = json.loads(notebook.read_text())["cells"]
    text = "\n".join("".join(c["source"]) for c in found if c["cell_type"] == "code")
    return re.sub(r"^%.*$", "", text, flags=re.MULTILINE)


each = pytest.mark.parametrize("name", models.MODELS)
shown = pytest.mark.parametrize("name", [n for n, m in models.MODELS.items() if m.network])


def test_every_file_of_networks_is_a_door():
    assert {path.stem for path in NETWORKS.glob("*.py")} == set(models.MODELS)


@each
def test_door_is_short(name):
    assert len((NETWORKS / f"{name}.py").read_text().splitlines()) <= 40


@each
def test_door_has_the_words_of_its_room(name):
    door, room = docstring(NETWORKS / f"{name}.py"), docstring(commands_file(name))
    assert door.splitlines()[0] == room.splitlines()[0]
    assert usage(door) == usage(room) != []
    assert all(f"networks/{name}.py" in line for line in usage(door))


@each
def test_table_has_the_room_s_commands(name):
    main = importlib.import_module(f"nengo_phasor.models.{models.MODELS[name].commands}").main
    assert set(models.MODELS[name].subcommands) == set(getattr(main, "commands", ()))


@each
def test_door_runs_the_room_s_commands(name, monkeypatch):
    ran = []
    monkeypatch.setattr(models, "main", ran.append)
    runpy.run_path(str(NETWORKS / f"{name}.py"), run_name="__main__")
    assert ran == [name]


@shown
def test_door_opens_the_room_s_network(name, monkeypatch):
    """Nengo GUI executes the file by another name."""
    opened, network = [], nengo.Network()
    network.precision = gui.Precision(0.1)  # some doors have it changed while the model runs
    monkeypatch.setattr(models, "load", lambda name: opened.append(name) or network)
    assert runpy.run_path(str(NETWORKS / f"{name}.py"), run_name="gui")["model"] is network
    assert opened == [name]


@shown
def test_layout_s_objects_are_in_the_network(name):
    """Nengo GUI passes in silence over lines of a layout that name what isn't there."""
    model = models.load(name)
    layout = ast.parse((NETWORKS / f"{name}.py.cfg").read_text())
    calls = [node for node in ast.walk(layout) if isinstance(node, ast.Call)]
    placed = [argument for call in calls for argument in call.args]
    placed += [node.slice for node in ast.walk(layout) if isinstance(node, ast.Subscript)]
    said = {ast.unparse(node) for node in placed}
    objects = [eval(text, {"model": model}) for text in said if text.startswith("model")]
    assert len(objects) > 3
    inside = {model, *model.all_networks, *model.all_nodes, *model.all_ensembles}
    assert inside.issuperset(objects)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("networks/local_rhythms.py", "is a path; give the model's name, 'local_rhythms'"),
        (Path("local_rhythms.py"), "is a path; give the model's name, 'local_rhythms'"),
        ("adaptive_resnet", "is not one of adaptive_cifar, "),
        ("local_rythms", "is not one of adaptive_cifar, "),
        (3, "3 is not one of adaptive_cifar, "),
        ([], "is not one of adaptive_cifar, "),
    ],
)
def test_load_refuses_what_is_no_name(name, message):
    with pytest.raises(ValidationError, match=message):
        models.load(name)


def test_commands_import_nothing_heavy():
    commands = [model.commands for model in models.MODELS.values()]
    done = subprocess.run([sys.executable, "-c", HEAVY, *commands], capture_output=True, text=True)
    assert not done.returncode, done.stderr
    loaded = set(json.loads(done.stdout))
    assert {"nengo_phasor", "click"} <= loaded
    assert not loaded & {
        *("tensorflow", "keras", "tf_keras", "nengo_dl", "nengo_loihi", "numba", "dask"),
        *("matplotlib", "scipy", "sklearn", "tqdm"),
    }


def test_nobody_imports_a_door():
    sources = {path: path.read_text() for place in PLACES for path in (ROOT / place).rglob("*.py")}
    sources |= {path: cells(path) for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert len(sources) > 100
    found = {path for path, text in sources.items() if set(imports(text)) & set(models.MODELS)}
    assert not found
