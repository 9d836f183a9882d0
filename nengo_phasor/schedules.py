r"""Schedules of the sparsity weight, which is the cost of a spike in each epoch of training.

A schedule depends only on the epoch n = 1 ... N, so that resumed training continues with the same
weights as uninterrupted training (Allred, Spencer, Srinivasan and Roy 2020, Explicitly Trained
Spiking Sparsity in Spiking Neural Networks with Backpropagation, equations (4) to (8)).
`nengo_phasor.dl.callbacks.SparsitySchedule` applies them.
"""

from __future__ import annotations

from nengo.exceptions import ValidationError
from nengo.params import FrozenObject

from nengo_phasor.checks import Integer, Number, check_integer
from nengo_phasor.listing import shows_public_names

__dir__ = shows_public_names(__name__)


class Schedule(FrozenObject):
    """Base class of schedules, which give the weight of a spike in the loss for each epoch.

    Parameters
    ----------
    sigma_0 : float
        The scale of the weight, which is 0 or more.
    n_epochs : int
        The number of epochs N of the whole training, which is 1 or more.

    Raises
    ------
    nengo.exceptions.ValidationError
        If ``sigma_0`` is negative or not finite, or ``n_epochs`` is less than 1. When called: if
        the epoch is not in 1 to N.
    """

    sigma_0 = Number("sigma_0", low=0)
    n_epochs = Integer("n_epochs", low=1)

    def __init__(self, sigma_0: float, n_epochs: int):
        super().__init__()
        self.sigma_0 = sigma_0
        self.n_epochs = n_epochs

    def __call__(self, epoch: int) -> float:
        """Return the weight in this epoch; the first epoch is 1."""
        check_integer(epoch, "epoch", self, low=0)
        if not 1 <= epoch <= self.n_epochs:
            raise ValidationError(
                f"is {self.n_epochs}, so there is no epoch {epoch}: create a schedule as long "
                "as the training",
                attr="n_epochs",
                obj=self,
            )
        return float(self.sigma_0 * self.shape(epoch))

    def shape(self, epoch: int) -> float:
        """Return the weight for a sigma_0 of 1."""
        raise NotImplementedError("Schedules must provide shape")


class Constant(Schedule):
    r"""Equation (4): :math:`\sigma = \sigma_0`."""

    def shape(self, epoch):
        return 1.0


class Linear(Schedule):
    r"""Equation (5): :math:`\sigma = \sigma_0 n / N`."""

    def shape(self, epoch):
        return epoch / self.n_epochs


class Quadratic(Schedule):
    r"""Equation (6), as printed: :math:`\sigma = \sigma_0 n^2 / N`, up to N sigma_0."""

    def shape(self, epoch):
        return epoch**2 / self.n_epochs


def included(epoch: int, n_epochs: int) -> bool:
    """Return A(n): whether an alternating schedule counts spikes in this epoch.

    The proportion of such epochs grows linearly from none at the first epoch to all at the last: it
    is (n - 1)/(N - 1) at epoch n. An epoch is included if the sum of these proportions passes a
    whole number, so that no randomness is involved.

    Raises
    ------
    nengo.exceptions.ValidationError
        If the epoch is not in 1 to n_epochs.
    """
    check_integer(n_epochs, "n_epochs")
    check_integer(epoch, "epoch", high=n_epochs)

    def passed(n):
        return n * (n - 1) // max(1, 2 * (n_epochs - 1))

    return n_epochs == 1 or passed(epoch) > passed(epoch - 1)


class Alternating(Schedule):
    r"""Equation (7): :math:`\sigma = A(n) \sigma_0`, with A as in `included`."""

    def shape(self, epoch):
        return float(included(epoch, self.n_epochs))


class AlternatingLinear(Schedule):
    r"""Equation (8): :math:`\sigma = A(n) \sigma_0 n / N`, with A as in `included`."""

    def shape(self, epoch):
        return included(epoch, self.n_epochs) * epoch / self.n_epochs


SCHEDULES = (Constant, Linear, Quadratic, Alternating, AlternatingLinear)
