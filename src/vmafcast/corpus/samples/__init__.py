"""Sample sources painted by this package: footage for a demo, free of anyone's rights."""

from vmafcast.corpus.samples.generate import CATALOGUE, SCREENS, Sample, generate_samples

__all__ = ["CATALOGUE", "SCREENS", "Sample", "generate_samples"]
