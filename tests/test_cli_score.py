import json

import pytest
import typer
from typer.testing import CliRunner

from asr.config import Config, ModelConfig, TextConfig
from asr.errors import FileError, ManifestError, ModelError, ScoreError
from asr.model.acoustic import AcousticModel
from asr.model.file import save_model
from asr.tokens import BLANK, Tokens
from cli.main import main
from cli.score import _terminal, score


def run(*arguments):
    """Return typer's result; errors a user can mend are raised, as in ``main``."""
    app = typer.Typer()
    app.command()(score)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def write(path, texts):
    lines = [json.dumps({"id": name, "text": text}) for name, text in texts.items()]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def ref(tmp_path):
    return write(tmp_path / "ref.jsonl", {"1": "a b c", "2": "d e"})


def test_result_goes_to_stdout_and_nothing_to_stderr(ref, tmp_path):
    hyp = write(tmp_path / "hyp.jsonl", {"2": "d x", "1": "a b c"})
    result = run(ref, hyp)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.startswith("%WER 20.00 [ 1 / 5, 0 ins, 0 del, 1 sub ]")
    assert "HYP: d x\n       S" in result.stdout


def test_trn_against_a_manifest(tmp_path):
    manifest = tmp_path / "test.jsonl"
    rows = [{"audio_filepath": f"wav/{n}.wav", "text": "a b"} for n in "12"]
    manifest.write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "hyp.trn").write_text("a b (1)\n(2)\n")
    assert (
        "%WER 50.00 [ 2 / 4, 0 ins, 2 del" in run(manifest, tmp_path / "hyp.trn").stdout
    )


def test_worst_can_be_left_out(ref, tmp_path):
    hyp = write(tmp_path / "hyp.jsonl", {"1": "x", "2": "y"})
    assert run(ref, hyp).stdout.count("REF:") == 2
    assert run(ref, hyp, "--worst", 1).stdout.count("REF:") == 1
    assert "REF:" not in run(ref, hyp, "--worst", 0).stdout
    assert run(ref, hyp, "--worst", -1).exit_code == 2


def test_missing_ids_stop_unless_told_otherwise(ref, tmp_path):
    hyp = write(tmp_path / "hyp.jsonl", {"1": "a b c"})
    with pytest.raises(ScoreError, match="lacks 1 of REF's 2 utterances: 2"):
        run(ref, hyp)
    counted = run(ref, hyp, "--missing", "count")
    assert "%WER 40.00" in counted.stdout
    assert "counted as deleted: 2" in counted.stderr
    skipped = run(ref, hyp, "--missing", "skip")
    assert "%WER 0.00" in skipped.stdout
    assert "left out: 2" in skipped.stderr
    assert run(ref, hyp, "--missing", "ignore").exit_code == 2


def test_extra_ids_are_named_on_stderr(ref, tmp_path):
    hyp = write(tmp_path / "hyp.jsonl", {"1": "a b c", "2": "d e", "3": "f"})
    result = run(ref, hyp)
    assert "%WER 0.00 [ 0 / 5" in result.stdout
    assert result.stderr == "asr: note: 1 in HYP but not in REF, left out: 3\n"


def test_model_gives_both_sides_its_normalised_form(ref, tmp_path):
    hyp = write(tmp_path / "hyp.jsonl", {"1": "A, B c", "2": "D e!"})
    plain = run(ref, hyp)
    assert "%WER 80.00" in plain.stdout
    assert "--model MODEL" in plain.stderr
    path = model(tmp_path)
    result = run(ref, hyp, "--model", path)
    assert "%WER 0.00" in result.stdout
    assert result.stderr == (
        f"asr: note: normalisation ({path}) changed 4 words: "
        "A, -> a (1), B -> b (1), D -> d (1), e! -> e (1)\n"
    )
    result = run(ref, hyp, "--model", model(tmp_path, punctuation="keep"))
    assert "%WER 40.00" in result.stdout
    assert "--model MODEL" not in result.stderr


def model(folder, **text):
    """Return an untrained model file with these settings of ``text``."""
    config = Config(
        text=TextConfig(**text), model=ModelConfig(layers=1, hidden=2, conv_channels=1)
    )
    path = folder / "model.safetensors"
    save_model(path, AcousticModel(config, Tokens((BLANK, "a"))))
    return path


def test_json_beside_the_printed_result(ref, tmp_path):
    hyp = write(tmp_path / "hyp.jsonl", {"1": "a b c", "2": "d x"})
    result = run(ref, hyp, "--json", tmp_path / "out" / "score.json")
    assert result.stdout.startswith("%WER 20.00")
    tree = json.loads((tmp_path / "out" / "score.json").read_text(encoding="utf-8"))
    assert tree["systems"][0]["words"]["rate"] == 0.2


