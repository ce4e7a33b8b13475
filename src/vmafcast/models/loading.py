"""Loading a model from a file, whoever trained it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from vmafcast.common.documents import read_document
from vmafcast.common.errors import DataError, RequestError
from vmafcast.models.foreign import ForeignModel
from vmafcast.models.manifest_check import read_ensemble
from vmafcast.models.runtime import FrameModel, open_session
from vmafcast.models.sidecar import Sidecar, sidecar_path

AnyModel = FrameModel | ForeignModel


def load_model(path: Path, *, hashes: Mapping[str, str] | None = None, threads: int = 1) -> AnyModel:
    """Load the model at ``path``: one of ours, or one of the same shape that others trained.

    Ours is known by what only our sidecars state, the ranges that it was trained on; it is then read strictly.

    Parameters
    ----------
    path
        ``<model>.onnx`` with its sidecar ``<model>.json`` beside it, or for a foreign model also the ``.json``.
    hashes
        SHA-256 of files beside the model, by name, that another document states. Foreign models only.
    threads
        How many threads one prediction may use.

    Raises
    ------
    RequestError, IntegrityError, DataError
        See :meth:`FrameModel.load` and :meth:`ForeignModel.load`.
    """
    place = sidecar_path(path)
    try:
        found = json.loads(place.read_bytes())
    except OSError as error:
        raise RequestError(
            f"cannot read {place}: {error.strerror}; a model needs its sidecar beside it, under its own name with .json"
        ) from error
    except ValueError as error:
        raise DataError(f"{place} is no JSON: {error}") from error
    if not (isinstance(found, dict) and "schema_version" in found and "feature_min" in found):
        return ForeignModel.load(path, hashes=hashes, threads=threads)
    if found.get("kind") == "fr_ensemble":
        manifest, graph = read_ensemble(place)
        return FrameModel(open_session(graph, manifest.onnx, threads=threads), manifest)
    sidecar = read_document(place, Sidecar)
    return FrameModel.load(place.with_name(sidecar.onnx), sidecar, threads=threads)
