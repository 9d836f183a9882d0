"""Nengo GUI's model: both networks, side by side."""

from __future__ import annotations

import nengo

from nengo_phasor.models.factorized.network import CLAIMED, TAU, VARIANTS, deepened, network

GUI_WEIGHT = 0.25
"""The factor by which the weights to the output neuron are multiplied in Nengo GUI."""


def gui_model(seed: int = 0) -> nengo.Network:
    """Return both networks side by side, with their outputs in one node.

    The weights to Y are smaller than the paper's, because Y would spike more than once in 1 ms,
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
            net.probes.clear()  # probes keep all data, and a GUI may run for hours
            y = net.ensembles[-1]
            nengo.Connection(y.neurons, model.outputs[k], synapse=nengo.Alpha(TAU))
    model.single, model.deep = single, deep
    model.signal, model.hidden = single.signal, deep.networks[0].ensembles[0]
    model.single_a, model.deep_a = single.ensembles[1], deep.ensembles[1]
    model.single_a.label, model.deep_a.label = "A of the single layer", "A of the deep network"
    return model
