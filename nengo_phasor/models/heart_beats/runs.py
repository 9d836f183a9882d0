"""Train and score the networks, and keep them in folders from which a later run can continue."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from nengo_phasor import datasets
from nengo_phasor.models.heart_beats import chip
from nengo_phasor.models.heart_beats.data import Parts
from nengo_phasor.models.heart_beats.designs import Design, settings
from nengo_phasor.models.heart_beats.measure import measure
from nengo_phasor.models.heart_beats.network import size
from nengo_phasor.models.heart_beats.training import BEST, SECONDS, train
from nengo_phasor.models.shared.run_folder import kept, open_run

SHOWN = ("loss", "accuracy", "spikes")
"""What the progress bar shows of an epoch."""


def trained(name: str, design: Design, seed: int, runs: Path, parts: Parts, resume: bool) -> Path:
    """Return the folder of a network, which is trained first if it is not finished."""
    folder = runs / f"{name}-{seed}"
    open_run(folder, {**settings(design), "seed": seed, "sequences": len(parts.train.x)}, resume)
    bar = tqdm(train(design, seed, parts, folder), f"{name} {seed}", design.epochs, unit="epoch")
    for epoch in bar:
        bar.set_postfix({key: f"{epoch[key]:.4g}" for key in SHOWN})
    return folder


def scored(design: Design, folder: Path, parts: Parts, on_chip: bool) -> dict:
    """Return the scores of a finished run's best epoch on the test sequences."""
    params = datasets.load_params(folder / BEST)
    history = kept(folder / "history.json", dict, "epochs")["epochs"]
    found = {
        "parameters": size(params),
        "processor_seconds": sum(epoch[SECONDS] for epoch in history),
        "best_epoch": max(range(len(history)), key=lambda k: history[k]["accuracy"]) + 1,
        "accuracies": [epoch["accuracy"] for epoch in history],
        "test": kept(folder / "test.json", lambda: measure(design, params, parts.test)),
    }
    if on_chip:
        found["chip"] = kept(folder / "chip.json", lambda: chip.measure(design, params, parts.test))
    return found
