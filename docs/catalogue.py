"""The content of the pages of neuron types and synapses, besides docstrings: an entry per type."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import plots
from matplotlib.figure import Figure

import nengo_phasor as nph
from nengo_phasor.neurons import NEURON_TYPES
from nengo_phasor.synapses import SYNAPSES


class Page(NamedTuple):
    """The content of a type's page besides its docstring.

    ``draw`` draws the picture on a figure and ``caption`` explains it. ``limits`` lists what the
    type cannot do, and ``more`` names pages for further reading.
    """

    type: type
    draw: Callable[[Figure, type], None]
    caption: str
    limits: tuple[str, ...]
    more: tuple[str, ...] = ()


PAGES = (
    Page(
        nph.ResonateAndFire,
        plots.resonance,
        "The neuron is driven by a spike at phase 0.3 in each of four cycles. It spikes at the "
        "peaks of its voltage, which keep that phase, as long as they exceed the threshold "
        "(dotted).",
        (
            "A constant input does not set a firing rate, so values cannot be decoded as in the "
            "NEF: connect from and to `ensemble.neurons`.",
            "The neuron detects a crossing at the end of a step, so each layer lags by dt/2 on "
            "average: a phase of 0.01 at 100 steps per cycle.",
            "A cycle needs at least 4 steps.",
            "The neuron remembers its input for about five periods, so an answer takes several "
            "cycles, and one input fades into the next.",
        ),
        ("phases", "conversion"),
    ),
    Page(
        nph.BalancedResonateAndFire,
        plots.balanced,
        "A current at the neuron's frequency drives it for half a second. Spikes (above) raise the "
        "refraction, which adds to the threshold (dotted) and damps the oscillation.",
        (
            "A constant input does not set its firing rate, so its output cannot be decoded as in "
            "the NEF: connect from and to `ensemble.neurons`.",
            "A step turns by less than 1 rad: 159 Hz at steps of 1 ms. Euler steps detune high "
            "frequencies.",
            "It fires at most one spike per step.",
            "On the emulator its spikes move by a step or two.",
        ),
        ("howto_training",),
    ),
    Page(
        nph.Phasor,
        plots.phasor,
        "Four input currents (grey) and the outputs of length 1 (black). The input close to the "
        "centre is shorter than the floor, 0.1 here, so it has no phase.",
        (
            "It has no dynamics: run a network of it for one step, with `synapse=None` on every "
            "connection.",
            "An ensemble of n units has 2n neurons: the real parts, then the imaginary parts.",
            "It is not a model of a neuron; it is the domain in which `ResonateAndFire` networks "
            "are trained.",
        ),
        ("phase_domain",),
    ),
    Page(
        nph.BindingResonator,
        plots.binding,
        "A spike of x at phase 0.1 and one of y at phase 0.45 in each cycle, and the reference at "
        "phase 0 (dotted). The state of x (grey) is at its maximum at phase 0.55, the sum of the "
        "two, where the neuron spikes.",
        (
            "An ensemble of n units has 3n neurons, of which the first n spike: "
            "`networks.PhaseBind` connects them. With 3n + 1 neurons, the last is the unit of the "
            "layer's rhythm: `networks.LocalRhythm` uses it.",
            "Each of the three signals is measured in whole steps, so the phase is at most 1.5 "
            "steps off.",
            "NengoDL trains it through time, with a surrogate; layerwise runs it, but does not "
            "train it. Train binding in the phase domain, with `BindingPhasor`.",
            "On the emulator it runs on the host, and only there: spikes from the chip would be "
            "late, so they are rejected.",
        ),
        ("phase_domain",),
    ),
    Page(
        nph.BindingPhasor,
        plots.bound_phasors,
        "Currents of x and y (grey), with the reference at phase 0. The phase of the output "
        "(black) is the sum of their phases.",
        (
            "It has no dynamics: run a network of it for one step, with `synapse=None` on every "
            "connection.",
            "An ensemble of n units has 6n neurons, as an array of shape (2, 3, n).",
        ),
        ("phase_domain",),
    ),
    Page(
        nph.AttendingResonator,
        plots.attention,
        "A query, two keys and their values send a spike in each cycle. Each spike of the query "
        "meets the resonators of the keys, of which the first has a similar phase and the second "
        "nearly the opposite one. The spikes of the values, weighted by these similarities, drive "
        "the output.",
        (
            "An ensemble has (n + 2 m) d neurons, as an array of shape (n + 2 m, d), of which the "
            "n d in the places of the queries send spikes: `networks.PhasorAttention` becomes one. "
            "One neuron more, the last, is the unit of the layer's rhythm.",
            "With beta, all values have the same weight before the first spikes of the queries.",
            "NengoDL and layerwise run it, but layerwise does not train it. Train attention in the "
            "phase domain, with `AttendingPhasor`.",
            "On the emulator it runs on the host, and only there: spikes from the chip would be "
            "late, so they are rejected.",
        ),
        ("phase_domain",),
    ),
    Page(
        nph.AttendingPhasor,
        plots.attended_phasors,
        "A query at phase 0.1 is similar to the first of two keys (phases 0.2 and -0.6). The sum "
        "(dotted) of the two values (grey), weighted by these similarities, has the phase of the "
        "output (black).",
        (
            "It has no dynamics: run a network of it for one step, with `synapse=None` on every "
            "connection.",
            "An ensemble has 2 (n + 2 m) d neurons, as an array of shape (2, n + 2 m, d): "
            "`networks.PhasorAttention` connects them.",
        ),
        ("phase_domain",),
    ),
    Page(
        nph.SurrogateLIF,
        plots.surrogate_lif,
        "The same current drives a neuron with each kind of reset. The surrogate derivative "
        "replaces that of a spike in training.",
        (
            "It fires at most one spike per step, and it has no refractory period.",
            "Gradients do not pass through a reset.",
            "The voltage has no lower bound: without a leak, a negative current has to be made up "
            "for before the next spike. Nengo's LIF clips the voltage at 0.",
        ),
        ("adaptive", "factorized"),
    ),
    Page(
        nph.AdaptiveSpiking,
        plots.adaptive,
        "The refractory response follows the activation to within half the threshold. The "
        "threshold rises with each spike.",
        (
            "Connect it through `nengo.Lowpass(tau_beta)`: a shorter filter amplifies spike noise.",
            "The spikes lead the input by tau_eta; in recurrent networks set tau_phi = tau_eta.",
            "It is silent up to an activation of theta_0/2, where the transfer function is least "
            "accurate.",
            "It fires at most one spike per step, which limits the output.",
        ),
        ("adaptive",),
    ),
    Page(
        nph.AdaptiveSpikingRate,
        plots.adaptive_rate,
        "Lines: the transfer function. Points: the mean output of `AdaptiveSpiking` neurons over "
        "two seconds.",
        (
            "It is the mean of the spikes for a constant input: it has neither lag nor noise.",
            "It was derived for tau_beta = tau_eta, and becomes less accurate the more these "
            "differ.",
        ),
        ("adaptive",),
    ),
    Page(
        nph.ArcSparsifier,
        plots.sparsified,
        "Spikes of a layer, dropped (light) and passed (black), at a strength of 0.3. Dotted: "
        "the reference.",
        (
            "It has to know the time of the reference, so the layer's rhythm must start with the "
            "simulation.",
            "The number of spikes it drops depends on where training has put the phases.",
        ),
        ("howto_sparsify", "phase_sparsity"),
    ),
    Page(
        nph.FieldSparsifier,
        plots.sparsified,
        "Spikes of a layer, dropped (light) and passed (black), at a strength of 0.3. Dotted: "
        "the reference, which this sparsifier does not know.",
        (
            "It predicts the rhythm from earlier spikes, so the first spikes pass.",
            "A layer without a common rhythm has no usable field.",
            "It has one state for the whole layer, so it cannot be merged or sliced.",
        ),
        ("howto_sparsify",),
    ),
    Page(
        nph.RandomSparsifier,
        plots.sparsified,
        "Spikes of a layer, dropped (light) and passed (black), at a strength of 0.3.",
        (
            "It ignores phases, so it loses accuracy where the other sparsifiers do not. It is the "
            "control.",
        ),
        ("howto_sparsify",),
    ),
    Page(
        nph.ReactiveSparsifier,
        plots.sparsified,
        "Spikes of a layer, dropped (light) and passed (black), at a strength of 0.8. The first "
        "spikes of each cycle excite the inhibitory neuron, which silences those that follow. "
        "Dotted: the reference, which this sparsifier does not know.",
        (
            "It cuts the late spikes, whatever their phases say: a network should be trained to "
            "send what matters early.",
            "It has one state for the whole layer, so it cannot be merged or sliced.",
        ),
        ("howto_sparsify",),
    ),
    Page(
        nph.RhythmSparsifier,
        plots.sparsified,
        "Spikes of a layer, dropped (light) and passed (black), at a strength of 0.3. The top row "
        "is the layer's rhythm unit, which spikes at the reference here (dotted).",
        (
            "The spikes before the unit's first spike are dropped, unless the strength is 0.",
            "It assumes that the unit spikes at the frequency given: if the neurons are detuned, "
            "the window is late or early by as much in each cycle.",
            "It has one state for the whole layer, so it cannot be merged or sliced.",
        ),
        ("howto_sparsify",),
    ),
    Page(
        nph.DifferenceSparsifier,
        plots.sparsified,
        "Spikes of a layer, dropped (light) and passed (black), at a strength of 0.3, where each "
        "neuron's phase is that of its input and the mean field's is the mean. Dotted: the "
        "reference, which this sparsifier does not know.",
        (
            "It needs the layer's mean input, a weighted sum that a chip does not send: on the "
            "emulator it runs on the host.",
            "It has one state for the whole layer, so it cannot be merged or sliced.",
        ),
        ("howto_sparsify",),
    ),
    Page(
        nph.AssumeReference,
        plots.assumed,
        "Top: every other neuron of a layer sends one spike per cycle. Bottom: the spikes that the "
        "receiver sees. A neuron that stays silent for a whole cycle is assumed to spike at the "
        "reference.",
        (
            "A neuron that spikes after the reference counts twice in the first cycle, because it "
            "was silent before.",
            "For every further spike in a cycle it sends a negative one, so receivers must sum "
            "their inputs.",
        ),
        ("howto_sparsify",),
    ),
    Page(
        nph.AssumeRhythm,
        plots.assumed,
        "Top: every other neuron of a layer sends one spike per cycle. Bottom: the spikes that the "
        "receiver sees. A neuron that stays silent between two spikes of the layer's rhythm unit, "
        "here at the reference, is assumed to spike at the second one.",
        (
            "Nothing is assumed before the unit's first spike.",
            "For every further spike in a cycle it sends a negative one, so receivers must sum "
            "their inputs.",
        ),
        ("howto_sparsify",),
    ),
    Page(
        nph.PhaseEncoder,
        plots.encoded,
        "Top: three phases, each of which changes once. Bottom: their spikes.",
        (
            "A phase is rounded to a time step, with an error of at most dt/2.",
            "It encodes the phase that it receives in the step of the spike; a phase that changes "
            "within a cycle may cause two spikes in that cycle, or none.",
        ),
        ("phases",),
    ),
)


def check_complete() -> None:
    """Raise an error if a type of the library has no page."""
    types = {*NEURON_TYPES, *SYNAPSES}
    if missing := types - {page.type for page in PAGES}:
        names = ", ".join(sorted(t.__name__ for t in missing))
        raise LookupError(f"{names}: add a line to PAGES in {Path(__file__).name}")


def _on_chip(is_synapse: bool) -> str:
    if is_synapse:
        return "by the neurons of the emulated chip, or on the host"
    return "in fixed point on the emulated chip"


def substrates(cls: type) -> dict[str, str]:
    """Return how each substrate runs a type, from the types that are registered there."""
    from nengo_phasor.dl import tables
    from nengo_phasor.layerwise.rows import TABLE
    from nengo_phasor.loihi.tables import COMPARTMENTS, GATES

    reference = "NumPy, step by step: the reference"
    if cls in SYNAPSES:
        in_layerwise = "spike by spike" if cls.silent_at_zero else "yes"
    else:
        in_layerwise = "in a compiled loop" if TABLE[cls].window else "NumPy, in batches"
    table = tables.PROCESSES if cls in SYNAPSES else tables.NEURONS
    in_dl = table.builder_of(cls) is not table.generic
    on_chip = COMPARTMENTS.get(cls) is not None or cls in GATES
    return {
        "`nengo`": reference,
        "`nengo_dl`": "TensorFlow" if in_dl else "in Python: slow, without a gradient",
        "`nengo_phasor.layerwise`": in_layerwise,
        "`nengo_loihi`": _on_chip(cls in SYNAPSES) if on_chip else "on the host",
    }
