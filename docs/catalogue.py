"""What the pages of neuron types and synapses have besides docstrings: one line for each type."""

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
    """What the page of a type has besides its docstring.

    ``draw`` draws on a figure; ``caption`` says what is seen; ``limits`` what it can't do; ``more``
    names pages to read on.
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
        "Spikes at phase 0.3 of four cycles drive it, and then none. It spikes at its voltage's "
        "peaks, which keep that phase, as long as they are above the threshold (dotted).",
        (
            "A constant input sets no firing rate, so nothing is decoded from it the NEF's way: "
            "connect from and to `ensemble.neurons`.",
            "It notices a crossing at the end of a step: each layer lags by dt/2 on average, 0.01 "
            "of phase at 100 steps a cycle.",
            "A cycle needs at least 4 steps.",
            "It keeps what came before for five periods, so an answer takes some cycles, and one "
            "input fades into the next.",
        ),
        ("phases", "conversion"),
    ),
    Page(
        nph.Phasor,
        plots.phasor,
        "Four input currents (grey), and the outputs at length 1 (black). The one next to the "
        "centre is shorter than the floor, 0.1 here: it has no phase.",
        (
            "It has no time: a network of it is run for one step, with `synapse=None` everywhere.",
            "An ensemble of n units has 2n neurons, real parts before imaginary parts.",
            "It is no model of a neuron, but the domain in which `ResonateAndFire` networks train.",
        ),
        ("phase_domain",),
    ),
    Page(
        nph.SurrogateLIF,
        plots.surrogate_lif,
        "The same current into neurons with either reset, and the surrogate derivative that takes "
        "a spike's place in training.",
        (
            "One spike a step at most, and no refractory time.",
            "No gradient takes the way through a reset.",
            "The voltage has no lower bound: without leak, what a negative current takes has to be "
            "made up for before the next spike. Nengo's LIF clips it at 0.",
        ),
        ("adaptive", "factorized"),
    ),
    Page(
        nph.AdaptiveSpiking,
        plots.adaptive,
        "Its refractory response follows the activation to within half the threshold, which rises "
        "with each spike.",
        (
            "Connect it through `nengo.Lowpass(tau_beta)`: a shorter filter amplifies spike noise.",
            "The spikes lead by tau_eta; in recurrent networks let tau_phi be tau_eta.",
            "Silent up to an activation of theta_0/2; the transfer function is least exact there.",
            "One spike a step at most, which caps the output.",
        ),
        ("adaptive",),
    ),
    Page(
        nph.AdaptiveSpikingRate,
        plots.adaptive_rate,
        "Lines: the transfer function. Points: means of what `AdaptiveSpiking` neurons send in two "
        "seconds.",
        (
            "It stands for the mean of the spikes of a constant input: it has no lag, no noise.",
            "It was derived for tau_beta = tau_eta, and fits less the more these differ.",
        ),
        ("adaptive",),
    ),
    Page(
        nph.ArcSparsifier,
        plots.sparsified,
        "Spikes of a layer, left out (light) and sent on (black), at a strength of 0.3. Dotted: "
        "the reference.",
        (
            "It needs the reference's time: the layer's rhythm has to begin with the simulation.",
            "What it leaves out depends on where training has put the phases.",
        ),
        ("howto_sparsify", "phase_sparsity"),
    ),
    Page(
        nph.FieldSparsifier,
        plots.sparsified,
        "Spikes of a layer, left out (light) and sent on (black), at a strength of 0.3. Dotted: "
        "the reference, which this sparsifier does not know.",
        (
            "It predicts the rhythm from what has been, so the first spikes pass.",
            "A layer without a common rhythm has no field to go by.",
            "One state for the whole layer, so it is no synapse to merge or to slice.",
        ),
        ("howto_sparsify",),
    ),
    Page(
        nph.RandomSparsifier,
        plots.sparsified,
        "Spikes of a layer, left out (light) and sent on (black), at a strength of 0.3.",
        (
            "It knows nothing of phases: what the others save at no cost costs accuracy here. "
            "It is the control.",
        ),
        ("howto_sparsify",),
    ),
    Page(
        nph.AssumeReference,
        plots.assumed,
        "Above: every other neuron of a layer sends a spike a cycle. Below: what the receiver "
        "takes it for. Who is not heard from one reference to the next spikes at the reference.",
        (
            "Who is heard after the reference counts twice in the first cycle: it was not heard "
            "before.",
            "For each further spike in a cycle it puts out a negative one, so it is for receivers "
            "that add up what they get.",
        ),
        ("howto_sparsify",),
    ),
    Page(
        nph.PhaseEncoder,
        plots.encoded,
        "Three phases that change once (lines, above), and their spikes (below).",
        (
            "A phase is sampled to the step: at most dt/2 off.",
            "It encodes the phase that it gets in the step of the spike; one that changes within a "
            "cycle may make two spikes in it, or none.",
        ),
        ("phases",),
    ),
)


def check_complete() -> None:
    """Refuse to build if a type of the library has no page."""
    types = {*NEURON_TYPES, *SYNAPSES}
    if missing := types - {page.type for page in PAGES}:
        names = ", ".join(sorted(t.__name__ for t in missing))
        raise LookupError(f"{names}: add a line to PAGES in {Path(__file__).name}")


def _on_chip(is_synapse: bool) -> str:
    if is_synapse:
        return "by the neurons of the emulated chip, or on the host"
    return "in fixed point, on the emulated chip"


def substrates(cls: type) -> dict[str, str]:
    """Return how each substrate runs a type, by what is registered there."""
    from nengo_phasor.dl import tables
    from nengo_phasor.layerwise.neurons import TABLE
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
