"""Serving a frame regressor: an ONNX file and its sidecar, and nothing of what trained it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import onnxruntime

from vmafcast.common.errors import DataError, IntegrityError, RequestError
from vmafcast.common.files import sha256_bytes
from vmafcast.encoders.vocabulary import Vocabulary
from vmafcast.models.design import SETTINGS, CodecFacts, build_design
from vmafcast.models.normalisers import Normalisers
from vmafcast.models.sidecar import read_sidecar, sidecar_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from vmafcast.models.sidecar import Sidecar

_ROUNDING = 1e-6
"""How far beyond the training range, as a share of it, is still rounding and no extrapolation."""

BATCH_ROWS = 2048
"""How many rows go through a graph at once: what 64 hidden units take of them stays in a core's cache. Measured by
``python -m benchmarks.prediction``."""

_ONLY_FATAL = 4
"""onnxruntime's log level: what goes wrong is raised, and need not be printed as well."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says.

    Attributes
    ----------
    vmaf
        float32 [N], within the teacher's range.
    warnings
        What the reader of the scores should know, each said once for all rows.
    outside
        bool [N]: which rows lie outside what the model learnt from: a value beyond its training range, or an encoder
        that it was not trained with.
    members
        float32 [N, M]: of an ensemble what each member says, in the order of its manifest; None of a single model.
    """

    vmaf: NDArray[np.float32]
    warnings: tuple[str, ...]
    outside: NDArray[np.bool_]
    members: NDArray[np.float32] | None = None


class FrameModel:
    """A frame regressor that is ready to predict. Made by :meth:`load`.

    Parameters
    ----------
    session
        The running graph.
    sidecar
        What the graph is.
    """

    def __init__(self, session: onnxruntime.InferenceSession, sidecar: Sidecar) -> None:
        self._session = session
        self.sidecar = sidecar
        version = sidecar.encoder_vocab_version or 0
        self._vocabulary = Vocabulary(f"v{version}", version, sidecar.encoder_vocab) if sidecar.codec_aware else None

    @property
    def id(self) -> str:
        """The identity that its sidecar gives it."""
        return self.sidecar.id

    @property
    def feature_order(self) -> tuple[str, ...]:
        """The features that it takes, in its order."""
        return self.sidecar.feature_order

    @property
    def codec_aware(self) -> bool:
        """Whether it takes the encoder and its settings."""
        return self.sidecar.codec_aware

    @property
    def teacher(self) -> str:
        """Whose scores it predicts."""
        return self.sidecar.teacher

    @property
    def untold(self) -> tuple[float, float]:
        """The settings of a row of which nothing is said; with the encoder ``unknown``, a codec block of zeros."""
        return 0.0, 0.0

    def norms(self, encoder: str, preset: str | None, quality: float) -> tuple[float, float]:
        """Return ``preset_norm`` and ``crf_norm`` of an encode: its places on the encoder's own scales.

        Raises
        ------
        RequestError
            No such encoder, preset or quality.
        """
        return Normalisers().norms(encoder, preset, quality)

    @classmethod
    def load(cls, onnx_path: Path, sidecar: Sidecar | None = None, *, threads: int = 1) -> Self:
        """Load the model at ``onnx_path``.

        Parameters
        ----------
        sidecar
            What is known of it; None reads ``<model>.json`` beside it.
        threads
            How many threads one prediction may use.

        Raises
        ------
        RequestError
            The model file cannot be read.
        IntegrityError
            Its bytes are not those that the sidecar was written for.
        DataError
            The sidecar is not one, the model cannot be run, or the two disagree.
        """
        known = read_sidecar(sidecar_path(onnx_path)) if sidecar is None else sidecar
        try:
            data = onnx_path.read_bytes()
        except OSError as error:
            raise RequestError(f"cannot read the model {onnx_path}: {error.strerror}") from error
        found = sha256_bytes(data)
        if found != known.sha256:
            raise IntegrityError(
                f"{onnx_path} has the SHA-256 {found}, and its sidecar was written for {known.sha256}; "
                "restore the file from the registry, or export it again"
            )
        # The bytes that were hashed are the bytes that run: the file is not opened a second time.
        session = open_session(data, str(onnx_path), threads=threads)
        names = (
            tuple(each.name for each in session.get_inputs()),
            tuple(each.name for each in session.get_outputs()),
        )
        if names != (known.input_names, known.output_names):
            raise DataError(
                f"{onnx_path} has the inputs {names[0]} and outputs {names[1]}, which is not what its sidecar says"
            )
        return cls(session, known)

    def predict(
        self,
        features: ArrayLike,
        encoders: Sequence[str] | NDArray[np.str_] | None = None,
        preset_norm: ArrayLike | None = None,
        crf_norm: ArrayLike | None = None,
        *,
        feature_names: Sequence[str] | None = None,
    ) -> Prediction:
        """Predict the teacher's score of N frames.

        Parameters
        ----------
        features
            [N, F], finite; N may be 0.
        encoders
            N encoder names, or None when the encoder is not known: the model then goes by the features
            alone, for which it was trained too. A codec-blind model does not look at them.
        preset_norm, crf_norm
            The settings in [0, 1]: N values or one for all. Required with ``encoders``.
        feature_names
            The columns of ``features``; None when they are the model's own, in its order.

        Raises
        ------
        DataError
            A column is missing, the width is wrong or a value is not finite.
        RequestError
            A setting is missing or lies outside [0, 1].
        """
        side = self.sidecar
        codec = None
        if encoders is not None and self._vocabulary is not None:
            if preset_norm is None or crf_norm is None:
                raise RequestError(f"{side.id} takes preset_norm and crf_norm with the encoder; give both")
            codec = CodecFacts(encoders, preset_norm, crf_norm)
        design = build_design(
            side.feature_order,
            side.feature_order if feature_names is None else feature_names,
            features,
            self._vocabulary,
            codec,
            side.trained_slots,
        )
        feed = {side.input_names[0]: design.features}
        outside = np.zeros(len(design.features), dtype=np.bool_)
        warnings = self._unknown_encoders(codec, outside)
        if side.codec_aware:
            feed[side.input_names[1]] = design.block
        settings = design.block[:, -len(SETTINGS) :] if codec is not None else None
        warnings += self._extrapolates(design.features, settings, outside)
        scores, *others = run_in_batches(self._session, side.output_names, feed)
        return Prediction(scores, tuple(warnings), outside, others[0] if others else None)

    def _unknown_encoders(self, codec: CodecFacts | None, outside: NDArray[np.bool_]) -> list[str]:
        """Return what to say of encoders that the model was not trained with, and add their rows to ``outside``."""
        if codec is None or self._vocabulary is None:
            return []
        unknown, where = self._vocabulary.unheld(codec.encoders, self.sidecar.trained_slots)
        outside |= where
        return [f"{self.id} {why} the encoder {name}; it is scored as an unknown encoder" for name, why in unknown]

    def _extrapolates(
        self, features: NDArray[np.float32], settings: NDArray[np.float32] | None, outside: NDArray[np.bool_]
    ) -> list[str]:
        """Return what to say of values beyond the training range, and add their rows to ``outside``."""
        side = self.sidecar
        checked = [
            (name, features[:, column], side.feature_min[column], side.feature_max[column])
            for column, name in enumerate(side.feature_order)
        ]
        if settings is not None:
            ranges = (side.preset_norm_range, side.crf_norm_range)
            checked += [
                (name, settings[:, column], *limits)
                for column, (name, limits) in enumerate(zip(SETTINGS, ranges, strict=True))
                if limits is not None
            ]
        beyond = []
        for name, values, low, high in checked:
            slack = _ROUNDING * max(high - low, abs(high), abs(low))
            # Both ends are quick to find, and mostly all that has to be looked at.
            if not len(values) or (values.min() >= low - slack and values.max() <= high + slack):
                continue
            wrong = (values < low - slack) | (values > high + slack)
            outside |= wrong
            if count := int(wrong.sum()):
                beyond.append(f"{name} ({count} of {len(values)} rows, trained on {low:.4g} to {high:.4g})")
        if not beyond:
            return []
        return [f"{side.id} was not trained on such values and extrapolates: {', '.join(beyond)}"]


def run_in_batches(
    session: onnxruntime.InferenceSession, outputs: Sequence[str], feed: Mapping[str, NDArray[np.float32]]
) -> list[NDArray[np.float32]]:
    """Return the outputs of a graph for N rows, which go through it in batches that stay in the cache.

    Parameters
    ----------
    outputs
        Their names; each has one row for each row of the inputs.
    feed
        The inputs by name, N rows each.
    """
    rows = len(next(iter(feed.values())))
    parts: list[list[NDArray[np.float32]]] = [
        session.run(outputs, {name: values[begin : begin + BATCH_ROWS] for name, values in feed.items()})
        for begin in range(0, max(rows, 1), BATCH_ROWS)
    ]
    if len(parts) == 1:
        return [np.asarray(each, dtype=np.float32) for each in parts[0]]
    return [np.concatenate(each).astype(np.float32, copy=False) for each in zip(*parts, strict=True)]


def open_session(data: bytes, shown_as: str, *, threads: int = 1) -> onnxruntime.InferenceSession:
    """Return a session over the bytes of a model.

    From bytes, onnxruntime has no folder to look for further files in, so weights outside the file are
    refused rather than followed.

    Parameters
    ----------
    shown_as
        What to call the model in an error.

    Raises
    ------
    DataError
        The bytes are no model that can be run as a single file.
    """
    return _session(data, f"{shown_as} cannot be run as a single ONNX file", threads)


def file_session(path: Path, shown_as: str, *, threads: int = 1) -> onnxruntime.InferenceSession:
    """Return a session over the model at ``path``, whose weights may lie in files beside it.

    The caller has verified all of these files and keeps others from changing them meanwhile.

    Raises
    ------
    DataError
        They are no model that can be run.
    """
    return _session(str(path), f"{shown_as} cannot be run with the weights beside it", threads)


def _session(model: bytes | str, complaint: str, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ONLY_FATAL
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no base but this one
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{complaint} ({reason}); export it again") from error
