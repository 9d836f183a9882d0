"""One adaptive spiking neuron: what it does with an input, and its transfer function.

    \b
    python networks/adaptive_neuron.py results    the transfer function against simulation
    python networks/adaptive_neuron.py figures    the pictures of docs/adaptive.md
    nengo networks/adaptive_neuron.py             Nengo GUI: its states, and a slider for precision

The equations are those of Zambrano et al. 2017.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from statistics import NormalDist

import click
import nengo
import numpy as np

from nengo_phasor import AdaptiveSpiking, displays, dynamics, results
from nengo_phasor.models.shared.commands import Commands

DT = 0.001
LEVELS = (0.0, 0.6, 2.0, 0.3, 1.0)
"""Of the stepped input, in units of f(1) = 1."""
LEVEL_SECONDS = 0.2

GUI_RANGE = 0.6, 0.03
"""Lowest and highest precision, m_f, that can be set in Nengo GUI."""

WAIT, DURATION = 1.0, 10.0
"""Seconds of a simulation that are not averaged, and that are."""

ERRORS = {
    0.03: {0.001: 0.007, 0.0001: 0.002},
    0.05: {0.001: 0.007, 0.0001: 0.003},
    0.1: {0.001: 0.017, 0.0001: 0.007},
    0.2: {0.001: 0.017, 0.0001: 0.014},
    0.45: {0.001: 0.033, 0.0001: 0.035},
}
"""Largest error for S >= 1.5 theta_0 that equation (11) was found to have, by m_f and dt."""

ONE_SPIKE = 0.0025
"""What one spike in those seconds is in the mean current at m_f = 0.45: h tau_beta / 10 s."""

RATES = {0.05: 126, 0.1: 65, 0.2: 33, 0.3: 22, 0.5: 14, 0.6: 11}
"""Firing rates found at activations from a standard normal distribution, in Hz, by m_f."""

OTHER_TAU_BETAS = (0.025, 0.03, 0.04, 0.06, 0.08, 0.1)


# --------------------------------------------------------------------------------------- network


def stimulus(t: float) -> float:
    """Return the input at a time: steps for a second, then a sine of 1 Hz around 1."""
    if t > len(LEVELS) * LEVEL_SECONDS:
        return 1.0 - math.cos(2.0 * math.pi * t)
    return LEVELS[min(int(t / LEVEL_SECONDS), len(LEVELS) - 1)]


class States(nengo.Process):
    """The neuron's states in a node, for Nengo GUI, which plots no more of neurons than voltage.

    The output is S, Shat and theta/2 after each step.
    """

    def __init__(self, neuron: AdaptiveSpiking):
        super().__init__(default_size_in=1, default_size_out=3)
        self.neuron = neuron

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        return self.neuron.make_state(1, rng=np.random.RandomState(0), dtype=float)

    def make_step(self, shape_in, shape_out, dt, rng, state):
        output = np.zeros(1)

        def step(t, x):
            self.neuron.step(dt, x, output, **state)
            theta = self.neuron.theta_0 + state["adaptation"]
            return np.concatenate([state["voltage"], state["refraction"], 0.5 * theta])

        return step


def network(neuron: AdaptiveSpiking) -> nengo.Network:
    """Return a network of one neuron, with probes of all that it does.

    ``stimulus``, ``neuron`` and ``output``, the post-synaptic current, can be connected;
    ``seen`` has probes of "stimulus", "spikes", the states, and "current".
    """
    with nengo.Network(label="adaptive neuron") as net:
        net.stimulus = nengo.Node(stimulus, label="stimulus")
        net.neuron = nengo.Ensemble(
            1, 1, neuron_type=neuron, encoders=[[1]], gain=[1], bias=[0], label="neuron"
        )
        net.output = nengo.Node(size_in=1, label="current")
        net.states = nengo.Node(States(neuron), label="S, Shat, theta/2")
        nengo.Connection(net.stimulus, net.neuron.neurons, synapse=None)
        nengo.Connection(net.stimulus, net.states, synapse=None)
        nengo.Connection(net.neuron.neurons, net.output, synapse=neuron.tau_beta)
        net.seen = {state: nengo.Probe(net.neuron.neurons, state) for state in neuron.state}
        net.seen["stimulus"] = nengo.Probe(net.stimulus)
        net.seen["spikes"] = nengo.Probe(net.neuron.neurons)
        net.seen["current"] = nengo.Probe(net.output)
    return net


def gui_model() -> nengo.Network:
    """Return the network with a slider for the neuron's precision, m_f, and a dial that shows it.

    The slider acts in `nengo.Simulator`, once ``precision.start`` was called with it.
    """
    from nengo_phasor.models.shared import gui

    neuron = AdaptiveSpiking()
    low, high = GUI_RANGE
    net = network(neuron)
    net.precision = gui.Precision(neuron.m_f)

    def control(t, x):
        before = net.precision.m_f
        net.precision.set(float(np.clip(x[0], high, low)))
        if net.precision.m_f != before:
            net.states.output.neuron = neuron.at_precision(net.precision.m_f)
        return net.precision.m_f

    with net:
        net.m_f = nengo.Node([neuron.m_f], label="m_f: less is finer")
        net.control = nengo.Node(control, size_in=1, label="sets m_f")
        net.dial = displays.precision_dial(low, high, label="precision")
        nengo.Connection(net.m_f, net.control, synapse=None)
        nengo.Connection(net.control, net.dial, synapse=None)
    return net


def trace(neuron: AdaptiveSpiking, seconds: float) -> dict[str, np.ndarray]:
    """Return what the network's probes see, (n_steps,) each."""
    net = network(neuron)
    with nengo.Simulator(net, dt=DT, progress_bar=False) as sim:
        sim.run(seconds)
    return {name: sim.data[probe][:, 0] for name, probe in net.seen.items()}


