"""Texts in which the order of the words decides, made by rules of English out of sentences with known answers.

Kaushik, Hovy and Lipton 2020, "Learning the difference that makes a difference with counterfactually-augmented data",
had people edit reviews until their label turned. Here rules edit: a negation goes in or out, two sentences of opposite
answers are joined by a word that says which of them counts. So every maker returns texts of both labels, as many of
the one as of the other, and where two parts are joined the same parts stand in the other order as well.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection, Sequence

from sentiment_lstm.data.parts import MILD, NEGATIVE, NOT, POSITIVE, Made, Part, Parts, article_before, find_parts

TRIES = 50  # a maker that fails so often in a row has run dry
COMPOSED_SHARE = 0.3  # of joined parts that are composed of an adjective instead of cut from a review

CONTRAST = (
    "{a}, but {b}.", "{a}. However, {b}.", "{a}; still, {b}.", "{a}, yet {b}.", "{a}. But {b}.", "{a}; however, {b}.",
    "{a}. Nevertheless, {b}.", "True, {a}, but {b}.", "{a}, and yet {b}.", "{a}. That said, {b}.", "{a}, but {b}!",
    "Yes, {a}. All the same, {b}.", "{a}, but what matters more is that {b}.", "{a}. Even so, {b}.",
)  # fmt: skip
CONCESSION = (
    "Although {a}, {b}.", "Even though {a}, {b}.", "Though {a}, {b}.", "While {a}, {b}.", "{b}, although {a}.",
    "Despite the fact that {a}, {b}.", "{b}, even though {a}.", "{b}, though {a}.", "{b}, despite the fact that {a}.",
    "In spite of the fact that {a}, {b}.", "{b}, in spite of the fact that {a}.", "It may be true that {a}, but {b}.",
    "I admit that {a}, but {b}.", "Never mind that {a}: {b}.", "{b}, and I can forget that {a}.",
)  # fmt: skip
EXPECTATION = (
    "I was told that {a}, but {b}.", "I had heard that {a}, but {b}.", "I expected to find that {a}, but {b}.",
    "My friends told me that {a}. Not so: {b}.", "Some people say that {a}. I say that {b}.",
    "You might think that {a}; in fact, {b}.",
    "The critics claim that {a}; in truth, {b}.", "The trailer made me believe that {a}; instead, {b}.",
    "According to the reviews {a}, but as it turns out {b}.",
    "Before I saw it I believed that {a}; now I know that {b}.",
    "{b}, and I had thought that {a}.", "{b}, whatever they say about how {a}.",
    "Contrary to the rumour that {a}, {b}.",
)  # fmt: skip
FEARED = ("I feared that {a}. Instead, {b}.", "I was afraid that {a}, but {b}.", "I worried that {a}; in fact, {b}.")
HOPED = ("I hoped that {a}. Instead, {b}.", "I was looking forward to a film of which one says that {a}, but {b}.")
TIME = (
    "At first {a}, but in the end {b}.", "In the beginning {a}; by the end {b}.",
    "The first half: {a}; the second half: {b}.",
    "To begin with, {a}. Later on, {b}.", "For a while {a}, and then {b}.", "{a} at first, but after that {b}.",
    "The opening made me think that {a}. By the end I knew that {b}.",
    "Years ago I thought that {a}; today I think that {b}.",
    "In the end {b}, though at first {a}.",
)  # fmt: skip
DENIALS = (
    "I don't think that {s}.", "I do not believe that {s}.", "I can't say that {s}.", "Nobody could say that {s}.",
    "It is not true that {s}.", "I would never claim that {s}.", "I doubt that {s}.", "It is simply false that {s}.",
    "I cannot agree that {s}.", "No one will convince me that {s}.", "It isn't as if {s}.", "Who could think that {s}?",
)  # fmt: skip
ASSERTIONS = (
    "I think that {s}.", "I have to say that {s}.", "It is true that {s}.", "There is no doubt that {s}.",
    "Nobody can deny that {s}.", "I don't doubt that {s}.", "I can't deny that {s}.",
    "I would be lying if I did not say that {s}.",
    "You cannot tell me that it is not true that {s}.", "No one should forget that {s}.",
    "Not for a moment did I doubt that {s}.",
)  # fmt: skip
WISHES = (
    "I wish I could say that {s}.",
    "If only I could say that {s}.",
    "I would love to tell you that {s}.",
    "I wanted to believe that {s}.",
)
RELIEFS = (
    "I am glad that nobody can say that {s}.",
    "I could not honestly complain that {s}.",
    "I was wrong to fear that {s}.",
)

RECEIVED = ("I can honestly say that {s}.", "All I can tell you is that {s}.", "I have to tell you that {s}.")

THINGS = (
    "film", "movie", "acting", "plot", "script", "story", "ending", "direction", "dialogue", "whole thing", "result",
)  # fmt: skip
WHOLES = ("film", "movie", "picture", "story", "show", "piece of work")
BOOSTERS = ("", "", "", "really ", "truly ", "so ", "absolutely ")
# {x} and {x2} are adjectives of one kind, {y} one of the other; {a} is the article of what follows.
PLAIN = (
    "the {s} {be} {boost}{x}.", "{a} {boost}{x} {w}.", "{x} {s}.", "{x} {s}, {x2} {s2}.", "what {a} {x} {w}!",
    "the {s} {be} {x} and {x2}.", "it {be} not only {x} but {x2}.", "this {w} {be} both {x} and {x2}.",
    "I found it {boost}{x}.", "{x}, {x2} and {x3}.", "the {s} {be} {x} and the {s2} {be} {x2}.", "{boost}{x}!",
    "nothing if not {x}.", "I thought the {s} {be} {boost}{x}.", "this {be} {a} {boost}{x} {w}.",
    "{x} {s} and {x2} {s2}.",
    "the {s} {be} not just {x}, the {s2} {be} {x2} as well.", "I have never seen {a} {w} so {x}.",
    "the {s} could not be more {x}.", "as {x} as {a} {w} can be.", "every moment of it {be} {x}.", "nothing but {x}.",
    "every bit as {x} as they say.", "even more {x} than I had thought.", "{x} from the first minute to the last.",
    "few films are so {x}.", "you will not see a more {x} {w} this year.", "there {be} no end of {x} scenes.",
)  # fmt: skip
TURNED = (
    "the {s}{not_}{x}.", "neither {x} nor {x2}.", "the {s} {be} neither {x} nor {x2}.", "not {a} {x} {w}.",
    "far from {x}.", "anything but {x}.", "there {be} nothing {x} about the {s}.", "not in the least {x}.",
    "no one would call it {x}.", "I did not find the {s} {x}.", "hardly {a} {x} {w}.", "never {x}.",
    "the {s} {be} at no point {x}.", "it fails to be {x} or {x2}.", "it{not_}{x}, and the {s}{not_}{x2}.",
    "this {w}{not_}{x}.", "not {x}, not {x2}.", "I would not say that the {s} {be} {x}.",
    "there {be} not one {x} scene in it.", "not a single {x} moment.", "nothing in it {be} {x}.", "never once {x}.",
    "without any {x} scenes at all.", "not half as {x} as they say.", "less {x} than I had thought.", "no {x} moments.",
    "none of the jokes {be} {x}.", "at no time did I find it {x}.", "whoever calls it {x} {be} wrong.",
    "you cannot call it {x}.", "it {be} never {x} or {x2}.", "I waited for it to get {x}, and it never did.",
    "it lacks anything {x}.", "so much for {x}.",
)  # fmt: skip
ORDERED = (
    "{x}, not {y}.", "{x} rather than {y}.", "more {x} than {y}.", "the {s} {be} {x}, not {y}.", "not {y} but {x}.",
    "not so much {y} as {x}.", "instead of being {y}, the {s} {be} {x}.", "I found the {s} {x}, not {y}.",
    "less {y} than {x}.", "the {s} {be} not {y}, it {be} {x}.", "this {w} {be} {x} and by no means {y}.",
    "the {s} that I thought {y} {be} {x}.", "{x} and not at all {y}.", "far from {y}, the {s} {be} {x}.",
    "those who call it {y} are wrong, it {be} {x}.", "what looked {y} {be} in truth {x}.",
    "it makes other films look {y}.", "after so many {y} films at last {a} {x} one.", "{x} where others {be} {y}.",
    "it begins {y} and ends {x}.", "the {s} {be} {y} at first and {x} later.", "no longer {y}: this time {x}.",
    "the last one {be} {y}, this one {be} {x}.", "I came for something {y} and got something {x}.",
    "people say {y}, I say {x}.", "too {y} for others, {x} for me.", "{y} on paper, {x} on the screen.",
)  # fmt: skip


def make_counterfactuals(
    sentences: Sequence[str], positive: Sequence[float], count: int, seed: int, excluded: Collection[str] = ()
) -> dict[str, Made]:
    """Return texts with their probability of being positive, by maker; no text twice.

    Parameters
    ----------
    sentences : single short sentences
    positive : teachers' probability that each of them is positive
    count : how many texts; fewer where the parts do not allow for so many
    seed : what is drawn follows from it
    excluded : texts that must not be made, as :func:`normalized` leaves them
    """
    draw = random.Random(f"{seed}/counterfactuals")
    parts = find_parts(sentences, positive, draw)
    seen = set(excluded)
    made: dict[str, Made] = {name: [] for name in MAKERS}
    failures = dict.fromkeys(MAKERS, 0)
    while failures and (missing := count - sum(map(len, made.values()))) > 0:
        name = min(failures, key=lambda name: len(made[name]))
        texts = MAKERS[name](parts, draw)
        keys = [normalized(text) for text, _ in texts]
        if texts and len(set(keys)) == len(keys) and seen.isdisjoint(keys):
            failures[name] = 0
            seen.update(keys)
            made[name] += texts[:missing]
        elif failures[name] < TRIES:
            failures[name] += 1
        else:
            del failures[name]
    return made


def normalized(text: str) -> str:
    """Return the words of a text in lower case, by which two texts count as the same."""
    return " ".join(re.findall(r"[a-z0-9]+", text.lower().replace("'", "")))


def capitalized(text: str) -> str:
    """Return a text whose sentences begin with capitals."""
    return re.sub(r"(^|[.!?] )([a-z])", lambda match: match[1] + match[2].upper(), text)


def toggle_negation(parts: Parts, draw: random.Random) -> Made:
    """A sentence with and without its negation, of either sign."""
    if not all(parts.toggles):
        return []
    made = []
    for sign, own in enumerate(parts.toggles):
        made += _composed_toggle(parts, sign, draw) if draw.random() < 0.5 else draw.choice(own)
    return made


def _composed_toggle(parts: Parts, sign: int, draw: random.Random) -> Made:
    subject, adjective = f"The {draw.choice(THINGS)} {draw.choice(('is', 'was'))}", draw.choice(parts.adjectives[sign])
    return [
        (f"{subject} {draw.choice(BOOSTERS)}{adjective}.", POSITIVE if sign else NEGATIVE),
        (f"{subject}{draw.choice(NOT)}{adjective}.", NEGATIVE if sign else MILD),
    ]


def deny(parts: Parts, draw: random.Random) -> Made:
    """A statement denied ("I don't think that"), and one affirmed, often by two negations ("nobody can deny that")."""
    return _wrap(parts, (DENIALS, DENIALS), ASSERTIONS, draw)


def wish(parts: Parts, draw: random.Random) -> Made:
    """A statement wished for ("I wish I could say that") or feared in vain, and one simply made."""
    return _wrap(parts, (RELIEFS, WISHES), RECEIVED, draw)


def _wrap(
    parts: Parts, turning: tuple[Sequence[str], Sequence[str]], keeping: Sequence[str], draw: random.Random
) -> Made:
    if not all(parts.opinions):
        return []
    made = []
    kept = draw.choice(keeping)
    for sign, turned in enumerate((MILD, NEGATIVE)):
        first, second = (_opinion(parts, sign, draw) for _ in range(2))
        made.append((capitalized(draw.choice(turning[sign]).format(s=first.text)), turned))
        made.append((capitalized(kept.format(s=second.text)), second.positive))
    return made


def contrast(parts: Parts, draw: random.Random) -> Made:
    """Two statements of opposite signs, of which the second counts: "A, but B" and "B, but A"."""
    return _join(parts, draw.choice(CONTRAST), draw)


def concede(parts: Parts, draw: random.Random) -> Made:
    """Two statements of opposite signs, of which the one that is not conceded counts."""
    return _join(parts, draw.choice(CONCESSION), draw)


def expect(parts: Parts, draw: random.Random) -> Made:
    """Two statements of opposite signs, of which the one that was not merely expected or heard counts."""
    if draw.random() < 0.2:
        return _join(parts, draw.choice(HOPED), draw, draw.choice(FEARED), hearsay=True)
    return _join(parts, draw.choice(EXPECTATION), draw, hearsay=True)


def change(parts: Parts, draw: random.Random) -> Made:
    """Two statements of opposite signs, of which the later in time counts."""
    return _join(parts, draw.choice(TIME), draw)


def _join(parts: Parts, pattern: str, draw: random.Random, improving: str | None = None, hearsay: bool = False) -> Made:
    """Fill a pattern's {a} and {b} both ways round; ``improving`` is the pattern for what begins badly."""
    if not all(parts.clauses):
        return []
    worse, better = (_clause(parts, sign, draw) for sign in (0, 1))
    if hearsay and any(re.match(r"(?:I|we|you|my)\b", part.text) for part in (worse, better)):
        return []  # nobody expects to hear that "I loved it"
    return [
        (capitalized((improving or pattern).format(a=worse.text, b=better.text)), better.positive),
        (capitalized(pattern.format(a=better.text, b=worse.text)), worse.positive),
    ]


