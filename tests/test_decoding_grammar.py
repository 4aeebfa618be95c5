"""Grammars accept what their notation says, compared with writing all sentences out."""

import itertools
import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.config import TextConfig
from asr.decoding import wordgraph
from asr.decoding.grammar import parse_grammar, read_grammar
from asr.decoding.wordgraph import word_list_graph
from asr.decoding.wordlists import read_lexicon
from asr.errors import FileError, GrammarError

LONGEST = 4
CALLS = """
# what a caller may say
call {name}
call {name} at {number}+ [please]
(stop | cancel) [now]

{name} = anna | bob smith | doctor o'brien
{number} = one | two | three
"""


def graph_of(text, **config):
    return parse_grammar(text, TextConfig(**config))


def sentences_of(graph, longest=LONGEST):
    """Return the sentences of a graph, up to so many words."""
    found, paths = set(), [((), 0)]
    for _ in range(longest + 1):
        found |= {words for words, state in paths if graph.final[state]}
        paths = [
            ((*words, word), target)
            for words, state in paths
            for word, target in graph.arcs[state].items()
        ]
    return {" ".join(words) for words in found}


def assert_smallest(graph):
    """States are reached, reach an end, and no two can be ended by the same words."""
    count = len(graph.arcs)
    assert len(graph.final) == count
    reached, waiting = {0}, [0]
    while waiting:
        new = set(graph.arcs[waiting.pop()].values()) - reached
        reached |= new
        waiting.extend(new)
    assert reached == set(range(count))
    ends = {state for state in range(count) if graph.final[state]}
    for _ in range(count):
        ends |= {s for s in range(count) if ends & set(graph.arcs[s].values())}
    assert ends == set(range(count))
    # Filling the table of pairs that differ; -1 is where no sentence goes on.
    rows = [*graph.arcs, {}]
    final = [*graph.final, False]
    words = {word for row in graph.arcs for word in row}
    pairs = list(itertools.combinations(range(-1, count), 2))
    differ = {(p, q) for p, q in pairs if final[p] != final[q]}
    before = -1
    while len(differ) > before:
        before = len(differ)
        for p, q in pairs:
            follow = ((rows[p].get(w, -1), rows[q].get(w, -1)) for w in words)
            if any(tuple(sorted(pair)) in differ for pair in follow):
                differ.add((p, q))
    assert len(differ) == len(pairs)


def test_the_example_of_the_format():
    graph = graph_of(CALLS)
    for said in (
        "call anna",
        "call doctor o'brien",
        "call bob smith at one",
        "call anna at three three two please",
        "stop",
        "cancel now",
    ):
        assert graph.accepts(said.split()), said
    for said in (
        "",
        "call",
        "call bob",
        "call anna please",
        "call anna at",
        "call anna at one please please",
        "stop cancel",
        "now",
        "call {name}",
    ):
        assert not graph.accepts(said.split()), said
    assert_smallest(graph)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("a b | c", {"a b", "c"}),
        ("a | b\nc", {"a", "b", "c"}),
        ("a (b | c) d", {"a b d", "a c d"}),
        ("[a] b", {"b", "a b"}),
        ("[a | b c]", {"", "a", "b c"}),
        ("a+", {"a", "a a", "a a a", "a a a a"}),
        ("a*", {"", "a", "a a", "a a a", "a a a a"}),
        ("a b+ c", {"a b c", "a b b c"}),
        ("(a b)+", {"a b", "a b a b"}),
        ("(a b)* c", {"c", "a b c"}),
        ("[a b]+", {"", "a b", "a b a b"}),
        ("a+* b", {"b", "a b", "a a b", "a a a b"}),
        ("((a))", {"a"}),
        ("{x}{x}\n{x}=a|b", {"a a", "a b", "b a", "b b"}),
        ("{x}\n{x} = a\n{x} = b | c", {"a", "b", "c"}),
        ("{x} d\n{x} = {y} | c\n{y} = a\n{unused} = e", {"a d", "c d"}),
        ("{ x-1_é }\n{x-1_é} = a", {"a"}),
        ("{X} {x}\n{x} = a\n{X} = b", {"b a"}),
        ("(a|b)[c]", {"a", "b", "a c", "b c"}),
        ("a # b\n#c\n \t\n  # d", {"a"}),
        ("a\r\nb\r\n", {"a", "b"}),
        ("a\na | a", {"a"}),
    ],
)
def test_notation(text, sentences):
    graph = graph_of(text)
    assert sentences_of(graph) == sentences
    assert_smallest(graph)


