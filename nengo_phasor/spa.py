"""The FHRR algebra of :mod:`nengo_phasor.vsa`, for NengoSPA.

The only module of the core that imports ``nengo_spa``: nothing else imports it.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable

import nengo
import numpy as np
from nengo.exceptions import ValidationError
from numpy.typing import NDArray

from nengo_phasor.checks import (
    check_array,
    check_is,
    check_memory,
    check_number,
    check_positive_integer,
)
from nengo_phasor.listing import public_names

try:
    from nengo_spa.algebras import AbstractAlgebra, CommonProperties, ElementSidedness
    from nengo_spa.algebras.base import GenericSign
except ImportError as error:
    raise ImportError(
        "nengo_phasor.spa needs NengoSPA; install it with: pip install 'nengo-spa>=2.0'"
    ) from error

TWO_SIDED = ElementSidedness.TWO_SIDED


class FhrrAlgebra(AbstractAlgebra):
    r"""Fourier holographic reduced representations (FHRR) as an algebra of NengoSPA.

    A vector of d = 2n dimensions is n phasors: all real parts, then all imaginary parts. In units
    of the length that gives a vector of n unit phasors the norm 1,

    .. math:: z_k = \sqrt{n} \, (v_k + i \, v_{n + k})

    superposition adds the :math:`z_k`, binding multiplies them elementwise, and the inverse
    conjugates them. A unitary vector has :math:`|z_k| = 1`: it is all phases, the dot product of
    two is :func:`nengo_phasor.vsa.similarity`, and ``vsa.to_vector`` and ``vsa.from_vector``
    convert. Binding is associative, commutative and distributive, and every element is two-sided:
    ``sidedness`` and ``swap_inputs`` have no effect.

    With an odd d the last phasor has no imaginary part: it is a real number, a phase of 0 or 1.
    This corresponds to HRR's constant component.

    Source: Plate, "Holographic Reduced Representation", CSLI 2003, chapter 4.

    Notes
    -----
    The sign of a vector compares each z with the real axis: positive (negative) if all lie on its
    positive (negative) half or at 0, zero if all are 0, and else indefinite. The absolute vector
    is that of the magnitudes :math:`|z_k|`. Fractional powers need no positive vectors here: they
    take the principal branch, as ``vsa.power`` does.

    There is only one instance, since NengoSPA compares algebras by identity.
    """

    @staticmethod  # type: ignore[misc]
    @functools.cache
    def __new__(cls):
        return object.__new__(cls)

    def is_valid_dimensionality(self, d: int) -> bool:
        """Any positive number of dimensions is valid; an even one has phasors only."""
        try:
            check_positive_integer(d, "d")
        except ValidationError:
            return False
        return True

    def create_vector(
        self, d: int, properties: Iterable[str], *, rng: np.random.RandomState | None = None
    ) -> NDArray:
        """Draw a vector with the given properties.

        Parameters
        ----------
        d : int
            Number of dimensions.
        properties : set of str
            Any of ``CommonProperties.UNITARY`` and ``CommonProperties.POSITIVE``. With neither,
            the vector is uniform on the unit sphere. For unitary vectors that have fractional
            powers, ask for ``UNITARY`` alone: with both there is only the identity.
        rng : numpy.random.RandomState, optional
            Where the randomness comes from.

        Raises
        ------
        ValueError
            If a property is unknown, d is not a positive integer, or rng is none.
        """
        _check_dimensions(d)
        check_is(rng, "rng", (np.random.RandomState, type(None)))
        properties = set(properties)
        makers = {
            CommonProperties.UNITARY: self.make_unitary,
            CommonProperties.POSITIVE: self.abs,
        }
        unknown = sorted(properties - makers.keys())
        if unknown:
            raise ValueError(f"Invalid properties: {unknown}; valid are {sorted(makers)}")
        if properties == makers.keys():
            warnings.warn(
                "The only vector both unitary and positive in the FHRR algebra is the identity. "
                "All unitary vectors have fractional powers: ask for 'unitary' alone.",
                stacklevel=2,
            )
        rng = np.random.RandomState() if rng is None else rng
        v = rng.randn(d)
        v /= np.linalg.norm(v)
        for prop in properties:
            v = makers[prop](v)
        return v

    def make_unitary(self, v: NDArray) -> NDArray:
        """Scale every phasor to length 1; one of length 0 becomes 1."""
        v = _vector(v, "v")
        z = _to_phasors(v)
        z[z == 0] = 1
        return _from_phasors(z / np.abs(z), len(v))

    def superpose(self, a: NDArray, b: NDArray) -> NDArray:
        """Add the vectors."""
        a = _vector(a, "a")
        return a + _vector(b, "b", len(a))

    def bind(self, a: NDArray, b: NDArray) -> NDArray:
        """Multiply the phasors elementwise.

        Raises
        ------
        ValueError
            If the vectors differ in length.
        """
        a = _vector(a, "a")
        b = _vector(b, "b", len(a))
        return _from_phasors(_to_phasors(a) * _to_phasors(b), len(a))

    def binding_power(self, v: NDArray, exponent: float) -> NDArray:
        """Raise every phasor to a power, whole or fractional; negative ones invert first.

        Raises
        ------
        ValueError
            If the power is fractional, the number of dimensions odd, and the last dimension
            negative: that one is a real number and has no such power.
        """
        v = _vector(v, "v")
        check_number(exponent, "exponent")
        if exponent != int(exponent) and len(v) % 2 and v[len(v) // 2] < 0:
            raise ValueError(
                "A fractional power needs an even number of dimensions, or a real component "
                f"(number {len(v) // 2} of {len(v)}) that is not negative."
            )
        base = self.invert(v) if exponent < 0 else v
        return _from_phasors(_to_phasors(base) ** abs(exponent), len(v))

    def invert(self, v: NDArray, sidedness: ElementSidedness = TWO_SIDED) -> NDArray:
        """Conjugate the phasors: the exact inverse of a unitary vector, else approximate."""
        v = _vector(v, "v")
        return _conjugation(len(v)) * v

    def get_binding_matrix(self, v: NDArray, swap_inputs: bool = False) -> NDArray:
        """Matrix whose product with a vector is the vector bound to v."""
        v = _vector(v, "v")
        _check_dimensions(len(v), 2)
        left, right, out = _product_transforms(len(v))
        return out @ ((right @ v)[:, None] * left)

    def get_inversion_matrix(self, d: int, sidedness: ElementSidedness = TWO_SIDED) -> NDArray:
        """Matrix whose product with a vector is the vector's inverse."""
        _check_dimensions(d, 2)
        return np.diag(_conjugation(d))

    def implement_superposition(
        self, n_neurons_per_d: int, d: int, n: int
    ) -> tuple[nengo.Node, tuple[nengo.Node, ...], nengo.Node]:
        """Superpose in a passthrough node, which needs no neurons."""
        check_positive_integer(n_neurons_per_d, "n_neurons_per_d")
        _check_dimensions(d)
        check_positive_integer(n, "n")
        node = nengo.Node(size_in=d)
        return node, n * (node,), node

    def implement_binding(
        self, n_neurons_per_d: int, d: int, unbind_left: bool, unbind_right: bool
    ) -> tuple[nengo.Network, tuple[nengo.Node, nengo.Node], nengo.Node]:
        """Bind in a network of products, four for each pair of phasors.

        Parameters
        ----------
        n_neurons_per_d : int
            Neurons in each product.
        d : int
            Number of dimensions.
        unbind_left, unbind_right : bool
            Whether to invert that input.

        Returns
        -------
        net, (input_left, input_right), output
            The network and its nodes, which are also its attributes.

        Raises
        ------
        ValueError
            If a number is not a positive integer, or another argument not a boolean.
        """
        check_positive_integer(n_neurons_per_d, "n_neurons_per_d")
        _check_dimensions(d, 2)
        check_is(unbind_left, "unbind_left", bool)
        check_is(unbind_right, "unbind_right", bool)
        left, right, out = _product_transforms(d)
        if unbind_left:
            left = left * _conjugation(d)
        if unbind_right:
            right = right * _conjugation(d)

        with nengo.Network(label="FHRR binding") as net:
            net.input_left = nengo.Node(size_in=d, label="left")
            net.input_right = nengo.Node(size_in=d, label="right")
            net.output = nengo.Node(size_in=d, label="output")
            # The parts of a random unit vector's phasors have a standard deviation of 1/sqrt(2).
            net.product = nengo.networks.Product(
                n_neurons_per_d, len(left), input_magnitude=np.sqrt(2)
            )
            for pre, post, transform in (
                (net.input_left, net.product.input_a, left),
                (net.input_right, net.product.input_b, right),
                (net.product.output, net.output, out),
            ):
                nengo.Connection(pre, post, transform=transform, synapse=None)
        return net, (net.input_left, net.input_right), net.output

    def sign(self, v: NDArray) -> FhrrSign:
        """Sign of the vector, as the class's notes define it."""
        z = _to_phasors(_vector(v, "v"))
        if not np.allclose(z.imag, 0):
            return FhrrSign(None)
        signs = {(True, True): 0, (True, False): 1, (False, True): -1, (False, False): None}
        return FhrrSign(signs[bool(np.all(z.real > -1e-8)), bool(np.all(z.real < 1e-8))])

    def abs(self, v: NDArray) -> NDArray:
        """Vector of the phasors' magnitudes: positive, and of the same length."""
        v = _vector(v, "v")
        return _from_phasors(np.abs(_to_phasors(v)), len(v))

    def absorbing_element(self, d: int, sidedness: ElementSidedness = TWO_SIDED) -> NDArray:
        """There is none but zero.

        Raises
        ------
        NotImplementedError
            Always: binding rotates each phasor of any other vector.
        """
        raise NotImplementedError("The FHRR algebra has no absorbing element other than zero.")

    def identity_element(self, d: int, sidedness: ElementSidedness = TWO_SIDED) -> NDArray:
        """Vector of phasors 1, that is of phases 0."""
        _check_dimensions(d)
        return _from_phasors(np.ones((d + 1) // 2), d)

    def negative_identity_element(self, d: int, sidedness: ElementSidedness = TWO_SIDED) -> NDArray:
        """Vector of phasors -1."""
        return -self.identity_element(d)

    def zero_element(self, d: int, sidedness: ElementSidedness = TWO_SIDED) -> NDArray:
        """Vector of zeros."""
        _check_dimensions(d)
        return np.zeros(d)


class FhrrSign(GenericSign):
    """Sign of a vector in the :class:`FhrrAlgebra`: 1, 0, -1, or None where indefinite."""

    def to_vector(self, d: int) -> NDArray:
        """Identity, zero, or negative identity.

        Raises
        ------
        NotImplementedError
            If the sign is indefinite.
        """
        if self.is_indefinite():
            raise NotImplementedError("An indefinite sign has no vector.")
        return self.sign * FhrrAlgebra().identity_element(d)


def _check_dimensions(d: int, power: int = 1) -> None:
    """Refuse a number of dimensions that is none, or too great for arrays of d to this power."""
    check_positive_integer(d, "d")
    check_memory(int(d) ** power, "d")


def _vector(v, attr: str, d: int | str = "n_dimensions") -> NDArray:
    return check_array(v, attr, f"({d},)")


def _to_phasors(v: NDArray) -> NDArray:
    """Complex z of a real vector, in units in which a unitary vector has |z| = 1."""
    n_real = (len(v) + 1) // 2
    z = np.array(v[:n_real], dtype=complex)
    z.imag[: len(v) - n_real] = v[n_real:]
    return np.sqrt(n_real) * z


def _from_phasors(z: NDArray, d: int) -> NDArray:
    return np.concatenate([z.real, z.imag[: d // 2]]) / np.sqrt(len(z))


def _conjugation(d: int) -> NDArray:
    """Factor of each dimension that conjugates the phasors."""
    return np.where(np.arange(d) < (d + 1) // 2, 1.0, -1.0)


def _product_transforms(d: int) -> tuple[NDArray, NDArray, NDArray]:
    """Matrices (left, right, out) with ``bind(a, b) = out @ ((left @ a) * (right @ b))``.

    The products are Re Re, Im Im, Re Im and Im Re of the two sides.
    """
    n_real = (d + 1) // 2
    real, imag = np.split(np.eye(d), [n_real])
    paired = real[: d // 2]  # of a phasor that has an imaginary part
    scale = np.sqrt(n_real)
    left = scale * np.vstack([real, imag, paired, imag])
    right = scale * np.vstack([real, imag, imag, paired])
    out = np.vstack([real, -paired, imag, imag]).T / scale
    return left, right, out


def __dir__():
    return public_names(__name__)
