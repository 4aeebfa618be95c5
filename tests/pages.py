"""What the tests of all pages look through: a parser, and a browser."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from html.parser import HTMLParser

import pytest

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><script>alert(1)</script>",
    "</title></svg><iframe src=javascript:alert(1)>",
    "<!-- ",
    "&lt;b&gt; &amp; &#60;",
    "\u200b<script>alert(1)</script>\u200b",
    "{{ 7 * 7 }} {% raw %} ${7}",
    "javascript:alert(1)",
    "http://evil.example/x.js",
    "שלום עולם, abc مرحبا",
    "\u202eevil\u2066",
    "e\u0301\u0323\u0336" * 30,
    "null\x00bell\x07esc\x1b[31m\x85\u2028end",
    "w" * 3000,
    "emoji 👩‍👩‍👧 \U000e0001",
    "\udcff\ud800",
]
VOID = {"meta", "img", "input", "br"}


class Page(HTMLParser):
    """What a browser would see: elements with attributes, and the text between."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.open, self.text = [], [], []
        self.scripts, self.styles = [], []
        self.feed(html)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), f"an attribute twice: {tag} {attrs}"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        inside = self.open[-1] if self.open else ""
        into = {"script": self.scripts, "style": self.styles}.get(inside, self.text)
        into.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def shown(self):
        return " ".join(" ".join(self.text).split())


def assert_safe(page):
    """Only our script and style, no handlers, nothing loaded from elsewhere."""
    assert len(page.scripts) == len(page.styles) == 1
    assert "alert" not in page.scripts[0]
    policy = page.all("meta")[1]["content"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for content in (*page.scripts, *page.styles):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    known = {
        *("html", "head", "meta", "title", "style", "script", "body", "main", "footer"),
        *("header", "section", "h1", "h2", "h3", "p", "dl", "div", "dt", "dd", "span"),
        *("table", "thead", "tbody", "tr", "th", "td", "a", "bdi", "b", "code", "br"),
        *("em", "strong", "figure", "svg", "text", "tspan", "rect", "line", "ul", "li"),
        *("details", "summary", "img", "audio", "label", "input", "select", "option"),
        *("button", "ol", "i", "circle", "polyline", "figcaption", "pre"),
        "caption",
    }
    assert {tag for tag, _ in page.elements} <= known
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert "style" not in attributes  # the policy would refuse it
        for name in ("src", "href", "action", "srcset", "poster", "xlink:href"):
            value = attributes.get(name, "#")
            assert re.match(r"#|data:(audio|image)/[a-z]+;base64,", value), (tag, value)


NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), None)
DRIVER = shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(not BROWSER, reason="no Chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--mute-audio"]


def chromium(tmp_path, page, *options):
    return subprocess.run(
        [
            *(BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}"),
            *("--enable-logging=stderr", "--v=0", *options, page.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )


class Driver:
    """A headless Chromium, spoken to by the WebDriver protocol."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            [DRIVER, "--port=0", f"--log-path={folder / 'driver.log'}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.address = ""
        try:
            self.start(folder)
        except BaseException:
            self.quit()
            raise

    def start(self, folder):
        for line in self.process.stdout:
            if found := re.search(r"on port (\d+)\.", line):
                self.address = f"http://127.0.0.1:{found[1]}/session"
                break
        options = {
            "binary": BROWSER,
            "args": [
                *(*FLAGS, "--autoplay-policy=no-user-gesture-required"),
                f"--user-data-dir={folder / 'driven'}",
            ],
        }
        always = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        started = self.post("", {"capabilities": {"alwaysMatch": always}})
        self.address += f"/{started['sessionId']}"

    def post(self, path, body):
        request = urllib.request.Request(
            self.address + path,
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        # A proxy of the environment has no business with this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def run(self, script, *arguments):
        return self.post("/execute/async", {"script": script, "args": arguments})

    def quit(self):
        try:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            opener.open(urllib.request.Request(self.address, method="DELETE"))
        except (OSError, ValueError, urllib.error.URLError):
            pass
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()
