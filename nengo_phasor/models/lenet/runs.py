"""The settings of a training run with a cost of spikes."""

from __future__ import annotations

from dataclasses import dataclass

from nengo_phasor import schedules

SCHEDULES = {
    "constant": schedules.Constant,
    "linear": schedules.Linear,
    "quadratic": schedules.Quadratic,
    "alternating": schedules.Alternating,
    "alternating linear": schedules.AlternatingLinear,
}
"""The losses of the paper's tables by name; the baseline is constant, of weight 0."""

BASELINE = "baseline"


@dataclass(frozen=True)
class Run:
    """The settings of a run: data, network, training and sparsity.

    The run uses ``images`` of the training set, a fifth of them for validation. Each is shown for
    ``steps`` time steps. ``schedule`` is a name in `SCHEDULES`, ``sigma_0`` its scale, per spike
    and image. The weights are a running average over Adam's updates, which keeps the fraction
    ``averaging`` of itself in each step. ``design`` is the name of the network in
    `.designs.DESIGNS`. Training of the LeNet starts with the mean number ``rate`` of spikes per
    neuron and step in every layer; that of the deep network starts with the weights of a
    twin without spikes, which was trained for ``twin_epochs``, and then for ``level_epochs`` with
    outputs that are rounded to as many levels as there are steps.
    """

    data: str
    images: int
    steps: int
    epochs: int
    schedule: str = "constant"
    sigma_0: float = 0.0
    seed: int = 0
    rate: float = 0.2
    batch_size: int = 50
    learning_rate: float = 4e-3
    averaging: float = 0.99
    design: str = "lenet"
    twin_epochs: int = 0
    level_epochs: int = 0

    @property
    def all_epochs(self) -> int:
        """The number of epochs of the twin and of the network together."""
        return self.twin_epochs + self.level_epochs + self.epochs

    @property
    def name(self) -> str:
        """The name of the run's folder."""
        return f"{self.data}-{self.schedule.replace(' ', '-')}-{self.sigma_0:g}-{self.seed}"


def name_of(run: Run) -> str:
    """Return the name of a run's loss in the tables."""
    return run.schedule if run.sigma_0 else BASELINE
