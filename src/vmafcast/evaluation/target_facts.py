"""What the targets of a group are like, and why its rank correlation may be low though its predictions are good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import numpy as np
from pydantic import Field

from vmafcast.common.documents import Document
from vmafcast.evaluation.scores import srocc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vmafcast.evaluation.folds import Fold

LOW_SROCC: Final = 0.98
"""A rank correlation below this is low for a regressor that emulates a known function."""

NARROW_RANGE: Final = 5.0
"""With less than this between its lowest and highest score, in the teacher's units, a group has hardly an order."""

_MANY_TIES: Final = 0.05

Share = Annotated[float, Field(ge=0, le=1)]


class TargetFacts(Document):
    """The targets of what one fold held out.

    Attributes
    ----------
    held_out
        The fold.
    rows
        How many rows were judged.
    target_min, target_max
        Their range, in the teacher's units.
    ceiling_share
        The share of them at the top of the teacher's range: they are tied, whatever their quality.
    tied_share
        The share that has the same score as another row, the ceiling's included.
    srocc_below_ceiling
        Rank correlation of the rows that are not at the ceiling; None where there is none.
    """

    held_out: str
    rows: int
    target_min: float
    target_max: float
    ceiling_share: Share
    tied_share: Share
    srocc_below_ceiling: float | None

    @property
    def is_narrow(self) -> bool:
        """Whether the targets span less than :data:`NARROW_RANGE`."""
        return self.target_max - self.target_min < NARROW_RANGE


class LowRank(Document):
    """A group whose rank correlation is low, and why."""

    held_out: str
    srocc: float | None
    reason: str


def target_facts(
    fold: Fold, target: NDArray[np.float32], predicted: NDArray[np.float32], ceiling: float
) -> TargetFacts:
    """Return the facts of what ``fold`` holds out.

    Parameters
    ----------
    fold
        Which rows are judged.
    target, predicted
        [N], of all rows.
    ceiling
        The top of the teacher's range.
    """
    wanted, found = target[fold.test], predicted[fold.test]
    clipped = wanted >= ceiling
    _, of_row, counts = np.unique(wanted, return_inverse=True, return_counts=True)
    return TargetFacts(
        held_out=fold.name,
        rows=len(wanted),
        target_min=float(wanted.min()),
        target_max=float(wanted.max()),
        ceiling_share=float(clipped.mean()),
        tied_share=float((counts[of_row] > 1).mean()),
        srocc_below_ceiling=srocc(found[~clipped], wanted[~clipped]),
    )


def explain_low_rank(facts: TargetFacts, found: float | None) -> LowRank | None:
    """Return why the rank correlation ``found`` of a group is low, None where it is not.

    Ties are blamed only where they are many and the rest of the rows ranks better than all of them; a narrow range
    only where it is narrow. What neither explains is said to be the predictions' own doing.
    """
    if found is not None and found >= LOW_SROCC:
        return None
    rest = facts.srocc_below_ceiling
    if facts.ceiling_share >= _MANY_TIES and (found is None or rest is None or rest > found):
        others = "no correlation" if rest is None else f"{rest:.4f}"
        reason = (
            f"ties: {facts.ceiling_share:.0%} of its frames are at the ceiling and share one rank; {others} below it"
        )
    elif facts.is_narrow:
        reason = (
            f"a narrow range: {facts.target_min:.1f} to {facts.target_max:.1f}, so that small errors change the order"
        )
    else:
        reason = (
            f"neither ties ({facts.ceiling_share:.0%} at the ceiling) nor a narrow range ({facts.target_min:.1f} to "
            f"{facts.target_max:.1f}): the predictions themselves are out of order"
        )
    return LowRank(held_out=facts.held_out, srocc=found, reason=reason)
