import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.audio import audio_info, read_audio
from asr.corpora.conversion import check_conversion, convert
from asr.errors import CorpusError, FileError
from asr.manifest import Utterance, read_manifest, write_manifest

RATES = (8000, 11025, 16000, 22050, 44100, 48000)
STEP = 2.0**-15


def noise(count, channels=1, seed=0):
    """Return 16-bit noise, (count, channels): no sample is like its neighbour."""
    rng = np.random.default_rng(seed)
    return rng.integers(-12000, 12001, (count, channels), dtype=np.int16)


def record(path, samples, rate, subtype="PCM_16"):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def read(utterance, rate):
    return read_audio(
        utterance.audio, rate, offset=utterance.offset, duration=utterance.duration
    )


def pieces(path, rate, lengths):
    """Return utterances one after another in a recording, so many samples each."""
    starts = np.cumsum([0, *lengths[:-1]])
    return [
        Utterance(id=f"u{n}", audio=path, offset=start / rate, duration=length / rate)
        for n, (start, length) in enumerate(zip(starts, lengths, strict=True))
    ]


@pytest.fixture
def corpus(tmp_path):
    """Two splits: whole recordings and parts of one, several rates and channels."""
    folder = tmp_path / "source"
    long = record(folder / "long.wav", noise(50000, 2), 44100)
    train = [
        Utterance(id="whole", audio=record(folder / "a.wav", noise(9000), 16000)),
        Utterance(id="part", audio=long, offset=0.25, duration=0.5, speaker="s"),
        Utterance(id="rest", audio=long, offset=0.8, text="x", extra={"lang": "de"}),
    ]
    quiet = record(folder / "b.flac", noise(4001), 8000)
    return {"train": train, "dev": [Utterance(id="dev/1", audio=quiet, duration=0.5)]}


