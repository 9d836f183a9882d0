"""The command line ``nengo-phasor``: what is here, run it, convert with it.

For people; the library never needs it.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import platform
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nengo_phasor
from nengo_phasor import compat, datasets, results
from nengo_phasor.cli.convert import convert, echo_table
from nengo_phasor.models.shared.commands import INTERRUPTED, Commands

click = compat.require("click")

CHECKOUT = Path(nengo_phasor.__file__).resolve().parents[1]
"""Where the models and the committed results are: they are not part of the installed package."""

GRACE = 5.0
"""Seconds in which a model that was interrupted with us should have begun to stop."""

PACKAGES = (*results.PACKAGES, "numba", "matplotlib", "nengo-gui", "nengo-spa")


class Backend(NamedTuple):
    """Something that runs networks: the extra that installs it, None for the core's."""

    module: str
    extra: str | None


BACKENDS = {
    "nengo": Backend("nengo", None),
    "layerwise": Backend("nengo_phasor.layerwise", "layerwise"),
    "nengo_dl": Backend("nengo_dl", "dl"),
    "nengo_loihi": Backend("nengo_loihi", "loihi"),
}

TRIAL = """
import nengo, nengo_phasor, {0.module}
with nengo.Network(seed=0) as net:
    neuron_type = nengo_phasor.ResonateAndFire()
    nengo.Probe(nengo.Ensemble(5, 1, neuron_type=neuron_type).neurons)
with {0.module}.Simulator(net) as sim:
    sim.run_steps(10)
"""
"""In a process of its own: TensorFlow takes long to import, and a broken one may end it."""


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(nengo_phasor.__version__, package_name="nengo-phasor")
def main():
    """Rhythm, phase and sparse spikes for Nengo.

    \b
    Begin with
      nengo-phasor info                     what works on this machine
      nengo-phasor list                     models, data sets, results
      nengo-phasor run local_rhythms        what a model can do
      nengo-phasor run local_rhythms demo   do it

    Each command has a --help of its own. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped
    by Ctrl-C.
    """


# ----------------------------------------------------------------------------------------- models


class Model(NamedTuple):
    """A file of ``networks/``: what it says, its commands, and whether Nengo GUI opens it."""

    path: Path
    text: str
    commands: tuple[str, ...]
    gui: bool


def checkout_folder(name: str) -> Path:
    """Return a folder next to the package.

    Raises
    ------
    click.ClickException
        If the package is installed without it.
    """
    folder = CHECKOUT / name
    if not (CHECKOUT / "setup.cfg").exists() or not folder.is_dir():
        raise click.ClickException(
            f"there is no {folder}: models and results come with the project's repository, not "
            "with the installed package. Clone it, and in it run: pip install --editable ."
        )
    return folder


