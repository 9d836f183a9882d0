"""Trained networks on the nengo-loihi emulator, in fixed point, beside the same in floats.

The local-rhythms classifier runs dense and with more and more of its hidden spikes left out; a
small adaptive classifier reads digits. Each image is shown to the emulator and to the network in
double precision.

    \b
    python networks/on_chip.py results --resume    the committed figures
    python networks/on_chip.py train               train the adaptive classifier
    nengo networks/on_chip.py -b nengo_loihi       Nengo GUI, from committed weights
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import nengo
import numpy as np
from tqdm import tqdm

import nengo_phasor
from nengo_phasor import convert, datasets, dynamics, energy, layerwise, metrics, phases, results
from nengo_phasor.models.adaptive import digits, runs
from nengo_phasor.models.adaptive.data import pixels
from nengo_phasor.models.adaptive.spiking import WINDOW
from nengo_phasor.models.adaptive.stack import Layout, keras_model
from nengo_phasor.models.rhythms import gui
from nengo_phasor.models.rhythms import network as rhythms
from nengo_phasor.models.shared.commands import COUNT, SEED, Commands
from nengo_phasor.models.shared.run_folder import open_run

DT = 0.001
LAYOUT = Layout((), (128,))
M_F = 0.1
"""The coding precision of the adaptive classifier."""

PARAMS = Path(nengo_phasor.__file__).parent / "models" / "params" / "on_chip_adaptive.npz"
REMOVED = {0.4: 4, 0.6: 1, 0.8: 4, 0.9: 4}
"""The fractions of the hidden spikes that are left out, by arc; only one of so many images is shown
where nothing was promised."""

HELD = 500
"""Training images on which the arcs are chosen."""

CHUNK = 50
DEVICE = "loihi"
SETS = ("rhythms", "adaptive")


@dataclass
class Pair:
    """A network to run on both substrates.

    Attributes
    ----------
    network : nengo.Network
        The network.
    source : nengo.Node
        Where the images' data go in.
    hidden, output : nengo.Probe
        Of the hidden neurons' spikes, and of what is decoded.
    n_steps : int
        The window.
    classes : callable
        From outputs, (n_items, n_steps, n), to classes.
    frequency : float or None
        Of the rhythm, in Hz.
    arc : float
        Strength of the sparsifier behind the hidden neurons; 0 is none.
    """

    network: nengo.Network
    source: nengo.Node
    hidden: nengo.Probe
    output: nengo.Probe
    n_steps: int
    classes: Callable[[np.ndarray], np.ndarray]
    frequency: float | None = None
    arc: float = 0.0


# -------------------------------------------------------------------------------------- networks


def rhythm_pair(params: dict[str, np.ndarray], arc: float = 0.0) -> Pair:
    """Return the spiking local-rhythms network, sparsified by arc; it takes phases."""
    old = rhythms.phase_network(params)
    sparsifier = nengo_phasor.ArcSparsifier(arc, rhythms.FREQUENCY) if arc else None
    twin, new = convert.to_spiking(
        old, nengo_phasor.ResonateAndFire(rhythms.FREQUENCY), sparsifier, bool(arc)
    )
    hidden, _ = old.classifier.layers
    with twin:
        spikes = nengo.Probe(new[hidden.units].neurons)
    n_steps = round(rhythms.CYCLES / (rhythms.FREQUENCY * DT))
    return Pair(
        twin,
        new[old.input],
        spikes,
        new[old.output],
        n_steps,
        phase_classes,
        rhythms.FREQUENCY,
        arc,
    )


def phase_classes(output: np.ndarray) -> np.ndarray:
    """Return the classes that output spikes say in the cycle that is decoded."""
    decoded = phases.from_raster(output, rhythms.FREQUENCY, DT, rhythms.CYCLES, missing=0.0)
    return metrics.phase_class(decoded[..., rhythms.CYCLE, :])


def adaptive_pair(params: Path = PARAMS) -> Pair:
    """Return the adaptive classifier; it takes pixels. What encodes these stays on the host."""
    import nengo_loihi

    from nengo_phasor.models.adaptive import training

    model = keras_model(LAYOUT)
    training.load_weights(params, model)
    converted = convert.to_adaptive(model, nengo_phasor.AdaptiveSpiking(M_F))
    network = converted.network
    nengo_loihi.add_params(network)
    network.config[converted.layers["pixels"]].on_chip = False
    with network:
        hidden = nengo.Probe(converted.layers["dense1"].neurons)
    return Pair(
        network,
        converted.input,
        hidden,
        converted.output,
        WINDOW,
        lambda output: output[:, -1].argmax(axis=-1),
    )


# ----------------------------------------------------------------------------------- evaluation


def arcs(params: dict[str, np.ndarray], x: np.ndarray, removed) -> dict[float, float]:
    """Return the arc that leaves out a fraction of the hidden spikes, for each fraction."""
    pair = rhythm_pair(params)
    with layerwise.Simulator(pair.network, dt=DT) as sim:
        spikes = sim.predict({pair.source: x[:, None]}, pair.n_steps)[pair.hidden]
    seen = phases.from_raster(spikes, rhythms.FREQUENCY, DT)
    away = np.abs(seen[~np.isnan(seen)])
    return {fraction: float(np.quantile(away, fraction)) for fraction in removed}


def run(pair: Pair, x: np.ndarray, y: np.ndarray, folder: Path, name: str) -> dict[str, Any]:
    """Show images on both substrates; return accuracies, agreement and operations.

    The folder keeps what is done, image by image.
    """
    from nengo_phasor.loihi import readout

    parts = []
    for start in tqdm(range(0, len(x), CHUNK), desc=name, unit=f"{CHUNK} images"):
        file = folder / f"{name}-{start}.json"
        if not file.exists():
            results.write(file, show(pair, x[start : start + CHUNK]))
        parts.append(json.loads(file.read_text()))

    def joined(key):
        return np.concatenate([part[key] for part in parts])

    agreement = {key: int(sum(part[key] for part in parts)) for key in COUNTS}
    found = readout.Agreement(**agreement, phase_error=np.nan)
    apart = joined("apart")
    return {
        "images": len(x),
        "accuracy": float(metrics.accuracy(joined("chip"), y)),
        "accuracy_in_floats": float(metrics.accuracy(joined("floats"), y)),
        "same_class": float(np.mean(joined("chip") == joined("floats"))),
        "hidden_spikes": agreement["expected"] / len(x),
        "hidden_removed": sum(part["removed"] for part in parts) / agreement["expected"],
        "hidden_matched": found.matched,
        "hidden_lost": found.lost / len(x),
        "hidden_extra": found.extra / len(x),
        "phase_error": float(np.median(apart)) if len(apart) else None,
        "clipped": int(sum(part["clipped"] for part in parts)),
        "late": parts[0]["late"],
        "operations": {
            kind: float(sum(part["operations"][kind] for part in parts) / len(x))
            for kind in parts[0]["operations"]
        },
        "resources": parts[0]["resources"],
    }


COUNTS = ("expected", "exact", "near", "lost", "extra")


def show(pair: Pair, x: np.ndarray) -> dict[str, Any]:
    """Show a few images on both substrates; return what `run` keeps of them."""
    from nengo_phasor.loihi import emulator, readout
    from nengo_phasor.loihi.resources import resources

    with layerwise.Simulator(pair.network, dt=DT) as sim:
        expected = sim.predict({pair.source: x[:, None]}, pair.n_steps)
    original, shown = pair.source.output, [x[0]]
    pair.source.output = lambda t: shown[0]
    hidden, output, done, clipped = [], [], [], 0
    try:
        with emulator.Simulator(pair.network, dt=DT, target="sim") as sim:
            late = {probe: readout.latency(sim, probe) for probe in (pair.hidden, pair.output)}
            for item in x:
                shown[0] = item
                sim.reset()
                sim.run_steps(pair.n_steps + max(late.values()))
                for kept, probe in ((hidden, pair.hidden), (output, pair.output)):
                    kept.append(readout.in_time(sim, probe)[: pair.n_steps])
                done.append(counted(sim))
                clipped += sum(sim.sims["emulator"].compartment.clipped.values())
            used = resources(sim)._asdict()
    finally:
        pair.source.output = original
    hidden = np.array(hidden)
    compared = readout.agreement(expected[pair.hidden], hidden)._asdict()
    apart = np.zeros(0)
    if pair.frequency is not None:
        apart = readout.phase_errors(expected[pair.hidden], hidden, pair.frequency, DT)
    return {
        "chip": pair.classes(np.array(output)).tolist(),
        "floats": pair.classes(expected[pair.output]).tolist(),
        **{key: compared[key] for key in COUNTS},
        "apart": apart.round(6).tolist(),
        "removed": left_out(expected[pair.hidden], pair),
        "clipped": clipped,
        "late": {"hidden": late[pair.hidden], "output": late[pair.output]},
        "operations": {kind: sum(image[kind] for image in done) for kind in done[0]},
        "resources": used,
    }


def counted(sim) -> dict[str, int]:
    """Return what was done on the chip for an image, and what of it on the way to the output."""
    from nengo_phasor.loihi import resources

    counts = resources.operations(sim)._asdict()
    *_, last = counts.pop("synapse_by_block").values()
    return {**counts, "synapse_of_output": last}


def left_out(spikes: np.ndarray, pair: Pair) -> int:
    """Return how many spikes, (n_items, n_steps, n), the sparsifier leaves out."""
    if not pair.arc:
        return 0
    steps = np.arange(1, spikes.shape[-2] + 1)
    period = phases.steps_per_cycle(pair.frequency, DT)
    inside = ~dynamics.outside_arc(np, steps, pair.arc, period)
    return int(np.count_nonzero(spikes[..., inside, :]))


def spent(found: Mapping[str, Any]) -> dict[str, float]:
    """Return the energy of an image on Loihi by kind, in joules."""
    counts = {kind: found["operations"][kind] for kind in ("synapse", "update")}
    return {kind: float(value) for kind, value in energy.energy(counts, DEVICE).parts.items()}


def evaluate(images: int, data, folder: Path, resume: bool, sets=SETS) -> dict:
    """Run everything; return the figures."""
    open_run(folder, {"images": images, "m_f": M_F, "removed": list(REMOVED.items())}, resume)
    found = {}
    if "rhythms" in sets:
        params = datasets.load_params(rhythms.PARAMS)
        loaded = datasets.fashion_mnist(data)
        seed, spread = int(params["seed"]), float(params["spread"])
        x, y = rhythms.encode(loaded.x_test[:images], seed, spread), loaded.y_test[:images]
        held = rhythms.encode(loaded.x_train[:HELD], seed, spread)
        found["local rhythms"] = {}
        for removed, arc in {0.0: 0.0, **arcs(params, held, REMOVED)}.items():
            n = images // REMOVED.get(removed, 1)
            pair = rhythm_pair(params, arc)
            scores = run(pair, x[:n], y[:n], folder, f"arc-{removed:g}")
            found["local rhythms"][f"{removed:g}"] = {"arc": arc, **scores}
    if "adaptive" in sets:
        loaded = datasets.mnist(data)
        x = pixels(loaded.x_test[:images]).reshape(images, -1).astype(float)
        pair = adaptive_pair()
        found["adaptive"] = {
            **run(pair, x, loaded.y_test[:images], folder, "adaptive"),
            "multiply_accumulates": energy.multiply_accumulates(pair.network),
        }
    for part in (*found.get("local rhythms", {}).values(), *[found.get("adaptive")]):
        if part:
            part["energy"] = spent(part)
    return found


def claims(found: Mapping[str, Any]) -> list[results.Claim]:
    """Return what was promised."""
    made = []
    if "local rhythms" in found:
        dense, sparse = (found["local rhythms"][removed] for removed in ("0", "0.6"))
        lost = 100 * (dense["accuracy_in_floats"] - dense["accuracy"])
        made += [
            results.Claim("local rhythms: accuracy lost to fixed point", lost, "points", "<= 1.0"),
            results.Claim(
                "local rhythms: hidden spikes matched within a step",
                dense["hidden_matched"],
                "",
                ">= 0.99",
            ),
            results.Claim(
                "local rhythms: median phase error of the hidden layer",
                dense["phase_error"],
                "pi",
                "<= 0.02",
            ),
            results.Claim(
                "local rhythms, 60 % of the hidden spikes removed: accuracy lost to fixed point",
                100 * (sparse["accuracy_in_floats"] - sparse["accuracy"]),
                "points",
                "<= 1.5",
            ),
            results.Claim(
                "local rhythms, 60 % of the hidden spikes removed: accuracy lost to all in floats",
                100 * (dense["accuracy_in_floats"] - sparse["accuracy"]),
                "points",
                "<= 1.5",
            ),
        ]
    if "adaptive" in found:
        part = found["adaptive"]
        lost = 100 * (part["accuracy_in_floats"] - part["accuracy"])
        made.append(
            results.Claim("adaptive digits: accuracy lost to fixed point", lost, "points", "<= 1.0")
        )
    return made


def gui_model() -> nengo.Network:
    """Return the local-rhythms network, sparsified, for Nengo GUI with either backend."""
    return gui.gui_model()


# --------------------------------------------------------------------------------- command line


@click.group(cls=Commands, help=__doc__)
def main():
    """Run networks on the emulator."""


def data_option(command):
    """Add the option that all commands share."""
    return click.option("--data", type=click.Path(), help="Folder with the data sets.")(command)


@main.command("train")
@click.option("--folder", default="runs/on_chip_adaptive", type=Path, show_default=True)
@click.option("--epochs", default=20, type=COUNT, show_default=True)
@click.option("--seed", default=0, type=SEED, show_default=True)
@click.option("--resume", is_flag=True, help="Go on from where an earlier run stopped.")
@data_option
def train(folder, epochs, seed, resume, data):
    """Train the adaptive classifier; make its weights those that are committed."""
    loaded, parts = digits.load_parts("mnist", data, seed)
    trained = runs.trained(
        loaded,
        parts,
        lambda dropout: keras_model(LAYOUT),
        digits.recipe("mnist", "small", epochs),
        seed,
        folder,
        resume,
        layout="on chip",
    )
    runs.export(trained, PARAMS, "float16")


@main.command("results")
@click.option(
    "--images", default=1000, type=COUNT, show_default=True, help="Test images of each network."
)
@click.option("--runs", "folder", default="runs/on_chip", type=Path, show_default=True)
@click.option("--output", default="results/on_chip.json", type=Path, show_default=True)
@click.option(
    "--only", "sets", multiple=True, default=SETS, type=click.Choice(SETS), show_default=True
)
@click.option("--resume", is_flag=True, help="Go on from where an earlier run stopped.")
@data_option
def make_results(images, folder, output, sets, resume, data):
    """Run both networks, draw; write the figures that are quoted, beside the promises."""
    import on_chip_report as report

    found = evaluate(images, data, folder, resume, sets)
    made = claims(found)
    settings = {"images": images, "m_f": M_F, "removed": list(REMOVED), "device": DEVICE}
    results.write(output, results.report(settings, [0], found, made))
    click.echo(f"Look at {report.write(found, folder)}")
    for claim in made:
        click.echo(claim.verdict)


if __name__ == "__main__":
    main()
elif rhythms.PARAMS.exists():
    model = gui_model()
