"""A single-layer spiking network made deep by factorising its weights: the paper's network.

Four sines drive integrate-and-fire neurons X, these a layer A through random weights, and A an
output neuron Y. The weights from X to A become a product, with a layer of neurons between its
factors (Bury, Filali and Essien 2020).

    \b
    python networks/factorized_if.py demo       the paper's figures and tables, in a minute
    python networks/factorized_if.py results    the committed figures
    nengo networks/factorized_if.py             Nengo GUI: both networks, side by side
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import click
import nengo
import numpy as np
from tqdm import tqdm

import nengo_phasor
from nengo_phasor import SurrogateLIF, convert, results
from nengo_phasor.models.shared.commands import COUNT, SEED, Commands

N_IN, N = 4, 32
K = 100.0
"""The highest firing rate of X, in Hz."""

DT, SECONDS = 0.0001, 2.0
TAU = 0.02
"""Of the alpha filter through which the output is seen, in seconds."""

GUI_WEIGHT = 0.25
"""What the weights to the output neuron are multiplied with in Nengo GUI."""

PERIOD = np.pi / 2
"""Of the input, in seconds."""

PERCENTILES = (1, 10, 50, 90, 99)
PAPER_PERCENTILES = (-4.4, -1.8, -0.057, 1.42, 3.7)
PAPER_MEAN = -0.147


class Variant(NamedTuple):
    """What neurons do at a spike, and the synapses between them."""

    reset: str
    synapse: nengo.synapses.Synapse | None
    title: str

    @property
    def neurons(self) -> SurrogateLIF:
        """Integrate-and-fire neurons."""
        return SurrogateLIF(tau_rc=None, reset=self.reset)


VARIANTS = {
    "zero": Variant("zero", None, "reset to zero"),
    "subtract": Variant("subtract", None, "reset by subtraction"),
    "alpha": Variant("zero", nengo.Alpha(0.005), "reset to zero, spikes spread by 5 ms"),
}

PATHWAYS = {
    "plu, biases": {"method": "plu", "negatives": "biases"},
    "plu, pairs": {"method": "plu", "negatives": "pairs"},
    "qr, biases": {"method": "qr", "negatives": "biases"},
    "svd, biases": {"method": "svd", "negatives": "biases"},
    "nmf": {"method": "nmf"},
}
"""Options of `convert.deepen`; the first is the one that is claimed of."""

CLAIMED = "plu, biases"


# ------------------------------------------------------------------------------------- networks


def signal(t: float) -> np.ndarray:
    """Return the input at a time, equation (13)."""
    return (1 + np.sin(4 * t - np.arange(N_IN))) / 2


def network(seed: int, variant: Variant) -> nengo.Network:
    """Return the single-layer network.

    ``signal`` is the input, ``weights`` the connection that is to be factorised; ``inputs`` and
    ``output`` are probes of what X and Y send behind an alpha filter, ``spikes`` of X. ``whole`` is
    the product of all weights.
    """
    rng = np.random.RandomState(seed)
    w_a, w_b = rng.uniform(size=(N, N_IN)), rng.uniform(size=(1, N))

    def population(n, label):
        return nengo.Ensemble(
            n, 1, neuron_type=variant.neurons, gain=np.ones(n), bias=np.zeros(n), label=label
        )

    with nengo.Network(label="single layer", seed=seed) as net:
        net.signal = nengo.Node(signal, label="signal")
        x, a, y = (population(n, name) for n, name in ((N_IN, "X"), (N, "A"), (1, "Y")))
        nengo.Connection(net.signal, x.neurons, transform=K, synapse=None)
        net.weights = nengo.Connection(
            x.neurons, a.neurons, transform=w_a, synapse=variant.synapse, label="W_A"
        )
        nengo.Connection(a.neurons, y.neurons, transform=w_b, synapse=variant.synapse, label="W_B")
        net.whole = K * w_b @ w_a
        net.spikes = nengo.Probe(x.neurons)
        net.inputs = nengo.Probe(x.neurons, synapse=nengo.Alpha(TAU))
        net.output = nengo.Probe(y.neurons, synapse=nengo.Alpha(TAU))
    return net


def deepened(net: nengo.Network, variant: Variant, pathway: str):
    """Return what `convert.deepen` makes of the network."""
    return convert.deepen(
        net,
        net.weights,
        max_input=K,
        neuron_type=variant.neurons,
        synapse=variant.synapse,
        **PATHWAYS[pathway],
    )


def gui_model(seed: int = 0) -> nengo.Network:
    """Return both networks side by side, with their outputs in one node.

    The weights to Y are smaller than the paper's: it would spike more often than once in 1 ms,
    which is Nengo GUI's step.
    """
    variant = VARIANTS["subtract"]
    with nengo.Network(label="factorised depth") as model:
        single = network(seed, variant)
        to_y = single.connections[-1]
        to_y.transform = GUI_WEIGHT * to_y.transform.init
        deep = deepened(single, variant, CLAIMED)[0]
        deep.label = "deep"
        model.add(deep)
        model.outputs = nengo.Node(size_in=2, label="outputs: rates of Y (Hz)")
        for k, net in enumerate((single, deep)):
            net.probes.clear()  # a GUI runs for as long as one likes, and they keep everything
            y = net.ensembles[-1]
            nengo.Connection(y.neurons, model.outputs[k], synapse=nengo.Alpha(TAU))
    model.single, model.deep = single, deep
    model.signal, model.hidden = single.signal, deep.networks[0].ensembles[0]
    model.single_a, model.deep_a = single.ensembles[1], deep.ensembles[1]
    model.single_a.label, model.deep_a.label = "A of the single layer", "A of the deep"
    return model


def run(net: nengo.Network, *probes: nengo.Probe) -> list[np.ndarray]:
    """Return what probes see, (n_steps, n) each."""
    with nengo_phasor.layerwise.Simulator(net, dt=DT) as sim:
        sim.run(SECONDS)
        return [sim.data[probe][0] for probe in probes]


# -------------------------------------------------------------------------------------- measures


def last_period(psp: np.ndarray, earlier: int = 0) -> np.ndarray:
    """Return the last whole period of the input, or what is some steps earlier.

    Without the filters' transients, and with no mean of what a mere delay makes.
    """
    n = round(PERIOD / DT)
    return psp[len(psp) - n - earlier : len(psp) - earlier]


def lag(single: np.ndarray, deep: np.ndarray, longest: float = 0.1) -> int:
    """Return by how many steps the deep pathway is later: least squares, by the millisecond."""
    shifts = range(0, round(longest / DT), max(1, round(0.001 / DT)))
    late = last_period(deep)
    return min(shifts, key=lambda k: np.sum((late - last_period(single, k)) ** 2))


def ideal(net: nengo.Network) -> np.ndarray:
    """Return the output of neurons whose rates are proportional to their currents, (n_steps,)."""
    times = DT * np.arange(1, round(SECONDS / DT) + 1)
    rates = np.array([signal(t) for t in times]) @ net.whole.T
    return nengo.Alpha(TAU).filt(rates, dt=DT, y0=0)[:, 0]


class Pathways(NamedTuple):
    """What is seen of one seed's networks: post-synaptic potentials behind Y, (n_steps,) each."""

    single: np.ndarray
    ideal: np.ndarray
    deep: dict[str, np.ndarray]


