import json
import math
import sys
from statistics import stdev

import pytest

from asr.comparison.experiments import read_experiments
from asr.comparison.rates import pool, score_hypotheses
from asr.comparison.rows import columns_of, shown
from asr.comparison.stage import compare
from asr.comparison.tables import markdown, measured, text_table, write_tables
from asr.errors import AsrError, ComparisonError, ManifestError, ModelError, ScoreError
from asr.scoring import Counts, bootstrap_interval, speaker_interval
from asr.scoring.normalisation import of_config
from asr.scoring.stage import score_files
from asr.tokens import Tokens
from tests.experiments import (
    REFERENCES,
    experiment,
    heard,
    metrics,
    reach,
    write_lines,
    write_references,
)


@pytest.fixture
def reference(tmp_path):
    return write_references(tmp_path / "dev.jsonl")


@pytest.fixture
def grid(tmp_path):
    """Two cells, two depths, two seeds."""
    return [
        experiment(
            tmp_path / "exp" / f"{cell}{layers}s{seed}",
            f"model.cell={cell}",
            f"model.layers={layers}",
            f"seed={seed}",
            wrong=layers + seed,
            dev_wer=0.1 * layers + 0.02 * seed,
            gradients=reach(0.1 * layers) if cell == "gru" else None,
        )
        for cell in ("lstm", "gru")
        for layers in (10, 2)
        for seed in (1, 0)
    ]


def test_seeds_are_one_row(grid, reference):
    found = compare(grid, reference=reference)
    assert found.experiments == 8
    assert [column.key for column in found.columns] == ["model.cell", "model.layers"]
    assert [column.name for column in found.columns] == ["cell", "layers"]
    # Sorted, and numbers as numbers.
    assert [row.label for row in found.rows] == [
        *("cell=gru, layers=2", "cell=gru, layers=10"),
        *("cell=lstm, layers=2", "cell=lstm, layers=10"),
    ]
    assert all(row.seeds == [0, 1] for row in found.rows)
    assert found.notes == ()


def test_rates_are_the_scoring_librarys(grid, reference):
    row = compare(grid, reference=reference).rows[0]
    scores = [
        score_files(
            reference,
            [e.path / "dev.hyp.jsonl"],
            normaliser=of_config(e.config.text, "model"),
        )
        .systems[0]
        .score
        for e in row.experiments
    ]
    wers = [score.total.wer for score in scores]
    assert row.rates.wers == tuple(wers)
    assert row.rates.wer == pytest.approx(sum(wers) / 2)
    assert row.rates.deviation == pytest.approx(stdev(wers))
    assert row.rates.errors == 2 + 3
    assert row.rates.words == 2 * scores[0].total.words.length
    assert row.rates.cer == pytest.approx(sum(s.total.cer for s in scores) / 2)
    pairs = list(zip(*(s.utterances for s in scores), strict=True))
    pooled = [a.score.words + b.score.words for a, b in pairs]
    assert row.rates.interval == bootstrap_interval(pooled)
    speakers = {}
    for (a, _), words in zip(pairs, pooled, strict=True):
        speakers[a.speaker] = speakers.get(a.speaker, Counts()) + words
    assert len(speakers) == 6
    assert row.rates.speaker_interval == speaker_interval(speakers)


def test_one_seed_has_its_own_interval(grid, reference):
    [one] = read_experiments(grid[:1], "gradients.json")
    score = score_hypotheses(one, reference, "dev.hyp.jsonl")
    rates = pool([score])
    assert rates.interval == score.interval
    assert rates.speaker_interval == score.speaker_interval
    assert rates.deviation is None


def test_without_references_the_trainings_own_rates(grid):
    found = compare(grid)
    row = found.rows[0]
    assert row.rates.wers == (0.2, 0.22)
    assert row.rates.interval is None
    assert (row.rates.errors, row.rates.words) == (8 + 9, 80)
    assert "have no interval" in measured(found)
    assert "dev WER" in text_table(found)
    assert "95 % interval" not in text_table(found)


def test_numbers_of_the_training(grid):
    row = compare(grid).rows[0]
    assert (row.weights, row.epochs, row.training_seconds) == (1000, 4, 40.0)
    assert row.speed == pytest.approx(100)
    assert row.peak_memory == 504
    assert row.reach.weights == (2.0, 4.0)
    assert row.reach.horizons[0.1] == (pytest.approx(0.04 * math.log(10) / 0.2), None)


