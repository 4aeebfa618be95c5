import json

import numpy as np
import pytest
import soundfile

from asr.corpora.corpus import recordings
from asr.corpora.formats import FORMATS, read_source
from asr.errors import CorpusError, ManifestError


def record(path, *, seconds=0.1, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(round(8000 * seconds), 0.1), 8000, **options)
    return path


def write(path, text, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding=encoding)
    return path


def texts(corpus):
    """Return subset -> id -> text."""
    return {
        subset: {utterance.id: utterance.text for utterance in utterances}
        for subset, utterances in corpus.subsets.items()
    }


# Finding out


def test_an_unknown_format_lists_the_known(tmp_path):
    with pytest.raises(
        CorpusError, match=r"unknown format timit; known are libri.*folder"
    ):
        read_source(tmp_path, "timit")


def test_a_missing_and_an_empty_source(tmp_path):
    with pytest.raises(CorpusError, match="gone: no such file or folder"):
        read_source(tmp_path / "gone")
    with pytest.raises(CorpusError, match="is an empty folder"):
        read_source(tmp_path)


def test_an_unknown_layout_says_what_was_looked_for(tmp_path):
    record(tmp_path / "a.wav")
    with pytest.raises(CorpusError, match="holds no corpus") as error:
        read_source(tmp_path)
    for name, layout in FORMATS.items():
        assert f"{name}: {layout.looks_for}" in str(error.value)


def test_an_archive_is_to_be_unpacked(tmp_path):
    with pytest.raises(CorpusError, match="is an archive; unpack it"):
        read_source(write(tmp_path / "an4.tar.gz", "x"))


@pytest.mark.parametrize("name", list(FORMATS))
def test_a_format_that_the_source_has_not(tmp_path, name):
    write(tmp_path / "read.me", "x")
    with pytest.raises(CorpusError, match=f"is not of format {name}; looked for"):
        read_source(tmp_path, name)


# Folders


def test_a_folder_of_recordings_with_texts(tmp_path):
    record(tmp_path / "b" / "Two.WAV", format="WAV")
    write(tmp_path / "b" / "Two.txt", "two\n")
    record(tmp_path / "one.flac")
    write(tmp_path / "one.lab", "\ufeffone")
    record(tmp_path / "none.wav")
    write(tmp_path / "._one.wav", "")
    write(tmp_path / "README.txt", "about")
    name, corpus = read_source(tmp_path)
    assert name == "folder"
    assert texts(corpus) == {"": {"b-Two": "two\n", "one": "one", "none": None}}
    assert corpus.notes == ["texts without a recording, ignored: README.txt"]
    assert {u.speaker for u in corpus.subsets[""]} == {None}


def test_top_folders_are_splits_and_ids_differ_between_them(tmp_path):
    for folder in ("train/x", "valid", "more"):
        record(tmp_path / folder / "a.wav")
        write(tmp_path / folder / "a.txt", folder)
    _, corpus = read_source(tmp_path)
    assert texts(corpus) == {
        "more": {"more-a": "more"},
        "train": {"train-x-a": "train/x"},
        "valid": {"valid-a": "valid"},
    }


def test_a_text_in_another_encoding_is_a_problem_of_its_own(tmp_path):
    for name in ("a", "b"):
        record(tmp_path / f"{name}.wav")
        write(tmp_path / f"{name}.txt", "über", "latin-1" if name == "b" else "utf-8")
    _, corpus = read_source(tmp_path)
    assert texts(corpus) == {"": {"a": "über"}}
    assert corpus.problems[""] == [
        f"{tmp_path / 'b.txt'}: is not UTF-8 text (byte 0); save it as UTF-8"
    ]


def test_links_are_followed_and_circles_end(tmp_path):
    record(tmp_path / "store" / "a.wav")
    source = tmp_path / "source"
    source.mkdir()
    try:
        (source / "linked").symlink_to(tmp_path / "store")
        (tmp_path / "store" / "back").symlink_to(source)
    except OSError:
        pytest.skip("no links here")
    assert list(recordings(source)) == [source / "linked" / "a.wav"]


# Tables


def test_a_table_for_each_split(tmp_path):
    write(
        tmp_path / "train.tsv",
        'utt\tpath\tspeaker\tseconds\ttext\nu 1\ta/1.wav\tann\t9.9\tsay "so\n',
    )
    write(
        tmp_path / "dev.tsv", "utt\tpath\tspeaker\tseconds\ttext\nu2\ta/2.wav\t\t1\t\n"
    )
    name, corpus = read_source(tmp_path)
    assert name == "table"
    assert texts(corpus) == {"dev": {"u2": ""}, "train": {"u_1": 'say "so'}}
    (utterance,) = corpus.subsets["train"]
    assert utterance.audio == tmp_path / "a" / "1.wav"
    assert (utterance.speaker, utterance.duration) == ("ann", None)
    assert corpus.subsets["dev"][0].speaker is None


