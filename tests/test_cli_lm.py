import json
import re
from itertools import chain

import pytest
from typer.testing import CliRunner

from asr.errors import AsrError, LanguageModelError
from asr.ngrams import load_lm, perplexity
from asr.ngrams.texts import read_sentences
from cli.main import app

LINES = [
    *("The cat sat on the mat.", "The dog sat on the cat!", "A dog, a cat; a mat."),
    *("On the mat sat a dog.", "The cat and the dog sat.", "The mat was on a mat."),
]


def asr(*arguments):
    """Run ``asr lm``."""
    result = CliRunner().invoke(app, ["lm", *map(str, arguments)])
    error = result.exception
    if error and not isinstance(error, SystemExit | AsrError):
        raise error
    return result


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(LINES), encoding="utf-8")
    return path


def test_texts_to_a_model(text, tmp_path):
    out = tmp_path / "deep" / "lm.arpa"
    result = asr(text, "--out", out, "--test", text)
    assert result.exit_code == 0
    model = load_lm(out)
    assert (model.order, model.unit) == (3, "word")
    lines = [re.sub(r"[.,;!]", "", line.lower()).split() for line in LINES]
    assert set(model.words[3:]) == set(chain(*lines))
    *discounts, last = result.stderr.splitlines()
    assert [line[:23] for line in discounts] == [
        f"asr: {n}-grams: discounts" for n in (1, 2, 3)
    ]
    size = out.stat().st_size / 1e6
    sizes = ", ".join(f"{size} {n}-grams" for n, size in enumerate(model.sizes, 1))
    assert last == f"asr: {out}: {sizes}, {size:.1f} MB"
    [words, everything, rate] = re.fullmatch(
        r"perplexity (\S+), with unknown words (\S+), OOV (.*)\n", result.stdout
    ).groups()
    assert rate == "0.00 % [ 0 / 36 ]"
    expected = perplexity(model, lines).everything
    assert float(words) == float(everything) == round(expected, 2)


def test_every_form_is_the_same_model(text, tmp_path):
    asr(text, "--out", tmp_path / "a.arpa")
    for name in ("b.arpa.gz", "b.lm"):
        asr(text, "--out", tmp_path / name)
        back = tmp_path / f"from-{name}.arpa"
        result = asr(tmp_path / name, "--out", back)
        assert result.exit_code == 0
        assert back.read_bytes() == (tmp_path / "a.arpa").read_bytes()


def test_orders_cutoffs_vocabulary_and_pruning(text, tmp_path):
    def sizes(*options):
        out = tmp_path / "x.lm"
        assert asr(text, "--out", out, *options).exit_code == 0
        return load_lm(out).sizes

    full = sizes("--order", 4)
    assert len(full) == 4
    assert sizes("--order", 2) == full[:2]
    cut = sizes("--order", 4, "--cutoff", "0,0,1")
    assert cut[:2] == full[:2]
    assert cut[2] < full[2]
    assert sizes("--vocab", 4)[0] == 7
    pruned = sizes("--order", 4, "--prune", "1e-2")
    assert pruned[0] == full[0]
    assert 0 < sum(pruned[1:]) < sum(full[1:])
    # The same from a file as at once, but for what rounding does.
    asr(text, "--out", tmp_path / "full.lm", "--order", 4)
    asr(tmp_path / "full.lm", "--out", tmp_path / "x.lm", "--prune", "1e-2")
    assert load_lm(tmp_path / "x.lm").sizes == pruned


def test_characters(text, tmp_path):
    for name in ("a.arpa", "a.lm"):
        out = tmp_path / name
        result = asr(text, "--unit", "char", "--order", 5, "--out", out)
        assert result.exit_code == 0
        model = load_lm(out)
        assert model.unit == "char"
        assert "▁" in model.words
        # A model knows what its words are when it is tested.
        again = asr(out, "--out", tmp_path / "b.lm", "--test", text)
        found = perplexity(model, read_sentences([text], unit="char"))
        assert found.unknown  # as they are, full stops are no words of it
        assert "OOV 0.00 % [ 0 / 124 ]" in again.stdout


def test_as_is_and_as_a_model_normalises(text, tmp_path, trained):
    out = tmp_path / "a.lm"
    asr(text, "--out", out, "--as-is", "--order", 1)
    assert {"The", "mat.", "dog,"} < set(load_lm(out).words)
    result = asr(text, "--out", out, "--model", trained)
    assert result.exit_code == 0
    assert "The" not in load_lm(out).words
    both = asr(text, "--out", out, "--model", trained, "--as-is")
    assert both.exit_code == 2


def test_manifests_and_texts_together(text, tmp_path):
    manifest = tmp_path / "m.jsonl"
    rows = [{"audio_filepath": "a.wav", "text": "Zebra"}, {"audio_filepath": "b.wav"}]
    manifest.write_text("\n".join(map(json.dumps, rows)))
    out = tmp_path / "a.lm"
    assert asr(manifest, text, "--out", out).exit_code == 0
    assert {"zebra", "the"} < set(load_lm(out).words)
    result = asr(text, "--out", out, "--test", manifest)
    assert result.stdout.endswith("OOV 100.00 % [ 1 / 1 ]\n")


@pytest.mark.parametrize(
    "option", [("--order", 2), ("--unit", "word"), ("--vocab", 9), ("--cutoff", "0,1")]
)
def test_a_model_has_its_own_order(text, tmp_path, option):
    out = tmp_path / "a.lm"
    asr(text, "--out", out)
    assert asr(out, "--out", tmp_path / "b.arpa", *option).exit_code == 2
    assert asr(out, text, "--out", tmp_path / "b.arpa").exit_code == 2
    assert not (tmp_path / "b.arpa").exists()


def test_bad_input_is_one_line(text, tmp_path):
    out = tmp_path / "a.arpa"
    empty = tmp_path / "empty.txt"
    empty.write_text("\n ... \n")
    broken = tmp_path / "broken.arpa"
    broken.write_text("\\data\\\nngram 1=1\n")
    for arguments, says in (
        ((tmp_path / "none.txt",), "none.txt: no such file"),
        ((tmp_path / "none.lm",), "none.lm: no such file"),
        ((empty,), "has no words; leave it out"),
        ((broken,), "broken.arpa:2: is cut short"),
        ((text, "--test", tmp_path / "none.txt"), "none.txt: no such file"),
        ((text, "--test", empty), "empty.txt: has no words; leave it out"),
        ((text, "--cutoff", "1,1"), "cutoffs 1,1"),
    ):
        result = asr(*arguments, "--out", out)
        assert isinstance(result.exception, LanguageModelError)
        assert says in str(result.exception)
        assert "\n" not in str(result.exception)
    for name in ("lm", "a.txt", "a.bin"):
        result = asr(text, "--out", tmp_path / name)
        assert "must end in" in str(result.exception)
    assert asr(text, "--out", out, "--cutoff", "0,x").exit_code == 2
    assert asr(text, "--out", out, "--order", 0).exit_code == 2
    assert not out.exists()