def models(folder: Path) -> dict[str, Model]:
    """Return the models of a folder by name: the files whose docstring says how to run them."""
    found = {}
    for path in sorted(folder.glob("*.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        text = re.sub(" *\b\n", "", text)  # click's mark, in the help of scripts, of lines to keep
        runs = rf"{re.escape(folder.name)}/{path.stem}\.py"
        commands = tuple(re.findall(rf"python {runs} (\w+)", text))
        gui = bool(re.search(rf"nengo {runs}", text))
        if commands or gui:
            found[path.stem] = Model(path, text, commands, gui)
    return found


@main.command(
    options_metavar="",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
)
@click.argument("model", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def run(ctx, model, arguments):
    """Run a model of networks/: one of the papers' systems.

    \b
    nengo-phasor run local_rhythms                      what it can do
    nengo-phasor run local_rhythms demo --help          the options of one of its commands
    nengo-phasor run local_rhythms demo --images 500    do it

    What follows the model's name goes to the model as it is. Files are written where you are: runs
    below runs/, and figures that are to be committed below results/. Ctrl-C stops the model, with
    exit code 130; training keeps a checkpoint of each epoch, and commands that have a --resume go
    on from there.
    """
    if model in (None, "-h", "--help"):
        click.echo(ctx.get_help())
        return
    known = models(checkout_folder("networks"))
    if model not in known:
        raise click.BadParameter(f"{model!r} is none of {', '.join(known)}", param_hint="MODEL")
    path, text, commands, _ = known[model]
    if not arguments:
        click.echo(text.strip())
        if commands:
            click.echo(f"\nnengo-phasor run {model} {commands[0]} --help shows its options.")
        return
    if not commands:
        raise click.ClickException(f"{model} is for Nengo GUI alone. Run: nengo {path}")
    code = run_script(path, arguments)
    if code == INTERRUPTED:
        click.echo(
            "Stopped. Where the command has a --resume, the same with --resume goes on from here.",
            err=True,
        )
    ctx.exit(code)


def run_script(path: Path, arguments: tuple[str, ...]) -> int:
    """Run a script in a process of its own and return its exit code, 130 after Ctrl-C.

    A terminal sends Ctrl-C to the script as well; where only we get it, it is passed on.
    """
    process = subprocess.Popen([sys.executable, path, *arguments])
    try:
        code = process.wait()
    except KeyboardInterrupt:
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            process.wait()
        return INTERRUPTED
    return 128 - code if code < 0 else code


# ------------------------------------------------------------------------------------------- list


def model_lines() -> Iterator[tuple[str, ...]]:
    """Yield what can be run."""
    for name, model in models(checkout_folder("networks")).items():
        yield (
            name,
            ", ".join((*model.commands, *(["Nengo GUI"] if model.gui else []))),
            model.text.partition("\n")[0],
        )


def data_lines() -> Iterator[tuple[str, ...]]:
    """Yield the data sets, and where they are."""
    for name, source in datasets.DATASETS.items():
        folder = datasets.locate(name)
        yield name, source.title, f"in {folder}" if folder else f"missing. {source.remedy()}"


def result_lines() -> Iterator[tuple[str, ...]]:
    """Yield the committed results, with how many of their promises hold."""
    for path in sorted(checkout_folder("results").glob("*.json")):
        content = json.loads(path.read_text())
        claims = [results.Claim(**claim) for claim in content["claims"]]
        kept = f"{sum(claim.holds for claim in claims)} of {len(claims)} promises hold"
        yield path.stem, content["date"], kept if claims else "promises nothing", content["command"]


LISTS = {"models": model_lines, "data": data_lines, "results": result_lines}


@main.command("list")
@click.argument("what", nargs=-1, type=click.Choice(list(LISTS)))
def list_(what):
    """Show models, data sets, and results.

    \b
    nengo-phasor list           all three
    nengo-phasor list models    one of them
    """
    for name in what or LISTS:
        click.secho(name, bold=True)
        echo_table(LISTS[name]())


# ------------------------------------------------------------------------------------------- info


@main.command()
@click.option("--check", is_flag=True, help="Try each backend with a small network (a minute).")
@click.pass_context
def info(ctx, check):
    """Show versions, and which backends work here.

    Nothing is imported for it, TensorFlow least of all, unless --check asks for a trial of each
    backend; the exit code is then 1 if an installed one fails.
    """
    system = f"{platform.system()} {platform.machine()}"
    click.secho("versions", bold=True)
    found = results.versions(PACKAGES)
    echo_table((name, found.get(name, "-")) for name in found | dict.fromkeys(PACKAGES))
    click.echo(f"  on {system}")
    click.secho("backends", bold=True)
    failed = False
    for name, backend in BACKENDS.items():
        missing = missing_modules(backend)
        if missing:
            verdict = f"lacks {', '.join(missing)}. Run: {compat.install_command(backend.extra)}"
        elif check:
            error = trial(backend)
            failed |= bool(error)
            verdict = f"FAILS: {error}" if error else "works"
        else:
            verdict = "installed"
        click.echo(f"  {name:12s}  {verdict}")
    if not check:
        click.echo("  nengo-phasor info --check tries them.")
    ctx.exit(int(failed))


def missing_modules(backend: Backend) -> list[str]:
    """Return the modules of the backend's extra that are not installed, importing none."""
    needed = [module for module, extra in compat.EXTRAS.items() if extra == backend.extra]
    return [module for module in needed if importlib.util.find_spec(module) is None]


def trial(backend: Backend) -> str:
    """Run a small network on a backend; return the last line of the error, "" if there is none."""
    done = subprocess.run(
        [sys.executable, "-c", TRIAL.format(backend)], capture_output=True, text=True
    )
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"])[-1]


main.add_command(convert)
