"""Draws the pictures on the pages of neurons and synapses, one function for each type."""

from __future__ import annotations

import nengo
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from nengo.neurons import NeuronType
from nengo.synapses import Synapse

import nengo_phasor as nph
from nengo_phasor import phases
from nengo_phasor.plots import STYLES

DT = 0.001
FREQUENCY = 10.0
DROPPED = "0.75"
SPIKES = {"marker": "|", "markersize": 14, "markeredgewidth": 1.5, "linestyle": "none"}


# ---------------------------------------------------------------------------------------- neurons


def response(neurons: NeuronType, currents: np.ndarray) -> dict[str, np.ndarray]:
    """Return a neuron's output and states, each (n_steps,), for the currents of the steps."""
    with nengo.Network(seed=0) as net:
        source = nengo.Node(lambda t: currents[min(round(t / DT) - 1, len(currents) - 1)])
        ensemble = nengo.Ensemble(1, 1, neuron_type=neurons, gain=[1.0], bias=[0.0])
        nengo.Connection(source, ensemble.neurons, synapse=None)
        probes = {
            name: nengo.Probe(ensemble.neurons, name) for name in ("output", *type(neurons).state)
        }
    with nengo.Simulator(net, DT, progress_bar=False) as sim:
        sim.run_steps(len(currents))
    return {name: sim.data[probe][:, 0] for name, probe in probes.items()}


def resonance(figure: Figure, cls: type) -> None:
    """Draw the states of a resonator that is driven for four cycles."""
    raster = phases.to_raster([0.3], FREQUENCY, 12, DT)[:, 0]
    raster[round(4 / (FREQUENCY * DT)) :] = False
    neurons = cls(FREQUENCY, tau=0.3, threshold=1.0)
    seen = response(neurons, raster / DT)
    ax = figure.add_subplot()
    nph.plots.oscillator(seen["voltage"], seen["current"], seen["output"], DT, ax)
    ax.axhline(neurons.threshold, **nph.plots.REFERENCE)


def phasor(figure: Figure, cls: type) -> None:
    """Draw input currents in the complex plane, and the output for each."""
    z = np.array([1.3 * np.exp(0.9j), 0.5 * np.exp(2.6j), 0.8 * np.exp(-1.2j), 0.04 * np.exp(4j)])
    rows = np.concatenate([z.real, z.imag])
    output = np.zeros(8)
    cls(floor=0.1).step(DT, rows, output)
    y = phases.from_rows(output)
    ax = figure.add_subplot()
    ax.add_patch(Circle((0, 0), 1, fill=False, ec="0.7"))
    for start, end in zip(z, y, strict=True):
        ax.plot([start.real, end.real], [start.imag, end.imag], color="0.6", linestyle=":")
    ax.plot(z.real, z.imag, color=DROPPED, marker="o", linestyle="none", mec="0.4", label="current")
    ax.plot(y.real, y.imag, color="black", marker="o", linestyle="none", label="output")
    ax.set(xlim=(-1.4, 1.4), ylim=(-1.4, 1.4), aspect="equal", xlabel="real", ylabel="imaginary")
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))


def binding(figure: Figure, cls: type) -> None:
    """Draw the spikes that three signals send, and the state and the spikes of what binds them."""
    neurons, given = cls(FREQUENCY, threshold=0.5), [0.1, 0.45, 0.0]
    raster = phases.to_raster(given, FREQUENCY, 5, DT)
    state = neurons.make_state(3, rng=np.random.RandomState(0), dtype=float)
    output, voltage = np.zeros(raster.shape), np.zeros(len(raster))
    for k, spikes in enumerate(raster):
        neurons.step(DT, spikes / DT, output[k], **state)
        voltage[k] = state["voltage"][0]
    time = np.arange(1, len(raster) + 1) * DT
    ax = figure.add_subplot()
    ax.plot(time, voltage / voltage.max(), color="0.6")
    for row, spikes in enumerate(raster.T):
        ax.plot(time[spikes], np.full(spikes.sum(), -2.0 - row), color="0.4", **SPIKES)
    sent = output[:, 0] > 0
    ax.plot(time[sent], np.full(sent.sum(), -5.0), color="black", **SPIKES)
    for at in time[raster[:, 2]]:
        ax.axvline(at, **nph.plots.REFERENCE)
    names = ("output", "r, the reference", "y", "x", "state of x")
    ax.set_yticks([-5, -4, -3, -2, 0], names)
    ax.set(xlabel="time (s)")


def bound_phasors(figure: Figure, cls: type) -> None:
    """Draw two currents in the complex plane, and the product of their phasors."""
    z = np.array([0.8 * np.exp(0.5j), 1.2 * np.exp(1.4j), 1.0])
    output = np.zeros(6)
    cls().step(DT, np.concatenate([z.real, z.imag]), output)
    product = phases.from_rows(output)[0]
    ax = figure.add_subplot()
    ax.add_patch(Circle((0, 0), 1, fill=False, ec="0.7"))
    arrows = {"x": (z[0], DROPPED), "y": (z[1], DROPPED), "output": (product, "black")}
    for name, (end, color) in arrows.items():
        ax.plot([0, end.real], [0, end.imag], color=color, marker="o", markevery=[1])
        ax.annotate(name, (1.2 * end.real, 1.2 * end.imag), ha="center", va="center")
    ax.set(xlim=(-1.4, 1.4), ylim=(-1.4, 1.4), aspect="equal", xlabel="real", ylabel="imaginary")