def test_common_voice(tmp_path):
    header = "client_id\tpath\tsentence\tage\n"
    for split in ("train", "dev", "test", "validated", "other"):
        write(tmp_path / f"{split}.tsv", f"{header}c1\t{split}.mp3\tEin Satz.\tteens\n")
    write(tmp_path / "reported.tsv", "sentence_id\tsentence\treason\n")
    (tmp_path / "clips").mkdir()
    name, corpus = read_source(tmp_path)
    assert name == "table"
    assert sorted(corpus.subsets) == ["dev", "other", "test", "train", "validated"]
    (utterance,) = corpus.subsets["train"]
    assert utterance.audio == tmp_path / "clips" / "train.mp3"
    assert utterance.speaker == "c1"
    assert utterance.extra == {"age": "teens"}
    assert corpus.notes == ["no tables of recordings and texts, ignored: reported.tsv"]


def test_deepspeech(tmp_path):
    path = write(
        tmp_path / "all.csv",
        "\ufeffwav_filename,wav_filesize,transcript\n"
        'sub\\a.wav,3,"one, two"\nb.wav,3,three\n',
    )
    _, corpus = read_source(path)
    assert texts(corpus) == {"": {"sub-a": "one, two", "b": "three"}}
    assert corpus.subsets[""][0].audio == tmp_path / "sub" / "a.wav"
    assert corpus.subsets[""][0].extra == {}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_and_titles_are_recognised(tmp_path, delimiter):
    rows = (["File-Path", "Transcript"], ["x.wav", "y"])
    text = "".join(delimiter.join(row) + "\n" for row in rows)
    _, corpus = read_source(write(tmp_path / "table.csv", text))
    assert texts(corpus) == {"": {"x": "y"}}


def test_a_split_column(tmp_path):
    table = "path,text,split\na.wav,a,train\nb.wav,b,test\n"
    _, corpus = read_source(write(tmp_path / "metadata.csv", table))
    assert texts(corpus) == {"train": {"a": "a"}, "test": {"b": "b"}}


def test_tables_in_folders_of_splits(tmp_path):
    for split in ("train", "test"):
        write(tmp_path / split / "metadata.csv", f"file_name,text\na.wav,{split}\n")
    _, corpus = read_source(tmp_path)
    assert texts(corpus) == {
        "test": {"test-a": "test"},
        "train": {"train-a": "train"},
    }


def test_parts_of_a_recording(tmp_path):
    table = "path,text,offset,duration\na.wav,one,0,1.5\na.wav,two,1.5,2\n"
    _, corpus = read_source(write(tmp_path / "a.csv", table))
    assert [(u.id, u.offset, u.duration) for u in corpus.subsets[""]] == [
        ("a", 0.0, 1.5),
        ("a-0001500", 1.5, 2.0),
    ]
    table = "path,text,start,end\na.wav,two,1.5,2\n"
    _, corpus = read_source(write(tmp_path / "b.csv", table))
    assert [(u.offset, u.duration) for u in corpus.subsets[""]] == [(1.5, 0.5)]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (",text,,", "no path"),
        ("a.wav,text,x,", "offset is 'x'; it must be seconds"),
        ("a.wav,text,-1,", "offset is '-1'; it must be seconds"),
        ("a.wav,text,nan,", "offset is 'nan'; it must be seconds"),
        ("a.wav,text,2,1", "ends at 1 s, before it starts"),
        ("a.wav,one,1,2,,more", "6 cells, but the header has 4"),
    ],
)
def test_a_bad_row_is_a_problem_with_its_line(tmp_path, row, problem):
    path = write(tmp_path / "a.csv", f"path,text,start,end\n\n{row}\nb.wav,b,,\n")
    _, corpus = read_source(path)
    assert texts(corpus) == {"": {"b": "b"}}
    assert corpus.problems == {"": [f"{path}:3: {problem}"]}


def test_a_table_without_the_columns(tmp_path):
    path = write(tmp_path / "a.csv", "name,words\na,b\n")
    with pytest.raises(
        CorpusError, match=r"no column of paths.* its first line: name,w"
    ):
        read_source(path)
    with pytest.raises(CorpusError, match="no column of paths"):
        read_source(write(tmp_path / "b.csv", ""))


def test_a_table_that_is_no_utf8_is_named(tmp_path):
    path = write(tmp_path / "a.csv", "path,text\na.wav,über\n", "latin-1")
    with pytest.raises(CorpusError, match=r"a\.csv: is not UTF-8 text \(byte 16\)"):
        read_source(path)


