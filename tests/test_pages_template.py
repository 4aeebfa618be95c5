"""Templates: values escaped, one style and one script, compiled once."""

import time

from asr.pages.template import write_filled
from tests.pages import Page, assert_safe

CONTEXT = {"headline": "<b>fine", "title": "<i> & \udcff"}
CHILD = """{% extends "base.html" %}
{% block style %}{{ super() }}b > i { color: red }{% endblock %}
{% block script %}{{ super() }}if (1 < 2 && "</p>") { }{% endblock %}
{% block main %}<p>{{ title }}</p>{% endblock %}
"""


def test_a_page_is_its_base_and_what_is_added(tmp_path):
    template = tmp_path / "page.html"
    template.write_text(CHILD, encoding="utf-8")
    write_filled(tmp_path / "out.html", template, CONTEXT)
    page = Page((tmp_path / "out.html").read_text(encoding="utf-8"))
    assert_safe(page)
    assert page.styles[0].rstrip().endswith("b > i { color: red }")
    assert page.scripts[0].rstrip().endswith('if (1 < 2 && "</p>") { }')
    assert "<i> & ?" in page.shown
    assert "<b>fine" in page.shown


def test_a_template_is_compiled_once(tmp_path):
    template = tmp_path / "page.html"
    template.write_text(CHILD + "{{ title }}" * 3000, encoding="utf-8")
    times = []
    for _ in range(3):
        started = time.perf_counter()
        write_filled(tmp_path / "out.html", template, CONTEXT)
        times.append(time.perf_counter() - started)
    assert min(times[1:]) < times[0] / 2
