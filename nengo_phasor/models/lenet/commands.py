"""Training with a cost of spikes: the paper's LeNet, its five schedules and its two tables.

A spiking LeNet learns CIFAR-10 or FashionMNIST through time, with the number of its spikes in the
loss. For each schedule, the cost of a spike is searched for on validation images (Allred et al.
2020).

    \b
    python networks/sparse_lenet.py train               one run, with checkpoints
    python networks/sparse_lenet.py results --resume    the search and the committed figures
    nengo networks/sparse_lenet.py                      Nengo GUI, from committed weights

The search runs on this machine or on any Dask cluster, given by its address. The workers must see
the same folders and have nengo_phasor installed.
"""

from __future__ import annotations

from pathlib import Path

from nengo_phasor import compat
from nengo_phasor.models.lenet.claims import claims
from nengo_phasor.models.lenet.command_line import Defaults, command_line
from nengo_phasor.models.lenet.runs import SCHEDULES
from nengo_phasor.models.shared.commands import COUNT

click = compat.require("click")

REPEATED = ("constant", "linear")
"""The schedules that are searched with every seed; the others only use the first seed."""

main = command_line(
    __doc__, "lenet", Defaults("sparse_lenet", 16, 30, list(SCHEDULES), REPEATED), claims
)


@main.command("export")
@click.option("--run", "folder", required=True, type=Path, help="A run's folder.")
@click.option("--epoch", required=True, type=COUNT)
@click.option("--data", type=click.Path(), help="Folder with the data set.")
def export_weights(folder, epoch, data):
    """Commit a run's weights as those that Nengo GUI opens, with a test image of each class."""
    from nengo_phasor.models.lenet.export import export

    click.echo(f"wrote {export(folder, epoch, data)}")
