"""What a source is like before it is encoded: a short stated sample of its frames, and what is measured of them."""

from vmafcast.media.complexity.document import Complexity
from vmafcast.media.complexity.facts import FEATURES, Feature
from vmafcast.media.complexity.measuring import measure_complexity
from vmafcast.media.complexity.sample import Sample, SamplePlan, sampled

__all__ = ["FEATURES", "Complexity", "Feature", "Sample", "SamplePlan", "measure_complexity", "sampled"]
