"""What the card of a frame regressor says, from its sidecar and its leave-one-source-out report."""

from __future__ import annotations

import shlex

from vmafcast.common.feature_names import CANONICAL6, SOURCE
from vmafcast.evaluation.loso_report import LosoReport
from vmafcast.models.recipe import RECIPES
from vmafcast.models.sidecar import LosoSummary, Sidecar
from vmafcast.registry.card import CardFacts, CardTable, Figure

_NAMES_SHOWN = 12


def frame_card_facts(sidecar: Sidecar, report: LosoReport | None = None) -> CardFacts:
    """Return what the card of a frame regressor says.

    Parameters
    ----------
    sidecar
        The model's.
    report
        Leave-one-source-out of its training; None leaves the figures by source group out.
    """
    training = sidecar.training
    return CardFacts(
        name=sidecar.id,
        kind=sidecar.kind,
        teacher=sidecar.teacher,
        sha256=sidecar.sha256,
        summary=(_summary(sidecar),),
        inputs=_inputs(sidecar),
        trained_on=(
            f"corpus: {training.dataset}, SHA-256 {f'`{training.corpus_sha256}`' if training.corpus_sha256 else 'n/a'}",
            f"{training.rows:,} frames of {training.source_groups} source groups, every "
            f"{training.recipe.frame_stride}-th frame of each encode"
            if training.recipe.frame_stride > 1
            else f"{training.rows:,} frames of {training.source_groups} source groups",
            f"encoders: {', '.join(sidecar.trained_slots)}" if sidecar.codec_aware else "the encoder is no input",
            f"seed: {training.seed}",
        ),
        dataset=training.dataset,
        dataset_sha256=training.corpus_sha256,
        figures=_figures(training.loso),
        groups=_groups(report),
        groups_title="By held-out source group, the worst first",
        limits=_limits(sidecar, report),
        licence=sidecar.licence,
        reproduce=_reproduce(sidecar, report),
    )


def _summary(sidecar: Sidecar) -> str:
    recipe = sidecar.training.recipe
    what = (
        f"A network of {recipe.depth} hidden layers of {recipe.hidden} units that predicts {sidecar.teacher} of a frame"
    )
    if set(sidecar.feature_order) == set(CANONICAL6):
        return (
            f"{what} from the teacher's own six inputs. It emulates a known function: the ceiling is 1.0, and a "
            "correlation is to be read as a distance from that."
        )
    once = sum(name in SOURCE for name in sidecar.feature_order)
    which = f", {once} of which are made of the source once: `vmafcast predict` makes and keeps them" if once else ""
    return f"{what} from {len(sidecar.feature_order)} measurements that cost little{which}."


def _inputs(sidecar: Sidecar) -> tuple[str, ...]:
    lines = [f"`{sidecar.input_names[0]}` [N, {len(sidecar.feature_order)}]: {', '.join(sidecar.feature_order)}, raw"]
    if sidecar.codec_aware:
        lines.append(
            f"`{sidecar.input_names[1]}` [N, {len(sidecar.codec_block_layout)}]: the one-hot of the encoder "
            f"(vocabulary version {sidecar.encoder_vocab_version}), preset_norm (0 fastest, 1 slowest), crf_norm "
            "(0 worst, 1 best); zeros say that nothing is known"
        )
    low, high = sidecar.output_range
    return (*lines, f"`{sidecar.output_names[0]}` [N]: {low:g} to {high:g}; scaling and clamp are inside the graph")


def _figures(loso: LosoSummary | None) -> tuple[Figure, ...]:
    if loso is None:
        return ()
    over = f"over {loso.folds} held-out source groups"
    interval = ""
    if loso.mean_plcc_interval is not None and loso.interval_level is not None:
        low, high = loso.mean_plcc_interval
        interval = f"{loso.interval_level:.0%} bootstrap interval over source groups {low:.5f} to {high:.5f}"
    figures = [
        Figure("plcc", f"mean PLCC {over}", loso.mean_plcc, interval),
        Figure("plcc_std", "standard deviation of PLCC", loso.std_plcc),
        Figure("plcc_min", "lowest PLCC of a source group", loso.min_plcc),
        Figure("srocc", f"mean SROCC {over}", loso.mean_srocc),
        Figure("rmse", f"mean RMSE {over}, in VMAF points", loso.mean_rmse),
    ]
    if loso.blind_mean_plcc is not None:
        figures.append(Figure("plcc_blind", "mean PLCC of the codec-blind twin", loso.blind_mean_plcc))
    if loso.blind_mean_rmse is not None:
        figures.append(Figure("rmse_blind", "mean RMSE of the codec-blind twin", loso.blind_mean_rmse))
    return tuple(figures)


def _groups(report: LosoReport | None) -> CardTable | None:
    if report is None:
        return None
    folds = sorted(report.folds, key=lambda fold: (-fold.rmse, fold.held_out))
    rows = tuple((f.held_out, f.n_val, f.plcc, f.srocc, f.rmse, f.mae, f.blind_rmse) for f in folds)
    return CardTable(("source group", "frames", "PLCC", "SROCC", "RMSE", "MAE", "codec-blind RMSE"), rows)


def _limits(sidecar: Sidecar, report: LosoReport | None) -> tuple[str, ...]:
    ranges = ", ".join(
        f"{name} {low:.4g} to {high:.4g}"
        for name, low, high in zip(sidecar.feature_order, sidecar.feature_min, sidecar.feature_max, strict=True)
    )
    lines = [
        f"It predicts {sidecar.teacher}, not what people see; where that metric errs, so does this.",
        f"Outside of what it was trained on it extrapolates, and says so: {ranges}.",
        "The figures are of source groups that were held out: frames of one clip are alike, and say little of another.",
    ]
    untrained = [slot for slot in sidecar.encoder_vocab if slot not in sidecar.trained_slots]
    if untrained:
        shown = ", ".join(untrained[:_NAMES_SHOWN]) + (" and others" if len(untrained) > _NAMES_SHOWN else "")
        lines.append(f"Served as an unknown encoder, for want of training rows: {shown}.")
    if report is not None and report.folds:
        worst = max(report.folds, key=lambda fold: fold.rmse)
        lines.append(f"The worst source group, {worst.held_out}, has an RMSE of {worst.rmse:.2f}.")
    if sidecar.smoke:
        lines.append("It was made to try the machinery only, and is never served.")
    return tuple(lines)


def _reproduce(sidecar: Sidecar, report: LosoReport | None) -> tuple[str, ...]:
    training = sidecar.training
    recipe = training.recipe
    corpus = report.corpus.path if report is not None else training.dataset
    seeds = training.loso.seeds if training.loso is not None else (training.seed,)
    first = (training.seed, *(seed for seed in seeds if seed != training.seed))
    command = ["vmafcast", "train", recipe.name, "--corpus", corpus, *(f"--seed={seed}" for seed in first)]
    published = RECIPES.get(recipe.name)
    comment = []
    if published is not None and recipe != published:
        command.append(f"--frame-stride={recipe.frame_stride}")
        if recipe != published.model_copy(update={"frame_stride": recipe.frame_stride}):
            comment = ["# the recipe differs from the one of that name; the sidecar holds all of it"]
    if sidecar.licence:
        command.append(f"--licence={sidecar.licence}")
    return (*comment, shlex.join(command), f"vmafcast ship candidates/{recipe.name}")
