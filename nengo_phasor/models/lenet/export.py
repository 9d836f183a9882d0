"""Export the weights of a run as the committed ones, which Nengo GUI opens."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nengo_phasor import datasets
from nengo_phasor.models.lenet.data import load
from nengo_phasor.models.lenet.gui import WEIGHTS
from nengo_phasor.models.shared import run_folder


def export(folder: Path, epoch: int, data: str | None) -> Path:
    """Commit a run's weights as those of `.gui.gui_model`, with a test image of each class.

    Returns
    -------
    Path
        The file that was written.
    """
    settings = run_folder.read(folder / run_folder.NOTE, "data", "images")
    parts = load(settings["data"], data, settings["images"])
    first = [int(np.flatnonzero(parts.y_test == label)[0]) for label in range(10)]
    weights = datasets.load_params(folder / f"weights-{epoch}.npz")
    datasets.save_params(
        WEIGHTS,
        **{name: values.astype(np.float16) for name, values in weights.items()},
        images=parts.x_test[first].astype(np.float16),
        classes=np.array(datasets.DATASETS[settings["data"]].classes),
    )
    return WEIGHTS