def test_named_normalisers(tmp_path):
    ref = write(tmp_path / "ref.jsonl", {"1": "Mr. Smith has 22 cats."})
    hyp = write(tmp_path / "hyp.jsonl", {"1": "mister smith has twenty two cats"})
    assert "%WER 100.00" in run(ref, hyp).stdout
    assert "%WER 60.00" in run(ref, hyp, "--normalise", "basic").stdout
    result = run(ref, hyp, "--normalise", "english")
    assert "%WER 0.00" in result.stdout
    assert "normalisation (english) changed 4 words: 22 -> twenty two" in result.stderr
    assert run(ref, hyp, "--normalise", "klingon").exit_code == 2


def test_rules_come_after_the_normaliser(tmp_path):
    ref = write(tmp_path / "ref.jsonl", {"1": "My colour"})
    hyp = write(tmp_path / "hyp.jsonl", {"1": "my color"})
    glm = tmp_path / "my.glm"
    glm.write_text("colour => color / [ ] __ [ ]\n")
    result = run(ref, hyp, "--glm", glm)
    assert "%WER 50.00" in result.stdout
    assert "(my.glm) changed 1 word: colour -> color (1)" in result.stderr
    result = run(ref, hyp, "--glm", glm, "--normalise", "basic")
    assert "%WER 0.00" in result.stdout
    assert "(basic, my.glm) changed 2 words" in result.stderr
    glm.write_text("nonsense\n")
    with pytest.raises(ScoreError, match=r"my\.glm:1: is not a rule"):
        run(ref, hyp, "--glm", glm)


def test_two_ways_to_normalise_contradict(ref, tmp_path):
    result = run(ref, ref, "--model", model(tmp_path), "--normalise", "basic")
    assert result.exit_code == 2


def test_by_line(tmp_path):
    ref, hyp = tmp_path / "ref.txt", tmp_path / "hyp.txt"
    ref.write_text("the cat\n\nsat\n")
    hyp.write_text("the hat\n\nsat\n")
    with pytest.raises(ManifestError, match="--by-line"):
        run(ref, hyp)
    assert "%WER 33.33 [ 1 / 3" in run(ref, hyp, "--by-line").stdout
    assert run(ref, hyp, "--by-line", "--kind", "trn").exit_code == 2


def test_a_kind_that_nothing_tells(tmp_path):
    ref, hyp = tmp_path / "ref.txt", tmp_path / "hyp.txt"
    ref.write_text("alice a b\nbob c\n")
    hyp.write_text("bob c\nalice a\n")
    assert "%WER 33.33 [ 1 / 3" in run(ref, hyp, "--kind", "kaldi").stdout
    with pytest.raises(ManifestError, match=r"ref\.txt:1: is not a trn line"):
        run(ref, hyp, "--kind", "trn")
    assert run(ref, hyp, "--kind", "word").exit_code == 2


def test_characters_for_languages_without_spaces(tmp_path):
    ref = write(tmp_path / "ref.jsonl", {"1": "今日 は"})
    hyp = write(tmp_path / "hyp.jsonl", {"1": "今日は"})
    assert "%WER 100.00 [ 2 / 2" in run(ref, hyp).stdout
    shown = run(ref, hyp, "--unit", "char").stdout
    assert shown.startswith("%CER 0.00 [ 0 / 3")
    assert shown.count("%CER") == 1


def test_a_folder_with_everything_that_was_compared(tmp_path):
    ref, hyp = tmp_path / "r.stm", tmp_path / "h.ctm"
    ref.write_text("f A s1 0 1 <o,m> Colour a\nf A s2 1 2 b\n")
    hyp.write_text("f A 0.1 0.2 Colour 0.5\nf A 1.2 0.2 c\n")
    run(ref, hyp, "--normalise", "basic", "--out", tmp_path / "out")
    files = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert files["ref.trn"] == "colour a (f_A_s1_0_1)\nb (f_A_s2_1_2)\n"
    assert files["hyp.trn"] == "colour (f_A_s1_0_1)\nc (f_A_s2_1_2)\n"
    assert files["ref.stm"] == "f A s1 0 1 <o,m> colour a\nf A s2 1 2 b\n"
    assert files["hyp.ctm"] == "f A 0.1 0.2 colour 0.5\nf A 1.2 0.2 c\n"
    assert (
        "Speaker sentences   1:  s2   #utts: 1\nid: (f_A_s2_1_2)\n" in files["hyp.pra"]
    )
    assert json.loads(files["score.json"])["systems"][0]["name"] == "h"
    assert "WER 66.67" in files["report.html"]


