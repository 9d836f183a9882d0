"""Export the weights of a run as the committed ones, which Nengo GUI opens."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nengo_phasor import datasets
from nengo_phasor.models.lenet.gui import WEIGHTS
from nengo_phasor.models.lenet.runs import Run
from nengo_phasor.models.lenet.training import parts_of
from nengo_phasor.models.shared import run_folder


def export(folder: Path, epoch: int, data: str | None) -> Path:
    """Commit a run's weights as those of `.gui.gui_model`, with a test image of each class.

    Returns
    -------
    Path
        The file that was written.
    """
    run = Run(**run_folder.read(folder / run_folder.NOTE))
    parts = parts_of(run, data)
    first = [int(np.flatnonzero(parts.y_test == label)[0]) for label in range(10)]
    weights = datasets.load_params(folder / f"weights-{epoch}.npz")
    datasets.save_params(
        WEIGHTS,
        **{name: values.astype(np.float16) for name, values in weights.items()},
        images=parts.x_test[first].astype(np.float16),
        classes=np.array(datasets.DATASETS[run.data].classes),
    )
    return WEIGHTS
