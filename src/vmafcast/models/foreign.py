"""Serving a model that others trained: its own scaler, names, vocabulary and normalisers, every byte of it verified."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from vmafcast.common.errors import DataError, IntegrityError, RequestError
from vmafcast.common.files import sha256_bytes
from vmafcast.encoders.codec_block import codec_block
from vmafcast.encoders.vocabulary import UNKNOWN
from vmafcast.models.design import SETTINGS, select_features, spread
from vmafcast.models.external_data import external_locations, is_sibling
from vmafcast.models.foreign_sidecar import (
    CodecInput,
    ForeignSidecar,
    codec_input,
    normalisers_of,
    plain_features,
    read_foreign_sidecar,
)
from vmafcast.models.normalisers import Normalisers
from vmafcast.models.runtime import Prediction, file_session, open_session, run_in_batches
from vmafcast.models.sidecar import sidecar_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnxruntime
    from numpy.typing import ArrayLike, NDArray

ASSUMED_TEACHER = "vmaf_v0.6.1"
_UNTOLD_SETTING = 0.5
_LOWEST, _HIGHEST = 0.0, 100.0


@dataclass(frozen=True, slots=True)
class _Network:
    """A running graph and the names of what it takes and gives."""

    session: onnxruntime.InferenceSession
    features: str
    codec: str | None
    codec_width: int
    output: str


class ForeignModel:
    """A foreign model, or a foreign ensemble of them, that is ready to predict. Made by :meth:`load`.

    It takes the scaler of its sidecar, outside of the graph, and matches encoders by the names of its own vocabulary.
    What its sidecar does not say is assumed, and every prediction names the assumption in its warnings.

    Attributes
    ----------
    id
        The sidecar's, else the file's name.
    feature_order
        What it takes, under the names that we measure it by.
    codec_aware
        Whether it takes the encoder and its settings.
    teacher
        Whose scores it predicts.
    """

    def __init__(self, networks: Sequence[_Network], sidecar: ForeignSidecar, shown_as: str) -> None:
        self.id = sidecar.id or Path(shown_as).stem
        self.feature_order = plain_features(sidecar)
        self.teacher = sidecar.teacher or ASSUMED_TEACHER
        self._networks = tuple(networks)
        first = networks[0]
        self.codec_aware = first.codec is not None
        self._codec: CodecInput | None = None
        self._normalisers = Normalisers()
        notes: list[str] = []
        if sidecar.smoke:
            notes.append(f"{self.id} is a smoke model, made to try the machinery only; its scores mean nothing")
        if sidecar.teacher is None:
            notes.append(f"{self.id} does not name its teacher; {ASSUMED_TEACHER} is assumed")
        if self.codec_aware:
            self._codec, assumed = codec_input(sidecar, first.codec_width, self.id)
            self._normalisers = normalisers_of(sidecar, self._codec, self.id)
            notes += [*assumed, *self._normalisers.assumptions]
        width = len(self.feature_order)
        if sidecar.feature_mean is None or sidecar.feature_std is None:
            notes.append(f"{self.id} states no scaler; raw features are taken for what its graph wants")
            self._mean, self._std = np.zeros(width, np.float32), np.ones(width, np.float32)
        else:
            self._mean = np.asarray(sidecar.feature_mean, dtype=np.float32)
            self._std = np.asarray(sidecar.feature_std, dtype=np.float32)
        self.assumptions = tuple(notes)

    @classmethod
    def load(cls, path: Path, *, hashes: Mapping[str, str] | None = None, threads: int = 1) -> Self:
        """Load a foreign model by its ONNX file, or an ensemble by its manifest.

        Parameters
        ----------
        path
            ``<model>.onnx`` with its sidecar ``<model>.json`` beside it, or the ``.json`` itself.
        hashes
            SHA-256 of files beside the model, by name, that another document states: a foreign registry, say.
        threads
            How many threads one prediction may use.

        Raises
        ------
        RequestError
            A file cannot be read.
        IntegrityError
            A file differs from its hash, or no hash covers it: the model file, or weights in another file.
        DataError
            The sidecar is none, the graph cannot be run, or the two disagree.
        """
        place = path if path.suffix == ".json" else sidecar_path(path)
        sidecar = read_foreign_sidecar(place)
        stated = {Path(file.path).name: file.sha256.lower() for file in sidecar.external_data}
        stated |= {name: sha256.lower() for name, sha256 in (hashes or {}).items()}
        if path.suffix != ".json":
            names: list[tuple[str, str | None]] = [(path.name, sidecar.sha256)]
        elif sidecar.members:
            names = [(member.onnx, member.sha256) for member in sidecar.members]
        elif sidecar.onnx is not None:
            names = [(sidecar.onnx, sidecar.sha256)]
        else:
            raise DataError(f"{place} names neither a model file nor members; give the .onnx file itself")
        networks = []
        for name, sha256 in names:
            # What a sidecar and a registry say of one file must agree: neither is there to be outvoted.
            also = stated.get(name, sha256)
            if sha256 is not None and also is not None and also.lower() != sha256.lower():
                raise IntegrityError(f"{place.with_name(name)}: the sidecar states {sha256}, and the registry {also}")
            session = _session(place.parent, name, also, stated, threads)
            networks.append(_network(session, sidecar, place.with_name(name)))
        if len({(each.codec, each.codec_width) for each in networks}) > 1:
            raise DataError(f"the members of {place} do not take the same inputs")
        return cls(networks, sidecar, path.name)

    @property
    def untold(self) -> tuple[float, float]:
        """The settings of a row of which nothing is said but that its encoder is ``unknown``."""
        preset = self._normalisers.preset
        return preset.low if preset.kind == "constant" else _UNTOLD_SETTING, _UNTOLD_SETTING

    def norms(self, encoder: str, preset: str | None, quality: float) -> tuple[float, float]:
        """Return the settings as the model takes them; see :meth:`Normalisers.norms`."""
        return self._normalisers.norms(encoder, preset, quality)

    def predict(
        self,
        features: ArrayLike,
        encoders: Sequence[str] | NDArray[np.str_] | None = None,
        preset_norm: ArrayLike | None = None,
        crf_norm: ArrayLike | None = None,
        *,
        feature_names: Sequence[str] | None = None,
    ) -> Prediction:
        """Predict the teacher's score of N frames; parameters and errors as those of ``FrameModel.predict``.

        Settings are those of :meth:`norms`. Scores are given as the model says them, and a warning says where they lie
        outside of 0 to 100.
        """
        names = self.feature_order if feature_names is None else feature_names
        chosen = select_features(self.feature_order, names, features)
        scaled = (chosen - self._mean) / self._std
        outside = np.zeros(len(chosen), dtype=np.bool_)
        warnings = list(self.assumptions)
        block = None
        if self._codec is not None:
            block = self._block(self._codec, len(chosen), encoders, preset_norm, crf_norm, warnings, outside)
        members = np.stack([_run(network, scaled, block) for network in self._networks], axis=1)
        scores = members.mean(axis=1, dtype=np.float64).astype(np.float32)
        beyond = ~((scores >= _LOWEST) & (scores <= _HIGHEST))
        if count := int(beyond.sum()):
            warnings.append(f"{self.id} gives {count} of {len(scores)} rows a score outside of 0 to 100")
            outside |= beyond
        return Prediction(scores, tuple(warnings), outside, members if len(self._networks) > 1 else None)

    def _block(
        self,
        codec: CodecInput,
        rows: int,
        encoders: Sequence[str] | NDArray[np.str_] | None,
        preset_norm: ArrayLike | None,
        crf_norm: ArrayLike | None,
        warnings: list[str],
        outside: NDArray[np.bool_],
    ) -> NDArray[np.float32]:
        """Return the codec input of every row in the model's own order of columns."""
        if encoders is None:
            encoders, (preset_norm, crf_norm) = [UNKNOWN] * rows, self.untold
            values = zip(SETTINGS, self.untold, strict=True)
            assumed = "".join(f", {name} for {value:g}" for name, value in values if name in codec.columns)
            warnings.append(f"{self.id} was not told the encode: the encoder is taken for unknown{assumed}")
        if preset_norm is None or crf_norm is None:
            raise RequestError(f"{self.id} takes preset_norm and crf_norm with the encoder; give both")
        if len(encoders) != rows:
            raise RequestError(f"{len(encoders)} encoder names were given for {rows} rows; give one for each")
        unknown, where = codec.vocabulary.unheld(encoders, codec.trained)
        outside |= where
        warnings += [f"{self.id} {why} the encoder {name}; it is scored as an unknown encoder" for name, why in unknown]
        full = codec_block(codec.vocabulary, encoders, spread(preset_norm, rows), spread(crf_norm, rows), codec.trained)
        order = (*codec.vocabulary.slots, *SETTINGS)
        return np.ascontiguousarray(full[:, [order.index(column) for column in codec.columns]])