def _clause(parts: Parts, sign: int, draw: random.Random) -> Part:
    if parts.adjectives[sign] and draw.random() < COMPOSED_SHARE:
        return _composed(parts, sign, draw)
    return draw.choice(parts.clauses[sign])


def _opinion(parts: Parts, sign: int, draw: random.Random) -> Part:
    return _composed(parts, sign, draw) if draw.random() < COMPOSED_SHARE else draw.choice(parts.opinions[sign])


def _composed(parts: Parts, sign: int, draw: random.Random) -> Part:
    words = f"the {draw.choice(THINGS)} {draw.choice(('is', 'was'))} {draw.choice(BOOSTERS)}"
    return Part(words + draw.choice(parts.adjectives[sign]), POSITIVE if sign else NEGATIVE)


def state(parts: Parts, draw: random.Random) -> Made:
    """Short opinions out of polar adjectives: plain, turned round, or with a word of either sign."""
    if min(map(len, parts.adjectives)) < 3:
        return []
    pattern, plain = draw.choice(
        [*((own, True) for own in PLAIN), *((own, False) for own in TURNED), *((own, True) for own in ORDERED)]
    )
    be, boost, whole = draw.choice(("is", "was")), draw.choice(BOOSTERS), draw.choice(WHOLES)
    things, negation = draw.sample(THINGS, 2), be + draw.choice(NOT)
    made = []
    for sign, target in enumerate((NEGATIVE, POSITIVE) if plain else (MILD, NEGATIVE)):
        x, x2, x3 = draw.sample(parts.adjectives[sign], 3)
        y = draw.choice(parts.adjectives[1 - sign])
        after_article = (boost + x) if "{a} {boost}" in pattern else x if "{a} {x}" in pattern else whole
        text = pattern.format(
            s=things[0], s2=things[1], w=whole, be=be, boost=boost, x=x, x2=x2, x3=x3, y=y,
            a=article_before(after_article), not_=" " + negation,
        )  # fmt: skip
        made.append((capitalized(text), target))
    return made


MAKERS: dict[str, Callable[[Parts, random.Random], Made]] = {
    "negation": toggle_negation,
    "denial": deny,
    "contrast": contrast,
    "concession": concede,
    "expectation": expect,
    "change": change,
    "wish": wish,
    "opinion": state,
}
