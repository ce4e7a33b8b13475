"""Leave-one-source-out: how a recipe scores on material that it was never shown.

Every fold of every seed, its codec-blind twin and the networks that may be shipped train in one program.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from vmafcast.common.errors import RequestError
from vmafcast.common.provenance import RunProvenance
from vmafcast.encoders.vocabulary import VOCABULARIES
from vmafcast.evaluation.fold_scores import fold_means, score_fold
from vmafcast.evaluation.folds import Fold, leave_one_source_out
from vmafcast.evaluation.loso_report import CorpusFacts, FoldScore, LosoReport
from vmafcast.evaluation.scores import plcc
from vmafcast.models.recipe import Recipe
from vmafcast.models.sidecar import LosoSummary
from vmafcast.models.trained import Member, TrainedMembers
from vmafcast.models.training import rows_design, train_members

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vmafcast.common.progress import Progress
    from vmafcast.models.rows import Rows


@dataclass(frozen=True, eq=False)
class LosoResult:
    """What an evaluation found.

    Attributes
    ----------
    recipe
        What was evaluated.
    folds, seeds
        K folds and S seeds.
    scores
        For each seed, for each fold.
    predictions
        float32 [S, N]: what each row was predicted to be by the network that held it out; NaN where no
        fold holds the row out.
    blind_predictions
        The same of the codec-blind twins; None where none were trained.
    untold_predictions
        ``predictions`` of the same networks when nothing is told of the encode (a codec block of zeros); None of a
        codec-blind recipe.
    final
        The networks of ``final_seeds``, trained on all rows; None where none were asked for.
    wall_time_s
        Seconds that training and scoring took together.
    in_sample_plcc
        Of each network in ``final`` by its seed, PLCC over the very rows that it was trained on: how far
        ``mean_plcc`` falls short of it is what unseen material costs. None where there is no correlation.
    """

    recipe: Recipe
    folds: tuple[Fold, ...]
    seeds: tuple[int, ...]
    scores: tuple[tuple[FoldScore, ...], ...]
    predictions: NDArray[np.float32]
    blind_predictions: NDArray[np.float32] | None
    final: TrainedMembers | None
    wall_time_s: float
    in_sample_plcc: Mapping[int, float | None] = field(default_factory=dict)
    untold_predictions: NDArray[np.float32] | None = None

    def report(self, seed: int, corpus: CorpusFacts, run_provenance: RunProvenance | None = None) -> LosoReport:
        """Return the document of one seed.

        Raises
        ------
        RequestError
            The seed was not evaluated.
        """
        if seed not in self.seeds:
            raise RequestError(f"seed {seed} was not evaluated; there are {', '.join(map(str, self.seeds))}")
        folds = self.scores[self.seeds.index(seed)]
        vocabulary = None if self.recipe.vocabulary is None else VOCABULARIES[self.recipe.vocabulary]
        return LosoReport(
            seed=seed,
            corpus=corpus,
            n_folds=len(folds),
            folds=folds,
            **fold_means([folds]).model_dump(),
            in_sample_plcc=self.in_sample_plcc.get(seed),
            epochs=self.recipe.epochs,
            batch_size=self.recipe.batch_size,
            lr=self.recipe.learning_rate,
            weight_decay=self.recipe.weight_decay,
            num_codecs=vocabulary.width if vocabulary else 0,
            encoder_vocab_version=vocabulary.version if vocabulary else None,
            wall_time_s=self.wall_time_s,
            recipe=self.recipe,
            run_provenance=run_provenance,
        )

    def summary(self) -> LosoSummary:
        """Return what a sidecar says of it: every fold's mean over the seeds, then over the folds."""
        return LosoSummary(folds=len(self.folds), seeds=self.seeds, **fold_means(self.scores).model_dump())


def evaluate_loso(
    recipe: Recipe,
    rows: Rows,
    seeds: Sequence[int] = (0,),
    *,
    with_blind: bool = True,
    final_seeds: Sequence[int] = (),
    folds: Sequence[Fold] | None = None,
    progress: Progress | None = None,
) -> LosoResult:
    """Evaluate a recipe on held-out source groups.

    Parameters
    ----------
    recipe, rows
        What to train, on what. The frame stride thins out what is learnt, never what is judged.
    seeds
        The seeds of the initial weights and the order of rows, one or more.
    with_blind
        Whether to train the codec-blind twin of a codec-aware recipe on the same folds too.
    final_seeds
        The seeds of networks to train on all rows beside the folds, for shipping.
    folds
        How to divide the rows; None leaves out one source group at a time.
    progress
        Where to report.

    Raises
    ------
    DataError
        There are fewer than two source groups, or the rows do not fit the recipe.
    RequestError
        There is no seed, or one twice.
    """
    for wanted in (seeds, final_seeds):
        if len(set(wanted)) != len(wanted):
            raise RequestError(f"a seed is given twice: {', '.join(map(str, wanted))}")
    if not seeds:
        raise RequestError("there is no seed to evaluate; give at least one")
    began = time.perf_counter()
    divided = tuple(leave_one_source_out(rows.groups) if folds is None else folds)
    twins = (True, False) if recipe.codec_aware and with_blind else (recipe.codec_aware,)
    members = [Member(fold.train, seed, aware) for aware in twins for seed in seeds for fold in divided]
    everything = np.ones(len(rows), dtype=np.bool_)
    members += [Member(everything, seed, recipe.codec_aware) for seed in final_seeds]
    trained = train_members(recipe, rows, members, progress=progress)

    held_out = _held_out(trained, rows, divided, len(twins) * len(seeds))
    predictions, blind = held_out[: len(seeds)], held_out[len(seeds) :]
    untold = _held_out(trained, rows, divided, len(seeds), told=False) if recipe.codec_aware else None
    scores = tuple(
        tuple(
            score_fold(
                fold,
                rows.target,
                predictions[number],
                n_train=trained.rows_learnt[number * len(divided) + place],
                blind=blind[number] if len(blind) else None,
            )
            for place, fold in enumerate(divided)
        )
        for number in range(len(seeds))
    )
    final = trained.select(range(len(members) - len(final_seeds), len(members))) if final_seeds else None
    return LosoResult(
        recipe=recipe,
        folds=divided,
        seeds=tuple(seeds),
        scores=scores,
        predictions=predictions,
        blind_predictions=blind if len(blind) else None,
        final=final,
        wall_time_s=time.perf_counter() - began,
        in_sample_plcc={} if final is None else _in_sample(final, rows),
        untold_predictions=untold,
    )


def _held_out(
    trained: TrainedMembers, rows: Rows, folds: Sequence[Fold], runs: int, *, told: bool = True
) -> NDArray[np.float32]:
    """Return float32 [runs, N]: of each row, what the first ``runs`` times ``folds`` networks say that did not see it.

    An encoder that a fold's networks saw no row of is served as it would be in use: as unknown. ``told`` False leaves
    out what is known of the encode.
    """
    predictions = np.full((runs, len(rows)), np.nan, dtype=np.float32)
    for place, fold in enumerate(folds):
        judges = trained.select(range(place, runs * len(folds), len(folds)))
        design = rows_design(trained.recipe, rows.take(fold.test), trained=judges.trained_slots[0])
        predictions[:, fold.test] = judges.predict(design.features, design.block if told else None)
    return predictions


def _in_sample(final: TrainedMembers, rows: Rows) -> dict[int, float | None]:
    design = rows_design(final.recipe, rows)
    predicted = final.predict(design.features, design.block)
    return {member.seed: plcc(found, rows.target) for member, found in zip(final.members, predicted, strict=True)}