def _session(
    folder: Path, name: str, sha256: str | None, stated: Mapping[str, str], threads: int
) -> onnxruntime.InferenceSession:
    """Return a running graph over verified bytes, its external data included."""
    if not is_sibling(name):
        raise DataError(f"the sidecar in {folder} names the model file {name!r}, which leaves the folder")
    data = _verified(folder / name, sha256)
    locations = external_locations(data)
    if not locations:
        return open_session(data, str(folder / name), threads=threads)
    files = {name: data}
    for location in locations:
        if not is_sibling(location):
            raise DataError(f"{folder / name} reads weights from {location!r}, outside of its folder; it is not served")
        files[location] = _verified(folder / location, stated.get(location))
    # The runtime follows external data by file, so what was hashed is what it gets to read: a private copy.
    with tempfile.TemporaryDirectory(prefix="vmafcast-model-") as private:
        for each, content in files.items():
            (Path(private) / each).write_bytes(content)
        return file_session(Path(private) / name, str(folder / name), threads=threads)


def _verified(path: Path, sha256: str | None) -> bytes:
    if sha256 is None:
        raise IntegrityError(
            f"no hash covers {path}; state its SHA-256 in the sidecar (sha256 of the model, external_data of files "
            "beside it) or in the registry"
        )
    if path.is_symlink():
        raise IntegrityError(f"{path} is a link, which may leave the folder; put the file itself there")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}") from error
    if (actual := sha256_bytes(data)) != sha256.lower():
        raise IntegrityError(f"{path} has the SHA-256 {actual}, and {sha256.lower()} is stated; restore it from a copy")
    return data


