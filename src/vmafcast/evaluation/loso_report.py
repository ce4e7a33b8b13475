"""The document ``loso_seed{N}.json``: what leave-one-source-out found, for one seed."""

from __future__ import annotations

from typing import Literal

from vmafcast.common.documents import Document
from vmafcast.common.provenance import RunProvenance
from vmafcast.models.fold_means import FoldMeans
from vmafcast.models.recipe import Recipe


class CorpusFacts(Document):
    """What was learnt from: where it lies, its digest, and how many rows and source groups it holds."""

    path: str
    sha256: str | None
    rows: int
    source_groups: int


class FoldScore(Document):
    """How one held-out source group was predicted.

    Attributes
    ----------
    held_out
        The source group, or several joined by ``+``.
    n_train, n_val
        Rows that were learnt from, after the frame stride, and rows that were judged: all of the group's.
    plcc, srocc
        Correlations in [-1, 1]; None where the prediction or the target is constant.
    rmse, mae
        In the teacher's units.
    blind_plcc, blind_srocc, blind_rmse
        The same of the codec-blind twin; None where none was trained.
    """

    held_out: str
    n_train: int
    n_val: int
    plcc: float | None
    srocc: float | None
    rmse: float
    mae: float
    blind_plcc: float | None = None
    blind_srocc: float | None = None
    blind_rmse: float | None = None


class LosoReport(FoldMeans):
    """The document ``loso_seed{N}.json``: one seed's leave-one-source-out; the means are over its folds.

    Attributes
    ----------
    in_sample_plcc
        PLCC of the network that was trained on everything, over those same rows; None where none was.
    num_codecs
        The width of the codec block, 0 where there is none.
    lr
        The recipe's learning rate.
    """

    schema_version: Literal[1] = 1
    seed: int
    corpus: CorpusFacts
    n_folds: int
    folds: tuple[FoldScore, ...]
    in_sample_plcc: float | None = None
    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    num_codecs: int
    encoder_vocab_version: int | None
    wall_time_s: float
    recipe: Recipe
    run_provenance: RunProvenance | None
