"""Recipes: everything that defines a training, as data. The trainer has no settings of its own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vmafcast.common.documents import Document
from vmafcast.common.errors import RequestError
from vmafcast.common.feature_names import ACTIVITY, CANONICAL6
from vmafcast.encoders.vocabulary import VOCABULARIES

Share = Annotated[float, Field(ge=0, lt=1)]


class Recipe(Document):
    """Everything that defines a training.

    Attributes
    ----------
    name
        The identity of what is trained, such as ``fr_regressor_v3``.
    feature_order
        The input columns, in the order of the network's inputs.
    teacher
        The metric model whose score of each frame is learnt.
    output_range
        The lowest and highest score of the teacher; predictions are clamped to it.
    vocabulary
        Which encoder vocabulary spells the codec block; None for a codec-blind recipe.
    hidden, depth
        Units of each hidden layer, and how many hidden layers.
    activation
        ``gelu_erf`` is the exact GELU, never the tanh approximation; ``silu`` is x times its sigmoid.
    dropout
        The share of hidden units that each training step switches off.
    optimiser
        ``adamw``: decoupled weight decay. ``adam_coupled_l2``: the decay is added to the gradient before
        Adam's moments, which is what several frameworks call "Adam with weight decay".
    learning_rate
        The rate of a constant schedule, the peak of a one-cycle schedule.
    schedule
        ``one_cycle``: a cosine up to the peak over the first 30 % of the steps, and a cosine down to nothing.
    weight_decay
        The decay of every parameter, in the sense of ``optimiser``.
    epochs, batch_size
        An epoch is as many steps of ``batch_size`` rows as all the rows kept by ``frame_stride`` need.
    frame_stride
        Train on every k-th frame of each encode; 1 uses all. Neighbouring frames are nearly copies.
    standardise_target
        Learn the score with the training rows' mean taken off and divided by their deviation.
    censored_loss
        Do not blame a prediction beyond the end of ``output_range`` at which the teacher was clipped.
    range_margin
        How far beyond the training rows a feature is believed, as a share of their range; what lies further
        out is taken for the end of that. Black-and-white film has a chroma PSNR that no film in colour has,
        and an unheld network was 36 VMAF off on it. None holds nothing.
    unknown_share
        The share of training rows whose encoder one-hot is replaced by zeros, which trains "unknown".
    unset_share
        The share of training rows whose whole codec block is replaced by zeros, which trains "not told".
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
    feature_order: Annotated[tuple[str, ...], Field(min_length=1)]
    teacher: str
    output_range: tuple[float, float] = (0.0, 100.0)
    vocabulary: str | None = None
    hidden: Annotated[int, Field(ge=1)] = 64
    depth: Annotated[int, Field(ge=1)] = 2
    activation: Literal["gelu_erf", "silu"] = "gelu_erf"
    dropout: Share = 0.0
    optimiser: Literal["adamw", "adam_coupled_l2"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    schedule: Literal["one_cycle", "constant"] = "one_cycle"
    weight_decay: Annotated[float, Field(ge=0)] = 1e-5
    epochs: Annotated[int, Field(ge=1)] = 60
    batch_size: Annotated[int, Field(ge=1)] = 256
    frame_stride: Annotated[int, Field(ge=1)] = 8
    standardise_target: bool = True
    censored_loss: bool = True
    range_margin: Annotated[float, Field(ge=0)] | None = 0.1
    unknown_share: Share = 0.0
    unset_share: Share = 0.0

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if len(set(self.feature_order)) != len(self.feature_order):
            raise ValueError("feature_order names a column twice")
        if self.output_range[0] >= self.output_range[1]:
            raise ValueError("output_range must run from the lower to the higher score")
        if self.unknown_share + self.unset_share >= 1:
            raise ValueError("unknown_share and unset_share leave no row with its encoder")
        if self.vocabulary is not None:
            if self.vocabulary not in VOCABULARIES:
                raise ValueError(f"vocabulary must be one of {', '.join(VOCABULARIES)}")
            if VOCABULARIES[self.vocabulary].unknown_slot is not None:
                raise ValueError("a new model says unknown by zeros; take a vocabulary without that slot")
        if self.vocabulary is None and (self.unknown_share or self.unset_share):
            raise ValueError("a codec-blind recipe has no codec block to leave out")
        return self

    @property
    def codec_aware(self) -> bool:
        """Whether the network takes the codec block."""
        return self.vocabulary is not None

    def blind(self) -> Recipe:
        """Return the codec-blind twin: the same training without the codec block."""
        return self.model_copy(update={"vocabulary": None, "unknown_share": 0.0, "unset_share": 0.0})


def _derive(base: Recipe, **changes: object) -> Recipe:
    # model_copy would skip the validation.
    return Recipe.model_validate({**base.model_dump(), **changes})


# The teacher is a known function of these six, so small batches and a high peak rate, which follow every bend
# of it, are right: leave-one-source-out RMSE 0.12 instead of 0.55 with the defaults (39 source groups).
_V1 = Recipe(
    name="fr_regressor_v1",
    feature_order=CANONICAL6,
    teacher="vmaf_v0.6.1",
    batch_size=64,
    learning_rate=0.01,
)
_V3 = _derive(_V1, name="fr_regressor_v3", vocabulary="v3", unknown_share=0.1, unset_share=0.05)
# The layout that v2 was documented with, 13 slots; encoders beyond it (SVT-AV1 among them) are its "unknown".
_V2 = _derive(_V3, name="fr_regressor_v2", vocabulary="v2-documented")
_V4 = _derive(_V3, name="fr_regressor_v4", vocabulary="v4")
# Here no function is to be met exactly. Of an encode one thing is measured, SSIM, and one fast encode of a sample of
# the source is the anchor: at that SSIM this source has that VMAF. What SSIM is worth differs between encoders, so the
# codec block has something to say (docs/decisions/0005-what-lite-looks-at.md).
_LITE = _derive(
    _V4,
    name="fr_regressor_lite",
    feature_order=("ssim", "motion2", "activity_scale0", "probe_vmaf", "probe_ssim", "probe_motion2"),
    batch_size=256,
    learning_rate=6e-3,
    weight_decay=0.1,
    frame_stride=4,
    epochs=30,
)
# With PSNR and the source's activity at four scales a clip's interval is narrower still; chroma does harm (a film
# without colour was 44 VMAF off), XPSNR, which weighs by activity itself, adds nothing. A moderate decay keeps so many
# features from the noise of the sources.
_LITE_PSNR = _derive(
    _LITE,
    name="fr_regressor_lite_psnr",
    feature_order=("psnr_y", "ssim", "motion2", *ACTIVITY, "probe_vmaf", "probe_psnr_y", "probe_motion2"),
    weight_decay=0.3,
)
# Once PSNR and activity are known, the codec block adds next to nothing (the gate asks for 0.005 of PLCC), and a
# network that does without it needs to be told nothing of the encode.
_BLIND: dict[str, object] = {"vocabulary": None, "unknown_share": 0.0, "unset_share": 0.0}
_LITE_BLIND = _derive(_LITE_PSNR, name="fr_regressor_lite_blind", **_BLIND)

# The published training of the regressors whose scores are the figures to beat: raw targets, every frame,
# torch's Adam with its coupled L2, no unknown rows. Kept as data, so that old and new differ by a name. It states
# every field of a training, so that no later change to a recipe of ours can reach it.
_PUBLISHED: dict[str, object] = {
    "hidden": 64,
    "depth": 2,
    "activation": "gelu_erf",
    "dropout": 0.1,
    "optimiser": "adam_coupled_l2",
    "learning_rate": 5e-4,
    "schedule": "constant",
    "weight_decay": 1e-5,
    "epochs": 200,
    "batch_size": 32,
    "frame_stride": 1,
    "standardise_target": False,
    "censored_loss": False,
    "range_margin": None,
    "unknown_share": 0.0,
    "unset_share": 0.0,
}
_PUBLISHED_V1: dict[str, object] = {
    **_PUBLISHED,
    "optimiser": "adamw",
    "learning_rate": 1e-3,
    "epochs": 30,
    "batch_size": 256,
}


def _reference(recipe: Recipe, training: Mapping[str, object]) -> Recipe:
    return _derive(recipe, **{**training, "name": f"{recipe.name}_reference"})


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            _V1,
            _V2,
            _V3,
            _V4,
            _LITE,
            _LITE_PSNR,
            _LITE_BLIND,
            _reference(_V1, _PUBLISHED_V1),
            _reference(_V2, _PUBLISHED),
            _reference(_V3, _PUBLISHED),
            _reference(_V4, _PUBLISHED),
            _reference(_LITE, _PUBLISHED),
            _reference(_LITE_PSNR, _PUBLISHED),
            _reference(_LITE_BLIND, _PUBLISHED),
        )
    }
)
"""Every recipe that comes with vmafcast, by name."""


def get_recipe(name: str) -> Recipe:
    """Return the recipe called ``name``.

    Raises
    ------
    RequestError
        No recipe has that name; the message lists those there are.
    """
    try:
        return RECIPES[name]
    except KeyError:
        raise RequestError(f"no recipe is called {name!r}; choose one of {', '.join(RECIPES)}") from None
