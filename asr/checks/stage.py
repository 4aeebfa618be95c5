"""``asr check``: manifests to a report of all that is wrong with them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from asr.checks.examine import collect, examine, stretches
from asr.checks.findings import Examination, Finding
from asr.checks.fixing import EXCLUDED, Fixed, fix, write_excluded
from asr.checks.page import write_page
from asr.checks.report import write_report
from asr.checks.scanning import Progress, scan
from asr.config import Config
from asr.errors import FileError, ManifestError
from asr.manifest import Utterance, split_of, survey_manifest, write_manifest
from asr.tokens import Tokens

#: The folder of reports beside the manifests, and what lies in it.
FOLDER, REPORT, PAGE, SCAN = "check", "report.json", "report.html", "scan.cache"


@dataclass(frozen=True, kw_only=True)
class CheckOptions:
    """How manifests are checked.

    Attributes:
        config: What will be trained with.
        tokens: A model's tokens, which all texts must be written with; None takes those
            that training would build.
        out: Folder of the reports; None is ``check`` beside the first manifest.
        fix: Folder for cleaned manifests; None writes none.
        overwrite: Replace manifests that are in ``fix`` already.
        strict: Take warnings for errors.
        decode: Decode the recordings; otherwise only their headers are read.
        settled: Whether ``config`` is final. If not, what other settings would allow (a
            text too long for its frames, an utterance too long for a batch) is a
            warning.
    """

    config: Config = field(default_factory=Config)
    tokens: Tokens | None = None
    out: Path | None = None
    fix: Path | None = None
    overwrite: bool = False
    strict: bool = False
    decode: bool = True
    settled: bool = True


@dataclass(frozen=True)
class Checked:
    """What was found, where the report is, and what ``--fix`` did."""

    examination: Examination
    folder: Path
    fixed: Fixed | None


def check(
    manifests: Sequence[Path],
    options: CheckOptions,
    *,
    progress: Progress = lambda items, _: items,
) -> Checked:
    """Check manifests; write ``report.json``, ``report.html`` and, if asked, the fixed.

    A manifest belongs to the split its name begins with: train, dev (valid) or test
    (eval); any other name is a split of its own. Everything is found in one pass.

    Args:
        manifests: The files.
        options: What to check for, and where the results go.
        progress: Wraps the recordings being read, and how many there are.

    Raises:
        ManifestError: If a manifest is missing or not text, or holds no utterance.
        FileError: If the results cannot be written, or would replace manifests.
        MissingPackageError: If the config needs a package that is not installed.
    """
    manifests = list({path.resolve(): path for path in manifests}.values())
    folder = options.out or manifests[0].parent / FOLDER
    targets = _targets(manifests, folder, options)
    splits, origins, lines = _read(manifests)
    recordings = scan(
        stretches(u for entries in splits.values() for u in entries),
        cache=folder / SCAN,
        decode=options.decode,
        progress=progress,
    )
    items = collect(splits, recordings, options.config.text)
    examination = examine(
        items,
        options.config,
        tokens=options.tokens,
        lines=lines,
        settled=options.settled,
    )
    if options.strict:
        examination = strict(examination)
    write_reports(examination, folder, ", ".join(map(str, manifests)))
    fixed = None
    if options.fix is not None:
        fixed = fix(examination)
        for manifest, target in targets.items():
            kept = [i.utterance for i in fixed.kept if origins[i.index] == manifest]
            write_manifest(target, kept)
        write_excluded(options.fix / FOLDER / EXCLUDED, fixed)
    return Checked(examination, folder, fixed)


def write_reports(examination: Examination, folder: Path, title: str) -> None:
    """Write ``report.json`` and ``report.html`` about an examination into a folder.

    Raises:
        FileError: If they cannot be written.
    """
    write_report(folder / REPORT, examination)
    write_page(folder / PAGE, examination, title)


def strict(examination: Examination) -> Examination:
    """Return the examination with its warnings as errors."""

    def raised(finding: Finding) -> Finding:
        warned = finding.severity == "warning"
        return replace(finding, severity="error") if warned else finding

    findings = [raised(finding) for finding in examination.findings]
    return replace(examination, findings=findings)


def _targets(
    manifests: Sequence[Path], folder: Path, options: CheckOptions
) -> dict[Path, Path]:
    """Return where the cleaned copy of each manifest goes.

    Raises:
        FileError: If that or a report is over a manifest, or two have one name.
    """
    reports = [folder / name for name in (REPORT, PAGE, SCAN)]
    if options.fix is not None:
        reports.append(options.fix / FOLDER / EXCLUDED)
    given = {path.resolve() for path in manifests}
    for report in reports:
        if report.resolve() in given:
            raise FileError(
                f"{report}: is one of the manifests, and a report would go there; "
                "name another folder"
            )
    if options.fix is None:
        return {}
    targets = {path: options.fix / path.name for path in manifests}
    if len(set(targets.values())) < len(targets):
        raise FileError(
            f"{options.fix}: two of the manifests have the same name; check them apart"
        )
    for manifest, target in targets.items():
        if target.resolve() == manifest.resolve():
            raise FileError(
                f"{target}: is the manifest itself; name another folder for --fix"
            )
        if target.exists() and not options.overwrite:
            raise FileError(
                f"{target}: is there already; replace it with --overwrite or name "
                "another folder"
            )
    return targets


def _order(split: str) -> tuple[int, str]:
    """Return where a split belongs: train, dev, test, others by name."""
    known = ("train", "dev", "test")
    return (known.index(split) if split in known else len(known), split)


def _read(
    manifests: Sequence[Path],
) -> tuple[dict[str, list[Utterance]], list[Path], list[tuple[str, str]]]:
    """Return utterances by split, the manifest of each in that order, and bad lines.

    Raises:
        ManifestError: If one is missing or not text, or all hold no utterance.
    """
    found: dict[str, list[tuple[Path, Utterance]]] = {}
    lines = []
    for path in manifests:
        split = split_of(path.name) or path.stem
        utterances, problems = survey_manifest(path)
        found.setdefault(split, []).extend((path, u) for _, u in utterances)
        lines += [(split, problem) for problem in problems]
    if not any(found.values()) and not lines:
        raise ManifestError(f"{manifests[0]}: holds no utterance")
    found = {split: found[split] for split in sorted(found, key=_order)}
    splits = {split: [u for _, u in pairs] for split, pairs in found.items()}
    origins = [path for pairs in found.values() for path, _ in pairs]
    return splits, origins, lines
