"""How far the emulator's formats may move the states of neurons: one function a neuron type.

Each takes the neuron, its `.registry.Chip`, the states that Nengo has, (n_steps, n_neurons), the
spikes sent in each step, (n_steps, n_inputs), the weights, half a quantum of what a spike through
each of them adds, and the scale of each neuron's state. It returns bounds of the states' errors.
"""

import numpy as np

DT = 0.001


def resonator_bound(neuron, chip, states, sent, weights, half, scale):
    """Return a bound of the error of either part, from those of what it is made of.

    A step multiplies the error of z by the rounded factor, and adds what the factor's rounding does
    to z, what the weights' does to the input, and two products' of two parts.
    """
    c = neuron.constants(DT)
    exact = c.cos + 1j * c.sin
    rounded = (np.trunc(c.cos * 4096) + 1j * np.trunc(c.sin * 4096)) / 4096
    z = np.vstack([np.zeros(weights.shape[0]), states["voltage"] + 1j * states["current"]])
    z[0] = 1  # no initial state is larger
    error = np.full(weights.shape[0], 1 / scale)
    bound = []
    for before, spikes in zip(z, sent, strict=False):
        error = abs(rounded) * error + abs(rounded - exact) * abs(before)
        error += (spikes @ half.T) + 2 * np.sqrt(2) / scale
        bound.append(error)
    return {"voltage": np.array(bound), "current": np.array(bound)}


def adaptive_bound(neuron, chip, states, sent, weights, half, scale):
    """Return a bound of the error of an adaptive neuron's activation, after its synapse's."""
    exact = np.exp(-DT / chip.synapse.tau), neuron.constants(DT).keep_phi
    rounded = np.round(np.multiply(exact, 4096)) / 4096
    off, phi_off = np.abs(np.subtract(rounded, exact))
    synapse = error = error_v = np.zeros(weights.shape[0])
    before, bound = np.ones(weights.shape[0]), []
    for voltage, spikes in zip(states["voltage"], sent, strict=True):
        arrived = spikes @ weights.T / DT
        error = rounded[0] * error + off * abs(synapse) + off * abs(arrived)
        error = error + spikes @ half.T + 1 / scale
        synapse = exact[0] * synapse + (1 - exact[0]) * arrived
        error_v = rounded[1] * error_v + phi_off * (abs(before) + abs(synapse))
        error_v = error_v + (1 - rounded[1]) * error + 2 / scale
        before = voltage
        bound.append(error_v)
    return {"voltage": np.array(bound)}


def balanced_bound(neuron, chip, states, sent, weights, half, scale):
    """Return a bound of the error of a balanced neuron's oscillation.

    Factors have 12 bits after their first; the growth's also those of the refraction's product.
    There is no bound after a spike of which the errors leave a doubt, because it resets the neuron.
    """
    c = neuron.constants(DT)
    off = 2.0**-12 * (np.abs(c.turn) + 2 * np.maximum(np.abs(c.growth), c.damping))
    z = np.vstack([np.zeros(weights.shape[0]), states["voltage"] + 1j * states["current"]])
    z[0] = 1  # no initial state is larger
    q = np.vstack([np.zeros(weights.shape[0]), states["refraction"]])
    error, error_q, bound = np.full(weights.shape[0], 1 / scale), 0.0, []
    for before, after, refraction, spikes in zip(z, z[1:], q, sent, strict=False):
        factor = np.abs(1 + c.growth - c.damping * refraction + 1j * c.turn)
        error = factor * error + (off + c.damping * error_q) * abs(before)
        error = np.where(np.isnan(error), np.inf, error)  # infinity times nothing
        error += (spikes @ half.T) + 4 * np.sqrt(2) / scale
        doubt = np.abs(after.real - neuron.threshold - refraction) <= error + error_q
        error_q = c.keep * error_q + 2.0**-13 * refraction + 2 / scale
        error_q = np.where(doubt, np.inf, error_q)
        bound.append(error)
    return {"voltage": np.array(bound), "current": np.array(bound)}
