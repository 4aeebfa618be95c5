"""Sets of sentences as deterministic automata over words, as small as can be.

A set is written as a tree of phrases (:data:`Phrase`). Thompson's construction makes
an automaton with free steps of it, the subset construction a deterministic one, and
partition refinement merges the states from which the same sentences can be ended.

Source: Thompson (1968) and Rabin and Scott (1959) for the first two; Hopcroft (1971)
for refining only what a split can change, here by rounds, as Moore (1956) does.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from asr.errors import GrammarError

#: Arcs of an automaton, and members of the sets it is found by, that are too many:
#: they take seconds and hundreds of megabytes.
_TOO_MANY = 2_000_000


@dataclass(frozen=True)
class WordGraph:
    """A set of sentences as a deterministic automaton; state 0 is the start.

    Every state can be reached and can reach a final one.

    Attributes:
        arcs: For each state, the words that may follow and the states they lead to.
        final: For each state, whether a sentence may end there.
    """

    arcs: tuple[dict[str, int], ...]
    final: tuple[bool, ...]

    def accepts(self, words: Iterable[str]) -> bool:
        """Return whether the words are one of the sentences.

        >>> word_list_graph(["yes", "no"]).accepts(["no", "yes", "no"])
        True
        """
        state: int | None = 0
        for word in words:
            if state is None:
                return False
            state = self.arcs[state].get(word)
        return state is not None and self.final[state]


@dataclass(frozen=True)
class Words:
    """Words one after another, or nothing."""

    words: tuple[str, ...]


@dataclass(frozen=True)
class Slot:
    """Whatever the slot of this name stands for."""

    name: str


@dataclass(frozen=True)
class Series:
    """Phrases one after another."""

    items: "tuple[Phrase, ...]"


@dataclass(frozen=True)
class Choice:
    """One of several phrases, one or more of them."""

    options: "tuple[Phrase, ...]"


@dataclass(frozen=True)
class Repeat:
    """A phrase once or more."""

    item: "Phrase"


Phrase = Words | Slot | Series | Choice | Repeat

NOTHING = Words(())


def word_list_graph(words: Iterable[str]) -> WordGraph:
    """Return the graph of all sentences of these words, the empty one too.

    >>> word_list_graph(["yes", "no"])
    WordGraph(arcs=({'yes': 0, 'no': 0},), final=(True,))
    """
    return WordGraph(arcs=(dict.fromkeys(words, 0),), final=(True,))


def word_graph(phrase: Phrase, slots: Mapping[str, Phrase]) -> WordGraph:
    """Return the smallest graph of the sentences that a phrase stands for.

    The same sentences give the same graph: states are numbered in the order in which
    they are reached, nearest first and words sorted.

    Args:
        phrase: What may be said.
        slots: What the slots in it, and in one another, stand for; no cycles.

    Raises:
        GrammarError: If the graph is too large.

    >>> word_graph(Repeat(Choice((Words(("a",)), Words(("a", "b"))))), {})
    WordGraph(arcs=({'a': 1}, {'a': 1, 'b': 2}, {'a': 1}), final=(False, True, True))
    """
    graph = _determinise(_thompson(phrase, slots))
    return _merged(graph, _equivalent(graph))


@dataclass
class _Free:
    """An automaton with free steps, from state 0 to state 1."""

    arcs: list[dict[str, list[int]]] = field(default_factory=lambda: [{}, {}])
    free: list[list[int]] = field(default_factory=lambda: [[], []])

    def add_state(self) -> int:
        self.arcs.append({})
        self.free.append([])
        return len(self.arcs) - 1

    def add_words(self, words: tuple[str, ...], start: int, end: int) -> None:
        for word in words[:-1]:
            state = self.add_state()
            self.arcs[start].setdefault(word, []).append(state)
            start = state
        if words:
            self.arcs[start].setdefault(words[-1], []).append(end)
        else:
            self.free[start].append(end)

    def reached(self, states: Iterable[int]) -> frozenset[int]:
        """Return the states with those that free steps lead to."""
        found = set(states)
        waiting = list(found)
        while waiting:
            for state in self.free[waiting.pop()]:
                if state not in found:
                    found.add(state)
                    waiting.append(state)
        return frozenset(found)


def _thompson(phrase: Phrase, slots: Mapping[str, Phrase]) -> _Free:
    """Return an automaton of the phrase.

    A part goes out of its first state and into its last, never the other way, so that
    parts can share both.
    """
    graph = _Free()
    size = 0
    waiting = [(phrase, 0, 1)]
    while waiting:
        part, start, end = waiting.pop()
        size += 1
        if isinstance(part, Words):
            size += len(part.words)
            graph.add_words(part.words, start, end)
        elif isinstance(part, Slot):
            waiting.append((slots[part.name], start, end))
        elif isinstance(part, Choice):
            waiting.extend((option, start, end) for option in part.options)
        elif isinstance(part, Series):
            between = [graph.add_state() for _ in part.items[1:]]
            ends = zip([start, *between], [*between, end], strict=True)
            waiting.extend((i, *e) for i, e in zip(part.items, ends, strict=True))
        else:
            first, last = graph.add_state(), graph.add_state()
            graph.free[start].append(first)
            graph.free[last] += [first, end]
            waiting.append((part.item, first, last))
        _require_small(size)
    return graph


def _determinise(graph: _Free) -> WordGraph:
    """Return the automaton whose states are the sets that words lead the other to."""
    start = graph.reached([0])
    numbers = {start: 0}
    sets = [start]
    arcs: list[dict[str, int]] = []
    size = 0
    while len(arcs) < len(sets):
        targets: dict[str, set[int]] = defaultdict(set)
        for state in sets[len(arcs)]:
            for word, follow in graph.arcs[state].items():
                targets[word].update(follow)
        row: dict[str, int] = {}
        for word, follow_all in targets.items():
            reached = graph.reached(follow_all)
            if reached not in numbers:
                numbers[reached] = len(sets)
                sets.append(reached)
                size += len(reached)
            row[word] = numbers[reached]
        arcs.append(row)
        size += len(row)
        _require_small(size)
    return WordGraph(tuple(arcs), tuple(1 in states for states in sets))


def _equivalent(graph: WordGraph) -> list[int]:
    """Return a class for each state; those of one class end the same sentences.

    States are told apart by what may follow, then, in rounds, by the classes that it
    leads to. Only what leads to a state of a new class is looked at again, and the
    most of a class keep its number.
    """
    before: list[list[int]] = [[] for _ in graph.arcs]
    for state, row in enumerate(graph.arcs):
        for target in row.values():
            before[target].append(state)
    targets = [[row[word] for word in sorted(row)] for row in graph.arcs]
    keys = zip(graph.final, map(tuple, map(sorted, graph.arcs)), strict=True)
    alike: dict[object, set[int]] = defaultdict(set)
    for state, key in enumerate(keys):
        alike[key].add(state)
    members = list(alike.values())
    classes = [0] * len(graph.arcs)
    for number, states in enumerate(members):
        for state in states:
            classes[state] = number
    unsure = set(range(len(graph.arcs)))
    while unsure:
        moved = [s for part in _split(unsure, targets, classes, members) for s in part]
        unsure = {earlier for state in moved for earlier in before[state]}
    return classes


def _split(
    unsure: Iterable[int],
    targets: list[list[int]],
    classes: list[int],
    members: list[set[int]],
) -> list[set[int]]:
    """Split classes by where their unsure states lead; return the new ones."""
    parts: dict[int, dict[tuple[int, ...], set[int]]] = defaultdict(dict)
    for state in unsure:
        if len(members[classes[state]]) > 1:
            key = tuple([classes[target] for target in targets[state]])
            parts[classes[state]].setdefault(key, set()).add(state)
    new = []
    for number, split in parts.items():
        groups = list(split.values())
        rest = members[number]
        rest.difference_update(*groups)
        # What is left leads where it led; all of the others lead to a new class.
        groups = sorted([*groups, rest] if rest else groups, key=len)
        members[number] = groups.pop()
        for group in groups:
            for state in group:
                classes[state] = len(members)
            members.append(group)
            new.append(group)
    return new


def _merged(graph: WordGraph, classes: list[int]) -> WordGraph:
    """Return the graph with one state a class, in the order of a breadth-first walk."""
    numbers = {classes[0]: 0}
    states = [0]
    arcs: list[dict[str, int]] = []
    while len(arcs) < len(states):
        row: dict[str, int] = {}
        for word, target in sorted(graph.arcs[states[len(arcs)]].items()):
            number = numbers.setdefault(classes[target], len(states))
            if number == len(states):
                states.append(target)
            row[word] = number
        arcs.append(row)
    return WordGraph(tuple(arcs), tuple(graph.final[state] for state in states))


def _require_small(size: int) -> None:
    if size > _TOO_MANY:
        raise GrammarError(
            "too large: written out, its sentences have millions of places to be in; "
            "repeat fewer slots within slots, or say less before a choice is made"
        )
