"""The sidecar: the JSON beside a model file that says what the model is, and what it takes to serve it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from vmafcast.common.documents import Document, read_document, write_document
from vmafcast.models.fold_means import FoldMeans
from vmafcast.models.recipe import Recipe

SCHEMA_VERSION: Final = 1

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*$")]
"""The name of a file beside the sidecar: no folder, no protocol, nothing that could be read as an option."""

VerdictWord = Literal["pass", "fail", "not-measurable", "insufficient-sources", "missing-rows"]


class LosoSummary(FoldMeans):
    """What leave-one-source-out said of the recipe on the rows that this model was trained on.

    The means are over folds and then over seeds.
    """

    folds: Annotated[int, Field(ge=2)]
    seeds: tuple[int, ...]


class SurveyFacts(Document):
    """How the sources were surveyed that columns of a source come from: of another revision they mean another thing."""

    complexity_revision: Annotated[int, Field(ge=1)]
    probe_revision: Annotated[int, Field(ge=1)]


class TrainingFacts(Document):
    """What a model was trained from and how.

    Attributes
    ----------
    recipe
        The whole recipe, not its name alone.
    dataset
        What the rows are, in words or as the corpus was given.
    corpus_sha256
        The digest of the corpus; None when the rows came from memory.
    rows
        How many rows were learnt from, after the recipe's frame stride.
    source_groups
        How many source groups those rows hold.
    source_group_names
        Which ones: nobody can judge this model by material that it was shown.
    seed
        The seed of the initial weights and of the order of the rows.
    loso
        Leave-one-source-out of the same recipe on the same rows; None when it was not run.
    survey
        How the sources were surveyed; None where the recipe takes nothing of that.
    """

    recipe: Recipe
    dataset: str
    corpus_sha256: Sha256 | None
    rows: Annotated[int, Field(ge=1)]
    source_groups: Annotated[int, Field(ge=1)]
    source_group_names: tuple[str, ...]
    seed: int
    loso: LosoSummary | None
    survey: SurveyFacts | None = None


class GateCriterion(Document):
    """One criterion of a gate as it came out; ``measured`` is None where nothing could be measured."""

    name: str
    verdict: VerdictWord
    measured: float | None
    threshold: float | None
    note: str = ""


class GateFacts(Document):
    """The verdict under which a model was shipped."""

    gate: str
    verdict: VerdictWord
    criteria: tuple[GateCriterion, ...]


class Sidecar(Document):
    """All that is needed to serve one frame regressor and to audit it.

    Attributes
    ----------
    id
        The identity of the model, such as ``fr_regressor_v3``.
    onnx, sha256
        The model file's name, beside the sidecar, and the SHA-256 of its bytes.
    opset, input_names, output_names
        The contract of the graph.
    feature_order
        The columns of the input ``features``, in order.
    feature_mean, feature_std
        The scaler, which is inside the graph too and is repeated here for the auditor.
    feature_min, feature_max
        The range of each column over the training rows: outside it the model extrapolates.
    preset_norm_range, crf_norm_range
        The same for the two settings of the codec block; None for a codec-blind model.
    codec_block_layout
        The columns of the input ``codec_block`` in order: the one-hot, then the settings. Empty when blind.
    encoder_vocab, encoder_vocab_version
        The slot names of the one-hot in order, and the version of the vocabulary. A request is matched
        with them by name, never by index.
    trained_slots
        The slots that training rows were seen of; any other name is served as unknown.
    output_range
        The clamp inside the graph.
    smoke
        Whether the model was made to try the machinery only; such a model can never be champion.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*$")]
    kind: Literal["fr", "fr_ensemble"] = "fr"
    onnx: FileName
    sha256: Sha256
    opset: int
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    feature_order: Annotated[tuple[str, ...], Field(min_length=1)]
    feature_mean: tuple[float, ...]
    feature_std: tuple[Annotated[float, Field(gt=0)], ...]
    feature_min: tuple[float, ...]
    feature_max: tuple[float, ...]
    codec_aware: bool
    codec_block_layout: tuple[str, ...]
    encoder_vocab: tuple[str, ...]
    encoder_vocab_version: int | None
    trained_slots: tuple[str, ...]
    preset_norm_range: tuple[float, float] | None
    crf_norm_range: tuple[float, float] | None
    teacher: str
    output_range: tuple[float, float]
    training: TrainingFacts
    gate: GateFacts | None
    smoke: bool
    licence: str
    notes: str

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        width = len(self.feature_order)
        for name in ("feature_mean", "feature_std", "feature_min", "feature_max"):
            if len(getattr(self, name)) != width:
                raise ValueError(f"{name} must have one value for each of the {width} features")
        if self.codec_aware != bool(self.encoder_vocab) or self.codec_aware != bool(self.codec_block_layout):
            raise ValueError("codec_aware must agree with encoder_vocab and codec_block_layout")
        if self.codec_aware and self.codec_block_layout[: len(self.encoder_vocab)] != self.encoder_vocab:
            raise ValueError("codec_block_layout must begin with the slots of encoder_vocab")
        if unheld := set(self.trained_slots) - set(self.encoder_vocab):
            raise ValueError(f"trained_slots names what encoder_vocab does not hold: {sorted(unheld)}")
        if self.output_range[0] >= self.output_range[1]:
            raise ValueError("output_range must run from the lower to the higher score")
        return self


def sidecar_path(onnx_path: Path) -> Path:
    """Return where the sidecar of the model file ``onnx_path`` lies: ``<model>.json`` beside it."""
    return onnx_path.with_suffix(".json")


def read_sidecar(path: Path) -> Sidecar:
    """Read the sidecar at ``path``; raises :class:`DataError` when it is not one."""
    return read_document(path, Sidecar)


def write_sidecar(path: Path, sidecar: Sidecar) -> None:
    """Write ``sidecar`` to ``path``, atomically."""
    write_document(path, sidecar)
