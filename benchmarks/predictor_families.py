"""Which family of models predicts curves best: the same folds, features and targets for each.

    python -m benchmarks.predictor_families --corpus data/corpus --learn-only data/augmented

Each learns the scores of the curves' principal components at every encoder and preset, as the product's Gaussian
processes do; only what maps features to scores differs. Held out are source groups, five folds.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vmafcast.evaluation.folds import group_folds
from vmafcast.evaluation.scores import plcc
from vmafcast.models.predictor.basis import rising
from vmafcast.models.predictor.heads import COMPONENTS
from vmafcast.models.predictor.marginal import Shape
from vmafcast.models.predictor.model import EncoderCurves
from vmafcast.models.predictor.process import fit
from vmafcast.models.predictor.scale import from_logit
from vmafcast.workflows.predictor_rows import read_rows

Mapper = Callable[[np.ndarray, np.ndarray, tuple[int, ...], np.ndarray, Shape, np.ndarray], np.ndarray]
FOLDS = 5


def gaussian_process(
    features: np.ndarray,
    scores: np.ndarray,
    blocks: tuple[int, ...],
    asked: np.ndarray,
    shape: Shape,
    owners: np.ndarray,
) -> np.ndarray:
    """Return what the product predicts, with the kernel that all encoders share."""
    return fit(features, scores, blocks, shape, groups=owners).predict(asked)


def of_sklearn(make: Callable[[], Any]) -> Mapper:
    """Return a mapper that standardises features and scores and lets one of scikit-learn's models learn."""

    def run(features: np.ndarray, scores: np.ndarray, _: object, asked: np.ndarray, *__: object) -> np.ndarray:
        scale = scores.std(axis=0) + 1e-12
        model = make_pipeline(StandardScaler(), make())
        return np.asarray(model.fit(features, scores / scale).predict(asked)) * scale

    return run


FAMILIES: dict[str, Mapper] = {
    "average curve": lambda _, scores, __, asked, *___: np.zeros((len(asked), scores.shape[1])),
    "ridge": of_sklearn(lambda: RidgeCV(np.logspace(-2, 4, 25))),
    "boosting": of_sklearn(
        lambda: MultiOutputRegressor(
            GradientBoostingRegressor(n_estimators=80, max_depth=2, subsample=0.7, random_state=0)
        )
    ),
    "network": of_sklearn(
        lambda: MLPRegressor(hidden_layer_sizes=(32,), alpha=3.0, solver="lbfgs", max_iter=400, random_state=0)
    ),
    "Gaussian process": gaussian_process,
}  # fmt: skip


def main() -> None:
    """Print a table for each variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, action="append", required=True)
    parser.add_argument("--learn-only", type=Path, action="append", default=[])
    given = parser.parse_args()
    rows = read_rows(given.corpus, given.learn_only)
    encoders = sorted(rows.encodes["encoder"].unique())
    groups, kernels = rows.sources.groups, rows.kernels()
    warnings.simplefilter("ignore")  # a network that has not quite converged is judged as it is
    for probed in (False, True):
        features, blocks = rows.sources.features(probed=probed)
        folds = _folds(groups, rows.judged)
        chosen = [kernels(learn) for learn, _ in folds]
        shapes = [each.probed if probed else each.plain for each in chosen]
        print(
            f"{'complexity and probe' if probed else 'complexity alone'}: {len(set(groups[rows.judged]))} source groups"
        )
        print(f"{'family':18s} {'MAE':>6s} {'bits, %':>8s}  mean PLCC / spread by encoder")
        for name, mapper in FAMILIES.items():
            errors, rates, gates = [], [], []
            for encoder in encoders:
                error, rate, correlations = _judge(
                    rows.curves(encoder), features, blocks, groups, mapper, folds, shapes
                )
                errors.append(error)
                rates.append(rate)
                gates.append(f"{encoder} {np.mean(correlations):.4f}/{np.ptp(correlations):.4f}")
            mae, bits = np.concatenate(errors).mean(), 100 * np.median(np.concatenate(rates))
            print(f"{name:18s} {mae:6.3f} {bits:8.1f}  {', '.join(gates)}", flush=True)


def _folds(groups: np.ndarray, judged: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return of each fold who is learnt from and who is judged, as masks over the sources."""
    names, found = np.flatnonzero(judged), []
    for fold in group_folds(groups[names], FOLDS, 0):
        test = np.zeros(len(groups), dtype=np.bool_)
        test[names[fold.test]] = True
        found.append((~np.isin(groups, groups[test]), test))
    return found


def _judge(
    measured: EncoderCurves,
    features: np.ndarray,
    blocks: tuple[int, ...],
    groups: np.ndarray,
    mapper: Mapper,
    folds: list[tuple[np.ndarray, np.ndarray]],
    shapes: list[Shape],
) -> tuple[np.ndarray, np.ndarray, list[float]]:
    errors, rates, correlations = [], [], []
    for (learnt, judged), shape in zip(folds, shapes, strict=True):
        predicted, truth, off_rate = [], [], []
        for points, curves in zip(measured.points, measured.curves, strict=True):
            learn, judge = learnt[curves.source], judged[curves.source]
            off = curves.coefficients[learn]
            average = off.mean(axis=0)
            owners = groups[curves.source[learn]]
            made = np.tile(average, (int(judge.sum()), 1, 1))
            for curve in range(2):
                deviation = off[:, curve] - average[curve]
                ways = np.linalg.svd(deviation, full_matrices=False)[2][:COMPONENTS]
                own, asked = features[curves.source[learn]], features[curves.source[judge]]
                made[:, curve] += mapper(own, deviation @ ways.T, blocks, asked, shape, owners) @ ways
            made = rising(made)
            mine = np.isin(points.source, curves.source[judge])
            weights = measured.basis(points.place[mine])
            row = np.searchsorted(curves.source[judge], points.source[mine])
            predicted.append(from_logit((weights * made[row, 0]).sum(axis=1)))
            truth.append(from_logit(points.values[mine, 0]))
            off_rate.append(np.abs(np.expm1((weights * made[row, 1]).sum(axis=1) - points.values[mine, 1])))
        one, other = np.concatenate(predicted), np.concatenate(truth)
        correlations.append(plcc(one, other) or 0.0)
        useful = (other >= 60) & (other <= 98)
        errors.append(np.abs(one - other)[useful])
        rates.append(np.concatenate(off_rate)[useful])
    return np.concatenate(errors), np.concatenate(rates), correlations


if __name__ == "__main__":
    main()