@pytest.mark.parametrize(
    ("text", "config", "sentences"),
    [
        ("Call, ANNA!", {}, {"call anna"}),
        ("Call ANNA", {"case": "keep"}, {"Call ANNA"}),
        ("“{x}”, {x}.\n{x} = A.", {}, {"a a"}),
        ("well-known", {}, {"well known"}),
        ("at 25", {"normaliser": "english"}, {"at twenty five"}),
        ("{n}\n{n} = 25", {"numbers": "de"}, {"fünfundzwanzig"}),
        ("May 5", {"normaliser": "english"}, {"may fifth"}),
        # Not one text: a repeated word and a slot are read by themselves.
        ("May 5+", {"normaliser": "english"}, {"may five", "may five five"}),
        ("May {d}\n{d} = 5", {"normaliser": "english"}, {"may five"}),
        (r"c\+\+ \(a\) \#\\", {"punctuation": "keep"}, {"c++ (a) #\\"}),
        (r"2 \+ 2", {"normaliser": "english"}, {"two plus two"}),
        (r"a\|b", {}, {"a b"}),
        ("a .+ b", {}, {"a b"}),
    ],
)
def test_words_are_written_as_the_texts_of_the_model_are(text, config, sentences):
    if {"numbers", "normaliser"} & config.keys():
        pytest.importorskip("num2words")
    assert sentences_of(graph_of(text, **config), 3) == sentences


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "g: has no sentence; write one a line, without ="),
        ("{x} = a\n# b", "g: has no sentence; write one a line, without ="),
        (
            "a\ncall {nmae}\n{name} = b",
            "g:2: unknown slot {nmae}; did you mean {name}?",
        ),
        ("a {y}", "g:1: unknown slot {y}; define it"),
        ("a\n{x} = {y}", "g:2: unknown slot {y}; define it"),
        (
            "{x}\n{x} = a\n{x} = a {x}",
            "g:3: slots use themselves: {x} -> {x}; repeat with + or * instead",
        ),
        (
            "a\n{x} = {y}\n{y} = b {z}\n{z} = ({x})",
            "g:2: slots use themselves: {x} -> {y} -> {z} -> {x}; "
            "repeat with + or * instead",
        ),
        ("a (b", r"g:1: ( has no ); add it, or write \( for the sign"),
        ("a b)", r"g:1: ) has no (; add it, or write \) for the sign"),
        ("a [b", r"g:1: [ has no ]; add it, or write \[ for the sign"),
        ("(a [b) c]", r"g:1: ) has no (; add it, or write \) for the sign"),
        ("call {name", r"g:1: { has no }; add it, or write \{ for the sign"),
        ("call name}", r"g:1: } has no {; add it, or write \} for the sign"),
        (
            "a | | b",
            "g:1: an alternative is empty; write [ ] around what may be left out",
        ),
        (
            "(a |)",
            "g:1: an alternative is empty; write [ ] around what may be left out",
        ),
        ("a []", "g:1: an alternative is empty; write [ ] around what may be left out"),
        (
            "a\n{x} =",
            "g:2: an alternative is empty; write [ ] around what may be left out",
        ),
        (
            "a\n!? …",
            'g:2: nothing is left of "!? …" in the model\'s texts; leave it out',
        ),
        ("a | -", 'g:1: nothing is left of "-" in the model\'s texts; leave it out'),
        (
            "-+",
            "g:1: nothing is left of an alternative in the model's texts; leave it out",
        ),
        (
            "call {} now",
            "g:1: {} is no name of a slot; use letters, digits, _ and -",
        ),
        (
            "a\n{a b} = c",
            "g:2: {a b} is no name of a slot; use letters, digits, _ and -",
        ),
        (
            "name = anna",
            "g:1: = belongs after the slot at the start of a line, as in "
            r"{name} = anna; write \= for the sign",
        ),
        (
            "very + good",
            "g:1: + stands directly after no word, slot or group that it could repeat; "
            r"write \+ for the sign",
        ),
        (
            "(* a)",
            "g:1: * stands directly after no word, slot or group that it could repeat; "
            r"write \* for the sign",
        ),
        (
            "a b \\",
            "g:1: \\ stands before none of ( ) [ ] { } | + * = # \\; leave it out, "
            "or write \\\\ for the sign",
        ),
        (
            "car[s]",
            "g:1: car[ is written together, but slots and groups hold whole words; "
            "put a space between, or write all forms of the word",
        ),
        (
            "{name}'s car\n{name} = a",
            "g:1: {name}'s is written together, but slots and groups hold whole words; "
            "put a space between, or write all forms of the word",
        ),
        (
            "one+two",
            "g:1: +two is written together, but slots and groups hold whole words; "
            "put a space between, or write all forms of the word",
        ),
    ],
)
def test_errors_name_the_line(text, message):
    with pytest.raises(GrammarError) as caught:
        parse_grammar(text, TextConfig(), "g")
    assert str(caught.value) == message