def simulate(seed: int, variant: Variant) -> Pathways:
    """Run the single-layer network and all deep ones."""
    net = network(seed, variant)
    (single,) = run(net, net.output)
    deep = {}
    for pathway in PATHWAYS:
        twin, new, _ = deepened(net, variant, pathway)
        deep[pathway] = run(twin, new[net.output])[0][:, 0]
    return Pathways(single[:, 0], ideal(net), deep)


def errors(single: np.ndarray, deep: np.ndarray, earlier: int = 0) -> np.ndarray:
    """Return the difference over the last period, in percent of the single-layer output's mean."""
    reference = last_period(single, earlier)
    return 100 * (last_period(deep) - reference) / reference.mean()


def compare(seeds: list[int], variant: Variant) -> dict[str, Any]:
    """Return how the deep pathways differ from the single-layer ones, over all seeds.

    Errors are in percent of the single-layer output's mean, "..._of_peak" of its peak; lags in
    milliseconds. "off_ideal" is by how many percent a pathway's mean is off what it would be if
    rates were proportional to currents, "ripple" the single-layer network's own error so seen.
    """
    seen = [simulate(seed, variant) for seed in tqdm(seeds, desc=variant.title, unit="seed")]
    found = {
        "single": {
            "off_ideal": [off_ideal(one.single, one.ideal) for one in seen],
            "ripple": _percentiles([errors(one.ideal, one.single) for one in seen]),
        }
    }
    for pathway in PATHWAYS:
        pairs = [(one.single, one.deep[pathway]) for one in seen]
        by_seed = [errors(*pair) for pair in pairs]
        peaks = [last_period(s).max() / last_period(s).mean() for s, _ in pairs]
        lags = [lag(*pair) for pair in pairs]
        aligned = [errors(*pair, earlier=k) for pair, k in zip(pairs, lags, strict=True)]
        means = [float(error.mean()) for error in by_seed]
        found[pathway] = {
            "mean_error": float(np.mean(means)),
            "mean_errors": means,
            "percentiles": _percentiles(by_seed),
            "percentiles_of_peak": _percentiles(
                [error / peak for error, peak in zip(by_seed, peaks, strict=True)]
            ),
            "percentiles_without_lag": _percentiles(aligned),
            "lag_ms": float(1000 * DT * np.mean(lags)),
            "off_ideal": [off_ideal(one.deep[pathway], one.ideal) for one in seen],
        }
    return found


