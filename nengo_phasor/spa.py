"""The FHRR algebra of :mod:`nengo_phasor.vsa`, for NengoSPA.

This is the only module of the core that imports ``nengo_spa``, and no other module imports this
one.
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
from nengo_phasor.listing import shows_public_names

__dir__ = shows_public_names(__name__)

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

    A vector of d = 2n dimensions represents n phasors: all real parts, then all imaginary parts. It
    is scaled such that a vector of n unit phasors has the norm 1,

    .. math:: z_k = \sqrt{n} \, (v_k + i \, v_{n + k})

    superposition adds the :math:`z_k`, binding multiplies them elementwise, and the inverse
    conjugates them. A unitary vector has :math:`|z_k| = 1`, so that it consists only of phases. The
    dot product of two unitary vectors is :func:`nengo_phasor.vsa.similarity`, and ``vsa.to_vector``
    and ``vsa.from_vector`` convert between vectors and phases. Binding is associative, commutative
    and distributive, and every element is two-sided: ``sidedness`` and ``swap_inputs`` have no
    effect.

    If d is odd, the last phasor has no imaginary part: it is a real number, with a phase of 0 or 1.
    This corresponds to HRR's constant component.

    Source: Plate, "Holographic Reduced Representation", CSLI 2003, chapter 4.

    Notes
    -----
    The sign of a vector compares each z with the real axis: positive (negative) if all lie on its
    positive (negative) half or at 0, zero if all are 0, and otherwise indefinite. The absolute
    vector consists of the magnitudes :math:`|z_k|`. Fractional powers do not need positive vectors
    here: they use the principal branch, as ``vsa.power`` does.

    There is only one instance, since NengoSPA compares algebras by identity.
    """

    @staticmethod  # type: ignore[misc]
    @functools.cache
    def __new__(cls):
        return object.__new__(cls)

    def is_valid_dimensionality(self, d: int) -> bool:
        """Return whether d is a positive integer; all of these are valid."""
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
            The number of dimensions.
        properties : set of str
            Any of ``CommonProperties.UNITARY`` and ``CommonProperties.POSITIVE``. With neither, the
            vector is uniform on the unit sphere. All unitary vectors have fractional powers, so use
            ``UNITARY`` alone: only the identity has both properties.
        rng : numpy.random.RandomState, optional
            The random number generator to draw from.

        Raises
        ------
        ValueError
            If a property is unknown, d is not a positive integer, or rng has the wrong type.
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
                "All unitary vectors have fractional powers: use 'unitary' alone.",
                stacklevel=2,
            )
        rng = np.random.RandomState() if rng is None else rng
        v = rng.randn(d)
        v /= np.linalg.norm(v)
        for prop in properties:
            v = makers[prop](v)
        return v

    def make_unitary(self, v: NDArray) -> NDArray:
        """Scale every phasor to length 1; a phasor of length 0 becomes 1."""
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
        """Raise every phasor to an integer or fractional power; a negative power inverts first.

        Raises
        ------
        ValueError
            If the power is fractional, the number of dimensions is odd, and the last phasor, which
            is then real, is negative.
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
        """Conjugate the phasors; this inverts unitary vectors exactly, and others approximately."""
        v = _vector(v, "v")
        return _conjugation(len(v)) * v

    def get_binding_matrix(self, v: NDArray, swap_inputs: bool = False) -> NDArray:
        """Return the matrix whose product with a vector is the binding of that vector with v."""
        v = _vector(v, "v")
        _check_dimensions(len(v), 2)
        left, right, out = _product_transforms(len(v))
        return out @ ((right @ v)[:, None] * left)

    def get_inversion_matrix(self, d: int, sidedness: ElementSidedness = TWO_SIDED) -> NDArray:
        """Return the matrix whose product with a vector is the vector's inverse."""
        _check_dimensions(d, 2)
        return np.diag(_conjugation(d))

    def implement_superposition(
        self, n_neurons_per_d: int, d: int, n: int
    ) -> tuple[nengo.Node, tuple[nengo.Node, ...], nengo.Node]:
        """Return a passthrough node that superposes its inputs, without neurons."""
        check_positive_integer(n_neurons_per_d, "n_neurons_per_d")
        _check_dimensions(d)
        check_positive_integer(n, "n")
        node = nengo.Node(size_in=d)
        return node, n * (node,), node

    def implement_binding(
        self, n_neurons_per_d: int, d: int, unbind_left: bool, unbind_right: bool
    ) -> tuple[nengo.Network, tuple[nengo.Node, nengo.Node], nengo.Node]:
        """Return a network that binds its inputs with four products for each pair of phasors.

        Parameters
        ----------
        n_neurons_per_d : int
            The number of neurons in each product.
        d : int
            The number of dimensions.
        unbind_left, unbind_right : bool
            Whether to invert the left and the right input.

        Returns
        -------
        net, (input_left, input_right), output
            The network and its nodes, which are also its attributes.

        Raises
        ------
        ValueError
            If a number is not a positive integer, or another argument is not a boolean.
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
        """Return the sign of the vector, as defined in the notes of the class."""
        z = _to_phasors(_vector(v, "v"))
        if not np.allclose(z.imag, 0):
            return FhrrSign(None)
        signs = {(True, True): 0, (True, False): 1, (False, True): -1, (False, False): None}
        return FhrrSign(signs[bool(np.all(z.real > -1e-8)), bool(np.all(z.real < 1e-8))])

    def abs(self, v: NDArray) -> NDArray:
        """Return the vector of the phasors' magnitudes, which is positive and has the same norm."""
        v = _vector(v, "v")
        return _from_phasors(np.abs(_to_phasors(v)), len(v))

    def absorbing_element(self, d: int, sidedness: ElementSidedness = TWO_SIDED) -> NDArray:
        """Raise an error, because only zero is an absorbing element.

        Raises
        ------
        NotImplementedError
            Always, because binding rotates each phasor of any other vector.
        """
        raise NotImplementedError("The FHRR algebra has no absorbing element other than zero.")

    def identity_element(self, d: int, sidedness: ElementSidedness = TWO_SIDED) -> NDArray:
        """Return the vector of phasors 1, that is of phases 0."""
        _check_dimensions(d)
        return _from_phasors(np.ones((d + 1) // 2), d)

    def negative_identity_element(self, d: int, sidedness: ElementSidedness = TWO_SIDED) -> NDArray:
        """Return the vector of phasors -1."""
        return -self.identity_element(d)

    def zero_element(self, d: int, sidedness: ElementSidedness = TWO_SIDED) -> NDArray:
        """Return the vector of zeros."""
        _check_dimensions(d)
        return np.zeros(d)


class FhrrSign(GenericSign):
    """The sign of a vector in the :class:`FhrrAlgebra`: 1, 0, -1, or None if indefinite."""

    def to_vector(self, d: int) -> NDArray:
        """Return the identity, zero, or the negative identity.

        Raises
        ------
        NotImplementedError
            If the sign is indefinite.
        """
        if self.is_indefinite():
            raise NotImplementedError("An indefinite sign has no vector.")
        return self.sign * FhrrAlgebra().identity_element(d)


def _check_dimensions(d: int, power: int = 1) -> None:
    """Check a number of dimensions d, and that an array of d to this power fits into memory."""
    check_positive_integer(d, "d")
    check_memory(int(d) ** power, "d")


def _vector(v, attr: str, d: int | str = "n_dimensions") -> NDArray:
    return check_array(v, attr, f"({d},)")


def _to_phasors(v: NDArray) -> NDArray:
    """Return the complex z of a real vector, scaled such that a unitary vector has |z| = 1."""
    n_real = (len(v) + 1) // 2
    z = np.array(v[:n_real], dtype=complex)
    z.imag[: len(v) - n_real] = v[n_real:]
    return np.sqrt(n_real) * z


def _from_phasors(z: NDArray, d: int) -> NDArray:
    return np.concatenate([z.real, z.imag[: d // 2]]) / np.sqrt(len(z))


def _conjugation(d: int) -> NDArray:
    """Return the factors of the dimensions that conjugate the phasors."""
    return np.where(np.arange(d) < (d + 1) // 2, 1.0, -1.0)


def _product_transforms(d: int) -> tuple[NDArray, NDArray, NDArray]:
    """Return matrices (left, right, out) with ``bind(a, b) = out @ ((left @ a) * (right @ b))``.

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
