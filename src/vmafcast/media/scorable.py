"""What can be scored: refused before anything runs, in words that say why and what to do."""

from __future__ import annotations

from vmafcast.common.errors import MediaError
from vmafcast.media.graph import DEINTERLACER, Scoring
from vmafcast.media.source import Source
from vmafcast.media.teachers import get_teacher


def refuse_unscorable(reference: Source, scoring: Scoring) -> None:
    """Refuse a reference that cannot be scored in this way, before anything is encoded.

    Raises
    ------
    MediaError
        It is HDR and that was not allowed, or smaller than a teacher or a feature set needs.
    """
    if reference.hdr and not scoring.allow_hdr:
        raise MediaError(
            f"{reference.path.name} is {_dynamics(reference)}; VMAF's models know SDR pictures alone, and their score "
            "of an HDR one is not comparable; tone-map it first, or build with --allow-hdr if you know what it means"
        )
    shorter, longer = sorted((reference.even_width, reference.even_height))
    needs = [(get_teacher(name).smallest_side, 0, f"the teacher {name}") for name in scoring.scores.values()]
    needs += [
        (each.smallest_side, each.smallest_long_side, f"the features {each.name}") for each in scoring.feature_sets
    ]
    for least, least_long, what in needs:
        if shorter < least or longer < least_long:
            raise MediaError(
                f"{reference.path.name} is {reference.width}x{reference.height}, and {what} cannot be measured with a "
                f"shorter side below {least}{f' or a longer one below {least_long}' if least_long > least else ''} "
                "pixels; leave it out, or take another for this source"
            )


def required_filters(scoring: Scoring, *videos: Source) -> tuple[str, ...]:
    """Return the ffmpeg filters that scoring ``videos`` needs, and that a build may lack."""
    deinterlacers = (DEINTERLACER,) if any(video.deinterlace for video in videos) else ()
    return ("libvmaf", *scoring.filters, *deinterlacers)


def refuse_unlike(reference: Source, distorted: Source) -> None:
    """Refuse two videos whose frames cannot be compared one by one, sample by sample.

    Raises
    ------
    MediaError
        They have different numbers of frames, or one is full range or HDR and the other is not.
    """
    if reference.frames != distorted.frames:
        raise MediaError(
            f"{distorted.path.name} has {distorted.frames} frames and its reference {reference.path.name} has "
            f"{reference.frames}; frames are compared by index, so give two videos of the same frames"
        )
    if reference.full_range != distorted.full_range:
        raise MediaError(
            f"one of {reference.path.name} and {distorted.path.name} is full range and the other is not; "
            "a score of such a pair would measure the range, so convert one of them first"
        )
    if reference.transfer != distorted.transfer:
        raise MediaError(
            f"{reference.path.name} is {_dynamics(reference)} and {distorted.path.name} is {_dynamics(distorted)}; "
            "a score of such a pair would measure the transfer function, so convert one of them first"
        )


def _dynamics(video: Source) -> str:
    return f"HDR ({video.transfer.upper()})" if video.hdr else "SDR"