def test_repeat_of_a_bar_is_refused():
    with pytest.raises(GrammarError, match=r"^g:1: \+ stands directly after no word"):
        parse_grammar("a |+ b", TextConfig(), "g")


def test_files(tmp_path):
    path = tmp_path / "calls.txt"
    path.write_bytes(b"\xef\xbb\xbf" + CALLS.replace("\n", "\r\n").encode())
    assert read_grammar(path, TextConfig()) == graph_of(CALLS)
    path.write_text("a\n(b", encoding="utf-8")
    with pytest.raises(GrammarError, match=r"calls\.txt:2: \( has no \)"):
        read_grammar(path, TextConfig())
    path.write_bytes(b"a\nb\xff\n")
    with pytest.raises(FileError, match=r"calls\.txt: is not UTF-8 text \(.*\); con"):
        read_grammar(path, TextConfig())
    with pytest.raises(FileError, match=r"none\.txt: no such file"):
        read_grammar(tmp_path / "none.txt", TextConfig())
    with pytest.raises(FileError, match="cannot be read"):
        read_grammar(tmp_path, TextConfig())


# A grammar as a tree: ("word", w), ("slot", n), or (kind, parts).
WORDS = st.sampled_from("abc").map(lambda word: ("word", word))
SLOTS = st.sampled_from("xy").map(lambda name: ("slot", name))


def trees(leaves):
    def larger(parts):
        several = st.lists(parts, min_size=2, max_size=3)
        kinds = [st.tuples(st.just(kind), several) for kind in ("series", "choice")]
        one = parts.map(lambda part: [part])
        kinds += [st.tuples(st.just(kind), one) for kind in ("maybe", "plus", "star")]
        return st.one_of(kinds)

    return st.recursive(leaves, larger, max_leaves=8)


def written(tree):
    """Return a tree in the notation, with only the brackets that are needed."""
    kind, parts = tree
    if kind == "word":
        return parts
    if kind == "slot":
        return f"{{{parts}}}"
    if kind == "choice":
        return " | ".join(map(written, parts))
    if kind == "maybe":
        return f"[{written(parts[0])}]"
    grouped = [
        f"({written(part)})"
        if part[0] == "choice" or (part[0] == "series" and kind != "series")
        else written(part)
        for part in parts
    ]
    return " ".join(grouped) + {"series": "", "plus": "+", "star": "*"}[kind]


def enumerated(tree, slots):
    """Return all sentences of a tree of at most LONGEST words."""
    kind, parts = tree
    if kind == "word":
        return {(parts,)}
    if kind == "slot":
        return enumerated(slots[parts], slots)
    sets = [enumerated(part, slots) for part in parts]
    if kind == "choice":
        return set().union(*sets)
    if kind == "maybe":
        return {(), *sets[0]}
    if kind == "series":
        found = {()}
        for follow in sets:
            found = joined(found, follow)
        return found
    found = {()} if kind == "star" else sets[0]
    while not (more := joined(found, sets[0])) <= found:
        found = found | more
    return found


def joined(first, second):
    both = {(*a, *b) for a in first for b in second}
    return {words for words in both if len(words) <= LONGEST}


@settings(deadline=None)
@given(
    st.lists(trees(WORDS | SLOTS), min_size=1, max_size=3),
    trees(WORDS | SLOTS.filter(lambda slot: slot[1] == "y")),
    trees(WORDS),
)
def test_a_grammar_accepts_what_writing_it_out_gives(sentences, x, y):
    slots = {"x": x, "y": y}
    lines = [*map(written, sentences), f"{{y}} = {written(y)}", f"{{x}}={written(x)}"]
    graph = graph_of("\n".join(lines))
    wanted = set().union(*(enumerated(tree, slots) for tree in sentences))
    every = (w for n in range(LONGEST + 1) for w in itertools.product("abc", repeat=n))
    assert {words for words in every if graph.accepts(words)} == wanted
    assert not graph.accepts(["d"])
    assert_smallest(graph)
    # Written otherwise, the same sentences are the same graph.
    same = [f"({written(tree)}) | {written(tree)}" for tree in reversed(sentences)]
    assert graph_of("\n".join([*same, *lines])) == graph


@settings(deadline=None)
@given(st.lists(st.text("ab", min_size=1, max_size=12), min_size=1, max_size=12))
def test_lists_of_sentences(texts):
    said = {tuple(text) for text in texts}
    graph = graph_of("\n".join(" ".join(words) for words in said))
    assert sentences_of(graph, 13) == {" ".join(words) for words in said}
    assert_smallest(graph)


