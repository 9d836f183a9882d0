"""Precise coding at one place of an image: where most spikes come from."""

from __future__ import annotations

import numpy as np
from nengo.exceptions import ValidationError
from nengo.params import FrozenObject
from numpy.typing import ArrayLike, NDArray

from nengo_phasor.checks import Integer, Number, check_array
from nengo_phasor.listing import shows_public_names

__dir__ = shows_public_names(__name__)

ROUNDING = 1e-9
"""A part of a position by which a border may be off."""


class Focus(FrozenObject):
    """Decides where in an image the neurons should code more precisely.

    All neurons first code at low precision, while the spikes of a layer of maps are counted. The
    window with most spikes then gets high precision: the neurons in it, in every layer with maps.
    Neurons around it stay at low precision, and layers without maps, such as dense ones, are of
    high precision. `.Converted.focused` returns the network of one window.

    Parameters
    ----------
    low, high : float
        The values of m_f around and in the window. ``high`` must be less than ``low``, since a
        smaller m_f is more precise.
    size : float
        The height and width of the window, as a fraction of those of the image, in (0, 1).
    steps : int
        The number of places that a window can have along each axis, at least 2. Fewer places mean
        fewer networks.

    Raises
    ------
    nengo.exceptions.ValidationError
        If low or high is not greater than 0, high is not less than low, size is not in (0, 1), or
        steps is less than 2.

    References
    ----------
    Zambrano et al. (2017), Efficient Computation in Adaptive Artificial Spiking Neural Networks,
    whose discussion says that attention enhances firing in specific locations.
    """

    low = Number("low", low=0, low_open=True)
    high = Number("high", low=0, low_open=True)
    size = Number("size", low=0, low_open=True, high=1, high_open=True)
    steps = Integer("steps", low=2)

    def __init__(self, low: float, high: float, size: float = 0.5, steps: int = 3):
        super().__init__()
        self.low = low
        self.high = high
        self.size = size
        self.steps = steps
        if high >= low:
            raise ValidationError(
                f"must be less than low, {low}, for the greater precision, got {high}", "high", self
            )

    @property
    def places(self) -> NDArray:
        """The top and left of each possible window as fractions of the image: (steps**2, 2)."""
        along = np.linspace(0.0, 1.0 - self.size, self.steps)
        return np.stack(np.meshgrid(along, along, indexing="ij"), axis=-1).reshape(-1, 2)

    def window(self, shape: ArrayLike, place: ArrayLike) -> NDArray[np.bool_]:
        """Return which positions of a map are in a window: those whose middle is.

        Parameters
        ----------
        shape : (int, int)
            The height and width of the map.
        place : (2,) array_like
            The top and left of the window, as fractions of the image, such as one of `places`.

        Returns
        -------
        (height, width) ndarray of bool

        Raises
        ------
        nengo.exceptions.ValidationError
            If shape or place is not two numbers, or the window is not within the image.
        """
        height, width = check_array(shape, "shape", "(2,)", self, low=1)
        place = check_array(place, "place", "(2,)", self, low=0)
        if np.max(place) > 1.0 - self.size + ROUNDING:
            raise ValidationError(
                f"must be at most {1 - self.size:g} for a window of size {self.size:g} to be "
                f"within the image, got {place.tolist()}",
                "place",
                self,
            )
        rows, columns = (
            (start - ROUNDING <= middle) & (middle < start + self.size - ROUNDING)
            for start, n in zip(place, (height, width), strict=True)
            for middle in [(np.arange(int(n)) + 0.5) / n]
        )
        return rows[:, None] & columns

    def chosen(self, spikes: ArrayLike) -> NDArray[np.int_]:
        """Return the window with most spikes for each image, as an index into `places`.

        Parameters
        ----------
        spikes : (n_items, height, width, n_maps) array_like
            The numbers of spikes of a layer of maps, at low precision.

        Returns
        -------
        (n_items,) ndarray of int
            Among windows with equally many spikes, it is the first.

        Raises
        ------
        nengo.exceptions.ValidationError
            If the numbers do not have this shape, are negative or not finite, or are of maps in
            which a window is nowhere.
        """
        spikes = check_array(spikes, "spikes", "(n_items, height, width, n_maps)", self, low=0)
        windows = np.stack([self.window(spikes.shape[1:3], place) for place in self.places])
        if not windows.any(axis=(1, 2)).all():
            raise ValidationError(
                f"of maps of {spikes.shape[1]} x {spikes.shape[2]} positions are too few for a "
                f"window of size {self.size:g}: count the spikes of a layer with larger maps",
                "spikes",
                self,
            )
        by_place = spikes.sum(axis=-1, dtype=float)
        return np.argmax(np.einsum("iyx,pyx->ip", by_place, windows.astype(float)), axis=1)
