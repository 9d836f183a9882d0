"""Neurons that attend: resonate-and-fire neurons and their phase-domain counterpart."""

from __future__ import annotations

import numpy as np
from nengo.dists import Choice, get_samples
from nengo.exceptions import ValidationError

from nengo_phasor import dynamics
from nengo_phasor.checks import Integer, Number
from nengo_phasor.neurons.phase import Phasor, ResonateAndFire
from nengo_phasor.surrogates import Surrogate, heaviside


class AttendingPhasor(Phasor):
    r"""Phasors of attention: sums of values, weighted by the similarity of queries to keys.

    An ensemble of 2 (n + 2 m) d such neurons represents symbols of d units, as an array of shape
    (2, n + 2 m, d): the real parts of n queries, m keys and m values, then their imaginary parts.
    In the place of the queries it outputs

    .. math:: y_i = \left\langle \sum_j a_{ij} e^{i \pi v_j} \right\rangle, \quad
              s_{ij} = \frac{1}{d} \sum_k \cos \pi (q_{ik} - k_{jk}), \quad
              \langle z \rangle = z / |z|

    with the weights :math:`a_{ij} = s_{ij}`, or :math:`a_{ij} = \exp(\beta s_{ij}) / m` if beta
    is given. The outputs of keys and values are 0.

    Parameters
    ----------
    n_queries, n_keys : int
        The number n of queries, and the number m of keys and of values.
    beta : float, optional
        The sharpness of the attention. By default the weights are the similarities themselves.
    floor : float
        The length of a current or of a weighted sum at or below which it has no phase: it adds
        nothing, and its output and its gradient are 0.

    Raises
    ------
    nengo.exceptions.ValidationError
        If n_queries or n_keys is not a positive integer, or beta or floor is not greater than 0.
        When the network is run: if the number of neurons is not a multiple of 2 (n + 2 m).

    References
    ----------
    Olin-Ammentorp and Bazhenov, Residual and Attentional Architectures for Vector-Symbols, with
    the similarities as weights; PhasorNetworks.jl, with their exponential.
    """

    always_shown = ("n_queries", "n_keys")

    n_queries = Integer("n_queries", low=1)
    n_keys = Integer("n_keys", low=1)
    beta = Number("beta", low=0, low_open=True, optional=True)

    def __init__(self, n_queries: int, n_keys: int, beta: float | None = None, floor: float = 1e-6):
        super().__init__(floor)
        self.n_queries = n_queries
        self.n_keys = n_keys
        self.beta = beta

    def units(self, n_neurons: int) -> int:
        """Return the number d of units of each symbol, if there are ``n_neurons`` neurons."""
        return size_of_symbols(self, n_neurons, "2 (n + 2 m) d", 2)

    def step(self, dt, J, output):
        """Add the values; see `.dynamics.attend_phasors`."""
        rows = (*J.shape[:-1], 2, -1, self.units(J.shape[-1]))
        parts, out = J.reshape(rows), output.reshape(rows)
        attended = dynamics.attend_phasors(
            np, parts[..., 0, :, :], parts[..., 1, :, :], self.n_queries, self.beta, self.floor
        )
        out[...] = 0.0
        for k, part in enumerate(dynamics.unit_phasor(np, *attended.sums, self.floor)):
            out[..., k, : self.n_queries, :] = part
        output[...] = out.reshape(J.shape)


