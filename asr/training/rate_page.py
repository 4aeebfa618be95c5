"""The page of a range test: its curve, and what follows from it."""

import math
from pathlib import Path

from asr.pages.charts import round_ticks
from asr.pages.display import decimal
from asr.pages.template import write_filled
from asr.training.rate import DIVERGED, RangeTest

_TEMPLATE = Path(__file__).with_name("rate.html")


def write_page(path: Path, found: RangeTest) -> None:
    """Write the page, one file without anything beside it.

    Raises:
        FileError: If it cannot be written.
    """
    low, high = math.log10(found.rates[0]), math.log10(found.rates[-1])
    # Of a test that ended at its first steps there is no span.
    span = max(high - low, 1e-9)
    top = 1.05 * min(max(found.losses), DIVERGED * min(found.losses))
    top = max(top, 1e-9)

    def place(rate: float) -> float:
        return (math.log10(rate) - low) / span

    marks = []
    if found.edge is not None and found.suggestion is not None:
        marks.append((place(found.edge), f"rises above {found.edge:.1e}"))
        if found.suggestion >= found.rates[0]:
            marks.append((place(found.suggestion), f"suggested {found.suggestion:g}"))
    decades = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
    context = {
        "title": "Learning rate",
        "headline": (
            "No rate that was tried was too high"
            if found.suggestion is None
            else f"Suggested: train.learning_rate = {found.suggestion:g}"
        ),
        "ends": (f"{found.rates[0]:.1e}", f"{found.rates[-1]:.1e}"),
        "across": [((power - low) / span, f"{10.0**power:g}") for power in decades],
        "up": [(tick / top, decimal(tick)) for tick in round_ticks(0.0, top, 5)],
        "marks": marks,
        "places": [
            (place(rate), min(1.0, loss / top))
            for rate, loss in zip(found.rates, found.losses, strict=True)
        ],
    }
    write_filled(path, _TEMPLATE, context)