def everything(folder):
    """Return the bytes of every file below a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("minutes", [0, 10, 0.01])
@pytest.mark.parametrize("rate", [8000, 16000, 22050])
def test_copies_read_like_the_originals(corpus, tmp_path, rate, minutes):
    before = everything(tmp_path / "source")
    made = convert(corpus, tmp_path / "audio", rate, shard_minutes=minutes)
    assert made.problems == made.clipped == {}
    assert made.notes() == []
    for split, originals in corpus.items():
        for original, copy in zip(originals, made.splits[split], strict=True):
            wanted, found = read(original, rate), read(copy, rate)
            assert len(found) == len(wanted)
            assert np.abs(found - wanted).max() <= STEP / 2 + 1e-9
            assert copy.duration == len(wanted) / rate
            assert copy.audio.is_relative_to(tmp_path / "audio")
            info = soundfile.info(copy.audio)
            assert (info.samplerate, info.channels) == (rate, 1)
            assert (info.format, info.subtype) == ("FLAC", "PCM_16")
            rest = ("id", "text", "speaker", "extra")
            assert [getattr(copy, k) for k in rest] == [
                getattr(original, k) for k in rest
            ]
    assert everything(tmp_path / "source") == before


def test_sixteen_bits_stay_as_they_are(tmp_path):
    extremes = np.array([-32768, 32767, -32767, 0, 1, -1, 12345], dtype=np.int16)
    path = record(tmp_path / "a.wav", extremes, 16000)
    made = convert({"x": [Utterance(id="a", audio=path)]}, tmp_path / "audio", 16000)
    found, _ = soundfile.read(tmp_path / "audio" / "x" / "a.flac", dtype="int16")
    assert found.tolist() == extremes.tolist()
    assert made.clipped == {}


def test_files_are_named_for_their_utterances(corpus, tmp_path):
    made = convert(corpus, tmp_path / "audio", 8000)
    copies = [u for entries in made.splits.values() for u in entries]
    names = {u.audio.relative_to(tmp_path / "audio").as_posix() for u in copies}
    assert names == {
        *("train/whole.flac", "train/part.flac", "train/rest.flac"),
        "dev/dev_1.flac",
    }
    assert all(u.offset == 0 for u in copies)


@settings(max_examples=60, deadline=None)
@given(
    rate=st.sampled_from(RATES),
    lengths=st.lists(st.integers(1, 9000), min_size=1, max_size=12),
    seconds=st.floats(0.01, 3),
)
def test_a_manifest_finds_every_sample_in_shards(rate, lengths, seconds):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = noise(sum(lengths), seed=len(lengths))
        path = record(folder / "a.wav", samples, rate)
        train = pieces(path, rate, lengths)
        made = convert(
            {"train": train}, folder / "audio", rate, shard_minutes=seconds / 60
        )
        write_manifest(folder / "train.jsonl", made.splits["train"])
        found = read_manifest(folder / "train.jsonl")
        assert [u.id for u in found] == [u.id for u in train]
        together = np.concatenate([read(u, rate) for u in found])
        assert np.array_equal(together * 2**15, samples[:, 0])
        shards = sorted((folder / "audio").glob("*.flac"))
        assert {u.audio for u in found} == set(shards)
        # In the manifest's order, full, and longer only for an utterance that is.
        sizes = [round(audio_info(shard).duration * rate) for shard in shards]
        assert sum(sizes) == sum(lengths)
        longest = max(lengths)
        assert all(size <= max(seconds * rate, longest) for size in sizes)
        first = [next(u for u in found if u.audio == shard) for shard in shards]
        counts = {u.id: n for u, n in zip(train, lengths, strict=True)}
        for size, after in zip(sizes, first[1:], strict=False):
            assert size + counts[after.id] > seconds * rate


def test_places_are_exact_far_into_a_shard(tmp_path):
    lengths = [48000 * 600 + 1, 7, 44101]
    samples = noise(sum(lengths))
    path = record(tmp_path / "a.wav", samples, 44100)
    splits = {"train": pieces(path, 44100, lengths)}
    made = convert(splits, tmp_path / "audio", 44100, shard_minutes=60)
    write_manifest(tmp_path / "train.jsonl", made.splits["train"])
    found = read_manifest(tmp_path / "train.jsonl")
    assert len({u.audio for u in found}) == 1
    together = np.concatenate([read(u, 44100) for u in found])
    assert np.array_equal(together * 2**15, samples[:, 0])


def test_what_cannot_be_read_is_named_and_leaves_nothing(corpus, tmp_path):
    cut = record(tmp_path / "source" / "cut.wav", noise(100), 8000)
    cut.write_bytes(cut.read_bytes()[:20])
    gone = Utterance(id="gone", audio=tmp_path / "gone.wav")
    corpus["train"].insert(1, gone)
    corpus["dev"].append(Utterance(id="cut", audio=cut))
    corpus["test"] = [Utterance(id="late", audio=cut.with_name("a.wav"), offset=9)]
    out = tmp_path / "out"
    for minutes in (0, 1):
        made = convert(corpus, out / "audio", 8000, shard_minutes=minutes)
        assert made.problems.keys() == {"gone", "cut", "late"}
        assert made.problems["gone"] == f"{gone.audio}: no such file"
        assert list(out.iterdir()) == []
        folder = out / f"audio-{minutes}"
        made = convert(corpus, folder, 8000, shard_minutes=minutes, skip_bad=True)
        assert made.problems.keys() == {"gone", "cut", "late"}
        ids = {split: [u.id for u in entries] for split, entries in made.splits.items()}
        assert ids == {
            "train": ["whole", "part", "rest"],
            "dev": ["dev/1"],
            "test": [],
        }
        assert [path.name for path in out.iterdir()] == [folder.name]
        assert all(len(read(u, 8000)) for u in made.splits["train"])
        (out / folder).rename(tmp_path / folder.name)


def test_clipped_samples_are_counted(tmp_path):
    loud = np.repeat(np.tile([32767, -32768], 200), 20).astype(np.int16)
    path = record(tmp_path / "loud.wav", loud, 16000)
    fine = Utterance(id="fine", audio=record(tmp_path / "a.wav", noise(99), 16000))
    splits = {"train": [Utterance(id="loud", audio=path), fine]}
    made = convert(splits, tmp_path / "audio", 12000)
    samples = read_audio(path, 12000)
    count = int((np.abs(samples) > 1).sum())
    assert count > 0
    assert made.clipped == {"loud": count}
    [line] = made.notes()
    assert line == (
        f"{count} samples were beyond full scale at the new rate and clipped: in loud"
    )
    found = read(made.splits["train"][0], 12000)
    assert np.abs(found - np.clip(samples, -1, 1)).max() <= STEP


@pytest.mark.parametrize("minutes", [0, 0.01])
def test_the_same_corpus_gives_the_same_files(corpus, tmp_path, minutes):
    made = []
    for workers in (1, 4):
        folder = tmp_path / str(workers)
        convert(corpus, folder, 8000, shard_minutes=minutes, workers=workers)
        made.append({p.relative_to(folder): b for p, b in everything(folder).items()})
    assert made[0] == made[1]


def test_what_is_there_is_never_overwritten(corpus, tmp_path):
    before = everything(tmp_path)
    with pytest.raises(FileError, match="is there already; name another folder"):
        convert(corpus, tmp_path / "source", 8000)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileError, match="is there already"):
        convert(corpus, link, 8000)
    with pytest.raises(FileError, match="cannot be written"):
        convert(corpus, tmp_path / "source" / "a.wav" / "audio", 8000)
    assert everything(tmp_path) == before


def test_copies_may_lie_within_the_source_and_be_copied_again(corpus, tmp_path):
    before = everything(tmp_path / "source")
    once = convert(corpus, tmp_path / "source" / "audio", 16000, shard_minutes=1)
    inner = tmp_path / "source" / "audio" / "again"
    again = convert(once.splits, inner, 16000)
    for first, second in zip(once.splits["dev"], again.splits["dev"], strict=True):
        assert np.array_equal(read(first, 16000), read(second, 16000))
    after = everything(tmp_path / "source")
    assert before.items() <= after.items()


@pytest.mark.parametrize("minutes", [0, 1])
def test_an_interruption_leaves_nothing(corpus, tmp_path, minutes):
    out = tmp_path / "out"

    def interrupted(items, total):
        assert total == 4
        for n, item in enumerate(items):
            if n == 2:
                raise KeyboardInterrupt
            yield item

    with pytest.raises(KeyboardInterrupt):
        convert(
            corpus, out / "audio", 8000, shard_minutes=minutes, progress=interrupted
        )
    assert list(out.iterdir()) == []


_FULL = """
import resource, signal, sys
from pathlib import Path
from asr.corpora.conversion import convert
from asr.errors import FileError
from asr.manifest import Utterance

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path, out, minutes = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
for limit in map(int, sys.argv[4:]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    splits = {"train": [Utterance(id="a", audio=path), Utterance(id="b", audio=path)]}
    try:
        convert(splits, out / "audio", 8000, shard_minutes=minutes)
    except FileError as error:
        print(error)
    assert not list(out.iterdir()), limit
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit of a file's size")
@pytest.mark.parametrize("minutes", [0, 1])
def test_a_full_disk_leaves_nothing(tmp_path, minutes):
    path = record(tmp_path / "a.wav", noise(20000), 8000)
    splits = {"train": [Utterance(id=name, audio=path) for name in "ab"]}
    made = convert(splits, tmp_path / "whole", 8000, shard_minutes=minutes)
    size = made.splits["train"][0].audio.stat().st_size
    # The last is what libsndfile does not tell: only the end of the file is missing.
    limits = [100, size // 2, size - 4000, size - 1]
    (tmp_path / "out").mkdir()
    command = [sys.executable, "-c", _FULL, path, tmp_path / "out", str(minutes)]
    result = subprocess.run(
        [*map(str, command), *map(str, limits)],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == len(limits)
    assert all("cannot be written" in line for line in lines)
    assert all("is the disk full?" in line for line in lines)


def test_a_folder_of_copies_says_what_it_is(corpus, tmp_path):
    convert(corpus, tmp_path / "audio", 8000)
    told = json.loads((tmp_path / "audio" / "conversion.json").read_text())
    assert told["sample_rate"] == 8000
    assert told["utterances"] == {"train": 3, "dev": 1}
    # As everybody's umask allows, not for the owner alone.
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "audio").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize(
    ("rate", "minutes", "match"),
    [
        (999, 0, "--resample 999: must be 1000 to 192000 Hz"),
        (-1, 0, "--resample -1: must be 1000 to 192000 Hz"),
        (192001, 0, "--resample 192001: must be 1000 to 192000 Hz"),
        (65537, 0, "--resample 65537: FLAC has rates .* in steps of 10; say 65540"),
        (16000, -1, "--shards -1: must be minutes, 0 or more"),
        (16000, float("nan"), "--shards nan: must be minutes, 0 or more"),
        (16000, float("inf"), "--shards inf: must be minutes, 0 or more"),
        (0, 10, "--shards 10: needs --resample HZ too, the shards' rate"),
    ],
)
def test_options_out_of_range_are_told(rate, minutes, match):
    with pytest.raises(CorpusError, match=match):
        check_conversion(rate, minutes)


@pytest.mark.parametrize("rate", [0, 1000, 11025, 65535, 65540, 192000])
def test_rates_in_range_can_be_written(rate, tmp_path):
    check_conversion(rate, 0)
    if rate:
        path = record(tmp_path / "a.wav", noise(4000), 8000)
        splits = {"train": [Utterance(id="a", audio=path)]}
        convert(splits, tmp_path / "audio", rate)
        assert audio_info(tmp_path / "audio" / "train" / "a.flac").sample_rate == rate