class AttendingResonator(ResonateAndFire):
    r"""Resonate-and-fire neurons of attention, driven by the spikes of queries, keys and values.

    An ensemble of (n + 2 m) d such neurons receives the spikes of symbols of d units, as an array
    of shape (n + 2 m, d): those of n queries, m keys and m values. The spikes of keys drive
    resonators. A spike of unit k of query i meets those of the same unit in all keys: the voltage
    there, divided by the length of the state, is the cosine of the phase between query and key. It
    is held until the next spike of the unit, and the similarity is the mean over units:

    .. math:: s_{ij} = \frac{1}{d} \sum_k
        \left. \frac{\mathrm{Re}\, z_{jk}}{|z_{jk}|} \right|_{\text{last spike of } q_{ik}}

    It is a slow signal, constant in a steady rhythm. The spikes of the values drive the neurons in
    the place of the queries through the weights :math:`a_{ij} = s_{ij}`, or
    :math:`a_{ij} = \exp(\beta s_{ij}) / m` if beta is given:

    .. math:: \frac{dz_i}{dt} = \left(-\frac{1}{\tau} + 2 \pi i f\right) z_i + \sum_j a_{ij} v_j

    These neurons spike at the phase of the sum, as a layer of `ResonateAndFire` neurons does. Keys
    and values send no spikes. No object reads a clock.

    An ensemble of (n + 2 m) d + 1 neurons also has the unit of the layer's rhythm, as its last
    neuron. Its input is the mean of the weighted sums, so it has the mean state of the neurons, and
    it spikes as they do.

    Parameters
    ----------
    n_queries, n_keys : int
        The number n of queries, and the number m of keys and of values.
    beta : float, optional
        The sharpness of the attention. By default the weights are the similarities themselves.
    frequency : float
        The resonant frequency, in Hz.
    tau : float, optional
        The time constant of the decay, in seconds. By default it is five periods.
    threshold : float
        The voltage that a peak must reach to cause a spike, and that the state of a key must exceed
        to have a phase.
    amplitude : float
        The amplitude of a spike, which is an output of amplitude/dt for one step.
    initial_state : {str: Distribution or array_like}
        The initial "voltage" and "current", and the cosines "held" by the queries, of shape
        (n, d, m). By default all are zero.
    surrogate : `.Surrogate`, optional
        The surrogate derivative of a spike, as in `ResonateAndFire`; NengoDL uses it.

    Raises
    ------
    nengo.exceptions.ValidationError
        If n_queries or n_keys is not a positive integer, or if beta, frequency, tau, threshold or
        amplitude is not greater than 0. When the network is built or run: if a cycle has fewer than
        4 time steps, or the number of neurons is neither a multiple of n + 2 m nor one more.

    References
    ----------
    Olin-Ammentorp and Bazhenov, Residual and Attentional Architectures for Vector-Symbols, attend
    in the phase domain; they do not say how spikes do.
    """

    state = {**ResonateAndFire.state, "held": Choice([0])}  # noqa: RUF012
    always_shown = ("frequency", "tau")

    n_queries = Integer("n_queries", low=1)
    n_keys = Integer("n_keys", low=1)
    beta = Number("beta", low=0, low_open=True, optional=True)

    per_neuron = ()
    trained = ()

    frequency = Number("frequency", low=0, low_open=True)
    tau = Number("tau", low=0, low_open=True)
    threshold = Number("threshold", low=0, low_open=True)

    def __init__(
        self,
        n_queries: int,
        n_keys: int,
        beta: float | None = None,
        frequency: float = 10.0,
        tau: float | None = None,
        threshold: float = 0.1,
        amplitude: float = 1.0,
        initial_state=None,
        surrogate: Surrogate | None = None,
    ):
        super().__init__(frequency, tau, threshold, amplitude, initial_state, surrogate)
        self.n_queries = n_queries
        self.n_keys = n_keys
        self.beta = beta

    def units(self, n_neurons: int) -> int:
        """Return the number d of units of each symbol, if there are ``n_neurons`` neurons."""
        return size_of_symbols(self, n_neurons - self.has_unit(n_neurons), "(n + 2 m) d", 1)

    def sending(self, n_neurons: int) -> int:
        """Return how many of ``n_neurons`` neurons, the first, send the layer's spikes."""
        return self.n_queries * self.units(n_neurons)

    def has_unit(self, n_neurons: int) -> bool:
        """Return whether the last of ``n_neurons`` neurons is the unit of the layer's rhythm."""
        return n_neurons % (self.n_queries + 2 * self.n_keys) == 1

    def make_state(self, n_neurons, rng=np.random, dtype=None):
        """Return the states of the neurons, and the cosines that the queries hold, (n, d, m)."""
        state = super().make_state(n_neurons, rng=rng, dtype=dtype)
        shape = (self.n_queries, self.units(n_neurons), self.n_keys)
        initial = (self.initial_state or {}).get("held", self.state["held"])
        held = get_samples(initial, int(np.prod(shape)), rng=rng)
        return {**state, "held": np.asarray(held, dtype).reshape(shape)}

    def step(self, dt, J, output, voltage, current, held):
        """Advance one step; see `.dynamics.attend_spikes`."""
        output[...], voltage[...], current[...], held[...] = dynamics.attend_spikes(
            np,
            J,
            voltage,
            current,
            held,
            self.constants(dt),
            self.n_queries,
            self.beta,
            heaviside,
        )


def size_of_symbols(neuron_type, n_neurons: int, formula: str, rows: int) -> int:
    """Return the number of units of each of n queries, m keys and m values in so many rows."""
    n, m = neuron_type.n_queries, neuron_type.n_keys
    size, rest = divmod(n_neurons, rows * (n + 2 * m))
    if rest or not size:
        raise ValidationError(
            f"{n_neurons} neurons can't represent n = {n} queries, m = {m} keys and as many "
            f"values: symbols of d units need {formula} neurons, a multiple of "
            f"{rows * (n + 2 * m)}",
            attr="n_neurons",
            obj=neuron_type,
        )
    return size
