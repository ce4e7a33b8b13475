"""Which model answers: a file, the champion of a registry, or one of the champions that come with vmafcast.

Nothing here opens a video or needs what training needs: the command line must be quick for a table of features.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from pydantic import ValidationError

import vmafcast
from vmafcast.common.errors import DataError, RequestError
from vmafcast.models.loading import AnyModel, load_model
from vmafcast.models.manifest import EnsembleManifest
from vmafcast.models.runtime import FrameModel, open_session
from vmafcast.registry.entry import load
from vmafcast.registry.foreign import foreign_model, foreign_models, stated_hashes
from vmafcast.registry.journal import EVENTS_NAME
from vmafcast.registry.store import Registry

DEFAULT_RECIPE = "fr_regressor_v3"
DEFAULT_REGISTRY = Path("registry")
PACKAGED = "packaged"
"""What the registry that comes with vmafcast is called in the output."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The registry that is served from.

    Attributes
    ----------
    registry
        It.
    name
        What to call it: its folder as it was given, or :data:`PACKAGED`.
    notices
        What a person should read, that the packaged champions answer among it.
    """

    registry: Registry
    name: str
    notices: tuple[str, ...]


def packaged_folder() -> Path:
    """Return where the registry that comes with vmafcast lies: a read-only folder of the package."""
    return Path(vmafcast.__file__).parent / "shipped"


def serving_registry(folder: Path | None = None, recipe: str | None = None) -> Serving:
    """Open the registry that models are served from.

    Parameters
    ----------
    folder
        The one that was asked for. None takes ``registry`` in the present folder where there is one, and else the
        champions that come with vmafcast, of which every byte is verified like any other's.
    recipe
        What is to be served. Where ``registry`` was not asked for and has no champion of it (of a foreign registry
        nothing is champion), but vmafcast itself has, that one answers. A registry that was asked for is taken at its
        word.

    Raises
    ------
    RequestError
        There is no registry of ours.
    DataError
        ``registry`` holds a foreign registry that lists no models.
    IntegrityError
        Its history does not hold.
    """
    if folder is None and _is_packaged():
        opened = Registry.open(packaged_folder())
        notice = f"no registry was given and ./{DEFAULT_REGISTRY} is not there: the champions of vmafcast itself answer"
        return Serving(opened, PACKAGED, (notice, *opened.notices))
    may_lack = recipe if folder is None else None
    if may_lack is not None and foreign_models(DEFAULT_REGISTRY) is not None and (beside := _beside(may_lack)):
        return beside
    chosen = folder or DEFAULT_REGISTRY
    _require_registry(chosen)
    opened = Registry.open(chosen)
    if may_lack is not None and not opened.serves(may_lack) and (beside := _beside(may_lack, opened.notices)):
        return beside
    return Serving(opened, str(chosen), opened.notices)


def _require_registry(folder: Path) -> None:
    """Refuse a folder that is no registry of ours, and say where the champions of vmafcast itself are to be seen."""
    if (folder / EVENTS_NAME).is_file():
        return
    ours = f"; `vmafcast registry list --registry {quote(str(packaged_folder()))}` shows what comes with vmafcast"
    raise RequestError(
        f"{folder.absolute()} is no registry: it holds no {EVENTS_NAME}; name another with --registry"
        f"{ours if _has_packaged() else ''}"
    )


def _beside(recipe: str, notices: tuple[str, ...] = ()) -> Serving | None:
    """Return the packaged champions where they answer for what ``registry`` lacks; ``notices`` are the latter's."""
    if not _has_packaged():
        return None
    packaged = Registry.open(packaged_folder())
    if not packaged.serves(recipe):
        return None
    notice = f"./{DEFAULT_REGISTRY} has no champion of {recipe}: that of vmafcast itself answers"
    return Serving(packaged, PACKAGED, (notice, *notices, *packaged.notices))


def own_registry(registry: Registry) -> Path:
    """Return where a model would have to go to be served beside those of ``registry``.

    Nothing goes into the registry that comes with vmafcast: in its place it is the one that is asked before it.
    """
    return DEFAULT_REGISTRY if registry.folder == packaged_folder() else registry.folder


def verified_folder(folder: Path | None = None) -> Path:
    """Return the folder that :func:`serving_registry` would open, without opening it: it may not hold."""
    if folder is None and _is_packaged():
        return packaged_folder()
    return folder or DEFAULT_REGISTRY


def _is_packaged() -> bool:
    return not DEFAULT_REGISTRY.exists() and _has_packaged()


def _has_packaged() -> bool:
    return (packaged_folder() / EVENTS_NAME).is_file()


def load_champion(registry: Registry, recipe: str) -> tuple[str, FrameModel]:
    """Return the id and the model that is served for ``recipe``, every byte of it verified.

    Raises
    ------
    RequestError
        No champion is served for it.
    IntegrityError
        A file of it differs from what was recorded.
    DataError
        Its sidecar cannot be read by this version.
    """
    loaded = load(registry.champion(recipe))
    if loaded.entry.row.kind == "fr_ensemble":
        try:
            sidecar = EnsembleManifest.model_validate_json(loaded.sidecar)
        except ValidationError as error:
            message = error.errors()[0]["msg"]
            raise DataError(f"{loaded.entry.sidecar_path} is not a valid manifest: {message}") from error
        return loaded.entry.id, FrameModel(open_session(loaded.onnx, loaded.entry.id), sidecar)
    return loaded.entry.id, FrameModel(open_session(loaded.onnx, loaded.entry.id), loaded.sidecar_document())


def load_served(folder: Path | None, recipe: str) -> tuple[str, AnyModel, Serving | None]:
    """Return the name of the model that answers for ``recipe``, the model, and the registry of ours that it is from.

    Parameters
    ----------
    folder
        See :func:`serving_registry`. It may also hold a foreign registry, which serves its models by their ids; the
        packaged champions answer for what it does not list, where it was not asked for.
    recipe
        A recipe of ours; of a foreign registry the id of a model.

    Raises
    ------
    RequestError, IntegrityError, DataError
        See :func:`serving_registry`, :func:`load_champion` and :func:`load_file`.
    """
    chosen = folder or DEFAULT_REGISTRY
    listed = foreign_models(chosen)
    if listed is not None and (folder is not None or recipe in listed or _beside(recipe) is None):
        return recipe, load_file(foreign_model(chosen, recipe)), None
    serving = serving_registry(folder, recipe)
    return *load_champion(serving.registry, recipe), serving


def load_file(path: Path) -> AnyModel:
    """Return the model at ``path``; hashes that a ``registry.json`` beside it states are held against the files too.

    Raises
    ------
    RequestError, IntegrityError, DataError
        See :func:`vmafcast.models.loading.load_model`.
    """
    return load_model(path, hashes=stated_hashes(path.parent))