def test_decoding_settings_and_seeds_make_no_rows(tmp_path):
    paths = [
        experiment(tmp_path / "a", "seed=3"),
        experiment(tmp_path / "b", "decoding.beam=3", "seed=4"),
    ]
    [row] = compare(paths).rows
    assert row.seeds == [3, 4]
    assert row.label == "a, b"


def test_the_amount_of_data_is_a_setting(tmp_path):
    paths = [
        experiment(tmp_path / "a", hours=0.5),
        experiment(tmp_path / "b", hours=5.0, utterances=120),
    ]
    found = compare(paths)
    assert [c.name for c in found.columns] == ["utterances", "hours"]
    assert [row.settings["data.hours"] for row in found.rows] == [0.5, 5.0]


def test_short_names_where_no_other_setting_has_them():
    settings = [
        {"a.size": 1, "b.size": 2, "b.x": 1},
        {"a.size": 2, "b.size": 2, "b.x": 2},
    ]
    assert [c.name for c in columns_of(settings)] == ["a.size", "x"]
    assert shown((0.9, 1.0)) == "[0.9, 1]"
    assert shown("") == '""'


def test_tables(grid, reference, tmp_path):
    found = compare(grid, reference=reference)
    write_tables(tmp_path / "out", found)
    lines = (
        (tmp_path / "out" / "compare.jsonl").read_text(encoding="utf-8").splitlines()
    )
    rows = [json.loads(line) for line in lines]
    assert [row["name"] for row in rows] == [row.label for row in found.rows]
    assert rows[0]["settings"] == {"model.cell": "gru", "model.layers": 2}
    assert rows[0]["seeds"] == [0, 1]
    rates = found.rows[0].rates
    assert rows[0]["wer"] == rates.wer
    assert rows[0]["wer_interval_95"] == [rates.interval.low, rates.interval.high]
    assert [e["wer"] for e in rows[0]["experiments"]] == list(rates.wers)
    assert rows[0]["gradients"]["measured"] == 2
    assert rows[2]["gradients"] is None
    text = (tmp_path / "out" / "compare.md").read_text(encoding="utf-8")
    assert text == markdown(found)
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 2 + 4
    assert table[1].startswith("|---|--:|--:|")
    assert {line.count("|") for line in table} == {table[0].count("|")}
    assert table[2].startswith("| gru | 2 | 2 | 5.21 % | 4.17 to 6.25 (SD 1.47) | ")
    assert " | 1,000 | 4 | 40.0 s | 100x | 504 MB | " in table[2]
    plain = text_table(found).splitlines()
    assert len(plain) == 5
    assert plain[0].split()[:3] == ["cell", "layers", "seeds"]


