import http.server
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr import ffmpeg as module
from asr.audio import audio_info, read_audio
from asr.errors import AudioError, MissingPackageError
from asr.ffmpeg import decode_media, media_info
from tests.media import ffmpeg

RATE = 16000


@pytest.fixture
def wav(tmp_path):
    """A recording of 4 s with a tone in each of two channels."""
    times = np.arange(4 * RATE) / RATE
    tones = [0.5 * np.sin(2 * np.pi * f * times) for f in (440, 1000)]
    soundfile.write(tmp_path / "a.wav", np.stack(tones, axis=1), RATE)
    return tmp_path / "a.wav"


PICTURE = ("-f", "lavfi", "-i", "testsrc=duration=1:size=64x64")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.m4a", ("-b:a", "128k")),
        ("a.aac", ("-b:a", "128k")),
        ("a.mkv", ("-c:a", "libmp3lame")),
        ("a.webm", ("-c:a", "libopus", "-b:a", "128k")),
        ("a.mp4", (*PICTURE, "-b:a", "128k")),
        ("a b:c'd.m4a", ("-c:a", "alac")),
        ("-y.m4a", ()),
    ],
)
def test_what_comes_out_is_what_went_in(wav, name, options):
    path = wav.parent / name
    ffmpeg("-i", wav, *options, f"file:{path}")
    decode_media(path, wav.parent / "b.flac")
    info = audio_info(wav.parent / "b.flac")
    assert info.channels == media_info(path).channels == 2
    assert media_info(path).sample_rate == info.sample_rate
    assert info.duration == pytest.approx(4, abs=0.15)
    for channel in (0, 1):
        heard = read_audio(wav.parent / "b.flac", RATE, channel=channel)
        expected = read_audio(wav, RATE, channel=channel)
        # Coders shift by some samples: spectra, not samples, are compared.
        spectra = [np.abs(np.fft.rfft(x[4000:52000], 48000)) for x in (heard, expected)]
        assert spectra[0].argmax() == spectra[1].argmax()
        assert spectra[0].max() == pytest.approx(spectra[1].max(), rel=0.1)


def test_lossless_stays_lossless(wav):
    ffmpeg("-i", wav, "-c:a", "alac", wav.parent / "a.m4a")
    decode_media(wav.parent / "a.m4a", wav.parent / "b.flac")
    expected, _ = soundfile.read(wav, dtype="int16")
    heard, _ = soundfile.read(wav.parent / "b.flac", dtype="int16")
    np.testing.assert_array_equal(heard, expected)


def test_nothing_to_hear(tmp_path):
    ffmpeg(*PICTURE, tmp_path / "silent.mp4")
    ffmpeg(*PICTURE, "-frames:v", "1", tmp_path / "a.png")
    (tmp_path / "text.wav").write_text("no audio at all")
    (tmp_path / "text.txt").write_text("no audio at all")
    for name, what in (
        ("silent.mp4", "has no sound in it"),
        ("a.png", "has no sound in it"),
        ("text.wav", "is not audio that can be read: Invalid data"),
        ("text.txt", "is not audio that can be read: Invalid data"),
        ("none.mp4", "is not audio that can be read: No such file"),
    ):
        with pytest.raises(AudioError) as caught:
            decode_media(tmp_path / name, tmp_path / "b.flac")
        assert str(caught.value).startswith(f"{tmp_path / name}: {what}")
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "b.flac").exists()


def test_a_film_that_breaks_off(wav):
    ffmpeg("-i", wav, "-b:a", "128k", "-movflags", "faststart", wav.parent / "a.m4a")
    path = wav.parent / "a.m4a"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(AudioError, match=r"a\.m4a: breaks off .* of 4\.0 s"):
        decode_media(path, wav.parent / "b.flac")


def test_a_playlist_is_refused_and_fetches_nothing(wav, tmp_path):
    # As one that a stranger sends, to have this machine ask others or read more files.
    ffmpeg("-i", wav, tmp_path / "a.ts")
    asked = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{}\n#EXT-X-ENDLIST\n"
    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/a.ts"
        for target, message in (
            (address, "is not audio that can be read|is a list"),
            ("a.ts", "is a list of recordings"),
        ):
            (tmp_path / "list.m4a").write_text(playlist.format(target))
            with pytest.raises(AudioError, match=message):
                decode_media(tmp_path / "list.m4a", tmp_path / "b.flac")
        server.shutdown()
    assert asked == []
    assert not (tmp_path / "b.flac").exists()


def test_without_ffmpeg_it_is_said_what_to_install(wav, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingPackageError, match=r"a\.wav: .*apt install ffmpeg"):
        decode_media(wav, wav.parent / "b.flac")


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_a_full_disk_is_told_of(wav, tmp_path, monkeypatch):
    programs = tmp_path / "bin"
    programs.mkdir()
    real = module.shutil.which("ffprobe")
    if real is None:
        pytest.skip("ffprobe is not installed")
    (programs / "ffprobe").symlink_to(real)
    script = programs / "ffmpeg"
    script.write_text(
        "#!/bin/sh\necho 'av_interleaved_write_frame(): No space left on device' >&2\n"
        "echo 'Error writing trailer of b.flac' >&2\nexit 0\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{Path('/bin')}")
    with pytest.raises(AudioError, match=r"no space left in .*; free some") as caught:
        decode_media(wav, tmp_path / "b.flac")
    assert "\n" not in str(caught.value)
