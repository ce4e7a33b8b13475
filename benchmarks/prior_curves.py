"""What `tune` knows of an encoder's curve before anything is measured: made anew from a corpus.

python -m benchmarks.prior_curves CORPUS [--out src/vmafcast/tuning/prior_curves.json]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import vmafcast
from vmafcast.common.files import write_text
from vmafcast.corpus.store import CorpusStore
from vmafcast.workflows.prior_curves import prior_curves, rendered


def main() -> None:
    """Write the curves, and say of which encoders there are some."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--out", type=Path, default=Path(vmafcast.__file__).parent / "tuning" / "prior_curves.json")
    asked = parser.parse_args()
    curves = prior_curves(CorpusStore(asked.corpus))
    write_text(asked.out, rendered(curves))
    print(f"{asked.out}: {', '.join(curves['curves'])}")


if __name__ == "__main__":
    main()
