"""Patterns of English by which :mod:`sentiment_lstm.data.counterfactuals` puts parts together.

{a} and {b} are statements of opposite signs, of which {b} is the one that counts; {s} is a statement.
"""

from __future__ import annotations

from typing import NamedTuple


class Opinions(NamedTuple):
    """Short opinions around a word.

    Attributes
    ----------
    plain : they say what the word says
    turned : the opposite
    ordered : the word and one of the opposite sign stand in them, and the former counts
    """

    plain: tuple[str, ...]
    turned: tuple[str, ...]
    ordered: tuple[str, ...]


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
    "I cannot agree that {s}.", "No one will convince me that {s}.", "It isn't as if {s}.",
    "Who could think that {s}?", "They say that {s}; I could not disagree more.", "People claim that {s}. Nonsense.",
    "They say that {s}. They are wrong.", "Whoever thinks that {s} must have watched another film.",
    "I do not understand those who say that {s}.", "A friend swore that {s}; so much for my friend's taste.",
    "Some say that {s}. Not at all.", "They lied: they said that {s}.",
)  # fmt: skip
ASSERTIONS = (
    "I think that {s}.", "I have to say that {s}.", "It is true that {s}.", "There is no doubt that {s}.",
    "Nobody can deny that {s}.", "I don't doubt that {s}.", "I can't deny that {s}.",
    "I would be lying if I did not say that {s}.", "You cannot tell me that it is not true that {s}.",
    "No one should forget that {s}.", "Not for a moment did I doubt that {s}.",
    "They say that {s}, and I could not agree more.", "People claim that {s}. Quite so.",
    "They say that {s}. They are right.", "Whoever thinks that {s} is right.", "I understand those who say that {s}.",
    "I can only repeat that {s}.", "A friend swore that {s}, and my friend was right.", "Some say that {s}. Indeed.",
    "They did not lie: they said that {s}.",
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
ADJECTIVE = Opinions(plain=(
    "the {s} {be} {boost}{x}.", "{a} {boost}{x} {w}.", "{x} {s}.", "{x} {s}, {x2} {s2}.", "what {a} {x} {w}!",
    "the {s} {be} {x} and {x2}.", "it {be} not only {x} but {x2}.", "this {w} {be} both {x} and {x2}.",
    "I found it {boost}{x}.", "{x}, {x2} and {x3}.", "the {s} {be} {x} and the {s2} {be} {x2}.", "{boost}{x}!",
    "nothing if not {x}.", "I thought the {s} {be} {boost}{x}.", "this {be} {a} {boost}{x} {w}.",
    "{x} {s} and {x2} {s2}.", "the {s} {be} not just {x}, the {s2} {be} {x2} as well.",
    "I have never seen {a} {w} so {x}.", "the {s} could not be more {x}.", "as {x} as {a} {w} can be.",
    "every moment of it {be} {x}.", "nothing but {x}.", "every bit as {x} as they say.",
    "even more {x} than I had thought.", "{x} from the first minute to the last.", "few films are so {x}.",
    "you will not see a more {x} {w} this year.", "there {be} no end of {x} scenes.",
    "the {s} could hardly be more {x}.", "nothing short of {x}.", "rarely anything short of {x}.",
    "seldom less than {x}.", "who would have thought that {a} {w} could be so {x}?", "how {x} it {be}!",
    "it {be} {x} beyond words.", "just {x}.", "the word for it is {x}.", "ok so this was {x}.",
    "{boost}{x} if you ask me.", "honestly {x}.", "surprisingly {x}.",
), turned=(
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
    "with another cast it might have been {x}.", "it might so easily have been {x}.", "in other hands it would be {x}.",
    "nothing about the {s} {be} {x}.", "little about it {be} {x}.", "I looked for something {x} and found nothing.",
    "the {s} {be} not even slightly {x}.", "rarely {x}.", "not at all {x}.",
    "it {be} not what I would call {x}.", "the {s} did not feel {x}.", "the {s} did not strike me as {x}.",
), ordered=(
    "{x}, not {y}.", "{x} rather than {y}.", "more {x} than {y}.", "the {s} {be} {x}, not {y}.", "not {y} but {x}.",
    "not so much {y} as {x}.", "instead of being {y}, the {s} {be} {x}.", "I found the {s} {x}, not {y}.",
    "less {y} than {x}.", "the {s} {be} not {y}, it {be} {x}.", "this {w} {be} {x} and by no means {y}.",
    "the {s} that I thought {y} {be} {x}.", "{x} and not at all {y}.", "far from {y}, the {s} {be} {x}.",
    "those who call it {y} are wrong, it {be} {x}.", "what looked {y} {be} in truth {x}.",
    "it makes other films look {y}.", "after so many {y} films at last {a} {x} one.", "{x} where others {be} {y}.",
    "it begins {y} and ends {x}.", "the {s} {be} {y} at first and {x} later.", "no longer {y}: this time {x}.",
    "the last one {be} {y}, this one {be} {x}.", "I came for something {y} and got something {x}.",
    "people say {y}, I say {x}.", "too {y} for others, {x} for me.", "{y} on paper, {x} on the screen.",
    "the {x} scenes outnumber the {y} ones.", "the {x} moments make up for the {y} ones.", "{y} trailer, {x} {w}.",
    "it has more {x} moments than {y} ones.", "{y} for ten minutes, {x} for the rest.", "twice as {x} as it is {y}.",
    "the {y} {s} cannot spoil the {x} {s2}.", "{y} at first sight, {x} at second sight.",
    "the {x} ideas bury the {y} ones.", "it should be called {x} instead of {y}.",
    "the other versions are {y}, unlike this {x} one.", "as {x} as others are {y}.",
))  # fmt: skip

# {n} is a noun of one kind that one calls a film ("masterpiece"), {m} one of the other; {a_n}, {a_m}: with an article.
NOUN = Opinions(plain=(
    "{a_n}.", "what {a_n}!", "this {w} {be} {a_n}.", "the {s} {be} {a_n}.", "it {be} nothing less than {a_n}.",
    "{a_n} from start to finish.", "I call it {a_n}.", "it {be} {a_n}, no doubt about it.",
    "they told me it was {a_n}, and they were right.", "there is only one word for it: {n}.", "{a_n} of {a} {w}.",
    "no wonder that people call it {a_n}.", "it never stops being {a_n}.",
), turned=(
    "not {a_n}.", "this {w} {be} no {n}.", "the {s} {be} hardly {a_n}.", "far from {a_n}.", "anything but {a_n}.",
    "nobody would call it {a_n}.", "it {be} by no means {a_n}.", "whoever calls it {a_n} {be} wrong.",
    "they told me it was {a_n}, and they were wrong.", "I would not call the {s} {a_n}.", "no {n}, this one.",
    "it could have been {a_n}, and it {be} not.", "neither {a_n} nor close to one.", "it {be} never {a_n}.",
), ordered=(
    "{a_n}, not {a_m}.", "not {a_m} but {a_n}.", "I expected {a_m} and got {a_n}.", "no longer {a_m}: this time {a_n}.",
    "what looked like {a_m} {be} {a_n}.", "more {n} than {m}.", "it begins as {a_m} and ends as {a_n}.",
    "people call it {a_m}, I call it {a_n}.", "they promised {a_m}, they delivered {a_n}.", "{a_m} then, {a_n} now.",
    "from {m} to {n} in one hour.", "the first one was {a_m}; this one is {a_n}.", "{a_n} where others are {a_m}.",
    "instead of {a_m} we get {a_n}.", "on paper {a_m}, on the screen {a_n}.", "{a_m} for others, {a_n} for me.",
    "I came for {a_m} and found {a_n}.", "it {be} {a_n} that others take for {a_m}.",
))  # fmt: skip
# {v} and {u} are verbs of what viewers feel, of one kind and of the other: {v} the base form, {ved} the past.
VERB = Opinions(plain=(
    "I {ved} it.", "I {ved} every minute.", "we all {ved} it.", "everything about it I {ved}.", "I {ved} the {s}.",
    "it {be} impossible not to {v}.", "there {be} so much to {v}.", "you will {v} it.", "I could not help but {v} it.",
    "I {v} it more each time.", "{a} {w} to {v}.", "I {ved} it from the first minute to the last.",
    "nobody I know did not {v} it.", "who would not {v} it?",
), turned=(
    "I never {ved} it.", "I did not {v} it.", "nobody could {v} this.", "I could not {v} the {s}.",
    "there {be} nothing to {v}.", "it {be} hard to {v}.", "not one of us {ved} it.", "I would not say that I {ved} it.",
    "I cannot {v} the {s}.", "I don't see how anyone could {v} it.",
    "I waited for something to {v}, and there was nothing.", "who could {v} this?", "I tried to {v} it and could not.",
    "it gave me no reason to {v} it.",
), ordered=(
    "I expected to {u} it and {ved} it.", "I thought that I would {u} it, but I {ved} it.",
    "others {ued} it, I {ved} it.",
    "I {ued} the first one, but I {ved} this one.", "I used to {u} it; now I {v} it.", "I {ved} it, I did not {u} it.",
    "I came to {u} it and stayed to {v} it.", "it {be} easier to {v} than to {u}.", "you may {u} the {s}, I {ved} it.",
    "I wanted to {u} it, but I {ved} it.", "I {ued} the trailer and {ved} the {w}.",
    "to {v}, not to {u}.", "at first I {ued} it, in the end I {ved} it.",
))  # fmt: skip
# {q} is a thing that a film is full of, or its lack ("charm"), {r} one of the other kind.
QUALITY = Opinions(plain=(
    "full of {q}.", "{q} from start to finish.", "not without {q}.", "no lack of {q}.",
    "there {be} so much {q} in it.", "plenty of {q}.", "never short of {q}.", "it has {q} to spare.",
    "what I remember {be} the {q}.", "so much {q}!", "the {s} {be} not without {q}.", "the {s} {be} full of {q}.",
    "a {w} full of {q}.", "I have never seen so much {q}.", "for {q} no other {w} can compete with it.",
    "who knew that {a} {w} could hold so much {q}?",
), turned=(
    "without {q}.", "no {q} at all.", "it lacks {q}.", "there {be} no {q} in it.", "not a trace of {q}.",
    "devoid of {q}.", "hardly any {q}.", "so little {q}.", "a complete lack of {q}.",
    "I looked for {q} and found none.", "free of {q}.", "the {s} {be} without any {q}.", "the {s} has no {q}.",
    "no {q} from me.", "it {be} quite without {q}.", "zero {q}.", "you will look for {q} in vain.",
    "who knew that {a} {w} could hold so little {q}?", "barely any {q}.",
), ordered=(
    "{q}, not {r}.", "lots of {q}, hardly any {r}.", "more {q} than {r}.", "all {q} and no {r}.", "{q} instead of {r}.",
    "I expected {r} and got {q}.", "{q} where others have {r}.", "no {r}, but {q}.", "{r} at first, then {q}.",
    "tons of {q}, barely any {r}.", "what it lacks in {r} it has in {q}.", "they promised {r} and delivered {q}.",
    "{q} over {r}.", "they had {r}, this one has {q}.",
))  # fmt: skip
# {x} and {y} say how a viewer is ("bored"), of one kind and of the other.
MOOD = Opinions(plain=(
    "I was {x}.", "it left me {x}.", "by the end I was {x}.", "we were all {x}.", "I have never been so {x}.",
    "I came out {x}.", "never once was I not {x}.", "I was {x} from the first minute to the last.", "you will be {x}.",
    "I could not have been more {x}.", "how could one not be {x}?", "{x}, that is what I was.", "it kept me {x}.",
), turned=(
    "I was not {x}.", "it did not leave me {x}.", "never was I {x}.", "at no point was I {x}.", "nobody will be {x}.",
    "I was far from {x}.", "I cannot say that I was {x}.", "not for a minute was I {x}.", "how could one be {x}?",
    "I was anything but {x}.", "none of us was {x}.", "I waited to be {x}, in vain.", "it did not make me {x}.",
), ordered=(
    "I came in {y} and went out {x}.", "at first I was {y}; afterwards I was {x}.",
    "I expected to be {y} and was {x}.", "went in {y}, came out {x}.", "others were {y}, I was {x}.",
    "before the last act I was {y}; afterwards I was {x}.", "{x}, not {y}.",
    "the first one left me {y}, this one left me {x}.", "more {x} than {y}.",
    "I thought that I would be {y}, but I was {x}.", "the trailer left me {y}, the {w} left me {x}.",
    "no longer {y}: {x}.", "I was {y} by the book and {x} by the {w}.",
    "her last picture left me {y}; this one left me {x}.",
))  # fmt: skip
# {c} is a comparative, {u} the opposite one; the bad one first.
COMPARATIVES = (("worse", "better"), ("poorer", "finer"), ("weaker", "stronger"))
COMPARATIVE = Opinions(plain=(
    "much {c} than I had been led to believe.", "way {c} than the first part.", "{c} than the book.",
    "it could not be {c}.", "far {c} than anyone told me.", "it gets {c} with each scene.",
    "the {c} of the two versions.", "it does not get {c}.", "the {s} could not be {c}.",
    "the {s} could hardly be {c}.", "rarely was the {s} {c}.", "no {w} was ever {c}.",
    "I have never seen {a} {w} with {c} acting.", "a good deal {c} than I had thought.", "{c} each time I see it.",
    "even {c} than the last one.", "so much {c} than it sounds.",
    "who would have thought that it would be so much {c}?",
), turned=(
    "I have seen {c}.", "it could have been {c}.", "you could do {c}.", "there are {c} ways to spend an evening.",
    "others are {c}.", "every other {w} I know is {c}.",
    "the first one was {c}.", "I have sat through {c}.", "the book is {c}.", "there {be} many {c} ones.",
), ordered=(
    "{c}, not {u}.", "it gets {c}, not {u}.", "I expected it to be {u} and it was {c}.", "people say {u}, I say {c}.",
    "I was told that it is {u} than the book; it is {c}.", "the others are {u}, this one is {c}.",
    "{c} rather than {u}.",
))  # fmt: skip
# The same of superlatives.
SUPERLATIVES = (("worst", "best"), ("weakest", "finest"), ("poorest", "greatest"), ("dullest", "funniest"))
SUPERLATIVE = Opinions(plain=(
    "the {c} {w} of the year.", "one of the {c} things I have seen.", "easily the {c} of them all.",
    "the {c} {w} I have seen this year, by far.", "my vote for the {c} {w} of all time.",
    "there {be} no doubt that it is the {c}.", "among the {c} of its kind.",
    "the {s} {be} the {c} I have seen in years.", "if you want to see the {c}, see this.",
    "this {w} shows the {s} at its {c}.", "they call it the {c} of the series, and they are right.",
), turned=(
    "not the {c} {w} I have seen.", "far from the {c} way to spend an evening.", "hardly the {c} of them.",
    "not the {c} of the series.", "they say it is the {c} of the series; I could not disagree more.",
    "this is by no means the {c} of them.", "anything but the {c}.",
    "they call it the {c} of the year, and they are wrong.", "I would not call it the {c} of its kind.",
    "never the {c}.",
), ordered=(
    "the {c}, not the {u}.", "from the {u} to the {c}.", "they call it the {u} of the series; it is the {c}.",
    "I expected the {u} and got the {c}.", "not the {u} of them but the {c}.",
    "people say it is the {u}; I say it is the {c}.",
))  # fmt: skip
# What viewers do and say, the bad one first: what their words alone do not tell.
SAYINGS = (
    ("skip it", "see it"), ("avoid it", "do not miss it"), ("do not bother with it", "do not let it pass you by"),
    ("thumbs down", "thumbs up"), ("one star out of ten", "ten stars out of ten"), ("stay away", "go and see it"),
    ("I would not watch it again", "I would watch it again"),
    ("I will never see it again", "I will see it again soon"), ("I want my money back", "it was worth every penny"),
    ("the hours dragged on", "the hours flew by"),
    ("I wanted it to be over an hour sooner", "I wanted it to go on for another hour"),
    ("I kept looking at my watch", "I never looked at my watch"), ("it lost me", "it won me over"),
    ("it wore me out", "it won my heart"), ("I have many complaints", "I have no complaints"),
    ("I have nothing but regrets", "I have no regrets"), ("nothing works", "everything works"),
    ("little is right with it", "little is wrong with it"), ("nothing is right with it", "nothing is wrong with it"),
    ("I turned it off", "I played it again at once"), ("I fell asleep", "I was wide awake to the end"),
    ("I do not understand the good reviews", "I do not understand the bad reviews"),
    ("save your money", "spend your money on it"), ("not worth the ticket", "well worth the ticket"),
    ("I am sorry that I saw it", "I am glad that I saw it"), ("I left before the end", "I stayed to the very end"),
    ("the audience booed", "the audience applauded"), ("I yawned", "I laughed until it hurt"),
    ("I could not recommend it to anyone", "I cannot recommend it highly enough"),
    ("it falls apart", "it all comes together"), ("do not waste your time", "do not wait to see it"),
    ("count me among those who hate it", "count me among those who love it"),
    ("it deserves to be mocked", "it deserves to be praised"), ("it goes nowhere", "it goes straight to the heart"),
    ("a waste of two hours", "two hours well spent"), ("it drags", "it never drags"), ("it fails", "it succeeds"),
    ("it bored me", "it never bored me"), ("nobody should see it", "everybody should see it"),
    ("it let me down", "it did not let me down"), ("the director should be ashamed", "the director should be proud"),
    ("it ruins the story", "it rescues the story"), ("the jokes fall flat", "the jokes hit home"),
    ("I can do without a sequel", "I cannot wait for a sequel"),
    ("they should be asked to pay us", "they could charge twice as much"),
    ("it gave me a headache", "it gave me goosebumps"),
)  # fmt: skip
SAYING = Opinions(plain=(
    "{i}.", "{i}!", "in short: {i}.", "all in all, {i}.", "I can only say: {i}.", "to sum up, {i}.",
    "{i}, and I mean it.", "well, {i}.", "believe me: {i}.", "{i}, no doubt about it.", "what can I say, {i}.",
    "my verdict: {i}.",
), turned=(), ordered=(
    "others say: {j}. I say: {i}.", 'not "{j}" but "{i}".', "I thought I would have to write: {j}. But no: {i}.",
    "with the first one my verdict was: {j}. With this one: {i}.",
    "some will tell you: {j}. Do not listen to them: {i}.",
))  # fmt: skip
