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

from sentiment_lstm.data import patterns
from sentiment_lstm.data.parts import (
    MILD,
    NEGATIVE,
    NOT,
    POSITIVE,
    VERBS,
    Made,
    Part,
    Parts,
    article_before,
    find_parts,
)

TRIES = 50  # a maker that fails so often in a row has run dry
COMPOSED_SHARE = 0.3  # of joined parts that are composed of an adjective instead of cut from a review
PAST = {base: past for past, base in VERBS.items()}


def make_counterfactuals(
    sentences: Sequence[str], positive: Sequence[float], count: int, seed: int, excluded: Collection[str] = ()
) -> dict[str, Made]:
    """Return texts with their probability of being positive, by maker; no text twice.

    Parameters
    ----------
    sentences : single short sentences
    positive : probability that each of them is positive, by teachers or naive Bayes
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
    subject = f"The {draw.choice(patterns.THINGS)} {draw.choice(('is', 'was'))}"
    adjective = draw.choice(parts.adjectives[sign])
    return [
        (f"{subject} {draw.choice(patterns.BOOSTERS)}{adjective}.", POSITIVE if sign else NEGATIVE),
        (f"{subject}{draw.choice(NOT)}{adjective}.", NEGATIVE if sign else MILD),
    ]


def deny(parts: Parts, draw: random.Random) -> Made:
    """A statement denied ("I don't think that"), and one affirmed, often by two negations ("nobody can deny that")."""
    return _wrap(parts, (patterns.DENIALS, patterns.DENIALS), patterns.ASSERTIONS, draw)


def wish(parts: Parts, draw: random.Random) -> Made:
    """A statement wished for ("I wish I could say that") or feared in vain, and one simply made."""
    return _wrap(parts, (patterns.RELIEFS, patterns.WISHES), patterns.RECEIVED, draw)


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
    return _join(parts, draw.choice(patterns.CONTRAST), draw)


def concede(parts: Parts, draw: random.Random) -> Made:
    """Two statements of opposite signs, of which the one that is not conceded counts."""
    return _join(parts, draw.choice(patterns.CONCESSION), draw)


def expect(parts: Parts, draw: random.Random) -> Made:
    """Two statements of opposite signs, of which the one that was not merely expected or heard counts."""
    if draw.random() < 0.2:
        return _join(parts, draw.choice(patterns.HOPED), draw, draw.choice(patterns.FEARED), hearsay=True)
    return _join(parts, draw.choice(patterns.EXPECTATION), draw, hearsay=True)


def change(parts: Parts, draw: random.Random) -> Made:
    """Two statements of opposite signs, of which the later in time counts."""
    return _join(parts, draw.choice(patterns.TIME), draw)


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
    words = f"the {draw.choice(patterns.THINGS)} {draw.choice(('is', 'was'))} {draw.choice(patterns.BOOSTERS)}"
    return Part(words + draw.choice(parts.adjectives[sign]), POSITIVE if sign else NEGATIVE)


def state(parts: Parts, draw: random.Random) -> Made:
    """Short opinions out of polar adjectives: plain, turned round, or with a word of either sign."""
    if min(map(len, parts.adjectives)) < 3:
        return []
    pattern, plain = _pattern(patterns.ADJECTIVE, draw)
    be, boost, whole = draw.choice(("is", "was")), draw.choice(patterns.BOOSTERS), draw.choice(patterns.WHOLES)
    things, negation = draw.sample(patterns.THINGS, 2), be + draw.choice(NOT)
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


def call(parts: Parts, draw: random.Random) -> Made:
    """Short opinions by a noun that one calls a film ("a gem")."""
    return _of_either_sign(parts.nouns, patterns.NOUN, draw, lambda noun, other: {
        "n": noun, "m": other, "a_n": f"{article_before(noun)} {noun}", "a_m": f"{article_before(other)} {other}",
    })  # fmt: skip


def feel(parts: Parts, draw: random.Random) -> Made:
    """Short opinions by a verb of what viewers feel ("I loved it")."""
    return _of_either_sign(parts.verbs, patterns.VERB, draw, lambda verb, other: {
        "v": verb, "ved": PAST[verb], "u": other, "ued": PAST[other],
    })  # fmt: skip


def hold(parts: Parts, draw: random.Random) -> Made:
    """Short opinions by what a film is full of or lacks ("full of charm")."""
    return _of_either_sign(parts.qualities, patterns.QUALITY, draw, lambda own, other: {"q": own, "r": other})


def leave(parts: Parts, draw: random.Random) -> Made:
    """Short opinions by how a film leaves its viewers ("I was bored")."""
    return _of_either_sign(parts.moods, patterns.MOOD, draw, lambda own, other: {"x": own, "y": other})


def compare(parts: Parts, draw: random.Random) -> Made:
    """Short opinions by a comparative or a superlative ("much better than the first part")."""
    if not all(parts.adjectives):
        return []  # these words are given, not found: where no polar adjective is known the texts are hardly English
    table, opinions = draw.choice((
        (patterns.COMPARATIVES, patterns.COMPARATIVE), (patterns.SUPERLATIVES, patterns.SUPERLATIVE),
    ))  # fmt: skip
    words = ([bad for bad, _ in table], [good for _, good in table])
    return _of_either_sign(words, opinions, draw, lambda own, other: {"c": own, "u": other})


def say(parts: Parts, draw: random.Random) -> Made:
    """What viewers do and say ("skip it"), alone or against its opposite."""
    if not all(parts.adjectives):
        return []  # given, as in compare
    bad, good = draw.choice(patterns.SAYINGS)
    return _of_either_sign(([bad], [good]), patterns.SAYING, draw, lambda own, other: {"i": own, "j": other})


def _of_either_sign(
    words: tuple[list[str], list[str]],
    opinions: patterns.Opinions,
    draw: random.Random,
    fields_of: Callable[[str, str], dict[str, str]],
) -> Made:
    """Fill one pattern twice, with a positive word and with a negative one; ``fields_of`` forms them."""
    if not all(words):
        return []
    pattern, plain = _pattern(opinions, draw)
    be, whole, thing = draw.choice(("is", "was")), draw.choice(patterns.WHOLES), draw.choice(patterns.THINGS)
    made = []
    for sign, target in enumerate((NEGATIVE, POSITIVE) if plain else (MILD, NEGATIVE)):
        fields = fields_of(draw.choice(words[sign]), draw.choice(words[1 - sign]))
        text = pattern.format(s=thing, w=whole, be=be, a=article_before(whole), **fields)
        made.append((capitalized(text), target))
    return made


def _pattern(opinions: patterns.Opinions, draw: random.Random) -> tuple[str, bool]:
    """Draw one of the patterns, and whether it leaves a word's sign as it is."""
    return draw.choice([(own, table is not opinions.turned) for table in opinions for own in table])


MAKERS: dict[str, Callable[[Parts, random.Random], Made]] = {
    "negation": toggle_negation,
    "denial": deny,
    "contrast": contrast,
    "concession": concede,
    "expectation": expect,
    "change": change,
    "wish": wish,
    "opinion": state,
    "noun": call,
    "verb": feel,
    "quality": hold,
    "mood": leave,
    "comparison": compare,
    "saying": say,
}