def attended_phasors(figure: Figure, cls: type) -> None:
    """Draw the values in the complex plane, their weighted parts, and the sum's phasor."""
    angles = np.pi * np.array([0.1, 0.2, -0.6, 0.1, 0.7])  # a query, two keys, two values
    z = np.exp(1j * angles)
    output = np.zeros(10)
    cls(1, 2).step(DT, np.concatenate([z.real, z.imag]), output)
    parts = np.cos(angles[0] - angles[1:3]) * z[3:]
    ax = figure.add_subplot()
    ax.add_patch(Circle((0, 0), 1, fill=False, ec="0.7"))
    arrows = {"$v_1$": (z[3], DROPPED), "$v_2$": (z[4], DROPPED)}
    arrows["output"] = (phases.from_rows(output)[0], "black")
    for name, (end, color) in arrows.items():
        ax.plot([0, end.real], [0, end.imag], color=color, marker="o", markevery=[1])
        ax.annotate(
            name,
            (1.25 * end.real, 1.25 * end.imag - 0.1 * (name == "output")),
            ha="center",
            va="center",
        )
    sums = np.append(0, np.cumsum(parts))
    ax.plot(sums.real, sums.imag, color="0.4", linestyle=":", marker=".")
    ax.set(xlim=(-1.7, 1.7), ylim=(-1.4, 1.4), aspect="equal", xlabel="real", ylabel="imaginary")


def attention(figure: Figure, cls: type) -> None:
    """Draw the spikes of a query, two keys and their values, and what the query makes of them."""
    given = [0.1, 0.2, -0.6, 0.1, 0.7]
    neurons = cls(1, 2, frequency=FREQUENCY)
    raster = phases.to_raster(given, FREQUENCY, 5, DT)
    state = neurons.make_state(5, rng=np.random.RandomState(0), dtype=float)
    output, similarity = np.zeros(raster.shape), np.zeros((len(raster), 2))
    for k, spikes in enumerate(raster):
        neurons.step(DT, spikes / DT, output[k], **state)
        similarity[k] = state["held"][0, 0]
    time = np.arange(1, len(raster) + 1) * DT
    upper, lower = figure.subplots(2, 1, sharex=True)
    names = ("query", "$k_1$", "$k_2$", "$v_1$", "$v_2$", "output")
    for row, sent in enumerate((*raster.T, output[:, 0] > 0)):
        color = "black" if row == 5 else "0.4"
        upper.plot(time[sent], np.full(sent.sum(), -row), color=color, **SPIKES)
    upper.set_yticks(-np.arange(6), names)
    upper.set(ylim=(-5.7, 0.7))
    for column, (values, style) in enumerate(zip(similarity.T, STYLES, strict=False)):
        lower.plot(time, values, label=f"$s_{column + 1}$", **{**style, "marker": ""})
    lower.set(xlabel="time (s)", ylabel="similarity")
    lower.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))


def balanced(figure: Figure, cls: type) -> None:
    """Draw the states of a balanced neuron that is driven at its frequency, and then not."""
    neurons = cls(5.0, 5.0)
    t = DT * np.arange(1, 901)
    seen = response(neurons, np.where(t < 0.5, 40 * np.sin(2 * np.pi * 5.0 * t), 0.0))
    ax = figure.add_subplot()
    for name, style in zip(("voltage", "current", "refraction"), STYLES, strict=False):
        ax.plot(t, seen[name], label=name, **{**style, "marker": None})
    ax.plot(
        t[seen["output"] > 0],
        np.full(np.count_nonzero(seen["output"]), 1.6),
        color="black",
        **SPIKES,
    )
    ax.axhline(neurons.threshold, **nph.plots.REFERENCE)
    ax.set(xlabel="time (s)", ylabel="state (no unit)")
    ax.legend(frameon=False, loc="lower right")


def surrogate_lif(figure: Figure, cls: type) -> None:
    """Draw the voltage for both kinds of reset, and the surrogate derivative."""
    axes = figure.subplots(1, 2, width_ratios=(2.5, 1))
    currents = np.where(np.arange(150) < 100, 1.6, 0.3)
    for reset, style in zip(("subtract", "zero"), STYLES, strict=False):
        neurons = cls(reset=reset)
        seen = response(neurons, currents)
        times = DT * np.arange(1, len(currents) + 1)
        axes[0].plot(times, seen["voltage"], label=f'reset "{reset}"', **{**style, "marker": None})
    axes[0].set(xlabel="time (s)", ylabel="voltage (no unit)", ylim=(-0.05, 1.4))
    axes[0].legend(frameon=False, loc="upper right")
    x = np.linspace(-1, 1, 201)
    axes[1].plot(x + 1, neurons.surrogate.derivative(np, x), color="black")
    axes[1].set(xlabel="voltage", ylabel="derivative of a spike")