def test_markdown_shows_names_as_they_are(tmp_path, reference):
    name = "a|b <b>_x_ `c` [d](e)"
    found = compare([experiment(tmp_path / name)], reference=reference)
    row = markdown(found).splitlines()[4]
    assert row.startswith(r"| a\|b\_&lt;b\>\_x\_\_\`c\`\_\[d\](e) | 1 |")


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_a_folder_whose_name_is_no_text(tmp_path, reference):
    path = experiment(tmp_path / "b\udcff|\n<i>")
    found = compare([path], reference=reference)
    write_tables(tmp_path, found)
    [line] = (tmp_path / "compare.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["experiments"][0]["path"].endswith("b?|\n<i>")
    rows = (tmp_path / "compare.md").read_text(encoding="utf-8").splitlines()
    assert sum(row.startswith("|") for row in rows) == 3


def test_the_same_seed_twice_is_told(tmp_path):
    paths = [experiment(tmp_path / name) for name in "ab"]
    found = compare(paths)
    [note] = found.notes
    assert note.startswith("a, b: the same settings and the same seed; they count")


def test_other_normalisation_is_told(tmp_path):
    paths = [
        experiment(tmp_path / "a"),
        experiment(tmp_path / "b", "text.case=upper"),
    ]
    assert "normalised in different ways" in compare(paths).notes[0]


def broken(found, **changes):
    """Write an experiment's metrics with the second line changed."""
    rows = metrics(0.25)
    rows[1] |= changes
    write_lines(found / "metrics.jsonl", rows)


DAMAGES = {
    "no model": (
        lambda e: (e / "model.safetensors").unlink(),
        ModelError,
        "holds no model.safetensors",
    ),
    "no metrics": (
        lambda e: (e / "metrics.jsonl").unlink(),
        ManifestError,
        "metrics.jsonl: no such file",
    ),
    "a broken line": (
        lambda e: (e / "metrics.jsonl").write_text('{"epoch": 1}\n{"epo\n'),
        ManifestError,
        "metrics.jsonl:2: is not JSON",
    ),
    "no epoch": (
        lambda e: (e / "metrics.jsonl").write_text(""),
        ComparisonError,
        "holds no epoch",
    ),
    "a word for a number": (
        lambda e: broken(e, dev_wer="low"),
        ComparisonError,
        "metrics.jsonl:2: dev_wer is 'low'",
    ),
    "infinity": (
        lambda e: broken(e, speed=math.inf),
        ComparisonError,
        "metrics.jsonl:2: speed is inf",
    ),
    "gradients of another kind": (
        lambda e: (e / "gradients.json").write_text('{"reach": [1]}'),
        ComparisonError,
        "gradients.json: is not a file of asr gradients",
    ),
    "gradients cut short": (
        lambda e: (e / "gradients.json").write_text('{"reach": ['),
        ComparisonError,
        "gradients.json: is not a file of asr gradients",
    ),
    "no hypotheses": (
        lambda e: (e / "dev.hyp.jsonl").unlink(),
        ManifestError,
        "dev.hyp.jsonl: no such file",
    ),
    "utterances missing": (
        lambda e: write_lines(e / "dev.hyp.jsonl", [{"id": "u1", "text": "one"}]),
        ScoreError,
        "dev.hyp.jsonl: HYP lacks 11 of REF's 12 utterances",
    ),
}


@pytest.mark.parametrize(("damage", "kind", "said"), DAMAGES.values(), ids=DAMAGES)
def test_damaged_experiments(tmp_path, reference, damage, kind, said):
    good, bad = (experiment(tmp_path / n, f"seed={n}") for n in "01")
    damage(bad)
    with pytest.raises(AsrError) as caught:
        compare([good, bad], reference=reference)
    assert isinstance(caught.value, kind)
    assert str(bad) in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_compared(tmp_path, reference):
    one = experiment(tmp_path / "one")
    with pytest.raises(ComparisonError, match="named twice"):
        compare([one, one.parent / "." / "one"])
    (tmp_path / "link").symlink_to(one)
    with pytest.raises(ComparisonError, match="named twice"):
        compare([one, tmp_path / "link"])
    with pytest.raises(ComparisonError, match="is a file"):
        compare([one, one / "model.safetensors"])
    with pytest.raises(ModelError, match="no such"):
        compare([one, tmp_path / "gone"])
    other = experiment(
        tmp_path / "other", "seed=1", tokens=Tokens(("<blank>", *" abc"))
    )
    with pytest.raises(ComparisonError, match="other tokens than"):
        compare([one, other])
    # Of other settings of tokens they may be others.
    apart = experiment(
        tmp_path / "apart", "tokens.characters=abc", tokens=Tokens(("<blank>", *" abc"))
    )
    assert len(compare([one, apart]).rows) == 2
    summary = experiment(tmp_path / "summary", dev_words="many")
    with pytest.raises(ComparisonError, match="dev_words is 'many'"):
        compare([summary])


def test_hypotheses_that_references_lack_are_told(tmp_path, reference):
    one = experiment(tmp_path / "one")
    more = heard(1, {**REFERENCES, "extra": "one"})
    write_lines(
        one / "more.jsonl", [{"id": name, "text": text} for name, text in more.items()]
    )
    [note] = compare([one], reference=reference, hypotheses="more.jsonl").notes
    assert "in HYP but not in REF" in note
    assert str(one) in note


def test_many_experiments(tmp_path, reference):
    paths = [
        experiment(tmp_path / f"{n}", f"train.epochs={n // 3 + 1}", f"seed={n % 3}")
        for n in range(30)
    ]
    found = compare(paths, reference=reference)
    assert len(found.rows) == 10
    assert [row.settings["train.epochs"] for row in found.rows] == list(range(1, 11))