# -------------------------------------------------------------------------------------- measures


def firing_rates(
    neuron: AdaptiveSpiking, S: np.ndarray, dt: float, wait: float, duration: float
) -> np.ndarray:
    """Return the firing rates (Hz) of neurons with constant inputs S, (n,), after a wait."""
    state = neuron.make_state(len(S), rng=np.random.RandomState(0), dtype=float)
    output, total = np.zeros(len(S)), np.zeros(len(S))
    n_wait, n_steps = round(wait / dt), round((wait + duration) / dt)
    for k in range(n_steps):
        neuron.step(dt, S, output, **state)
        if k >= n_wait:
            total += output
    return total / neuron.amplitude / (n_steps - n_wait)


def mean_currents(neuron: AdaptiveSpiking, rates: np.ndarray, dt: float) -> dict[str, np.ndarray]:
    """Return the mean post-synaptic currents of firing rates, as two discretisations have it.

    "kernel" is equation (4) at the steps, a sum of h exp(-(t - t_i)/tau_beta) in which the spike of
    the step itself counts h. "lowpass" is `nengo.Lowpass`, which lets a step's output in over the
    step. They differ by the factor 1 + dt/(2 tau_beta).
    """
    kept = math.exp(-dt / neuron.tau_beta)
    return {
        "kernel": neuron.transfer.height * rates * dt / (1 - kept),
        "lowpass": neuron.amplitude * rates,
    }


def transfer_errors(neuron: AdaptiveSpiking, dt: float) -> dict[str, float]:
    """Return the largest errors of equation (11), for S in [0, 20 theta_0]."""
    S = neuron.theta_0 * np.linspace(0, 20, 401)
    expected = dynamics.adaptive_transfer(np, S, neuron.transfer)
    rates = firing_rates(neuron, S, dt, WAIT, DURATION)
    errors = {
        name: np.abs(current - expected)
        for name, current in mean_currents(neuron, rates, dt).items()
    }
    firing = 1.5 * neuron.theta_0 * (1 - 1e-9) <= S
    return {
        "height": neuron.transfer.height,
        "everywhere": float(errors["kernel"].max()),
        "from_1.5_theta_0": float(errors["kernel"][firing].max()),
        "from_1.5_theta_0_lowpass": float(errors["lowpass"][firing].max()),
    }


def rate_at_normal(m_f: float, n: int = 4000) -> float:
    """Return the mean firing rate (Hz) in a window of 0.5 s at n quantiles of N(0, 1)."""
    S = np.array([NormalDist().inv_cdf((k + 0.5) / n) for k in range(n)])
    return float(firing_rates(AdaptiveSpiking(m_f), S, DT, 0.0, 0.5).mean())


def measure() -> dict:
    """Return all figures of the results file."""
    phis = {"2.5 ms": 0.0025, "5 ms": 0.005, "none": None}
    return {
        "errors": {
            f"m_f {m_f:g}, dt {1000 * dt:g} ms": transfer_errors(AdaptiveSpiking(m_f), dt)
            for m_f, by_dt in ERRORS.items()
            for dt in by_dt
        },
        "errors_by_tau_phi": {
            name: transfer_errors(AdaptiveSpiking(tau_phi=tau_phi), DT)
            for name, tau_phi in phis.items()
        },
        "errors_by_tau_beta": {
            f"{1000 * tau_beta:g} ms": transfer_errors(AdaptiveSpiking(tau_beta=tau_beta), DT)
            for tau_beta in OTHER_TAU_BETAS
        },
        "rates_hz": {f"{m_f:g}": rate_at_normal(m_f) for m_f in RATES},
    }


