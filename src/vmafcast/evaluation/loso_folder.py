"""Reading a folder of ``loso_seed*.json``, whoever wrote them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from vmafcast.common.documents import ForeignDocument, read_document
from vmafcast.common.errors import DataError, RequestError

_PATTERN = "loso_seed*.json"

_Correlation = Annotated[float, Field(ge=-1.0 - 1e-9, le=1.0 + 1e-9)]


class LosoFigures(ForeignDocument):
    """The least that a gate needs of a leave-one-source-out report; whatever else the file holds is kept.

    Parameters
    ----------
    seed
        The seed of the training.
    mean_plcc
        Mean Pearson correlation over the held-out sources, in [-1, 1]; null where a source has none.
    blind_mean_plcc
        The same of the codec-blind recipe on the same folds, null where it was not trained.
    """

    seed: Annotated[int, Field(ge=0)]
    mean_plcc: _Correlation | None
    blind_mean_plcc: _Correlation | None = None


@dataclass(frozen=True)
class BadFile:
    """A file that cannot be used: its name, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class LosoFolder:
    """What a folder of leave-one-source-out reports holds.

    Parameters
    ----------
    folder
        The folder.
    figures
        What could be read, by the file's name, in the order of the seeds.
    bad
        What could not, in the order of the names.
    """

    folder: Path
    figures: dict[str, LosoFigures]
    bad: tuple[BadFile, ...]

    @property
    def per_seed(self) -> dict[int, float | None]:
        """Mean PLCC by seed."""
        return {figures.seed: figures.mean_plcc for figures in self.figures.values()}

    def require_clean(self) -> LosoFolder:
        """Return this folder if every file in it could be used.

        A gate over the rest would pass over a seed that may be the one that fails.

        Raises
        ------
        DataError
            There are bad files; the message names each.
        """
        if self.bad:
            named = "; ".join(f"{file.name}: {file.reason}" for file in self.bad)
            raise DataError(f"{self.folder} holds reports that cannot be used ({named}); repair or remove them")
        return self


def read_loso_folder(folder: Path) -> LosoFolder:
    """Read every ``loso_seed*.json`` directly in ``folder``.

    Parameters
    ----------
    folder
        Where to look; folders below it are not looked into.

    Returns
    -------
    LosoFolder
        The reports, and the names of those that are unreadable, malformed or give a seed a second time.

    Raises
    ------
    RequestError
        There is no such folder, or no such file in it.
    """
    if not folder.is_dir():
        raise RequestError(f"{folder} is no folder; give the folder that holds the {_PATTERN} reports")
    paths = sorted(folder.glob(_PATTERN))
    if not paths:
        raise RequestError(f"{folder} holds no {_PATTERN}; run the leave-one-source-out evaluation first")
    read: dict[str, LosoFigures] = {}
    bad = []
    for path in paths:
        try:
            # Reading is the same for a ForeignDocument; only the bound of the type variable is narrower.
            read[path.name] = read_document(path, LosoFigures)  # type: ignore[type-var]
        except DataError as error:
            bad.append(BadFile(path.name, str(error)))
    names_by_seed: dict[int, list[str]] = {}
    for name, figures in read.items():
        names_by_seed.setdefault(figures.seed, []).append(name)
    for seed, names in names_by_seed.items():
        if len(names) > 1:
            # Neither can be preferred, so none counts: choosing one would choose the verdict.
            bad.extend(BadFile(name, f"seed {seed} is given by {' and '.join(names)}") for name in names)
    unusable = {file.name for file in bad}
    good = sorted(
        (item for item in read.items() if item[0] not in unusable),
        key=lambda item: item[1].seed,
    )
    return LosoFolder(folder=folder, figures=dict(good), bad=tuple(sorted(bad, key=lambda file: file.name)))
