"""``nengo-phasor info``: show versions, and which backends work here."""

from __future__ import annotations

import importlib.util
import platform
import subprocess
import sys
from typing import NamedTuple

from nengo_phasor import compat, extras, results
from nengo_phasor.cli.console import echo_table

click = compat.require("click")

PACKAGES = (*results.PACKAGES, "numba", "matplotlib", "nengo-gui", "nengo-spa")


class Backend(NamedTuple):
    """A backend that runs networks. ``extra`` installs it, or is None for the core."""

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
"""Code for a separate process, since TensorFlow is slow to import, and a broken one may crash."""


@click.command()
@click.option("--check", is_flag=True, help="Try each backend with a small network (one minute).")
@click.pass_context
def info(ctx, check):
    """Show versions, and which backends work here.

    This does not import any backend, such as TensorFlow, unless --check asks for a trial of each
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
            verdict = f"lacks {', '.join(missing)}. Run: {extras.install_command(backend.extra)}"
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
    """Return the modules of the backend's extra that are not installed, without importing any."""
    needed = [module for module, extra in extras.EXTRAS.items() if extra == backend.extra]
    return [module for module in needed if importlib.util.find_spec(module) is None]


def trial(backend: Backend) -> str:
    """Run a small network on a backend; return the last line of its error, or "" without one."""
    done = subprocess.run(
        [sys.executable, "-c", TRIAL.format(backend)], capture_output=True, text=True
    )
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"])[-1]