def claims(figures: dict) -> list[results.Claim]:
    """Return what was promised of the transfer function, beside what was measured."""
    found = [
        results.Claim(
            f"error of the transfer function, m_f 0.1, tau_phi {name}, S >= 1.5 theta_0",
            figures["errors_by_tau_phi"][name]["from_1.5_theta_0"],
            "",
            "<= 0.017",
            "equation (11)",
        )
        for name in ("2.5 ms", "5 ms")
    ]
    differences = [
        abs(figures["errors"][f"m_f {m_f:g}, dt {1000 * dt:g} ms"]["from_1.5_theta_0"] - error)
        for m_f, by_dt in ERRORS.items()
        for dt, error in by_dt.items()
    ]
    title = "the same, m_f 0.03 to 0.45, steps of 1 and 0.1 ms: off what was found before by"
    found.append(results.Claim(title, max(differences), "", f"<= {ONE_SPIKE}"))
    rates = [100 * abs(figures["rates_hz"][f"{m_f:g}"] / rate - 1) for m_f, rate in RATES.items()]
    title = "firing rates at S ~ N(0, 1), m_f 0.05 to 0.6: off what was found before by"
    found.append(results.Claim(title, max(rates), "%", "<= 5"))
    return found


# -------------------------------------------------------------------------------------- pictures


def draw(folder: Path) -> list[Path]:
    """Draw the transfer function and the neuron's states; return the files."""
    from matplotlib.figure import Figure

    from nengo_phasor import plots

    transfer = Figure(figsize=(9, 4), layout="constrained")
    for k, end in enumerate((3.0, 0.4)):
        curves, simulated = {}, {}
        for m_f in (0.05, 0.1, 0.3):
            neuron, name = AdaptiveSpiking(m_f), f"m_f = {m_f:g}"
            S, points = (np.linspace(-0.1 * end, end, n) for n in (1101, 56))
            curves[name] = S, dynamics.adaptive_transfer(np, S, neuron.transfer)
            rates = firing_rates(neuron, points, DT, WAIT, DURATION)
            simulated[name] = points, mean_currents(neuron, rates, DT)["lowpass"]
        plots.transfer_function(curves, simulated, ax=transfer.add_subplot(1, 2, k + 1))

    states = Figure(figsize=(8, 6.4), layout="constrained")
    for k, m_f in enumerate((0.1, 0.4)):
        neuron = AdaptiveSpiking(m_f)
        seen = trace(neuron, 2.0)
        theta = neuron.theta_0 + seen["adaptation"]
        axes = states.add_subplot(2, 1, k + 1)
        plots.adaptive_neuron(
            seen["voltage"], seen["refraction"], theta, seen["spikes"], DT, ax=axes
        )
        axes.set_title(f"m_f = {m_f:g}", loc="right")
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _save(figure, folder / name)
        for name, figure in (("adaptive_transfer.png", transfer), ("adaptive_neuron.png", states))
    ]


def _save(figure, path):
    temporary = path.with_name(f"{path.name}.tmp")
    figure.savefig(temporary, dpi=100, format="png")
    os.replace(temporary, path)
    return path


# ---------------------------------------------------------------------------------- command line


@click.group(cls=Commands, help=__doc__)
def main():
    """Measure and draw."""


@main.command("results")
@click.option("--output", default="results/adaptive_transfer.json", type=Path, show_default=True)
def make_results(output: Path):
    """Compare the transfer function with simulations; write the figures that are quoted."""
    figures = measure()
    found = claims(figures)
    settings = {"wait_s": WAIT, "duration_s": DURATION, "S": "401 from 0 to 20 theta_0"}
    results.write(output, results.report(settings, [], figures, found))
    for claim in found:
        click.echo(claim.verdict)


@main.command("figures")
@click.option("--output", default="docs/figures", type=Path, show_default=True, help="the folder")
def make_figures(output: Path):
    """Draw the pictures of the documentation."""
    for path in draw(output):
        click.echo(f"written: {path}")


if __name__ == "__main__":
    main()
else:
    model = gui_model()
    on_start = model.precision.start