def test_a_quote_that_is_never_closed_swallows_nothing(tmp_path):
    path = write(tmp_path / "a.csv", 'path,text\na.wav,"one\nb.wav,two\n')
    with pytest.raises(CorpusError, match=r"a\.csv:3: is no CSV"):
        read_source(path)


def test_any_file_can_be_called_a_table(tmp_path):
    path = write(tmp_path / "list.txt", "path,text\na.wav,one\n")
    with pytest.raises(CorpusError, match="holds no corpus"):
        read_source(path)
    assert texts(read_source(path, "table")[1]) == {"": {"a": "one"}}


# NeMo


def test_manifests_without_ids(tmp_path):
    for split in ("train", "test"):
        row = {"audio_filepath": f"{split}/a.wav", "duration": 1.0, "text": split}
        write(tmp_path / f"{split}_manifest.json", json.dumps(row) + "\n")
    write(tmp_path / "other.json", "{\n}\n")
    write(tmp_path / "hyp.jsonl", '{"id": "a", "text": "b"}\n')
    name, corpus = read_source(tmp_path)
    assert name == "nemo"
    assert texts(corpus) == {
        "test_manifest": {"test-a": "test"},
        "train_manifest": {"train-a": "train"},
    }


def test_one_manifest_keeps_its_ids_and_is_not_divided(tmp_path):
    row = {"id": 7, "audio_filepath": "a.wav", "text": "a", "mood": "good"}
    _, corpus = read_source(write(tmp_path / "all.jsonl", json.dumps(row)))
    assert texts(corpus) == {"": {"7": "a"}}
    assert corpus.subsets[""][0].extra == {"mood": "good"}


def test_bad_manifests(tmp_path):
    with pytest.raises(CorpusError, match="holds no utterances"):
        read_source(write(tmp_path / "a.jsonl", "\n"))
    with pytest.raises(ManifestError, match=r"b\.jsonl:1: is not JSON"):
        read_source(write(tmp_path / "b.jsonl", "x\n"))


# Kaldi


@pytest.fixture
def kaldi(tmp_path):
    """Return a data folder train with the recordings r1 and r2."""
    folder = tmp_path / "corpus" / "data" / "train"
    write(folder / "wav.scp", "r1 audio/1.wav\nr2 2.wav\n")
    record(tmp_path / "corpus" / "audio" / "1.wav")
    record(folder / "2.wav")
    write(folder / "text", "r1 one  more\nr2\n")
    write(folder / "utt2spk", "r1 ann\nr2 bob\n")
    return folder


def test_kaldi_without_segments(kaldi):
    for source, subset in ((kaldi, "train"), (kaldi.parent, "train")):
        name, corpus = read_source(source)
        assert name == "kaldi"
        assert texts(corpus) == {subset: {"r1": "one  more", "r2": ""}}
    assert texts(read_source(kaldi.parents[1])[1]) == texts(corpus)
    assert [u.speaker for u in corpus.subsets["train"]] == ["ann", "bob"]
    assert all(u.audio.exists() for u in corpus.subsets["train"])


def test_kaldi_with_segments(kaldi):
    write(kaldi / "segments", "s1 r1 0.5 2.25\ns2 r1 3 -1\n")
    write(kaldi / "text", "s1 one\ns2 two\n")
    write(kaldi / "utt2spk", "s1 ann\n")
    _, corpus = read_source(kaldi)
    first, second = corpus.subsets["train"]
    assert (first.id, first.offset, first.duration) == ("s1", 0.5, 1.75)
    assert (second.id, second.offset, second.duration) == ("s2", 3.0, None)
    assert (first.speaker, second.speaker) == ("ann", None)


def test_kaldi_problems(kaldi):
    write(
        kaldi / "segments",
        "s1 r1 0 1\ns2 r9 0 1\ns3 r1 x 1\ns4 r1 2 1\ns5 r1\ns1 r1 0 1\n",
    )
    write(kaldi / "text", "s1 one\ns9 nine\n")
    _, corpus = read_source(kaldi)
    assert texts(corpus) == {"train": {"s1": "one"}}
    segments = kaldi / "segments"
    assert corpus.problems["train"] == [
        f"{segments}:6: s1 occurs a second time",
        f"{segments}: s2: no r9 in wav.scp",
        f"{segments}: s3: must be utterance recording start end",
        f"{segments}: s4: lasts from 2 to 1 s",
        f"{segments}: s5: must be utterance recording start end",
        f"s9: has a text, but is not in {segments}",
    ]


def test_kaldi_commands_are_never_run(kaldi, tmp_path):
    write(kaldi / "wav.scp", f"r1 touch {tmp_path / 'ran'} |\n")
    with pytest.raises(CorpusError, match=r"r1: is a shell command .* and none is run"):
        read_source(kaldi)
    assert not (tmp_path / "ran").exists()