def adaptive(figure: Figure, cls: type) -> None:
    """Draw the states of an adaptive neuron whose input rises and falls."""
    neurons = cls(m_f=0.2)
    currents = np.select([np.arange(600) < 50, np.arange(600) < 350], [0.0, 1.2], 0.4)
    seen = response(neurons, currents)
    nph.plots.adaptive_neuron(
        seen["voltage"],
        seen["refraction"],
        neurons.theta_0 + seen["adaptation"],
        seen["output"],
        DT,
        figure.add_subplot(),
    )


def adaptive_rate(figure: Figure, cls: type) -> None:
    """Draw transfer functions, and mean outputs of simulated neurons."""
    curves, simulated = {}, {}
    S, points = np.linspace(0, 2, 201), np.linspace(0.1, 2, 12)
    for m_f in (0.1, 0.4):
        name = f"m_f = {m_f}"
        curves[name] = S, cls(m_f).rates(S, 1.0, 0.0)
        simulated[name] = points, [mean_output(nph.AdaptiveSpiking(m_f), x) for x in points]
    nph.plots.transfer_function(curves, simulated, figure.add_subplot())


def mean_output(neurons: NeuronType, current: float) -> float:
    """Return the mean output over two seconds after it has settled."""
    return float(response(neurons, np.full(2500, current))["output"][500:].mean())


# --------------------------------------------------------------------------------------- synapses


def layer_spikes(n: int = 24, n_cycles: int = 4) -> np.ndarray:
    """Return the spikes of a layer whose phases gather around the reference."""
    rng = np.random.default_rng(0)
    phase = np.sort(phases.wrap(rng.normal(0, 0.35, n)))
    return phases.to_raster(phase, FREQUENCY, n_cycles, DT).astype(float)


def draw_spikes(ax: Axes, raster: np.ndarray, color: str) -> None:
    """Draw spikes in a colour."""
    steps, neurons = np.nonzero(raster)
    ax.plot((steps + 0.5) * DT, neurons, color=color, linestyle="none", marker="|", markersize=7)


def beside_unit(raster: np.ndarray, synapse: Synapse) -> np.ndarray:
    """Return spikes with those of a rhythm unit at the reference, or with their mean, as last."""
    follows = getattr(synapse, "follows", None)
    last = {
        "spikes": nph.phases.to_raster([0.0], FREQUENCY, 4, DT)[: len(raster)],
        "field": raster.mean(axis=1, keepdims=True),
    }
    return np.hstack([raster, last[follows]]) if follows else raster


def sparsified(figure: Figure, cls: type) -> None:
    """Draw the spikes that a sparsifier drops in grey, and those that it passes in black."""
    raster = layer_spikes()
    synapse: Synapse = cls({nph.ReactiveSparsifier: 0.8}.get(cls, 0.3))
    passed = synapse.filt(beside_unit(raster, synapse) / DT, dt=DT)
    n_shown = raster.shape[1] + (getattr(synapse, "follows", None) == "spikes")
    ax = figure.add_subplot()
    nph.plots.spike_raster(np.zeros((len(raster), n_shown)), DT, FREQUENCY, ax)
    draw_spikes(ax, raster, DROPPED)
    draw_spikes(ax, passed[:, :n_shown], "black")


def assumed(figure: Figure, cls: type) -> None:
    """Draw the spikes that a receiver assumes from a layer of which one half is silent."""
    raster = layer_spikes(12, 3)
    raster[:, ::2] = 0
    synapse: Synapse = cls()
    received = synapse.filt(beside_unit(raster, synapse) / DT, dt=DT)[:, :12] * DT
    above, below = figure.subplots(2, sharex=True)
    nph.plots.spike_raster(raster, DT, FREQUENCY, above)
    above.set(xlabel="", ylabel="sent by", yticks=range(0, 12, 4))
    steps, neurons = np.nonzero(received)
    signs = received[steps, neurons]
    nph.plots.spike_raster(0 * raster, DT, FREQUENCY, below)
    below.vlines((steps + 0.5) * DT, neurons, neurons + 0.7 * signs, color="black")
    below.set(ylim=(-1, 12), ylabel="received from", yticks=range(0, 12, 4))


def encoded(figure: Figure, cls: type) -> None:
    """Draw phases, and the spikes that encode them."""
    signal = np.repeat([[-0.5, 0.0, 0.5], [0.3, 0.8, -0.2]], [200, 300], axis=0)
    spikes = cls(FREQUENCY).filt(signal, dt=DT)
    above, below = figure.subplots(2, sharex=True, height_ratios=(1, 1))
    times = DT * np.arange(1, len(signal) + 1)
    for k, style in zip(range(3), STYLES, strict=False):
        above.plot(times, signal[:, k], **{**style, "marker": None})
    above.set(ylim=(-1, 1), ylabel="phase (π)")
    nph.plots.spike_raster(spikes, DT, FREQUENCY, below)