def test_several_systems_beside_one_another(ref, tmp_path):
    first = write(tmp_path / "a.jsonl", {"1": "a b c", "2": "d e"})
    second = write(tmp_path / "b.jsonl", {"1": "a b", "2": "d x", "3": "z"})
    result = run(ref, first, second, "--out", tmp_path / "out")
    assert f"a ({first})\n%WER 0.00 [ 0 / 5" in result.stdout
    assert f"b ({second})\n%WER 40.00 [ 2 / 5" in result.stdout
    assert "system   %WER" in result.stdout
    assert "asr: note: b: 1 in HYP but not in REF, left out: 3" in result.stderr
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"ref.trn", "hyp-a.trn", "hyp-b.trn", "hyp-a.pra", "score.json"} <= names
    tree = json.loads((tmp_path / "out" / "score.json").read_text(encoding="utf-8"))
    assert [system["name"] for system in tree["systems"]] == ["a", "b"]


def test_messages_about_one_of_several_systems_name_its_file(ref, tmp_path):
    short = write(tmp_path / "short.jsonl", {"1": "a"})
    with pytest.raises(ScoreError, match=r"short\.jsonl: HYP lacks 1 of REF's 2"):
        run(ref, ref, short)
    with pytest.raises(ScoreError, match="is given twice"):
        run(ref, short, short)


def test_rates_by_speaker_and_by_any_key(tmp_path):
    ref, hyp = tmp_path / "ref.jsonl", tmp_path / "hyp.jsonl"
    lines = [
        {"id": "1", "text": "a b", "speaker": "bob", "age": 9},
        {"id": "2", "text": "c", "speaker": "alice", "age": 10},
        {"id": "3", "text": "d", "speaker": "bob"},
    ]
    ref.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    write(hyp, {"1": "a x", "2": "c", "3": "d d"})
    shown = run(ref, hyp, "--by", "speaker", "--by", "age", "--worst", 0).stdout
    assert shown.split("\n\n")[1:] == [
        "speaker  utterances  words   %WER  95% interval\n"
        "alice             1      1   0.00\n"
        "bob               2      3  66.67",
        "age     utterances  words    %WER  95% interval\n"
        "9                1      2   50.00\n"
        "10               1      1    0.00\n"
        "(none)           1      1  100.00\n",
    ]
    out = tmp_path / "score.json"
    shown = run(ref, hyp, ref, "--by", "speaker", "--json", out).stdout
    assert "speaker  utterances  words  %WER hyp  %WER ref\n" in shown
    groups = json.loads(out.read_text())["systems"][0]["groups"]
    assert groups["speaker"]["bob"]["words"]["errors"] == 2
    with pytest.raises(ScoreError, match="no utterance of REF has the key 'sex'"):
        run(ref, hyp, "--by", "sex")


def test_errors_by_how_often_words_were_seen(ref, tmp_path):
    train = write(tmp_path / "train.jsonl", {"9": "a b c d"})
    hyp = write(tmp_path / "hyp.jsonl", {"1": "a b c", "2": "d x"})
    shown = run(ref, hyp, "--train", train).stdout
    rows = [line.split() for line in shown.split("\n")]
    assert ["never", "1", "1", "100.00"] in rows
    assert ["1", "to", "9", "times", "4", "4", "0.00"] in rows
    assert "Out of vocabulary: 20.00% [ 1 / 5 ]" in shown
    assert "Substituted: e -> x (1)" in shown
    assert "Out of vocabulary" not in run(ref, hyp).stdout


def test_what_tells_systems_apart_is_said(tmp_path):
    texts = {str(n): "a b c" for n in range(30)}
    bad = {name: "a" if int(name) % 3 else "x b c" for name in texts}
    ref, good = write(tmp_path / "ref.jsonl", texts), write(tmp_path / "a.jsonl", texts)
    shown = run(ref, good, write(tmp_path / "b.jsonl", bad), "--worst", 0).stdout
    assert "a is better than b by 55.56 points of WER, more than noise" in shown


def test_colours_are_for_terminals_alone(ref, tmp_path, monkeypatch):
    hyp = write(tmp_path / "hyp.jsonl", {"1": "a x c y", "2": "d"})
    assert "\x1b" not in run(ref, hyp).stdout
    width, paint = terminal(monkeypatch)
    assert width == 77
    assert paint("x", "S") == "\x1b[33mx\x1b[0m"
    assert paint("x", "D") == "\x1b[31mx\x1b[0m"
    assert paint("x", "I") == "\x1b[32mx\x1b[0m"
    assert paint("x", " ") == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert terminal(monkeypatch)[1]("x", "S") == "x"