def test_kaldi_without_texts(kaldi):
    (kaldi / "text").unlink()
    with pytest.raises(CorpusError, match="text: no such file"):
        read_source(kaldi)


# AN4


@pytest.fixture
def an4(tmp_path):
    """Return a folder with AN4 in it, as the archive unpacks."""
    root = tmp_path / "unpacked" / "an4"
    for subset, folder, name in (("train", "an4_clstk", "a"), ("test", "an4t", "b")):
        file = f"{folder}/ann/{name}"
        record(root / "wav" / f"{file}.sph", format="NIST", subtype="PCM_16")
        write(root / "etc" / f"an4_{subset}.fileids", f"{file}\n")
        write(root / "etc" / f"an4_{subset}.transcription", f"<s> YES </s> ({name})\n")
    return root


def test_an4(an4):
    name, corpus = read_source(an4)
    assert name == "an4"
    assert texts(corpus) == {"test": {"b": "YES"}, "train": {"a": "YES"}}
    (utterance,) = corpus.subsets["train"]
    assert utterance.speaker == "ann"
    assert utterance.audio == an4 / "wav" / "an4_clstk" / "ann" / "a.sph"
    assert utterance.audio.exists()
    assert texts(read_source(an4.parent)[1]) == texts(corpus)


def test_a_corpus_beside_others_is_to_be_named(an4):
    (an4.parent / "other").mkdir()
    with pytest.raises(CorpusError, match="holds no corpus"):
        read_source(an4.parent)


def test_sphinx_markup_is_no_speech(an4):
    line = "<s> ++NOISE++ RE(2) <sil> CORD (X) A(B)(3) </s> (a)\n"
    write(an4 / "etc" / "an4_train.transcription", line)
    _, corpus = read_source(an4)
    assert texts(corpus)["train"] == {"a": "RE CORD (X) A(B)"}


def test_an4_problems(an4):
    path = write(an4 / "etc" / "an4_train.transcription", "YES\nONE (c)\nTWO (c)\n")
    _, corpus = read_source(an4)
    assert texts(corpus)["train"] == {"a": None}
    assert corpus.problems["train"] == [
        f"{path}:1: must be TEXT (id)",
        f"{path}:3: c occurs a second time",
        f"c: has a text, but is not in {path.with_suffix('.fileids')}",
    ]
    path.unlink()
    with pytest.raises(CorpusError, match=r"an4_train\.transcription: no such file"):
        read_source(an4)


# LibriSpeech


@pytest.fixture
def librispeech(tmp_path):
    """Return a folder LibriSpeech with the subset train-clean-5."""
    root = tmp_path / "LibriSpeech"
    chapter = root / "train-clean-5" / "19" / "198"
    record(chapter / "19-198-0000.flac")
    record(chapter / "19-198-0002.flac")
    write(
        chapter / "19-198.trans.txt", "19-198-0000 NORTHANGER ABBEY\n19-198-0001 LOST\n"
    )
    write(root / "SPEAKERS.TXT", "19 | F\n")
    return root


def test_librispeech(librispeech):
    for source in (librispeech, librispeech.parent, librispeech / "train-clean-5"):
        name, corpus = read_source(source)
        assert name == "librispeech"
        assert texts(corpus) == {
            "train-clean-5": {
                "19-198-0000": "NORTHANGER ABBEY",
                "19-198-0001": "LOST",
                "19-198-0002": None,
            }
        }
    utterances = corpus.subsets["train-clean-5"]
    assert {u.speaker for u in utterances} == {"19"}
    assert [u.audio.exists() for u in utterances] == [True, False, True]


# LJ Speech


def test_ljspeech(tmp_path):
    root = tmp_path / "LJSpeech-1.1"
    record(root / "wavs" / "a.wav")
    record(root / "wavs" / "c.wav")
    path = write(
        root / "metadata.csv", 'a|Dr. "A|Doctor "A\nmy b|No. 2|\nx\n|y\nz|1|2|3\n'
    )
    for source in (root, tmp_path):
        name, corpus = read_source(source)
        assert name == "ljspeech"
        assert texts(corpus) == {"": {"a": 'Doctor "A', "my_b": "No. 2", "c": None}}
    assert {u.speaker for u in corpus.subsets[""]} == {"LJ"}
    assert corpus.subsets[""][1].audio == root / "wavs" / "my b.wav"
    problem = "must be id|text|normalised text"
    assert corpus.problems[""] == [f"{path}:{n}: {problem}" for n in (3, 4, 5)]


def test_metadata_with_a_header_is_a_table(tmp_path):
    write(tmp_path / "metadata.csv", "file_name|text\nwavs/a.wav|one\n")
    record(tmp_path / "wavs" / "a.wav")
    name, corpus = read_source(tmp_path)
    assert name == "table"
    assert texts(corpus) == {"": {"a": "one"}}
