"""Paired tests between systems, beside sc_stats'."""

import math
import random
import re
import subprocess

import pytest

from asr import scoring
from asr.errors import ScoreError
from asr.scoring.comparison import compare, compare_all
from asr.scoring.significance import matched_pairs, segments, sentence_test
from tests.sclite import program, run_sclite
from tests.test_scoring_sclite import damaged

LETTERS = list("abcdefgh")


def texts(seed, rates, count=300):
    """Return references and what systems of some error rates heard."""
    rng = random.Random(seed)
    refs, systems = {}, [{} for _ in rates]
    for number in range(count):
        name = f"s{number % 6}-{number}"
        words = rng.choices(LETTERS, k=rng.choice([0, 1, 3, 8, 20]))
        refs[name] = " ".join(words)
        for heard, rate in zip(systems, rates, strict=True):
            tail = rng.choices(LETTERS, k=2 * (rng.random() < 0.1))
            heard[name] = " ".join(damaged(words, LETTERS, rate, rng) + tail)
    return refs, systems


def scores(refs, systems, speakers=False):
    names = {name: name.partition("-")[0] for name in refs} if speakers else None
    return [scoring.score_corpus(refs, hyps, speakers=names) for hyps in systems]


def sc_stats(folder, refs, systems):
    """Return segments, mean, Z and verdict of NIST's matched pairs test."""
    sgml = run_sclite(folder, refs, *systems)
    command = [program("sc_stats"), "-p", "-t", "mapsswe", "-v", "-n", "-"]
    result = subprocess.run(command, input=sgml, capture_output=True, text=True)
    found = re.search(
        r"# segs: (\d+).*mean: (\S+)\).*Z Stat: (\S+)\) \(Stat Diff: (\w+)\)",
        result.stdout,
    )
    count, mean, z, verdict = found.groups()
    return int(count), float(mean), float(z), verdict == "Yes"


@pytest.mark.parametrize(
    ("seed", "rates"),
    [*enumerate([(0.1, 0.1), (0.1, 0.13), (0.1, 0.15), (0.5, 0.1), (0.9, 0.8)] * 2)],
)
def test_matched_pairs_are_those_of_sc_stats(tmp_path, seed, rates):
    refs, systems = texts(seed, rates)
    count, mean, z, verdict = sc_stats(tmp_path, refs, systems)
    found = compare(*scores(refs, systems)).matched_pairs
    assert found.segments == count
    assert found.mean == pytest.approx(mean, abs=0.0005)
    assert found.z == pytest.approx(z, abs=0.0005)
    assert found.significant == verdict


@pytest.mark.parametrize(
    ("first", "second", "errors"),
    [
        ("CCCCC", "CCCCC", []),
        ("CSCCC", "CCCCC", [(1, 0)]),
        ("SCCS", "CCCC", [(1, 0), (1, 0)]),
        ("SCS", "CCC", [(2, 0)]),
        ("CCSCC", "SCCCC", [(1, 1)]),
        ("SCCCC", "CCCCD", [(1, 0), (0, 1)]),
        ("CC", "CCI", [(0, 1)]),
        ("", "II", [(0, 2)]),
        ("SICC", "CCC", [(2, 0)]),
        ("SCIC", "CCC", [(2, 0)]),
    ],
)
def test_segments_end_at_two_right_words(first, second, errors):
    assert list(segments(first, second)) == errors
    swapped = [(b, a) for a, b in errors]
    assert list(segments(second, first)) == swapped


def test_systems_change_roles():
    refs, systems = texts(3, (0.1, 0.2))
    one, other = scores(refs, systems, speakers=True)
    there, back = compare(one, other), compare(other, one)
    assert there.difference == -back.difference
    assert there.matched_pairs.z == pytest.approx(-back.matched_pairs.z)
    assert there.matched_pairs.p == pytest.approx(back.matched_pairs.p)
    assert there.sentences.only_first == back.sentences.only_second
    assert there.bootstrap.p == pytest.approx(back.bootstrap.p, abs=0.02)