def off_ideal(psp: np.ndarray, ideal: np.ndarray) -> float:
    """Return by how many percent an output's mean is off that of proportional rates."""
    return float(100 * (last_period(psp).mean() / last_period(ideal).mean() - 1))


def _percentiles(errors_by_seed):
    return np.percentile(np.concatenate(errors_by_seed), PERCENTILES).tolist()


def sizes(seed: int = 0) -> dict[str, dict[str, int]]:
    """Return neurons, synapses, parameters and rank, of the single-layer and the deep networks."""
    variant = VARIANTS["subtract"]
    net = network(seed, variant)
    found = {}
    for pathway in PATHWAYS:
        report = deepened(net, variant, pathway)[2]
        found["single"] = asdict(report.before)
        found[pathway] = asdict(report.after)
    return found


def claims(resets: Mapping[str, Any], training: Mapping[str, Any]) -> list[results.Claim]:
    """Return what was promised, beside what was measured."""
    n = len(resets["subtract"]["single"]["off_ideal"])
    test = {stage: seen["test"] for stage, seen in training["accuracies"].items()}
    lost = 100 * (np.mean(test["single, first"]) - np.mean(test["svd, untrained"]))
    return [
        results.Claim(
            f"factorised depth, PLU: mean error of the output, reset by subtraction, {n} seeds",
            abs(resets["subtract"][CLAIMED]["mean_error"]),
            "%",
            "<= 0.15",
            "0.147 %, section 6",
        ),
        results.Claim(
            f"factorised depth, SVD: accuracy on digits lost before further training, "
            f"{len(test['single, first'])} seeds",
            float(lost),
            "points",
            "<= 1.0",
        ),
    ]


# ---------------------------------------------------------------------------------- command line


@click.group(cls=Commands, help=__doc__)
def main():
    """Run the network."""


@main.command()
@click.option("--output", default="runs/factorized_if", type=Path, show_default=True)
@click.option("--seed", default=0, type=SEED, show_default=True, help="Of the weights.")
def demo(output: Path, seed: int):
    """Run one seed; write the paper's figures and tables, and index.html."""
    import factorized_report as report

    click.echo(f"Look at {report.write(output, seed)}")


@main.command("figures")
@click.option("--output", default="docs/figures", type=Path, show_default=True, help="the folder")
@click.option("--seed", default=0, type=SEED, show_default=True, help="Of the weights.")
def make_figures(output: Path, seed: int):
    """Draw the pictures of the documentation."""
    import factorized_report as report

    for path in report.draw(output, seed):
        click.echo(f"written: {path}")


@main.command("results")
@click.option("--output", default="results/factorized_if.json", type=Path, show_default=True)
@click.option("--runs", default="runs/factorized_training", type=Path, show_default=True)
@click.option(
    "--seeds", default=20, type=COUNT, show_default=True, help="How many weights, from seed 0 on."
)
@click.option(
    "--training-seeds", default=5, type=COUNT, show_default=True, help="How many networks to train."
)
@click.option("--resume", is_flag=True, help="Go on from where an earlier run stopped.")
def make_results(output: Path, runs: Path, seeds: int, training_seeds: int, resume: bool):
    """Compare the pathways and train the deepened network; write the figures that are quoted."""
    import factorized_training as training

    trained = training.measure(list(range(training_seeds)), runs, resume)
    resets = {name: compare(list(range(seeds)), variant) for name, variant in VARIANTS.items()}
    figures = {"sizes": sizes(), "resets": resets, "training": trained}
    settings = {
        "neurons": N,
        "k_hz": K,
        "dt_s": DT,
        "seconds": SECONDS,
        "tau_s": TAU,
        "window_s": PERIOD,
        "percentiles": PERCENTILES,
        "training": training.settings(),
    }
    found = claims(resets, trained)
    results.write(output, results.report(settings, list(range(seeds)), figures, found))
    for claim in found:
        click.echo(claim.verdict)


if __name__ == "__main__":
    main()
else:
    model = gui_model()