def test_closed_vocabulary():
    graph = word_list_graph(["yes", "no", "yes"])
    assert graph.accepts([]) and graph.accepts(["no", "no", "yes"])
    assert not graph.accepts(["yes", "maybe"])
    assert graph == graph_of("(yes | no)*")


def names(count):
    rng = random.Random(0)
    parts = ["ba", "ke", "mi", "to", "ru", "san", "del", "fo"]
    firsts = ["".join(rng.choices(parts, k=3)) for _ in range(500)]
    lasts = ["".join(rng.choices(parts, k=4)) for _ in range(2000)]
    return [f"{rng.choice(firsts)} {rng.choice(lasts)}" for _ in range(count)]


def test_thousands_of_names_take_no_time():
    listed = names(4000)
    text = "call {person} [and {person}]\n{person} = [doctor] {name}\n{name} = "
    start = time.perf_counter()
    graph = graph_of(text + " | ".join(listed))
    assert time.perf_counter() - start < 3  # about 0.2 s
    assert graph.accepts(f"call doctor {listed[0]} and {listed[-1]}".split())
    assert not graph.accepts(["call", "doctor"])


@pytest.mark.parametrize(
    "text",
    [
        "(a | b)* a " + "(a | b) " * 20,
        "{s0}\n{s30} = a\n"
        + "\n".join(f"{{s{n}}} = {{s{n + 1}}} {{s{n + 1}}}" for n in range(30)),
        "{s0}\n{s30} = a\n"
        + "\n".join(f"{{s{n}}} = {{s{n + 1}}} | {{s{n + 1}}}" for n in range(30)),
    ],
    ids=["late choice", "doubled series", "doubled choice"],
)
def test_what_grows_without_end_is_refused(text, monkeypatch):
    monkeypatch.setattr(wordgraph, "_TOO_MANY", 20_000)
    with pytest.raises(GrammarError, match=r"^g: too large: .*; repeat fewer slots"):
        parse_grammar(text, TextConfig(), "g")


def test_depth_is_no_limit():
    deep = 5000
    assert sentences_of(graph_of("(" * deep + "a" + ")" * deep)) == {"a"}
    slots = "\n".join(f"{{s{n}}} = {{s{n + 1}}}" for n in range(deep))
    assert sentences_of(graph_of(f"{{s0}}\n{{s{deep}}} = a\n{slots}")) == {"a"}
    assert len(graph_of("a " * deep).arcs) == deep + 1


def lexicon(tmp_path: Path, text: str, **config: str) -> list[str]:
    path = tmp_path / "words.txt"
    path.write_text(text, encoding="utf-8")
    return read_lexicon(path, TextConfig(**config))


def test_lexicons(tmp_path):
    text = "Hello\thh ah l ow\nhello hh eh l ow\nO'Neill\n\n read(2)  r eh d\nread\n"
    assert lexicon(tmp_path, "\ufeff" + text) == ["hello", "o'neill", "read"]
    assert lexicon(tmp_path, "Hello\r\nhello\r\n", case="keep") == ["Hello", "hello"]
    assert lexicon(tmp_path, "#tag", punctuation="keep") == ["#tag"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no words; write one a line"),
        (" \n", "has no words; write one a line"),
        (";;; nothing\n<unk> u\n!SIL s\n", "has no words; write one a line"),
        ('{"id": "a"}', "is JSON, no list of words; write one a line"),
    ],
)
def test_files_without_a_word(tmp_path, text, message):
    with pytest.raises(GrammarError) as caught:
        lexicon(tmp_path, text)
    assert str(caught.value).endswith(message)


def test_what_is_no_single_word_is_left_out_and_told_of(tmp_path):
    path = tmp_path / "words.txt"
    text = ";;; CMUdict\nx-ray  EH K S\nnew york\tn y\n<s>\n!SIL\n#\nBall  B AO L\n"
    path.write_text(text, encoding="utf-8")
    notes = []
    assert read_lexicon(path, TextConfig(), notes.append) == ["ball"]
    [note] = notes
    assert note.endswith("model's texts: 'x-ray', 'new york', '#'; left out")


def test_files_of_a_lexicon(tmp_path):
    with pytest.raises(FileError, match="no such file"):
        read_lexicon(tmp_path / "none", TextConfig())
    (tmp_path / "latin").write_bytes("é".encode("latin-1"))
    with pytest.raises(FileError, match="is not UTF-8 text"):
        read_lexicon(tmp_path / "latin", TextConfig())
