import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.checks.stage import CheckOptions, check
from asr.errors import FileError, ManifestError
from asr.manifest import read_manifest
from asr.settings import load_config
from asr.tokens import Tokens

RATE = 16000


def write_speech(path, seed, seconds=1.0):
    """Write noise that comes and goes as syllables do."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    samples = rng.normal(0, 0.1, len(time)) * np.sin(2 * np.pi * 2 * time) ** 2
    soundfile.write(path, samples, RATE)


def line(name, **changes):
    """Return the line of a manifest about name.wav."""
    row = {"id": name, "audio_filepath": f"{name}.wav", "duration": 1.0}
    row |= {"text": f"words of {name}", "speaker": f"speaker {name}", **changes}
    return json.dumps({k: v for k, v in row.items() if v is not None})


def write(path, *lines):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path):
    """A folder with recordings a to d, good ones."""
    for n, name in enumerate("abcd"):
        write_speech(tmp_path / f"{name}.wav", n)
    return tmp_path


def codes(checked, *severities):
    return [
        (f.id, f.code)
        for f in checked.examination.findings
        if not severities or f.severity in severities
    ]


def test_a_clean_corpus_is_clean(folder):
    train = write(folder / "train.jsonl", line("a"), line("b"))
    dev = write(folder / "dev.jsonl", line("c", text="of words"))
    checked = check([train, dev], CheckOptions())
    assert codes(checked) == []
    assert checked.fixed is None
    assert checked.folder == folder / "check"
    report = json.loads((folder / "check" / "report.json").read_text(encoding="utf-8"))
    assert report["counts"] == {"error": 0, "warning": 0, "note": 0}
    assert {path.name for path in checked.folder.iterdir()} == {
        *("report.json", "report.html", "scan.cache")
    }


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *(("train.jsonl", "train"), ("train-960.jsonl", "train")),
        *(("valid.jsonl", "dev"), ("dev-clean.jsonl", "dev"), ("eval92.jsonl", "test")),
        *(("all.jsonl", "all"), ("extra.part.jsonl", "extra.part")),
    ],
)
def test_a_split_is_what_the_name_begins_with(name, split, folder):
    manifest = write(folder / name, line("gone"))
    (finding,) = check([manifest], CheckOptions()).examination.findings
    assert (finding.split, finding.code) == (split, "file-missing")


def test_manifests_of_one_split_are_one(folder):
    one = write(folder / "train-1.jsonl", line("a"))
    other = write(folder / "train-2.jsonl", line("a", audio_filepath="b.wav"))
    assert codes(check([one, other], CheckOptions())) == [("a", "pair-id")]


def test_a_manifest_named_twice_is_read_once(folder):
    train = write(folder / "train.jsonl", line("a"))
    (folder / "sub").mkdir()
    again = folder / "sub" / ".." / "train.jsonl"
    checked = check([train, again, train], CheckOptions())
    assert codes(checked) == []
    assert len(checked.examination.subject.items) == 1


def test_the_order_of_manifests_changes_nothing(folder):
    train = write(folder / "train.jsonl", line("a", text="one"), line("gone"))
    dev = write(folder / "dev.jsonl", line("b", text="one"), line("lost"))
    found = [
        codes(check(list(m), CheckOptions())) for m in [(train, dev), (dev, train)]
    ]
    assert found[0] == found[1]


def test_out_is_where_everything_goes(folder):
    train = write(folder / "train.jsonl", line("a"))
    out = folder / "new" / "reports"
    assert check([train], CheckOptions(out=out)).folder == out
    assert (out / "report.html").exists()
    assert not (folder / "check").exists()


def test_strict_takes_warnings_for_errors_and_notes_for_notes(folder):
    train = write(
        folder / "train.jsonl", line("a", text="word 5"), line("b", text="\tb")
    )
    assert codes(check([train], CheckOptions()), "error") == []
    checked = check([train], CheckOptions(strict=True))
    assert codes(checked, "error") == [("a", "text-digits")]
    assert codes(checked, "note") == [("b", "text-control")]
    assert codes(checked, "warning") == []
    report = json.loads((folder / "check" / "report.json").read_text(encoding="utf-8"))
    assert report["counts"]["error"] == 1


def test_headers_alone_tell_nothing_of_the_signal(folder):
    soundfile.write(folder / "a.wav", np.zeros(RATE), RATE)
    (folder / "b.wav").write_bytes((folder / "b.wav").read_bytes()[:-1000])
    train = write(folder / "train.jsonl", line("a"), line("b"), line("c", duration=0.5))
    quick = check([train], CheckOptions(decode=False))
    assert codes(quick) == [("b", "file-truncated"), ("c", "place-duration")]
    # What was not decoded then is decoded now.
    assert ("a", "signal-silent") in codes(check([train], CheckOptions()))


def test_a_models_tokens_are_what_all_texts_need(folder):
    train = write(folder / "train.jsonl", line("a"), line("b", text="d\u00e9j\u00e0"))
    test = write(folder / "test.jsonl", line("c", text="\u00e9"))
    tokens = Tokens(("<blank>", *" abcdefghijklmnopqrstuvwxyz"))
    found = codes(check([train, test], CheckOptions(tokens=tokens)))
    assert found == [("b", "text-token"), ("c", "text-token")]


def test_tokens_that_cannot_be_made_are_one_error(folder):
    pytest.importorskip("sentencepiece")
    train = write(folder / "train.jsonl", line("a"), line("b"))
    config = load_config(None, ["tokens.unit=subword", "tokens.size=5000"])
    (finding,) = check([train], CheckOptions(config=config)).examination.findings
    assert (finding.code, finding.id) == ("ctc-tokens", None)


def test_what_another_config_allows_is_no_error_until_it_is_settled(folder):
    train = write(
        folder / "train.jsonl", line("a", text="a quick brown fox jumps over")
    )
    assert codes(check([train], CheckOptions()), "error") == [("a", "ctc-frames")]
    unsettled = check([train], CheckOptions(settled=False))
    assert codes(unsettled, "warning") == [("a", "ctc-frames")]


def test_progress_wraps_what_is_read(folder):
    train = write(
        folder / "train.jsonl", line("a"), line("b"), line("b2", audio_filepath="b.wav")
    )
    seen = []

    def progress(items, total):
        seen.append(total)
        for item in items:
            seen.append(item.path.name)
            yield item

    check([train], CheckOptions(), progress=progress)
    assert seen[0] == 2
    assert sorted(seen[1:]) == ["a.wav", "b.wav"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no utterance"),
        (b"\n \n", "holds no utterance"),
        ("{}".encode("utf-16"), "is not UTF-8 text"),
        (None, "no such file"),
    ],
)
def test_what_is_no_manifest_is_told(content, message, folder):
    train = folder / "train.jsonl"
    if content is not None:
        train.write_bytes(content)
    with pytest.raises(ManifestError, match=f"train.jsonl: {message}"):
        check([train], CheckOptions())
    assert not (folder / "check").exists()


def test_a_folder_is_no_manifest(folder):
    with pytest.raises(ManifestError, match="is a folder"):
        check([folder], CheckOptions())


def test_an_empty_manifest_beside_others_is_no_error(folder):
    train = write(folder / "train.jsonl", line("a"))
    dev = write(folder / "dev.jsonl")
    assert codes(check([train, dev], CheckOptions())) == []


def test_a_manifest_of_bad_lines_alone_is_checked(folder):
    train = write(folder / "train.jsonl", "{", "[]")
    checked = check([train], CheckOptions(fix=folder / "fixed"))
    assert codes(checked) == [(None, "manifest-line")] * 2
    assert checked.examination.subject.items == []
    assert (folder / "fixed" / "train.jsonl").read_bytes() == b""


def test_all_that_is_wrong_is_told_at_once(folder):
    (folder / "b.wav").write_bytes(b"")
    train = write(
        folder / "train.jsonl",
        *(line("a", text="5"), line("b"), "{", line("gone"), line("c", duration=None)),
        line("d", text=None),
    )
    assert codes(check([train], CheckOptions())) == [
        *((None, "manifest-line"), ("gone", "file-missing"), ("b", "file-empty")),
        *(("c", "place-duration"), ("d", "text-missing"), ("a", "text-digits")),
    ]


@pytest.fixture
def spoilt(folder):
    """Manifests with things to leave out, to mend, and to keep."""
    (folder / "b.wav").write_bytes(b"")
    shutil.copy(folder / "c.wav", folder / "e.wav")
    train = write(
        folder / "train.jsonl",
        *(line("a", text="\ufeffcafe\u0301"), line("b"), "{"),
        line("c", duration=9.0, mood="glad"),
    )
    dev = write(folder / "dev.jsonl", line("d"), line("e", text="words of c"))
    return [train, dev]


def test_fixed_manifests_hold_the_rest_mended(spoilt, folder):
    out = folder / "fixed"
    checked = check(spoilt, CheckOptions(fix=out))
    assert (len(checked.fixed.kept), checked.fixed.mended) == (3, 1)
    (a,) = read_manifest(out / "train.jsonl")
    assert (a.id, a.text) == ("a", "caf\u00e9")
    assert a.audio.resolve() == (folder / "a.wav").resolve()
    assert [u.id for u in read_manifest(out / "dev.jsonl")] == ["d", "e"]
    text = (out / "check" / "excluded.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(row) for row in text.splitlines()]
    reasons = [(r.get("id"), [e["code"] for e in r["reasons"]]) for r in rows]
    assert reasons == [
        ("b", ["file-empty"]),
        ("c", ["pair-audio"]),
        (None, ["manifest-line"]),
    ]
    # Left out as it was found, with all that the line held.
    assert (rows[1]["duration"], rows[1]["mood"]) == (9.0, "glad")


def test_what_was_fixed_has_no_errors(spoilt, folder):
    out = folder / "fixed"
    check(spoilt, CheckOptions(fix=out))
    again = check([out / "train.jsonl", out / "dev.jsonl"], CheckOptions())
    assert codes(again, "error") == []


def test_audio_and_manifests_stay_as_they_are(spoilt, folder):
    def state():
        files = [*folder.glob("*.wav"), *folder.glob("*.jsonl")]
        return {
            path.name: (
                hashlib.sha256(path.read_bytes()).hexdigest(),
                path.stat().st_mtime_ns,
            )
            for path in files
        }

    before = state()
    check(spoilt, CheckOptions(fix=folder / "fixed", strict=True))
    assert state() == before


def test_fix_never_replaces_the_manifest_itself(spoilt, folder):
    before = spoilt[0].read_bytes()
    for place in (folder, folder / "sub" / ".."):
        (folder / "sub").mkdir(exist_ok=True)
        with pytest.raises(FileError, match="is the manifest itself"):
            check(spoilt, CheckOptions(fix=place, overwrite=True))
    assert spoilt[0].read_bytes() == before
    assert not (folder / "check").exists()


def test_fix_replaces_nothing_unasked(spoilt, folder):
    out = folder / "fixed"
    old = write(out / "dev.jsonl", line("old"))
    with pytest.raises(FileError, match=r"dev.jsonl: is there already.*--overwrite"):
        check(spoilt, CheckOptions(fix=out))
    assert [u.id for u in read_manifest(old)] == ["old"]
    assert not (out / "train.jsonl").exists()
    check(spoilt, CheckOptions(fix=out, overwrite=True))
    assert [u.id for u in read_manifest(old)] == ["d", "e"]


def test_manifests_of_one_name_cannot_be_fixed_together(folder):
    one = write(folder / "train.jsonl", line("a"))
    other = write(folder / "more" / "train.jsonl", line("b", audio_filepath="../b.wav"))
    with pytest.raises(FileError, match="have the same name"):
        check([one, other], CheckOptions(fix=folder / "fixed"))
    assert codes(check([one, other], CheckOptions())) == []


@pytest.mark.parametrize("option", ["out", "fix"])
def test_a_folder_that_cannot_be_written_is_told(option, folder):
    train = write(folder / "train.jsonl", line("a"))
    (folder / "file").touch()
    options = CheckOptions(**{option: folder / "file" / "sub"})
    with pytest.raises(FileError, match=re.escape(str(Path("file", "sub")))):
        check([train], options)


NUMBERS = [0, -0.0, 0.5, 1, 1e-9, 1e9, 1e300, 10**400, -1, True, "1", [], float("nan")]
TEXTS = [
    *("", " ", "a", "e\u0301", "\u0301", "\ufeff", "\u200d", "c\u0430t", "\u6f22"),
    *("\0", "\u2028", "\ufffd", "\ud800", "\ufb01", "\u0130", "\u0378", "\U000e0100"),
    *("5", "\u00bd", "%", "\u20ac", "'", "{{7}}", "<script>", "a b " * 99, "a" * 999),
]
FILES = [
    *("good.wav", "stereo.flac", "short.wav", "nan.wav", "huge.wav", "text.wav"),
    *("gone.wav", "..", "../" * 40, "a\0b", "a" * 300, "/dev/null", "~", "\x1b.wav"),
]
ROWS = st.fixed_dictionaries(
    {},
    optional={
        "audio_filepath": st.sampled_from(FILES) | st.sampled_from(NUMBERS),
        "id": st.sampled_from(["a", "b", 1]) | st.sampled_from(TEXTS + NUMBERS),
        "offset": st.none() | st.sampled_from(NUMBERS),
        "duration": st.just(1.0) | st.none() | st.sampled_from(NUMBERS),
        "text": st.lists(st.sampled_from(TEXTS), max_size=4).map(" ".join)
        | st.sampled_from(NUMBERS),
        "speaker": st.sampled_from(TEXTS + NUMBERS),
        "trimmed": st.sampled_from(NUMBERS),
    },
)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """A folder with recordings, of which few are good."""
    folder = tmp_path_factory.mktemp("any")
    write_speech(folder / "good.wav", 0)
    noise = np.random.default_rng(0).normal(0, 0.1, RATE)
    soundfile.write(folder / "stereo.flac", np.stack([noise, 0 * noise], 1), RATE)
    soundfile.write(folder / "short.wav", noise[:1], RATE)
    soundfile.write(folder / "nan.wav", noise + np.nan, RATE, subtype="FLOAT")
    soundfile.write(folder / "huge.wav", noise * 1e300, RATE, subtype="DOUBLE")
    (folder / "text.wav").write_text("words", encoding="utf-8")
    return folder


@settings(max_examples=60, deadline=None, derandomize=True)
@given(train=st.lists(ROWS, max_size=6), test=st.lists(ROWS, min_size=1, max_size=3))
def test_no_line_of_a_manifest_ends_it(recordings, train, test):
    rows = {"train": train, "test": test}
    manifests = [
        write(recordings / f"{split}.jsonl", *map(json.dumps, lines))
        for split, lines in rows.items()
    ]
    options = CheckOptions(fix=recordings / "fixed", overwrite=True)
    checked = check(manifests, options)
    unread = sum(f.code == "manifest-line" for f in checked.examination.findings)
    assert len(checked.examination.subject.items) + unread == len(train) + len(test)
    kept = [read_manifest(recordings / "fixed" / path.name) for path in manifests]
    assert sum(map(len, kept)) == len(checked.fixed.kept)


def test_reports_never_replace_what_they_are_about(folder):
    train = write(folder / "train.jsonl", line("a"), line("b"))
    (folder / "e").mkdir()
    named = shutil.copy(train, folder / "e" / "scan.cache")
    options = CheckOptions(out=folder / "e")
    with pytest.raises(FileError, match=r"scan\.cache: is one of the manifests"):
        check([named], options)
    (folder / "f" / "check").mkdir(parents=True)
    listed = shutil.copy(train, folder / "f" / "check" / "excluded.jsonl")
    with pytest.raises(FileError, match=r"excluded\.jsonl: is one of the manifests"):
        check([listed], CheckOptions(fix=folder / "f"))
    for path in (named, listed):
        assert path.read_bytes() == train.read_bytes()
    # Among the manifests, the reports are no manifests.
    for _ in range(2):
        check([*folder.glob("*.jsonl")], CheckOptions(out=folder))


def test_manifests_of_any_name_are_for_training(folder):
    long = "far too many letters for one second of audio " * 3
    parts = [
        write(folder / "part1.jsonl", line("a"), line("b")),
        write(folder / "part2.jsonl", line("c", text=long), line("d")),
    ]
    checked = check(parts, CheckOptions())
    assert ("c", "ctc-frames") in codes(checked, "error")
    assert checked.examination.largest_subsampling is None


def test_a_test_set_alone_is_not_judged_as_training(folder):
    long = "far too many letters for one second of audio " * 3
    path = write(folder / "test.jsonl", line("a", text=long), line("b"))
    checked = check([path], CheckOptions(fix=folder / "clean"))
    assert [e.item.utterance.id for e in checked.fixed.excluded] == []
    assert checked.examination.largest_subsampling is None
    assert checked.examination.longest == []
