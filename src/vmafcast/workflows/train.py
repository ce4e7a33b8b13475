"""Training a recipe on a corpus: leave-one-source-out, a network on everything, and a candidate folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vmafcast.common.documents import write_document
from vmafcast.common.progress import Progress
from vmafcast.common.provenance import FileFact, RunRecord
from vmafcast.corpus.store import CorpusStore
from vmafcast.evaluation.loso import LosoResult, evaluate_loso
from vmafcast.evaluation.loso_report import CorpusFacts, LosoReport
from vmafcast.models.export import describe_export, export_onnx, round_trip
from vmafcast.models.recipe import Recipe
from vmafcast.models.rows import Rows
from vmafcast.models.sidecar import write_sidecar
from vmafcast.workflows.held_out import HELD_OUT, held_out_table, write_held_out
from vmafcast.workflows.pictures import draw_predictions
from vmafcast.workflows.rows import labelled_rows
from vmafcast.workflows.training_facts import corpus_facts, require_apart, round_trip_rows, training_facts
from vmafcast.workflows.whole_folder import whole_folder

MODEL_NAME = "model.onnx"
SIDECAR_NAME = "model.json"


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
    require_apart(request.corpus, request.output)
    store = CorpusStore(request.corpus)
    labelled = labelled_rows(store, request.recipe)
    rows = labelled.rows
    with whole_folder(request.output, known_by=SIDECAR_NAME) as folder:
        record = RunRecord("vmafcast train", {"recipe": request.recipe.name, "seeds": list(request.seeds)})
        record.read(store.files())
        result = evaluate_loso(request.recipe, rows, request.seeds, final_seeds=request.seeds[:1], progress=progress)
        facts = corpus_facts(store, rows)
        error = _write_model(request, result, rows, facts, folder)
        written = FileFact.of(folder / MODEL_NAME, shown_as=str(request.output / MODEL_NAME))
        provenance = record.finish().model_copy(update={"outputs": [written]})
        reports = tuple(result.report(seed, facts, provenance) for seed in request.seeds)
        for report in reports:
            write_document(folder / f"loso_seed{report.seed}.json", report)
        write_held_out(held_out_table(labelled, result), folder / HELD_OUT)
        draw_predictions(folder, reports[0], folder / HELD_OUT.with_name("predicted_against_measured.svg"))
    return Trained(request.output, reports, error)


def _write_model(request: TrainRequest, result: LosoResult, rows: Rows, corpus: CorpusFacts, folder: Path) -> float:
    assert result.final is not None
    path = folder / MODEL_NAME
    digest = export_onnx(result.final, 0, path)
    error = round_trip(path, result.final, 0, *round_trip_rows(request.recipe, rows))
    training = training_facts(result, 0, rows, corpus)
    sidecar = describe_export(result.final, 0, path, digest, training, smoke=request.smoke, licence=request.licence)
    write_sidecar(folder / SIDECAR_NAME, sidecar)
    return error
