"""The verdict file: ``PROMOTE.json`` where a gate passed, ``HOLD.json`` where it did not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from vmafcast.common.documents import Document, read_document, write_document
from vmafcast.common.errors import DataError, OutputError, RequestError
from vmafcast.common.provenance import RunProvenance, utc_now
from vmafcast.evaluation.criteria import Criterion, GateOutcome, Judgement, correlation, difference, finite
from vmafcast.evaluation.thresholds import FrEnsembleThresholds, Override, Thresholds, overrides_of

SCHEMA_VERSION: Final = 1

Word = Literal["PROMOTE", "HOLD"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class VerdictGate(Document):
    """The gate block, with the keys that readers of public verdict files know.

    Figures that a gate does not judge by are null where they cannot be had, and so are their bounds.
    """

    passed: bool
    mean_plcc: float | None
    mean_plcc_threshold: float | None
    mean_plcc_pass: bool
    plcc_spread: float | None
    plcc_spread_max: float | None
    plcc_spread_pass: bool | None
    per_seed_plccs: dict[str, float | None]
    per_seed_min: float | None
    per_seed_pass: bool | None
    failing_seeds: list[int]


class VerdictCorpus(Document):
    """What the scores were measured on; everything but ``present`` is null where it is not known."""

    present: bool
    sha256: Sha256 | None = None
    path: str | None = None
    rows: int | None = None
    source_groups: int | None = None


class Verdict(Document):
    """A gate's verdict on one model, as it is kept.

    Parameters
    ----------
    verdict
        ``PROMOTE`` where the gate passed, else ``HOLD``.
    generated_at_utc
        When, as ``2026-01-31T12:34:56Z``.
    loso_dir
        The folder of the reports that were judged, as it was given.
    seeds
        The seeds among them.
    gate
        The figures.
    corpus
        What they were measured on.
    recommendation
        What to do now, in a sentence.
    gate_name, outcome
        Which gate, and its own word: a HOLD may be a fail or something that could not be measured.
    recipe, onnx_sha256
        The model that was judged; a verdict that names no model promotes none.
    criteria
        Every criterion with its figure and bound.
    overrides
        Thresholds that were not left at their defaults.
    run_provenance
        How the verdict came about; None where it was made in memory.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    verdict: Word
    generated_at_utc: str
    loso_dir: str
    seeds: list[int]
    gate: VerdictGate
    corpus: VerdictCorpus
    recommendation: str
    gate_name: str
    outcome: Judgement
    recipe: str
    onnx_sha256: Sha256 | None
    criteria: list[Criterion]
    overrides: dict[str, Override]
    run_provenance: RunProvenance | None = None

    @model_validator(mode="after")
    def _the_word_follows_from_the_criteria(self) -> Self:
        promoted = self.verdict == "PROMOTE"
        if promoted != self.gate.passed or promoted != (self.outcome == "pass"):
            raise ValueError(f"{self.verdict} contradicts the gate, whose outcome is {self.outcome}")
        failed = [criterion.name for criterion in self.criteria if criterion.status == "fail"]
        if promoted and failed:
            raise ValueError(f"PROMOTE contradicts the criteria that failed: {', '.join(failed)}")
        if promoted and not any(criterion.status == "pass" for criterion in self.criteria):
            raise ValueError("PROMOTE needs a criterion that passed")
        return self

    @property
    def promotes(self) -> bool:
        """Whether the word is ``PROMOTE``."""
        return self.verdict == "PROMOTE"