def test_a_system_is_no_better_than_itself():
    refs, systems = texts(4, (0.3,))
    (score,) = scores(refs, systems)
    found = compare(score, score, names=("a", "b"))
    assert found.difference == found.matched_pairs.z == 0
    assert found.matched_pairs.p == found.bootstrap.p == found.sentences.p == 1
    assert found.within_noise
    assert found.sentence.startswith("a and b have the same WER")


def test_noise_is_called_noise_and_a_difference_is_not():
    refs, systems = texts(5, (0.1, 0.11, 0.4))
    results = dict(zip("abc", scores(refs, systems, speakers=True), strict=True))
    first, second, third = compare_all(results)
    assert first.within_noise
    assert "within noise" in first.sentence
    for found in (second, third):
        assert not found.within_noise
        assert "is better than c by" in found.sentence
        assert "more than noise" in found.sentence
        assert found.bootstrap.interval.high < 0
        assert found.speaker_bootstrap.interval.by == "speaker"


def test_bootstrap_is_the_normal_interval_where_that_holds():
    # One word an utterance; the systems differ in 60 of 400, 40 to 20.
    refs = {str(n): "a" for n in range(400)}
    one = {name: "b" if int(name) < 40 else "a" for name in refs}
    other = {name: "b" if 40 <= int(name) < 60 else "a" for name in refs}
    found = compare(*scores(refs, (one, other)))
    half = 1.96 * math.sqrt(0.15 - 0.05**2) / math.sqrt(400)
    assert found.difference == pytest.approx(0.05)
    assert found.bootstrap.interval.low == pytest.approx(0.05 - half, abs=0.006)
    assert found.bootstrap.interval.high == pytest.approx(0.05 + half, abs=0.006)
    z = 0.05 / math.sqrt((0.15 - 0.05**2) / 400)
    normal = math.erfc(z / math.sqrt(2))
    assert found.bootstrap.p == pytest.approx(normal, abs=0.01)
    assert found.sentences == sentence_test(40, 20)
    assert found.sentences.p == pytest.approx(0.0135, abs=0.0001)


def test_order_and_seed_decide_nothing_else():
    refs, systems = texts(6, (0.2, 0.25))
    found = compare(*scores(refs, systems))
    backwards = dict(reversed(refs.items()))
    assert compare(*scores(backwards, systems)) == found
    assert compare(*scores(refs, systems), seed=1).bootstrap != found.bootstrap


def test_alternatives_keep_segments_in_step():
    refs = {"1": "{ a b / c } d e f { g / @ } h", "2": "a b c"}
    one = {"1": "a b d e x h", "2": "a b c"}
    other = {"1": "c d e f g h", "2": "a x c"}
    found = compare(
        *(scoring.score_corpus(refs, hyps, marked=True) for hyps in (one, other))
    )
    assert found.matched_pairs.segments == 2
    assert found.matched_pairs.mean == 0


def test_one_more_error_in_each_segment_is_no_noise():
    # sc_stats has Z 0 where all differences are the same, as if there were none.
    refs = {str(n): "one two three four five six" for n in range(60)}
    worse = {n: "one x three four five six" for n in refs if int(n) % 2} | {
        n: text for n, text in refs.items() if int(n) % 2 == 0
    }
    first, second = scores(refs, (refs, worse))
    found = compare(first, second, names=("a", "b"))
    assert (found.matched_pairs.z, found.matched_pairs.significant) == (0, False)
    assert found.matched_pairs.p == pytest.approx(2 / 2**30)
    assert not found.within_noise
    assert "more than noise (sign test of segments p < 0.001" in found.sentence
    assert compare(first, first).matched_pairs.p == 1


def test_more_pairs_need_more_to_go_by():
    # Nothing but luck would give 1 of 15 pairs a p below 0.05 in one run of two.
    refs = {str(n): "a" for n in range(400)}
    one = {name: "b" if int(name) < 40 else "a" for name in refs}
    other = {name: "b" if 40 <= int(name) < 60 else "a" for name in refs}
    first, second = scores(refs, (one, other))
    [alone] = compare_all({"a": first, "b": second})
    assert alone == compare(first, second, names=("a", "b"))
    assert not alone.within_noise
    assert alone.corrected == alone.largest_p < 0.02
    systems = {"a": first} | dict.fromkeys("bcdef", second)
    among, *_, last = compare_all(systems)
    assert among.largest_p == alone.largest_p
    assert among.corrected == pytest.approx(15 * alone.largest_p)
    assert among.within_noise
    assert f"of 15 pairs p {among.corrected:.3f}): more or other" in among.sentence
    assert last.corrected == 1


