"""The document of an evaluation: a recipe, its codec-blind twin and plain baselines on the same held-out folds."""

from __future__ import annotations

from typing import Final, Literal

from vmafcast.common.documents import Document
from vmafcast.common.provenance import RunProvenance
from vmafcast.evaluation.loso_report import CorpusFacts, FoldScore
from vmafcast.evaluation.published import PublishedFigures
from vmafcast.evaluation.target_facts import LowRank, TargetFacts
from vmafcast.models.fold_means import FoldMeans
from vmafcast.models.recipe import Recipe

By = Literal["source", "encoder"]

NETWORK: Final = "network"
BLIND: Final = "codec-blind"


class EvaluatedFold(FoldScore):
    """How one fold was predicted, with intervals over source groups where a fold holds several of them."""

    plcc_interval: tuple[float, float] | None = None
    rmse_interval: tuple[float, float] | None = None


class Contender(Document):
    """One way to predict, on the folds of the evaluation.

    Attributes
    ----------
    name, words
        What it is: ``network``, ``codec-blind`` (its twin), or a baseline.
    folds
        Each score is the mean over the seeds.
    means
        Over folds and seeds, with intervals over source groups.
    per_seed_mean_plcc
        Mean PLCC by seed; one entry, ``"0"``, of a baseline, which has no seed.
    seconds
        That training and scoring took: of all networks together, the twin's among them.
    """

    name: str
    words: str
    folds: tuple[EvaluatedFold, ...]
    means: FoldMeans
    per_seed_mean_plcc: dict[str, float | None]
    seconds: float


class EvaluationReport(Document):
    """What ``vmafcast evaluate`` finds; no model comes of it.

    Attributes
    ----------
    by
        What each fold holds out: a source group, or an encoder (whose rows are then served as unknown).
    contenders
        The network first.
    targets
        Of each fold, what its targets are like.
    low_ranks
        Folds whose rank correlation by the network is low, and why.
    slices
        The network's same held-out predictions divided the other way: by encoder where sources are left out, by source
        group where encoders are.
    published
        Figures that others published of this recipe, measured on other rows.
    notes
        What a reader should know, for people.
    """

    schema_version: Literal[1] = 1
    kind: Literal["vmafcast-evaluation"] = "vmafcast-evaluation"
    by: By
    recipe: Recipe
    seeds: tuple[int, ...]
    corpus: CorpusFacts
    contenders: tuple[Contender, ...]
    targets: tuple[TargetFacts, ...]
    low_ranks: tuple[LowRank, ...]
    slices: tuple[EvaluatedFold, ...]
    published: tuple[PublishedFigures, ...]
    notes: tuple[str, ...]
    run_provenance: RunProvenance | None
