"""What the data doctor found, in the terminal: a block for each kind of problem."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

    from asr.checks.findings import Examination
    from asr.checks.totals import Kind

#: Utterances of a kind of problem that are named; the report has all.
_MOST_SHOWN = 3
_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def print_findings(
    examination: "Examination", page: Path, *, stderr: bool = False
) -> None:
    """Print each kind of problem with its first utterances, and the sums."""
    from rich.console import Console

    from asr.checks.totals import kinds

    console = Console(stderr=stderr, highlight=False, soft_wrap=True)
    for kind in kinds(examination.findings):
        console.print(_block(kind))
    console.print(_sums(examination, page))


def _block(kind: "Kind") -> "Text":
    from rich.text import Text

    text = Text()
    text.append(kind.severity, style=_STYLES[kind.severity])
    text.append(f" {kind.name}", style="bold")
    text.append(f": {kind.code.title} ({len(kind.findings)})\n")
    for finding in kind.findings[:_MOST_SHOWN]:
        where = f"{finding.split} {finding.id}: " if finding.id is not None else ""
        text.append(f"  {_printable(where + finding.message)}\n")
        if kind.code.group == "files" and finding.audio:
            text.append(f"    {_printable(finding.audio)}\n", style="dim")
    if len(kind.findings) > _MOST_SHOWN:
        text.append(f"  and {len(kind.findings) - _MOST_SHOWN} more\n")
    text.append(f"  {kind.code.advice}\n", style="italic")
    return text


def _sums(examination: "Examination", page: Path) -> "Text":
    from rich.text import Text

    from asr.checks.totals import severities

    items = examination.subject.items
    hours = sum(item.seconds for item in items) / 3600
    text = Text()
    if examination.largest_subsampling and examination.longest:
        text.append(
            "every training text fits its frames up to subsampling "
            f"{examination.largest_subsampling}; batches of "
            f"{examination.batch_seconds:.1f} s hold the longest utterance\n"
        )
    text.append(f"{_count(len(items), 'utterance')}, {hours:.2f} h: ")
    counts = severities(examination)
    if not any(counts.values()):
        text.append("nothing wrong was found", style="bold green")
    else:
        parts = [
            Text(_count(count, name), style=_STYLES[name] if count else "")
            for name, count in counts.items()
        ]
        text.append_text(Text(", ").join(parts))
    text.append(f"\nreport: {page}")
    return text


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"


def _printable(line: str) -> str:
    """Return the line without characters that would move the cursor or hide."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
