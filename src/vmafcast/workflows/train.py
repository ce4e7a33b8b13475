"""Training a recipe on a corpus: leave-one-source-out, a network on everything, and a candidate folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from vmafcast.common.documents import write_document
from vmafcast.common.errors import RequestError
from vmafcast.common.files import atomic_path
from vmafcast.common.progress import Progress
from vmafcast.common.provenance import FileFact, RunRecord
from vmafcast.corpus.store import CorpusStore
from vmafcast.evaluation.loso import LosoResult, evaluate_loso
from vmafcast.evaluation.loso_report import CorpusFacts, LosoReport
from vmafcast.models.export import describe_export, export_onnx, round_trip
from vmafcast.models.recipe import Recipe
from vmafcast.models.rows import Rows
from vmafcast.models.sidecar import TrainingFacts, write_sidecar
from vmafcast.models.training import rows_design
from vmafcast.workflows.pictures import HELD_OUT, draw_predictions
from vmafcast.workflows.rows import CorpusRows, labelled_rows
from vmafcast.workflows.whole_folder import whole_folder

MODEL_NAME = "model.onnx"
SIDECAR_NAME = "model.json"
_ROUND_TRIP_ROWS = 4096


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What is to be trained.

    Attributes
    ----------
    recipe
        How.
    corpus
        On what.
    output
        The candidate folder: the model, its sidecar, the LOSO reports, and the held-out predictions below it. An
        earlier candidate there is replaced as a whole, and only when the new one is finished.
    seeds
        Each is evaluated; the model that is exported is that of the first.
    licence
        Of the data, for the sidecar.
    smoke
        Marks a model that only tries the machinery; it can never be champion.
    """

    recipe: Recipe
    corpus: Path
    output: Path
    seeds: tuple[int, ...] = (0,)
    licence: str = ""
    smoke: bool = False


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training left behind, and what leave-one-source-out said of it.

    Attributes
    ----------
    folder
        The candidate.
    reports
        One for each seed.
    round_trip_error
        The largest difference between the exported model and the network on real rows, in VMAF.
    """

    folder: Path
    reports: tuple[LosoReport, ...]
    round_trip_error: float


def train(request: TrainRequest, progress: Progress | None = None) -> Trained:
    """Evaluate and train a recipe in one program, and write the candidate folder as a whole.

    Raises
    ------
    RequestError
        What is at the output is no candidate, or is what the corpus lies in.
    DataError
        The corpus cannot be learnt from, or the exported model does not say what the network says.
    OutputError
        The folder cannot be written.
    """
    if request.corpus.resolve().is_relative_to(request.output.resolve()):
        raise RequestError(
            f"the corpus {request.corpus} lies in {request.output}, which would be replaced; choose another place"
        )
    store = CorpusStore(request.corpus)
    labelled = labelled_rows(store, request.recipe)
    rows = labelled.rows
    with whole_folder(request.output, known_by=SIDECAR_NAME) as folder:
        record = RunRecord("vmafcast train", {"recipe": request.recipe.name, "seeds": list(request.seeds)})
        record.read(store.files())
        result = evaluate_loso(request.recipe, rows, request.seeds, final_seeds=request.seeds[:1], progress=progress)
        facts = CorpusFacts(
            path=str(request.corpus),
            sha256=store.sha256(),
            rows=len(rows),
            source_groups=len(set(rows.groups.tolist())),
        )
        error = _write_model(request, result, rows, facts, folder)
        written = FileFact.of(folder / MODEL_NAME, shown_as=str(request.output / MODEL_NAME))
        provenance = record.finish().model_copy(update={"outputs": [written]})
        reports = tuple(result.report(seed, facts, provenance) for seed in request.seeds)
        for report in reports:
            write_document(folder / f"loso_seed{report.seed}.json", report)
        _write_held_out(labelled, result, folder / HELD_OUT)
        draw_predictions(folder, reports[0], folder / HELD_OUT.with_name("predicted_against_measured.svg"))
    return Trained(request.output, reports, error)


def _write_model(request: TrainRequest, result: LosoResult, rows: Rows, corpus: CorpusFacts, folder: Path) -> float:
    assert result.final is not None
    path = folder / MODEL_NAME
    digest = export_onnx(result.final, 0, path)
    design = rows_design(request.recipe, rows)
    picked = np.linspace(0, len(rows) - 1, min(_ROUND_TRIP_ROWS, len(rows))).astype(np.intp)
    block = design.block[picked] if request.recipe.codec_aware else None
    error = round_trip(path, result.final, 0, design.features[picked], block)
    names = tuple(sorted(set(rows.groups.tolist())))
    training = TrainingFacts(
        recipe=request.recipe,
        dataset=request.corpus.resolve().name,
        corpus_sha256=corpus.sha256,
        rows=result.final.rows_learnt[0],
        source_groups=len(names),
        source_group_names=names,
        seed=request.seeds[0],
        loso=result.summary(),
    )
    sidecar = describe_export(result.final, 0, path, digest, training, smoke=request.smoke, licence=request.licence)
    write_sidecar(folder / SIDECAR_NAME, sidecar)
    return error


def _write_held_out(labelled: CorpusRows, result: LosoResult, path: Path) -> None:
    """Write what each row was predicted to be by networks that never saw its source group."""
    rows = labelled.rows
    table = labelled.labels.select("source", "source_group").with_columns(
        pl.Series("encoder", rows.encoders.tolist()),
        labelled.labels["preset"],
        labelled.labels["quality"],
        pl.Series("preset_norm", rows.preset_norm),
        pl.Series("crf_norm", rows.crf_norm),
        labelled.labels["cell"],
        labelled.labels["frame_index"],
        pl.Series("vmaf", rows.target),
        *(pl.Series(f"seed{seed}", result.predictions[number]) for number, seed in enumerate(result.seeds)),
    )
    with atomic_path(path) as temporary:
        table.write_parquet(temporary, compression="zstd")
