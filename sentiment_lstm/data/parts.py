"""Sentences of which teachers are sure, as parts that rules of English put together, and those that a negation turns.

Everything here is text: a rule that is not sure how a sentence is built leaves it alone.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CONFIDENT = 0.9  # how sure teachers must be of a part
POSITIVE, NEGATIVE, MILD = 0.95, 0.05, 0.8  # targets that rules give; "not bad" is mild praise
MOST_PART_WORDS = 14  # of a part that is joined to another
MIN_OCCURRENCES = 10  # of a polar adjective
FEWEST = 3  # of a polar noun or verb
POLAR = 0.75  # mean answer over an adjective's sentences; of a sentence alone teachers are seldom sure
POLAR_KNOWN = 0.6  # the same of a word of FEELINGS, QUALITIES or MOODS, of which only the sign is in question

Made = list[tuple[str, float]]  # texts, each with its probability of being positive

COPULA = r"is|was|are|were"
ADVERB = (
    r"very|so|really|quite|truly|absolutely|extremely|pretty|rather|just|simply|totally|completely|incredibly|utterly"
)
NEGATION = re.compile(r"\b(?:not|no|never|nothing|nobody|none|nor|neither|without|hardly|barely|cannot)\b|n't\b", re.I)
# A sentence with one of these is more than one statement, or none that is asserted, or not about the film.
COMPOUND = re.compile(
    r"\b(?:but|although|though|however|yet|still|despite|unless|if|because|while|whereas|except|instead|too|only|would"
    r"|could|should|might|may|must|supposed|than|until|otherwise|used to|even|who|when|what|how|why|either|or"
    r"|original|novel|book)\b|[;:]",
    re.I,
)
SUBJECT = re.compile(
    r"(?:I|It|This|That|There|He|She|They|We|You|The|These|Those|Its|His|Her|Their|My|Every|All|Both|Some)\b", re.I
)
FINITE = re.compile(
    rf"\b(?:{COPULA}|has|have|had|does|do|did|can|will|am|loved?|likes?|liked|enjoy(?:ed)?|hated?|makes?|made|seems?"
    r"|seemed|looks?|looked|keeps?|kept|works?|worked|gets?|got|goes|went|comes?|came|gives?|gave|recommend)\b"
    r"|'(?:s|m|re|ve)\b"
)
PREDICATE = re.compile(
    rf"(?P<subject>[A-Za-z ]+?)(?P<copula> (?:{COPULA})|'s)(?: (?:{ADVERB}))?(?P<article> an?)?(?: (?:{ADVERB}))?"
    r" (?P<adjective>[a-z]+)(?P<rest>(?: [A-Za-z' ]+)?)(?P<end>[.!]?)"
)
NEGATED = re.compile(
    rf"(?P<before>[A-Za-z' ]*?\b(?:{COPULA}))(?: not|n't| never)(?: (?:even|that|all that|exactly|at all))?"
    r"(?P<words>(?: (?:very|so|really|particularly|an?))*) (?P<adjective>[a-z]+)"
    r"(?P<rest>(?: [A-Za-z' ]+)?)(?P<end>[.!]?)"
)
AFTER_ADJECTIVE = re.compile(r"(?: (?:in|to|for|from|at|with|throughout|as) [A-Za-z' ]+)?")
MIXED = re.compile(r"\b(?:and|that|which|more|less|all)\b")
PREDICATIVE = re.compile(
    rf"(?:\b(?:{COPULA})|'s)(?: (?P<adverb>{ADVERB}))? (?P<adjective>[a-z]{{3,}})(?=[.!,]|$| and )"
)
ATTRIBUTIVE = re.compile(
    rf"\b(?:an?|the) (?:(?:{ADVERB}) )?(?P<adjective>[a-z]{{3,}}) "
    r"(?:film|movie|picture|story|show|plot|script|performance|acting|job|cast)\b"
)

CALLED = re.compile(
    rf"(?:\b(?:{COPULA})|'s) (?:(?:such|just|simply|truly|really) )?an? (?:(?:real|total|complete|absolute|true) )?"
    r"(?P<noun>[a-z]{3,})(?=[.!,]|$)"
)
GRADED = re.compile(rf"\b(?:{ADVERB}|more|most|too|as) (?P<word>[a-z]{{3,}})\b")

# What a reader of a film does, with the base form that "did not" takes.
VERBS = {
    "loved": "love", "liked": "like", "enjoyed": "enjoy", "adored": "adore", "admired": "admire", "laughed": "laugh",
    "cared": "care", "appreciated": "appreciate", "recommended": "recommend", "hated": "hate", "disliked": "dislike",
    "regretted": "regret", "despised": "despise", "wasted": "waste", "cringed": "cringe", "yawned": "yawn",
}  # fmt: skip
# Those of them that say what one thinks of a thing: "I loved it". Which is good and which bad, the sentences say.
FEELINGS = (
    "loved", "liked", "enjoyed", "adored", "admired", "appreciated", "hated", "disliked", "regretted", "despised",
)  # fmt: skip
FELT = re.compile(
    rf"\bI (?:(?:{ADVERB}|also|actually|thoroughly) )*(?P<verb>{'|'.join(FEELINGS)}) (?:it|this|the|every|all|each)\b"
)
# Things that a film is full of or lacks, and how its viewers are: of either sign, which again the sentences say.
QUALITIES = (
    "charm", "wit", "humour", "humor", "heart", "suspense", "beauty", "emotion", "depth", "talent",
    "imagination", "style", "energy", "life", "laughs", "thrills", "surprises", "tension", "skill", "passion",
    "warmth", "joy", "fun", "magic", "originality", "intelligence", "atmosphere", "excitement", "brilliance",
    "grace", "boredom", "nonsense", "trash", "noise", "mistakes", "errors", "stereotypes", "garbage", "junk",
    "padding", "stupidity", "yawns", "disappointment", "cliches", "clichés", "crap", "rubbish", "drivel",
    "blunders", "gibberish", "embarrassment", "ineptitude",
)  # fmt: skip
MOODS = (
    "bored", "disappointed", "annoyed", "confused", "irritated", "disgusted", "insulted", "embarrassed", "appalled",
    "amazed", "impressed", "moved", "thrilled", "delighted", "charmed", "hooked", "captivated", "touched", "pleased",
    "fascinated", "enchanted", "astonished", "blown away", "spellbound",
)  # fmt: skip
OF_FILM = re.compile(rf"\b(?P<word>{'|'.join(QUALITIES)})\b", re.I)
OF_VIEWER = re.compile(rf"\b(?P<word>{'|'.join(MOODS)})\b", re.I)
BASES = tuple(dict.fromkeys(VERBS.values()))
ACTION = re.compile(
    rf"(?P<subject>I|We|You|They)(?P<modal> would| will| can| do)?(?: (?:{ADVERB}|highly|definitely|thoroughly|strongly"
    rf"|certainly|also|actually))* (?P<verb>{'|'.join([*VERBS, *BASES])})(?P<rest>(?: [A-Za-z' ]+)?)(?P<end>[.!]?)"
)
MODALS = {
    "would": ("would not", "wouldn't", "would never"), "will": ("will not", "won't", "will never"),
    "can": ("cannot", "can't", "can hardly"), "do": ("do not", "don't"),
}  # fmt: skip
NOT = (" not ", "n't ", " not that ", " hardly ", " never ", " by no means ", " far from ", " anything but ")
NOT_A = (" not", "n't", " hardly", " never", " by no means")


@dataclass(frozen=True)
class Part:
    """A sentence or clause without its full stop, and its probability of being positive."""

    text: str
    positive: float


@dataclass(frozen=True)
class Parts:
    """What makers draw from. Index 1 holds what is positive, index 0 what is negative.

    Attributes
    ----------
    clauses : simple statements of which teachers are sure
    opinions : those of them that rest on a polar adjective
    toggles : groups of texts that a negation turns round, with the positive half of each group's source first
    adjectives : polar adjectives, each at least ``MIN_OCCURRENCES`` times in the sentences
    nouns : polar nouns that one calls a film ("masterpiece"), each at least ``FEWEST`` times
    verbs : polar ones among ``FEELINGS``, in their base form, each at least ``FEWEST`` times
    qualities, moods : likewise, among ``QUALITIES`` and ``MOODS``
    """

    clauses: tuple[list[Part], list[Part]]
    opinions: tuple[list[Part], list[Part]]
    toggles: tuple[list[Made], list[Made]]
    adjectives: tuple[list[str], list[str]]
    nouns: tuple[list[str], list[str]]
    verbs: tuple[list[str], list[str]]
    qualities: tuple[list[str], list[str]]
    moods: tuple[list[str], list[str]]


def find_parts(sentences: Sequence[str], positive: Sequence[float], draw: random.Random) -> Parts:
    """Choose from answered sentences what can be put together or turned round."""
    adjectives = polar_adjectives(sentences, positive)
    signs = {word: sign for sign, own in enumerate(adjectives) for word in own}
    parts = Parts(([], []), ([], []), ([], []), adjectives, *polar_words(sentences, positive))
    for sentence, answer in zip(sentences, positive, strict=True):
        without = without_negation(sentence, signs)
        if without is not None:
            sign, text = without
            turned = NEGATIVE if sign else MILD
            parts.toggles[sign].append([(text, POSITIVE if sign else NEGATIVE), (sentence, turned)])
        if NEGATION.search(sentence) or COMPOUND.search(sentence) or max(answer, 1 - answer) <= CONFIDENT:
            continue
        sign = int(answer > 0.5)
        text = sentence.rstrip(".! ")
        polar = {signs[word] for word in re.findall(r"[a-z]+", sentence.lower()) if word in signs}
        if (
            SUBJECT.match(text)
            and FINITE.search(text)
            and len(text.split()) <= MOST_PART_WORDS
            and (1 - sign) not in polar
        ):
            parts.clauses[sign].append(Part(uncapitalized(text), answer))
            if polar == {sign}:
                parts.opinions[sign].append(parts.clauses[sign][-1])
        turned_text = with_negation(sentence, signs, sign, draw)
        if turned_text is not None:
            parts.toggles[sign].append([(sentence, answer), (turned_text, NEGATIVE if sign else MILD)])
    return parts


def polar_adjectives(sentences: Sequence[str], positive: Sequence[float]) -> tuple[list[str], list[str]]:
    """Return the negative and the positive adjectives, by the mean answer to the sentences they stand in.

    A word counts as an adjective if an adverb of degree stands before it ("is very good") at least once. Sentences with
    a negation or a second statement are left out.
    """
    answers: dict[str, list[float]] = defaultdict(list)
    graded: Counter[str] = Counter()
    for sentence, answer in zip(sentences, positive, strict=True):
        if NEGATION.search(sentence) or COMPOUND.search(sentence):
            continue
        for match in PREDICATIVE.finditer(sentence):
            answers[match["adjective"]].append(answer)
            graded[match["adjective"]] += match["adverb"] is not None
        for match in ATTRIBUTIVE.finditer(sentence):
            answers[match["adjective"]].append(answer)
    return _by_sign({word: own for word, own in answers.items() if graded[word]}, MIN_OCCURRENCES)


def polar_words(sentences: Sequence[str], positive: Sequence[float]) -> list[tuple[list[str], list[str]]]:
    """Return the negative and the positive nouns, verbs, qualities and moods, by the mean answer to their sentences.

    A word counts as a noun if it ends a statement after "is a" or "was a" ("it is a masterpiece"), and an adverb of
    degree never stands before it. Verbs are those of ``FEELINGS`` after "I".
    """
    nouns: dict[str, list[float]] = defaultdict(list)
    verbs: dict[str, list[float]] = defaultdict(list)
    qualities: dict[str, list[float]] = defaultdict(list)
    moods: dict[str, list[float]] = defaultdict(list)
    graded: set[str] = set()
    for sentence, answer in zip(sentences, positive, strict=True):
        if NEGATION.search(sentence) or COMPOUND.search(sentence):
            continue
        graded.update(match["word"] for match in GRADED.finditer(sentence))
        for match in CALLED.finditer(sentence):
            nouns[match["noun"]].append(answer)
        for match in FELT.finditer(sentence):
            verbs[VERBS[match["verb"]]].append(answer)
        for pattern, found in ((OF_FILM, qualities), (OF_VIEWER, moods)):
            for match in pattern.finditer(sentence):
                found[match["word"].lower()].append(answer)
    for word in graded:
        nouns.pop(word, None)
    return [_by_sign(nouns, FEWEST), *(_by_sign(own, FEWEST, POLAR_KNOWN) for own in (verbs, qualities, moods))]


def _by_sign(answers: Mapping[str, Sequence[float]], fewest: int, polar: float = POLAR) -> tuple[list[str], list[str]]:
    means = {word: sum(own) / len(own) for word, own in answers.items() if len(own) >= fewest}
    return (
        sorted(word for word, mean in means.items() if mean < 1 - polar),
        sorted(word for word, mean in means.items() if mean > polar),
    )


def with_negation(sentence: str, signs: dict[str, int], sign: int, draw: random.Random) -> str | None:
    """Return a simple sentence with a negation put in, or ``None`` where no rule is sure how.

    "The acting is very good." -> "The acting isn't good."; "I enjoyed it." -> "I did not enjoy it."
    """
    match = PREDICATE.fullmatch(sentence)
    if match and SUBJECT.match(match["subject"]) and signs.get(match["adjective"]) == sign:
        subject, article, rest = match["subject"], match["article"] or "", match["rest"]
        short = len(subject.split()) <= 5 and not MIXED.search(subject) and not MIXED.search(rest)
        if not short or (article and not rest) or (not article and not AFTER_ADJECTIVE.fullmatch(rest)):
            return None
        copula = " is" if match["copula"] == "'s" else match["copula"]
        article = " " + article_before(match["adjective"]) if article else ""
        negation = draw.choice(NOT_A if article else NOT).rstrip()
        return f"{subject}{copula}{negation}{article} {match['adjective']}{rest}{match['end']}"
    match = ACTION.fullmatch(sentence)
    if match and not MIXED.search(match["rest"]):
        verb = match["verb"]
        if match["modal"]:
            negations = MODALS[match["modal"].strip()] if verb in BASES else ()
        else:
            negations = ("do not", "don't", "cannot") if verb in BASES else ("did not", "didn't", "could not")
        if negations:
            base = VERBS.get(verb, verb)
            return f"{match['subject']} {draw.choice(negations)} {base}{match['rest']}{match['end']}"
    return None


def without_negation(sentence: str, signs: dict[str, int]) -> tuple[int, str] | None:
    """Return what a negated predicate says without its negation, and the sign of that; ``None`` where there is none.

    "The acting isn't good." -> 1, "The acting is good."
    """
    match = NEGATED.fullmatch(sentence)
    if not match or COMPOUND.search(sentence) or len(NEGATION.findall(sentence)) != 1:
        return None
    if MIXED.search(match["before"]) or MIXED.search(match["rest"]):
        return None
    words, adjective, rest = match["words"], match["adjective"], match["rest"]
    has_article = re.search(r"\ban?\b", words) is not None
    if (
        adjective not in signs
        or (not has_article and not AFTER_ADJECTIVE.fullmatch(rest))
        or not SUBJECT.match(sentence)
    ):
        return None
    return signs[adjective], f"{match['before']}{words} {adjective}{rest}{match['end']}"


def article_before(word: str) -> str:
    """Return "an" before a vowel's letter, "a" before another."""
    return "an" if word[:1] in "aeiou" else "a"


def uncapitalized(text: str) -> str:
    """Return a clause as it stands inside a sentence."""
    return text if re.match(r"I\b", text) else text[0].lower() + text[1:]
