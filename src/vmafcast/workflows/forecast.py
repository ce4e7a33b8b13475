"""Forecasting encodes of a video: its sample is measured and probed, and the champion of the encoder predicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pydantic import ValidationError

from vmafcast.common.errors import CapabilityError, DataError, RequestError
from vmafcast.common.files import write_text
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.complexity.cache import default_cache
from vmafcast.media.complexity.document import REVISIONS
from vmafcast.media.complexity.sample import SamplePlan
from vmafcast.media.complexity.survey import Survey, survey
from vmafcast.media.ffmpeg import Ffmpeg, find_ffmpeg
from vmafcast.media.probe_encode import REVISION as PROBE_REVISION
from vmafcast.media.probe_encode import ProbeEncode, ProbeSettings, ShortProbeEncode
from vmafcast.media.source import Source
from vmafcast.media.source import probe as probe_file
from vmafcast.models.predictor.calibration import DEFAULT_LEVEL
from vmafcast.models.predictor.inputs import PROBE_FOUND, SHORT_FOUND
from vmafcast.models.predictor.runtime import Forecast, MeasuredEncode, PredictorModel, SourceFacts
from vmafcast.models.predictor.sidecar import PredictorSidecar
from vmafcast.registry.entry import load
from vmafcast.registry.store import Registry
from vmafcast.reports.forecast import Band, forecast_svg
from vmafcast.workflows.serving import own_registry, serving_registry


@dataclass(frozen=True, slots=True)
class Forecasted:
    """A forecast of a video, and what it cost.

    Attributes
    ----------
    source
        The video.
    forecast
        The predicted curve.
    cpu_seconds
        What measuring and probing the sample cost, when that was done.
    cached
        Whether nothing had to be measured now.
    sampled_frames
        How many frames stand for the video.
    """

    source: Path
    forecast: Forecast
    cpu_seconds: float
    cached: bool
    sampled_frames: int


def predictor_recipe(encoder: str) -> str:
    """Return the recipe of an encoder's predictor, by ffmpeg's name of it or an alias; RequestError for no encoder."""
    return f"predictor_{get_encoder(encoder).name}"


def load_predictor(registry: Registry, encoder: str) -> PredictorModel:
    """Return the predictor that is served for ``encoder``, every byte of it verified.

    Raises
    ------
    RequestError
        There is no such encoder.
    CapabilityError
        No predictor of it is served: none has passed its gate, or none was trained.
    IntegrityError, DataError
        Its files are not what was registered, or cannot be read by this version.
    """
    try:
        entry = registry.champion(predictor_recipe(encoder))
    except RequestError as error:
        said = get_encoder(encoder).name
        raise CapabilityError(
            f"there is no predictor of {said} in {registry.folder}: none has passed its gate, or none was trained; "
            f"train one with `vmafcast train-predictors --encoder {said} --registry {own_registry(registry)}`"
        ) from error
    loaded = load(entry)
    try:
        sidecar = PredictorSidecar.model_validate_json(loaded.sidecar)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise DataError(f"{entry.sidecar_path} cannot be read by this version: {where}: {first['msg']}") from error
    return PredictorModel(loaded.onnx, sidecar)


def forecast(
    source: Path | str,
    encoder: str,
    preset: str | None = None,
    qualities: Sequence[int] = (),
    *,
    probe: bool = True,
    measured: Sequence[MeasuredEncode] = (),
    level: Fraction = DEFAULT_LEVEL,
    registry: Registry | None = None,
    ffmpeg: Ffmpeg | None = None,
    cache: Path | None = None,
    use_cache: bool = True,
) -> Forecasted:
    """Predict VMAF and bitrate of encodes of ``source`` that have not been made.

    Parameters
    ----------
    source
        The video.
    encoder, preset
        ffmpeg's name of the encoder or an alias, and its preset; the encoder's default when None.
    qualities
        The encoder's own values; all that were learnt when empty.
    probe
        Whether to make the probe's fast encodes of the sample, which halves the error.
    measured
        Encodes of the source at this preset that were made already: they move the whole curve.
    level
        Of the intervals.
    registry
        Whose champion predicts; ``registry`` here where it has one, else the packaged one, when None.
    ffmpeg
        What probes.
    cache, use_cache
        Where measurements are kept by content, and whether.

    Raises
    ------
    RequestError
        An unknown encoder, preset, quality or level; no video or no registry.
    CapabilityError
        There is no predictor of the encoder.
    MediaError, FfmpegError
        The video cannot be used.
    """
    path = Path(source)
    model = load_predictor(registry or serving_registry(None, predictor_recipe(encoder)).registry, encoder)
    found = survey_for(
        model.sidecar,
        probe_file(path),
        probe_with=(ffmpeg or find_ffmpeg()) if probe else None,
        cache=(cache or default_cache()) if use_cache else None,
    )
    predicted = model.forecast(source_facts(found), preset, qualities, measured=measured, level=level)
    return Forecasted(path, predicted, found.cpu_seconds, found.was_cached, found.complexity.sampled_frames)


def survey_for(
    side: PredictorSidecar, source: Source, *, probe_with: Ffmpeg | None, cache: Path | None = None
) -> Survey:
    """Measure of ``source`` what a predictor looks at, as it was measured where that learnt; probe it with an ffmpeg.

    Raises
    ------
    DataError
        This version does not make such measures.
    MediaError, FfmpegError
        The video cannot be used.
    """
    if side.complexity_revision not in REVISIONS or side.probe_revision != PROBE_REVISION:
        known = " or ".join(map(str, REVISIONS))
        raise DataError(
            f"{side.id} learnt from measures of revision {side.complexity_revision} and probes of "
            f"{side.probe_revision}, and this version makes {known} and {PROBE_REVISION}; train it again"
        )
    encodes = tuple(
        ProbeEncode(each.encoder, each.preset, each.quality, each.undivided, each.scored_from) for each in side.probe
    )
    shorts = tuple(
        ShortProbeEncode(each.encoder, each.preset, each.quality, each.first, each.undivided, each.scaled_by)
        for each in side.shorts
    )
    return survey(
        source,
        probe_with=probe_with,
        settings=ProbeSettings(encodes, shorts, side.teacher),
        plan=SamplePlan(side.sample_runs, side.sample_length),
        revision=side.complexity_revision,
        beside_probe=probe_with is not None and side.beside_probe is not None,
        cache=cache,
    )


def source_facts(found: Survey) -> SourceFacts:
    """Return what a predictor is told of a surveyed source."""
    measured = found.complexity
    probed: dict[str, dict[str, float | None]] | None = None
    if found.probe is not None:
        probed = {}
        for point in found.probe.points:
            known = {"bpp": point.expected_bpp(measured.frames), **point.model_dump(include=set(PROBE_FOUND))}
            probed[point.name] = known
        for short in found.probe.shorts:
            known = {"bpp": short.expected_bpp(measured.frames), **short.model_dump(include=set(SHORT_FOUND))}
            probed[short.name] = known
    return SourceFacts(
        width=measured.width,
        height=measured.height,
        fps=measured.fps,
        frames=measured.frames,
        complexity=dict(zip(measured.features, map(float, measured.scaled()), strict=True)),
        probe=probed,
    )


def draw_forecast(result: Forecasted, output: Path, made: Sequence[MeasuredEncode] = ()) -> None:
    """Draw VMAF and bitrate over the quality value, with their intervals, as an SVG at ``output``.

    Encodes in ``made`` are shown at what was measured of them.

    Raises
    ------
    RequestError
        One point makes no picture.
    OutputError
        The place cannot be written.
    """
    said = result.forecast
    if len(said.points) < 2:
        raise RequestError("a picture takes two quality values or more")
    points = sorted(said.points, key=lambda point: point.quality)
    qualities = [float(point.quality) for point in points]
    percent = f"{float(said.level):.0%} intervals"
    lows, highs = [point.vmaf_low for point in points], [point.vmaf_high for point in points]
    vmaf = Band("VMAF", qualities, [point.vmaf for point in points], lows, highs, [(e.quality, e.vmaf) for e in made])
    lows, highs = [point.kbps_low for point in points], [point.kbps_high for point in points]
    kbps = Band("kbit/s", qualities, [point.kbps for point in points], lows, highs, [(e.quality, e.kbps) for e in made])
    known = "complexity and probe" if said.probed else "complexity"
    title = f"{result.source.name}: {said.encoder} {said.preset}, predicted"
    rings = "; rings: encodes that were made" if made else ""
    subtitle = f"from {known}; {percent}, {said.groups} groups{rings}"
    write_text(output, forecast_svg(vmaf, kbps, title=title, subtitle=subtitle))
