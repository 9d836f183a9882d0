"""Cross-validation: each fold is held out in turn, and a network is trained on the others.

A part of the other folds chooses the epoch, and all of them choose the precision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nengo_phasor import convert, datasets, metrics
from nengo_phasor.arousal import Arousal
from nengo_phasor.models.adaptive.measure import WAYS
from nengo_phasor.models.adaptive.precision import (
    LOW_RATE,
    MARGIN,
    affordable,
    finest,
    fit_arousal,
)
from nengo_phasor.models.adaptive.spiking import WINDOW, Seen, Spiking, summary
from nengo_phasor.models.adaptive.tables import Table, folds, keras_model
from nengo_phasor.models.shared.run_folder import open_run

PRECISIONS = (0.05, 0.1, 0.14, 0.17, 0.2, 0.3, 0.45, 0.7, 1.0)
"""The m_f to choose from."""


def measure_fold(
    model: Any, x: np.ndarray, y: np.ndarray, held_out: np.ndarray
) -> dict[str, np.ndarray]:
    """Run a spiking network that was trained without a fold; return the arrays for `pooled`.

    Precisions and arousal are chosen on the samples that are not held out.
    """
    spiking = Spiking(convert.to_adaptive(model))
    spiking.converted.verify(x[held_out])
    everything = {m_f: spiking.fixed(x, m_f, WINDOW)[0] for m_f in PRECISIONS}
    chosen, how = choose(everything, y, ~held_out, spiking.n_neurons)
    seen = {way: _items(everything[m_f], held_out) for way, m_f in chosen.items()}
    seen |= {str(m_f): _items(done, held_out) for m_f, done in everything.items()}
    _, seen["aroused"] = spiking.aroused(x[held_out], how, WINDOW)
    return {
        **{f"{way}.{name}": a for way, s in seen.items() for name, a in s._asdict().items()},
        **{f"m_f.{way}": np.array(m_f) for way, m_f in chosen.items()},
        "arousal": np.array([how.wait, how.duration, how.threshold]),
        "analog": np.argmax(model(x, training=False), axis=1)[held_out],
        "held_out": np.flatnonzero(held_out),
        "neurons": np.array(list(spiking.n_neurons.values())),
    }


def choose(
    runs: Mapping[float, Seen], y: np.ndarray, learned: np.ndarray, n_neurons: Mapping[str, int]
) -> tuple[dict[str, float], Arousal]:
    """Choose "precise", "sparse" and "low" precisions, and the arousal, from learned samples."""
    runs, y = {m_f: _items(seen, learned) for m_f, seen in runs.items()}, y[learned]
    points = {m_f: summary(seen, y, n_neurons) for m_f, seen in runs.items()}
    precise = affordable(points)
    sparse = finest(points, MARGIN * LOW_RATE)
    how = fit_arousal(
        runs, precise, y, sum(n_neurons.values()), points[precise]["accuracy"]
    ).arousal
    return {"precise": precise, "sparse": sparse, "low": how.low}, how


def _items(seen: Seen, items: np.ndarray) -> Seen:
    return Seen(*(part[items] for part in seen))


def pooled(kept: list[Mapping[str, np.ndarray]], y: np.ndarray) -> dict[str, Any]:
    """Return the joint measurements of all folds, in the form of `measure`.

    The held-out samples of every fold count; with several seeds, every sample counts once per seed.
    """
    labels = np.concatenate([y[fold["held_out"]] for fold in kept])
    analog = np.concatenate([fold["analog"] for fold in kept])
    names = ["features", *(f"dense{k + 1}" for k in range(len(kept[0]["neurons"]) - 1))]
    neurons = dict(zip(names, map(int, kept[0]["neurons"]), strict=True))

    def seen(way):
        parts = [[fold[f"{way}.{name}"] for name in Seen._fields] for fold in kept]
        return Seen(*map(np.concatenate, zip(*parts, strict=True)))

    by_way = {way: seen(way) for way in WAYS}
    return {
        "analog": {"accuracy": float(metrics.accuracy(analog, labels))},
        "n_neurons": neurons,
        "n_test": len(labels),
        "differing_decisions": int(np.sum(by_way["precise"].classes[:, -1] != analog)),
        **{way: summary(done, labels, neurons) for way, done in by_way.items()},
        "held_out": {str(m_f): summary(seen(str(m_f)), labels, neurons) for m_f in PRECISIONS},
    }


def cross_validate(
    table: Table, n_folds: int, seeds: Sequence[int], folder: Path, resume: bool
) -> dict[str, Any]:
    """Measure the network by cross-validation; results in the folder are not computed again.

    Returns
    -------
    dict
        The result of `pooled`; under "seeds" a shorter form for each seed; under "chosen" the
        precisions of all folds.
    """
    data = datasets.load(table.name)
    open_run(folder, {**asdict(table), "folds": n_folds}, resume)
    kept = trained_folds(table, data, n_folds, seeds, folder)
    everything = [fold for of_seed in kept.values() for fold in of_seed]
    by_seed = {seed: pooled(of_seed, data.y_train) for seed, of_seed in kept.items()}
    shown = ("accuracy", "firing_rate", "matching_time")
    return {
        **pooled(everything, data.y_train),
        "seeds": {
            str(seed): {
                "analog": found["analog"],
                "differing_decisions": found["differing_decisions"],
                **{way: {key: found[way][key] for key in shown} for way in WAYS},
            }
            for seed, found in by_seed.items()
        },
        "chosen": {way: [float(fold[f"m_f.{way}"]) for fold in everything] for way in WAYS[:3]},
    }


def trained_folds(
    table: Table, data: datasets.Dataset, n_folds: int, seeds: Sequence[int], folder: Path
) -> dict[int, list[dict[str, np.ndarray]]]:
    """Return the arrays of `measure_fold`, with weights and history, for all seeds and folds.

    Those that are not in the folder are computed.
    """
    from tqdm import tqdm

    from nengo_phasor.models.adaptive.table_training import Trainer

    x, y = data.x_train.astype(np.float32), data.y_train
    trainer = Trainer(table, x.shape[1])
    kept = {seed: [] for seed in seeds}
    todo = [(seed, fold) for seed in seeds for fold in range(n_folds)]
    for seed, fold in tqdm(todo, desc=table.name, unit="fold"):
        file = folder / f"seed{seed}-fold{fold}.npz"
        if not file.exists():
            held_out = np.zeros(len(y), bool)
            held_out[folds(y, n_folds, seed)[fold]] = True
            own_seed = int(np.random.SeedSequence((seed, fold)).generate_state(1)[0])
            history = trainer.train(x[~held_out], y[~held_out], own_seed)
            measured = measure_fold(trainer.model, x, y, held_out)
            weights = {variable.name: variable.numpy() for variable in trainer.model.variables}
            datasets.save_params(file, **weights, **measured, history=history)
        kept[seed].append(datasets.load_params(file))
    return kept


def draw(table: Table, found: Mapping[str, Any], folder: Path, seed: int) -> Path:
    """Draw the results, and a neuron of the first fold's network; return the path of the page."""
    from nengo_phasor.models.adaptive import report
    from nengo_phasor.models.adaptive.training import load_weights

    rows = datasets.load(table.name).x_train.astype(np.float32)
    model = keras_model(table, rows.shape[1])
    kept = load_weights(folder / f"seed{seed}-fold0.npz", model)
    spiking = Spiking(convert.to_adaptive(model))
    row, m_f = rows[kept["held_out"][0]], float(kept["m_f.precise"])
    title = f"Adaptive spiking neurons: {table.name}"
    return report.write(found, spiking, row, m_f, folder, title)