def test_an_interval_that_holds_0_is_said_where_it_decides():
    # Three speakers of six are worse by much: 1 draw of 64 is of none of them.
    refs = {f"s{n % 6}-{n}": "a b c" for n in range(60)}
    worse = {n: "a x c" if int(n[1]) % 2 else "a b c" for n in refs}
    found = compare(*scores(refs, (refs, worse), speakers=True))
    assert found.largest_p < 0.05
    assert found.within_noise
    assert "but an interval of the difference holds 0): more" in found.sentence


def test_the_smallest_p_counts_most_often():
    refs = {str(n): "a" for n in range(400)}
    heard = [
        {name: "b" if low <= int(name) < high else "a" for name in refs}
        for low, high in ((0, 40), (40, 60), (60, 62))
    ]
    found = compare_all(dict(zip("abc", scores(refs, heard), strict=True)))
    raw = sorted(comparison.largest_p for comparison in found)
    corrected = sorted(comparison.corrected for comparison in found)
    steps = [3 * raw[0], max(3 * raw[0], 2 * raw[1]), max(2 * raw[1], raw[2])]
    assert corrected == pytest.approx(steps)
    assert not any(comparison.within_noise for comparison in found)


def test_p_is_never_nothing():
    refs = {str(n): "a" for n in range(400)}
    found = compare(*scores(refs, (refs, dict.fromkeys(refs, "b"))))
    assert found.bootstrap.p == pytest.approx(2 / 10_001)


def test_characters_have_points_of_their_own_rate():
    one, other = (
        scoring.score_corpus({"1": "a b"}, {"1": heard}, unit="character")
        for heard in ("a b", "a c")
    )
    found = compare(one, other, names=("a", "b"))
    assert found.unit == "character"
    assert "a is better than b by 50.00 points of CER" in found.sentence
    assert compare(one, one).sentence.startswith("first and second have the same CER")


def test_without_reference_words_there_is_nothing_to_compare():
    refs = {str(n): "" for n in range(8)}
    found = compare(*scores(refs, (dict.fromkeys(refs, "a b"), refs)))
    assert found.difference is found.bootstrap is None
    assert found.within_noise
    assert found.sentence == "first and second: no WER to compare; REF has no word"


def test_a_segment_or_none_proves_nothing():
    assert matched_pairs([]).p == matched_pairs([(3, 0)]).p == 1
    assert sentence_test(0, 0).p == sentence_test(41, 40).p == 1
    assert all(sentence_test(n + 1, n).p == 1 for n in range(100))
    assert sentence_test(42, 40).p < 1
    assert sentence_test(5, 0).p == pytest.approx(2 / 32)
    assert sentence_test(60_000, 50_000).p < 1e-100


def test_only_common_utterances_are_compared():
    one = scoring.score_corpus({"1": "a", "2": "b"}, {"1": "a", "2": "x"})
    other = scoring.score_corpus({"2": "b", "3": "c"}, {"2": "b", "3": "c"})
    assert compare(one, other).utterances == 1
    assert compare(one, other).bootstrap is None
    with pytest.raises(ScoreError, match="no utterance in common"):
        compare(one, scoring.score_corpus({"4": "a"}, {"4": "a"}))


def test_different_references_are_not_compared():
    one = scoring.score_corpus({"1": "a"}, {"1": "a"})
    other = scoring.score_corpus({"1": "b"}, {"1": "a"})
    with pytest.raises(ScoreError, match="different references: 1;"):
        compare(one, other)
    other = scoring.score_corpus({"1": "a"}, {"1": "a"}, unit="character")
    with pytest.raises(ScoreError, match="different references: units or marks"):
        compare(one, other)