def terminal(monkeypatch):
    """Return what is decided where stdout is a terminal of 77 columns."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "77")
    return _terminal()


def test_main_makes_an_error_one_line_and_exit_code_1(
    ref, tmp_path, capsys, monkeypatch
):
    (tmp_path / "hyp.jsonl").write_text("")
    monkeypatch.setattr(
        "sys.argv", ["asr", "score", str(ref), str(tmp_path / "hyp.jsonl")]
    )
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("asr: error: HYP has none of REF's 2 utterances: 1, 2;")
    assert err.count("\n") == 1


def test_a_model_that_is_not_there(ref, tmp_path):
    with pytest.raises(ModelError, match="no such model"):
        run(ref, ref, "--model", tmp_path / "none")


def test_problems_with_files_name_them(ref, tmp_path):
    with pytest.raises(ManifestError, match=r"none\.jsonl: no such file"):
        run(ref, tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(ScoreError, match="REF holds no utterance"):
        run(tmp_path / "empty.jsonl", ref)


def test_nothing_heard_at_all(ref, tmp_path):
    hyp = write(tmp_path / "hyp.jsonl", {"1": "", "2": ""})
    result = run(ref, hyp)
    assert "%WER 100.00 [ 5 / 5, 0 ins, 5 del, 0 sub ]" in result.stdout


def test_what_is_read_is_never_written_over(ref, tmp_path):
    inside = tmp_path / "ref.trn"
    inside.write_text("a b c (1)\nd e (2)\n")
    hyp = write(tmp_path / "hyp.jsonl", {"1": "a b c", "2": "d x"})
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    train = tmp_path / "score.json"
    with pytest.raises(FileError, match=r"ref\.trn: is read by this run .* --out"):
        run(inside, hyp, "--out", tmp_path)
    (tmp_path / "link").symlink_to(ref)
    with pytest.raises(FileError, match=r"ref\.jsonl: is read by .* another --json"):
        run(ref, hyp, "--json", tmp_path / "link")
    train.write_bytes(ref.read_bytes())
    with pytest.raises(FileError, match=r"score\.json: is read"):
        run(ref, hyp, "--train", train, "--out", tmp_path)
    with pytest.raises(FileError, match=r"ref\.trn: is a file of --out"):
        run(ref, hyp, "--json", tmp_path / "o" / "ref.trn", "--out", tmp_path / "o")
    assert {path: path.read_bytes() for path in before} == before
    assert not (tmp_path / "report.html").exists()


def test_a_folder_used_again_holds_nothing_of_the_run_before(ref, tmp_path):
    hyps = [write(tmp_path / f"{n}.jsonl", {"1": "a", "2": "d"}) for n in "ab"]
    out = tmp_path / "out"
    run(ref, *hyps, "--out", out)
    (out / "hyp-mine.trn").write_text("a (1)\nd (2)\n")
    with pytest.raises(FileError, match=r"hyp-a\.trn: is read by this run"):
        run(ref, out / "hyp-a.trn", "--out", out)
    run(ref, hyps[0], "--out", out)
    names = "hyp-mine.trn hyp.pra hyp.trn ref.trn report.html score.json"
    assert sorted(path.name for path in out.iterdir()) == names.split()


def test_nothing_in_a_file_moves_the_cursor(tmp_path, capsys, monkeypatch):
    ref = write(tmp_path / "ref.jsonl", {"1": "a", "u\x1b[31m": "b"})
    hyp = write(tmp_path / "hyp.jsonl", {"1": "a", "v\x1b[32m": "c"})
    result = run(ref, hyp, "--missing", "count")
    assert "u\ufffd[31m" in result.stderr
    assert "\x1b" not in result.stderr
    monkeypatch.setattr("sys.argv", ["asr", "score", str(ref), str(hyp)])
    with pytest.raises(SystemExit):
        main()
    assert "\x1b" not in capsys.readouterr().err


def test_notes_on_files_reach_the_page(tmp_path):
    ref, hyp = tmp_path / "ref.trn", tmp_path / "hyp.trn"
    ref.write_text("a (uh) b (s-1)\n")
    hyp.write_text("a b (s-1)\n")
    result = run(ref, hyp, "--out", tmp_path / "out")
    note = "1 optional word of REF not heard counts as right, as with sclite -D"
    assert result.stderr == f"asr: note: {note}\n"
    assert note in (tmp_path / "out" / "report.html").read_text()
