"""Training a recipe on a corpus: leave-one-source-out, a network on everything, and a candidate folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vmafcast.common.documents import write_document
from vmafcast.common.progress import Progress
from vmafcast.common.provenance import FileFact, RunRecord
from vmafcast.evaluation.comparison import COMPARISON_NAME, Comparison, compare_with_previous
from vmafcast.evaluation.loso import LosoResult, evaluate_loso
from vmafcast.evaluation.loso_report import CorpusFacts, LosoReport
from vmafcast.evaluation.target_facts import target_facts
from vmafcast.models.export import describe_export, export_onnx, round_trip
from vmafcast.models.recipe import Recipe
from vmafcast.models.rows import Rows
from vmafcast.models.sidecar import write_sidecar
from vmafcast.registry.store import Registry
from vmafcast.workflows.champions import champion_of, champion_report
from vmafcast.workflows.held_out import HELD_OUT, held_out_table, write_held_out
from vmafcast.workflows.pictures import draw_predictions
from vmafcast.workflows.training_facts import require_apart, round_trip_rows, training_facts
from vmafcast.workflows.training_rows import read_training_rows
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
        On what: a corpus, or a feature table (Parquet), which is imported for this training alone.
    output
        The candidate folder: the model, its sidecar, the LOSO reports, and the held-out predictions below it. An
        earlier candidate there is replaced as a whole, and only when the new one is finished.
    seeds
        Each is evaluated; the model that is exported is that of the first.
    licence
        Of the data, for the sidecar.
    smoke
        Marks a model that only tries the machinery; it can never be champion.
    frame_stride, groups_file, teacher
        See :func:`vmafcast.workflows.training_rows.read_training_rows`.
    registry
        Where the champion is looked up that the new figures are set beside; None for the published ones.
    """

    recipe: Recipe
    corpus: Path
    output: Path
    seeds: tuple[int, ...] = (0,)
    licence: str = ""
    smoke: bool = False
    frame_stride: int | None = None
    groups_file: Path | None = None
    teacher: str | None = None
    registry: Path | None = None


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
    comparison
        Previous and new figures, and the groups that rank badly; also in the folder.
    notes
        What was assumed of a feature table, for people.
    """

    folder: Path
    reports: tuple[LosoReport, ...]
    round_trip_error: float
    comparison: Comparison
    notes: tuple[str, ...] = ()


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
    material = read_training_rows(
        request.recipe, request.corpus, frame_stride=request.frame_stride, groups_file=request.groups_file,
        teacher=request.teacher, progress=progress,
    )  # fmt: skip
    recipe, labelled, facts = material.recipe, material.labelled, material.facts
    rows = labelled.rows
    champion = _champion(request)
    with whole_folder(request.output, known_by=SIDECAR_NAME) as folder:
        record = RunRecord("vmafcast train", {"recipe": request.recipe.name, "seeds": list(request.seeds)})
        record.read(material.inputs)
        result = evaluate_loso(recipe, rows, request.seeds, final_seeds=request.seeds[:1], progress=progress)
        error = _write_model(request, result, rows, facts, folder)
        written = FileFact.of(folder / MODEL_NAME, shown_as=str(request.output / MODEL_NAME))
        provenance = record.finish().model_copy(update={"outputs": [written]})
        reports = tuple(result.report(seed, facts, provenance) for seed in request.seeds)
        for report in reports:
            write_document(folder / f"loso_seed{report.seed}.json", report)
        comparison = _compare(result, rows, reports[0], champion)
        write_document(folder / COMPARISON_NAME, comparison)
        write_held_out(held_out_table(labelled, result), folder / HELD_OUT)
        draw_predictions(folder, reports[0], folder / HELD_OUT.with_name("predicted_against_measured.svg"))
    return Trained(request.output, reports, error, comparison, material.notes)


def _champion(request: TrainRequest) -> tuple[str, LosoReport] | None:
    """Return the champion that this training may take the place of, with its report."""
    entry = None if request.registry is None else champion_of(Registry(request.registry), request.recipe.name)
    report = None if entry is None else champion_report(entry)
    return None if entry is None or report is None else (entry.id, report)


def _compare(result: LosoResult, rows: Rows, report: LosoReport, champion: tuple[str, LosoReport] | None) -> Comparison:
    ceiling = result.recipe.output_range[1]
    targets = tuple(target_facts(fold, rows.target, result.predictions[0], ceiling) for fold in result.folds)
    return compare_with_previous(report, targets, champion)


def _write_model(request: TrainRequest, result: LosoResult, rows: Rows, corpus: CorpusFacts, folder: Path) -> float:
    assert result.final is not None
    path = folder / MODEL_NAME
    digest = export_onnx(result.final, 0, path)
    error = round_trip(path, result.final, 0, *round_trip_rows(result.recipe, rows))
    training = training_facts(result, 0, rows, corpus)
    sidecar = describe_export(result.final, 0, path, digest, training, smoke=request.smoke, licence=request.licence)
    write_sidecar(folder / SIDECAR_NAME, sidecar)
    return error
