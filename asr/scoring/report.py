"""Scores as lines for people and as JSON for programs."""

import json
import unicodedata
from pathlib import Path
from typing import Any

from rich.cells import cell_len

from asr import __version__
from asr.errors import some
from asr.files import write_text
from asr.scoring.alignment import Counts, Pair, align_words
from asr.scoring.corpus import CorpusScore, UtteranceScore

#: Where the rows of an alignment are broken, terminal cells.
_WIDTH = 100


def summary(result: CorpusScore) -> str:
    """Return the rates as the lines that Kaldi made customary, in per cent.

    The ``%WER`` line carries the 95 % interval behind its bracket, where there is one.
    """
    total, interval = result.total, result.interval
    wer = _rate_line("WER", total.words)
    if interval is not None:
        wer += f" 95% interval {100 * interval.low:.2f} to {100 * interval.high:.2f}"
    scored = f"Utterances: {total.utterances} scored"
    if result.missing:
        scored += f", {len(result.missing)} without a hypothesis {_fate(result)}"
    return "\n".join(
        [
            wer,
            _rate_line("CER", total.characters),
            f"%SER {100 * total.ser:.2f} [ {total.wrong} / {total.utterances} ]",
            scored,
        ]
    )


def worst(result: CorpusScore, count: int, *, width: int = _WIDTH) -> str:
    """Return the alignments of the utterances with the most word errors.

    Args:
        result: The scored set.
        count: How many utterances; those without an error are never shown.
        width: Where rows are broken, terminal cells.
    """
    wrong = [u for u in result.utterances if u.score.words.errors]
    wrong.sort(key=lambda u: (-u.score.words.errors, -u.score.wer))
    return "\n\n".join(_aligned(utterance, width) for utterance in wrong[:count])


def notes(result: CorpusScore) -> list[str]:
    """Return what a reader of the rates has to know, one sentence each."""
    found = []
    if result.missing:
        found.append(
            f"{len(result.missing)} in REF but not in HYP, {_fate(result)}: "
            f"{some(result.missing)}"
        )
    if result.extra:
        found.append(
            f"{len(result.extra)} in HYP but not in REF, left out: {some(result.extra)}"
        )
    if result.form_differs:
        found.append(
            "REF and HYP differ in case or punctuation; --model MODEL scores both in "
            "the model's normalised form"
        )
    return found


def write_report(path: Path, result: CorpusScore) -> None:
    """Write everything about the score as one JSON object.

    Rates are fractions, 1 is 100 %; a rate that does not exist (insertions into an
    empty reference) is null, as JSON has no infinity.

    Raises:
        FileError: If the file cannot be written.
    """
    total, interval = result.total, result.interval
    tree = {
        "asr_version": __version__,
        "utterances": total.utterances,
        "words": _tree(total.words),
        "wer_interval_95": interval and [interval.low, interval.high],
        "characters": _tree(total.characters),
        "wrong_utterances": total.wrong,
        "ser": total.ser,
        "missing": list(result.missing),
        "missing_counted": result.missing_counted,
        "extra": list(result.extra),
        "by_utterance": [
            {
                "id": utterance.id,
                "reference": utterance.reference,
                "hypothesis": utterance.hypothesis,
                "words": _tree(utterance.score.words),
                "characters": _tree(utterance.score.characters),
            }
            for utterance in result.utterances
        ],
    }
    text = json.dumps(tree, ensure_ascii=False, indent=1, allow_nan=False)
    write_text(path, text + "\n")


def _fate(result: CorpusScore) -> str:
    return "counted as deleted" if result.missing_counted else "left out"


def _rate_line(name: str, counts: Counts) -> str:
    """Return ``%WER 4.81 [ 25 / 520, 3 ins, 6 del, 16 sub ]``."""
    return f"%{name} {100 * counts.rate:.2f} {_bracket(counts)}"


def _bracket(counts: Counts) -> str:
    return (
        f"[ {counts.errors} / {counts.length}, {counts.insertions} ins, "
        f"{counts.deletions} del, {counts.substitutions} sub ]"
    )


def _tree(counts: Counts) -> dict[str, Any]:
    return {
        "rate": counts.rate if counts.rate != float("inf") else None,
        "errors": counts.errors,
        "length": counts.length,
        "hits": counts.hits,
        "substitutions": counts.substitutions,
        "deletions": counts.deletions,
        "insertions": counts.insertions,
    }


def _aligned(utterance: UtteranceScore, width: int) -> str:
    """Return REF over HYP over S, D and I marks, broken into rows of ``width``."""
    lines = [f"{utterance.id} {_bracket(utterance.score.words)}"]
    rows = ["REF:", "HYP:", "    "]
    for pair in align_words(utterance.reference, utterance.hypothesis):
        cells = _cells(pair)
        if len(rows[0]) > 4 and cell_len(rows[0]) + 1 + cell_len(cells[0]) > width:
            lines += rows
            rows = ["REF:", "HYP:", "    "]
        rows = [f"{row} {cell}" for row, cell in zip(rows, cells, strict=True)]
    return "\n".join(line.rstrip() for line in [*lines, *rows])


def _cells(pair: Pair) -> list[str]:
    """Return a column of the alignment: REF, HYP and mark, padded to equal width.

    Padded by terminal cells: Chinese takes two for a character, combining marks none.
    """
    ref, hyp = (_printable(word) if word is not None else None for word in pair)
    width = max(cell_len(word) for word in (ref, hyp, "*") if word is not None)
    if ref is None:
        mark = "I"
    elif hyp is None:
        mark = "D"
    else:
        mark = " " if pair[0] == pair[1] else "S"
    shown = ["*" * width if word is None else word for word in (ref, hyp)]
    return [cell + " " * (width - cell_len(cell)) for cell in [*shown, mark]]


def _printable(word: str) -> str:
    """Return the word without control characters, which would move the cursor."""
    return "".join(
        "\ufffd" if unicodedata.category(character) == "Cc" else character
        for character in word
    )
