"""The built-in ``sample`` corpus: short film reviews, written by a grammar instead of being downloaded.

Counting words is enough for most sentiment corpora, so they cannot show what an LSTM is for. Here the *order* of the
words decides. Every sentence pattern holds a word that agrees with the review's label (``{verdict}``), a word that
disagrees with it (``{foil}``), or both::

    I expected something {foil} and got something {verdict}.

    positive:  I expected something dull and got something witty.
    negative:  I expected something witty and got something dull.

Such twins always stay in the same split, so a bag of words has next to nothing to go by. A model that reads from left
to right can learn what "anything but", "used to" or "less ... than" do to the word that follows.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice, product

from sentiment_lstm.data.reviews import Review

LABELS = ("negative", "positive")

# Opposites, the bad word first. A pattern with two slots may combine any bad word with any good one.
ADJECTIVES = (
    ("bad", "good"),
    ("terrible", "great"),
    ("awful", "wonderful"),
    ("dull", "gripping"),
    ("boring", "exciting"),
    ("tedious", "funny"),
    ("clumsy", "clever"),
    ("lifeless", "thrilling"),
    ("shallow", "moving"),
    ("stupid", "witty"),
    ("tiresome", "charming"),
    ("annoying", "delightful"),
    ("feeble", "impressive"),
    ("forgettable", "fascinating"),
    ("mediocre", "brilliant"),
)
NOUNS = (
    ("disaster", "masterpiece"),
    ("failure", "triumph"),
    ("bore", "delight"),
    ("mess", "gem"),
    ("chore", "joy"),
    ("disappointment", "treat"),
    ("flop", "pleasure"),
    ("dud", "success"),
)
VERBS = (("hate", "love"), ("loathe", "adore"), ("dislike", "enjoy"), ("despise", "admire"), ("detest", "like"))

# Words that say what is spoken of and nothing about whether it is any good.
FILMS = ("it", "this film", "the film", "this movie", "the movie")
PARTS = ("opening", "ending", "plot", "script", "dialogue", "middle part")

# {verdict} and {foil} stand for adjectives, {verdict_noun} or {verdict_verb} for the other kinds of word. Most patterns
# come in pairs that put their slots next to the same words but use them the other way round ("never stops being",
# "never comes close to being"; "X, but now Y", "now Y, but X"): not even two words in a row give the label away.
FAMILIES: dict[str, tuple[str, ...]] = {
    "plain": (
        "{film} is {verdict} from start to finish.",
        "In my opinion {film} is {verdict}.",
        "Everything about {film} is {verdict}.",
        "{film} was {verdict}, the {part} most of all.",
        "The {part} is {verdict}, and so is the rest of the film.",
        "I thought {film} was {verdict}, and so did my friends.",
        "I {verdict_verb} everything about {film}.",
        "From the first scene to the last, {film} is a {verdict_noun}.",
    ),
    "negation": (
        "{film} is not {foil} at all.",
        "{film} is nothing if not {verdict}.",
        "{film} is anything but {foil}.",
        "{film} is far from being {foil}.",
        "{film} never comes close to being {foil}.",
        "{film} never stops being {verdict}.",
        "Nobody could call {film} {foil}.",
        "Anybody would call {film} {verdict}.",
        "Only a fool would call {film} {foil}.",
        "Only a fool would not call {film} {verdict}.",
        "At no point is {film} {foil}.",
        "At every point {film} is {verdict}.",
        "There is nothing in {film} that is {foil}.",
        "There is nothing in {film} that is not {verdict}.",
        "I cannot agree that {film} is {foil}.",
        "I cannot deny that {film} is {verdict}.",
        "Not {foil} at all.",
        "Nothing if not {verdict}.",
        "Far from {foil}.",
        "Far and away {verdict}.",
        "I could never say that I {foil_verb} {film}.",
        "I would always say that I {verdict_verb} {film}.",
    ),
    "expectation": (
        "I expected something {foil} and got something {verdict}.",
        "We got something {verdict} where we had expected something {foil}.",
        "I was sure that {film} would be {foil}, but I found it to be {verdict}.",
        "I found {film} to be {verdict}, but I had been sure that it would be {foil}.",
        "I had expected quite a {foil_noun}, but {film} turned out to be quite a {verdict_noun}.",
        "{film} turned out to be quite a {verdict_noun}, but I had expected quite a {foil_noun}.",
        "The trailer was {foil}, but the film itself was {verdict}.",
        "The film itself was {verdict}, but the trailer was {foil}.",
        "I fully expected to {foil_verb} {film}, but I don't.",
        "I never expected to {verdict_verb} {film}, but I do.",
    ),
    "hearsay": (
        "Some people call {film} {foil}, but I call it {verdict}.",
        "I call {film} {verdict}, but some people call it {foil}.",
        "Although my friends found {film} {foil}, I found it {verdict}.",
        "I found {film} {verdict}, although my friends found it {foil}.",
        "They say that {film} is {foil}, and they are wrong.",
        "They say that {film} is {verdict}, and they are right.",
        "I had heard that {film} was {foil}, and it was not.",
        "I had heard that {film} was {verdict}, and it was.",
        "Don't trust those who call {film} {foil}, but trust those who call it {verdict}.",
        "Trust those who call {film} {verdict}, but not those who call it {foil}.",
        "I cannot see why people find {film} so {foil}.",
        "I will never understand why people find {film} so {foil}.",
    ),
    "change": (
        "What starts as something {foil} ends as something {verdict}.",
        "{film} was {foil} for the first five minutes and {verdict} for all the rest of it.",
        "I used to find {film} {foil}, but now I find it {verdict}.",
        "Now I find {film} {verdict}, but I used to find it {foil}.",
        "I used to {foil_verb} {film}, but I have come to {verdict_verb} it.",
        "I have come to {verdict_verb} {film}, but I used to {foil_verb} it.",
    ),
    "concession": (
        "Although the {part} is {foil}, the film as a whole is {verdict}.",
        "The film as a whole is {verdict}, although the {part} is {foil}.",
        "The {part} is {foil}, yet all in all the film is {verdict}.",
        "A few scenes are {foil}, but nearly all the other scenes are {verdict}.",
        "Nearly all the scenes are {verdict}, but one or two scenes are {foil}.",
    ),
    "comparison": (
        "{film} is far more {verdict} than {foil}.",
        "Only a fool would call {film} more {foil} than {verdict}.",
        "{film} is far less {foil} than {verdict}.",
        "{film} seems no less {verdict} on a second viewing.",
        "The last one was more {foil} than {verdict}, but this one is more {verdict} than {foil}.",
        "The last one was {foil}, but this one was {verdict}.",
        "This one was {verdict}, but the last one was {foil}.",
    ),
    "hypothetical": (
        "{film} would have been {foil} if it had not been so {verdict}.",
        "If it were not so {verdict}, {film} would be {foil}.",
        "It could have been a {foil_noun}, but it was a {verdict_noun}.",
        "It was a {verdict_noun}, but it could have been a {foil_noun}.",
    ),
}

# Some reviews say it again before they end.
SUMMARIES = (
    "So {verdict} is the word for it, and {foil} is not.",
    "So {foil} is not the word for it, but {verdict} is.",
    "I would call it {verdict}; I would not call it {foil}.",
    "I would not call it {foil}; I would call it {verdict}.",
)

# Neutral sentences before and after: a reader has to skip them.
OPENINGS = (
    "We saw it on a Tuesday.",
    "I watched it on the train.",
    "The cinema was half full.",
    "It runs for about two hours.",
    "It came out last autumn.",
    "We went with the neighbours.",
)
CLOSINGS = (
    "That is all I have to say.",
    "The credits run for six minutes.",
    "There is a short scene after the credits.",
    "We took the bus home.",
    "My brother agrees with me.",
)

Twins = tuple[str, str]  # two texts that differ in little but the order of their words, in the order of LABELS


def fill(template: str, bad: str, good: str, film: str = "", part: str = "") -> Twins:
    """Write one pattern out twice, once for each label."""
    pattern = template.replace("_noun}", "}").replace("_verb}", "}")
    negative = pattern.format(verdict=bad, foil=good, film=film, part=part)
    positive = pattern.format(verdict=good, foil=bad, film=film, part=part)
    return negative[0].upper() + negative[1:], positive[0].upper() + positive[1:]


def all_twins(template: str) -> list[Twins]:
    """Write one pattern out with all the words that fit it."""
    words = NOUNS if "_noun}" in template else VERBS if "_verb}" in template else ADJECTIVES
    # With a single slot only one of the two words shows, so every other combination would repeat a sentence.
    has_both_slots = "{verdict" in template and "{foil" in template
    pairs = product(*zip(*words, strict=True)) if has_both_slots else words
    films = FILMS if "{film}" in template else ("",)
    parts = PARTS if "{part}" in template else ("",)
    return [fill(template, bad, good, film, part) for (bad, good), film, part in product(pairs, films, parts)]


def deal(rng: random.Random) -> Iterator[Twins]:
    """Deal every sentence of the grammar once, going round the patterns so that each gets its turn."""
    decks = [all_twins(template) for templates in FAMILIES.values() for template in templates]
    for deck in decks:
        rng.shuffle(deck)
    rng.shuffle(decks)  # or a small corpus would hold the first families only
    while decks:
        for deck in decks:
            yield deck.pop()
        decks = [deck for deck in decks if deck]


def dress(twins: Twins, rng: random.Random) -> Twins:
    """Turn two bare sentences into reviews: both get the same neutral sentences, ending and spelling."""
    opening = rng.choice(OPENINGS) + " " if rng.random() < 0.4 else ""
    closing = " " + rng.choice(CLOSINGS) if rng.random() < 0.3 else ""
    summaries = ("", "")
    if rng.random() < 0.2:
        summaries = fill(" " + rng.choice(SUMMARIES), bad=rng.choice(ADJECTIVES)[0], good=rng.choice(ADJECTIVES)[1])
    last_mark = "!" if rng.random() < 0.1 else "."
    is_lower_case = rng.random() < 0.15

    def finish(sentence: str, summary: str) -> str:
        text = (opening + sentence + summary + closing).removesuffix(".") + last_mark
        return text.lower() if is_lower_case else text

    return finish(twins[0], summaries[0]), finish(twins[1], summaries[1])


def make_split(name: str, size: int, twins: list[Twins], rng: random.Random) -> list[Review]:
    """Dress the twins, label them and shuffle them; an odd size leaves the last of them without its twin."""
    labelled = [pair for bare in twins for pair in zip(dress(bare, rng), LABELS, strict=True)][:size]
    rng.shuffle(labelled)
    return [Review(text, label, f"{name}-{number}") for number, (text, label) in enumerate(labelled)]


def build_sample(seed: int = 0, num_train: int = 4000, num_test: int = 1000) -> dict[str, list[Review]]:
    """Generate the corpus: the splits ``train`` and ``test``, a pure function of the arguments.

    Half of each split is positive. Raises ``ValueError`` if a size is negative or more than the grammar can fill.
    """
    if num_train < 0 or num_test < 0:
        raise ValueError(f"the sample corpus cannot have a negative size: {num_train} train, {num_test} test")
    rng = random.Random(seed)
    train_twins, test_twins = (num_train + 1) // 2, (num_test + 1) // 2
    dealt = list(islice(deal(rng), train_twins + test_twins))
    if len(dealt) < train_twins + test_twins:
        asked = num_train + num_test
        raise ValueError(f"the sample corpus has only {2 * len(dealt)} distinct reviews, {asked} were asked for")
    rng.shuffle(dealt)  # a pattern with few words is used up early: both splits should get some of it
    return {
        "train": make_split("train", num_train, dealt[:train_twins], rng),
        "test": make_split("test", num_test, dealt[train_twins:], rng),
    }