def _network(session: onnxruntime.InferenceSession, sidecar: ForeignSidecar, path: Path) -> _Network:
    """Match the graph with what the sidecar says of it."""
    inputs = {each.name: each.shape for each in session.get_inputs()}
    outputs = [each.name for each in session.get_outputs()]
    names = sidecar.input_names or tuple(inputs)
    if set(names) != set(inputs) or len(names) not in (1, 2):
        raise DataError(f"{path} has the inputs {tuple(inputs)}, which is not what its sidecar says: {names}")
    if sidecar.output_names and sidecar.output_names[0] not in outputs:
        raise DataError(f"{path} has the outputs {tuple(outputs)}, which is not what its sidecar says")
    output = sidecar.output_names[0] if sidecar.output_names else outputs[0]
    width = inputs[names[0]][-1]
    if isinstance(width, int) and width != len(sidecar.feature_order):
        raise DataError(
            f"{path} takes {width} features, and its sidecar names {len(sidecar.feature_order)}; they do not fit"
        )
    if len(names) == 1:
        return _Network(session, names[0], None, 0, output)
    codec_width = inputs[names[1]][-1]
    if not isinstance(codec_width, int):
        raise DataError(f"{path} does not say how wide its input {names[1]} is; export it with a fixed width")
    return _Network(session, names[0], names[1], codec_width, output)


def _run(network: _Network, scaled: NDArray[np.float32], block: NDArray[np.float32] | None) -> NDArray[np.float32]:
    feed = {network.features: scaled}
    if network.codec is not None and block is not None:
        feed[network.codec] = block
    [scores] = run_in_batches(network.session, (network.output,), feed)
    if scores.size != len(scaled):
        raise DataError(f"the model gives {scores.shape} for {len(scaled)} rows; it takes one score for each")
    return scores.reshape(len(scaled))
