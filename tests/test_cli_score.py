import json

import pytest
import typer
from typer.testing import CliRunner

from asr.config import Config, ModelConfig, TextConfig
from asr.errors import ManifestError, ModelError, ScoreError
from asr.model.acoustic import AcousticModel
from asr.model.file import save_model
from asr.tokens import BLANK, Tokens
from cli.main import main
from cli.score import score


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
    assert "%WER 0.00" in run(ref, hyp, "--model", model(tmp_path)).stdout
    result = run(ref, hyp, "--model", model(tmp_path, punctuation="keep"))
    assert "%WER 40.00" in result.stdout
    assert result.stderr == ""


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
    assert tree["words"]["rate"] == 0.2


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
    assert err.startswith("asr: error: HYP lacks 2 of REF's 2 utterances: 1, 2;")
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
