"""Sample sources painted by this package: footage for a demo, free of anyone's rights."""

from vmafcast.corpus.samples.catalogue import CATALOGUE, SCREENS, Sample, collages
from vmafcast.corpus.samples.generate import generate_samples

__all__ = ["CATALOGUE", "SCREENS", "Sample", "collages", "generate_samples"]