def verdict_of(
    outcome: GateOutcome,
    thresholds: Thresholds,
    *,
    recipe: str,
    onnx_sha256: str | None,
    loso_dir: str,
    per_seed: Mapping[int, float | None],
    corpus: VerdictCorpus,
    run_provenance: RunProvenance | None = None,
    generated_at_utc: str | None = None,
) -> Verdict:
    """Return the verdict file's content for what a gate found.

    Parameters
    ----------
    outcome
        What the gate found.
    thresholds
        What it judged by; those that differ from the defaults are recorded as overrides.
    recipe, onnx_sha256
        The recipe's name, and the SHA-256 of the model file that is judged; None judges the recipe alone.
    loso_dir
        The folder of the reports, as it was given.
    per_seed
        Mean LOSO PLCC by seed.
    corpus
        What it was measured on.
    run_provenance
        How this came about.
    generated_at_utc
        When; by default now.
    """
    word: Word = "PROMOTE" if outcome.passed else "HOLD"
    return Verdict(
        verdict=word,
        generated_at_utc=generated_at_utc or utc_now(),
        loso_dir=loso_dir,
        seeds=sorted(per_seed),
        gate=_gate_block(outcome, thresholds, per_seed),
        corpus=corpus,
        recommendation=_recommendation(outcome, recipe),
        gate_name=outcome.gate,
        outcome=outcome.verdict,
        recipe=recipe,
        onnx_sha256=onnx_sha256,
        criteria=list(outcome.criteria),
        overrides=overrides_of(thresholds),
        run_provenance=run_provenance,
    )


def write_verdict(folder: Path, verdict: Verdict) -> Path:
    """Write ``PROMOTE.json`` or ``HOLD.json`` into ``folder`` and return its path.

    The other one, left by an earlier judgement, is removed first: the folder never holds both, and a stale
    PROMOTE never outlives the judgement that withdrew it, whenever the process ends.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    path = folder / f"{verdict.verdict}.json"
    stale = folder / ("HOLD.json" if verdict.promotes else "PROMOTE.json")
    try:
        stale.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot remove the stale verdict {stale}: {error.strerror}") from error
    write_document(path, verdict)
    return path


def read_verdict(folder: Path) -> Verdict:
    """Read the verdict in ``folder``.

    Raises
    ------
    RequestError
        There is none.
    DataError
        It is not valid, says another word than its name, or the folder holds both words.
    """
    found = [path for word in ("PROMOTE", "HOLD") if (path := folder / f"{word}.json").is_file()]
    if not found:
        raise RequestError(f"{folder} holds neither PROMOTE.json nor HOLD.json; run the gate first")
    if len(found) > 1:
        raise DataError(f"{folder} holds both PROMOTE.json and HOLD.json; run the gate again")
    verdict = read_document(found[0], Verdict)
    if found[0].stem != verdict.verdict:
        raise DataError(f"{found[0]} says {verdict.verdict} inside; run the gate again")
    return verdict


def _gate_block(outcome: GateOutcome, thresholds: Thresholds, per_seed: Mapping[int, float | None]) -> VerdictGate:
    mean, spread = outcome.criterion("mean_plcc"), outcome.criterion("plcc_spread")
    every = outcome.criterion("per_seed_plcc")
    seed_min = thresholds.per_seed_plcc if isinstance(thresholds, FrEnsembleThresholds) else None
    known = {seed: value for seed, figure in per_seed.items() if (value := correlation(figure)) is not None}
    plcc_spread = spread.value if spread else None
    if spread is None and known and len(known) == len(per_seed):
        plcc_spread = difference(max(known.values()), min(known.values()))
    failing = [
        seed for seed in sorted(per_seed) if seed_min is not None and (seed not in known or known[seed] < seed_min)
    ]
    return VerdictGate(
        passed=outcome.passed,
        mean_plcc=mean.value if mean else None,
        mean_plcc_threshold=mean.threshold if mean else thresholds.mean_plcc,
        mean_plcc_pass=mean is not None and mean.status == "pass",
        plcc_spread=plcc_spread,
        plcc_spread_max=spread.threshold if spread else None,
        plcc_spread_pass=None if spread is None else spread.status == "pass",
        per_seed_plccs={str(seed): finite(per_seed[seed]) for seed in sorted(per_seed)},
        per_seed_min=seed_min,
        per_seed_pass=None if every is None else every.status == "pass",
        failing_seeds=failing,
    )


def _recommendation(outcome: GateOutcome, recipe: str) -> str:
    if outcome.passed:
        return f"promote {recipe}: the gate {outcome.gate} passed"
    because = "; ".join(outcome.reasons)
    return f"keep the champion of {recipe}: the gate {outcome.gate} says {outcome.verdict} ({because})"
