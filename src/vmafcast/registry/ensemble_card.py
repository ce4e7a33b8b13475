"""What the card of an ensemble says: what that of one of its members would, and what only several can say."""

from __future__ import annotations

import shlex
from dataclasses import replace

from vmafcast.evaluation.loso_report import LosoReport
from vmafcast.models.manifest import EnsembleManifest
from vmafcast.models.recipe import RECIPES
from vmafcast.registry.card import CardFacts, Figure
from vmafcast.registry.frame_card import frame_card_facts


def ensemble_card_facts(manifest: EnsembleManifest, report: LosoReport | None = None) -> CardFacts:
    """Return what the card of an ensemble says.

    Parameters
    ----------
    manifest
        The ensemble's.
    report
        Leave-one-source-out of its first seed; None leaves the figures by source group out.
    """
    facts = frame_card_facts(manifest, report)
    seeds = [member.seed for member in manifest.members]
    return replace(
        facts,
        summary=(f"The mean of {len(seeds)} networks that differ by their seed alone. Of each:", *facts.summary),
        inputs=(*facts.inputs, f"`members` [N, {len(seeds)}]: what each network says, in the order of the manifest"),
        trained_on=(*facts.trained_on[:-1], f"seeds: {', '.join(map(str, seeds))}"),
        figures=(*facts.figures, *_figures(manifest)),
        groups_title=f"By held-out source group, seed {seeds[0]}, the worst first",
        limits=(*facts.limits, _interval_limit(manifest)),
        reproduce=_reproduce(manifest, report),
    )


def _figures(manifest: EnsembleManifest) -> tuple[Figure, ...]:
    scores, confidence = manifest.eval, manifest.confidence
    found = [
        Figure("plcc_ensemble", "mean PLCC of the mean of the members", scores.ensemble_mean_plcc),
        Figure("rmse_ensemble", "mean RMSE of the mean of the members, in VMAF points", scores.ensemble_mean_rmse),
        Figure("plcc_spread", "largest less smallest mean PLCC of a seed", scores.plcc_spread),
    ]
    if confidence.calibration is not None:
        found.append(
            Figure(
                "interval_half_width",
                f"half the {confidence.nominal_coverage:.0%} interval of a clip's mean, in VMAF points",
                confidence.conformal_q_residual,
                f"rule {confidence.method}, {confidence.calibration.get('groups')} source groups",
            )
        )
    return tuple(found)


def _interval_limit(manifest: EnsembleManifest) -> str:
    if manifest.confidence.conformal_q_residual is None:
        return f"There are too few source groups for an interval at {manifest.confidence.nominal_coverage:.0%}."
    return (
        "Its intervals hold for clips of a new source group that is like those it was trained on; outside of their "
        "range nothing is guaranteed, and the output says so. The spread of the members is no measure of that."
    )


def _reproduce(manifest: EnsembleManifest, report: LosoReport | None) -> tuple[str, ...]:
    recipe = manifest.training.recipe
    corpus = report.corpus.path if report is not None else manifest.training.dataset
    command = ["vmafcast", "ensemble", recipe.name, "--corpus", corpus, f"--seeds={manifest.ensemble_size}"]
    published = RECIPES.get(recipe.name)
    comment = []
    if published is not None and recipe != published:
        command.append(f"--frame-stride={recipe.frame_stride}")
        if recipe != published.model_copy(update={"frame_stride": recipe.frame_stride}):
            comment = ["# the recipe differs from the one of that name; the manifest holds all of it"]
    if manifest.licence:
        command.append(f"--licence={manifest.licence}")
    return (*comment, shlex.join(command))
