"""Patterns of English by which :mod:`sentiment_lstm.data.counterfactuals` puts parts together.

{a} and {b} are statements of opposite signs, of which {b} is the one that counts; {s} is a statement.
"""

from __future__ import annotations

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

# {n} is a noun of one kind that one calls a film ("masterpiece"), {m} one of the other; {a_n}, {a_m}: with an article.
NOUN_PLAIN = (
    "{a_n}.", "what {a_n}!", "this {w} {be} {a_n}.", "the {s} {be} {a_n}.", "it {be} nothing less than {a_n}.",
    "{a_n} from start to finish.", "I call it {a_n}.", "it {be} {a_n}, no doubt about it.",
    "they told me it was {a_n}, and they were right.", "there is only one word for it: {n}.", "{a_n} of {a} {w}.",
    "no wonder that people call it {a_n}.", "it never stops being {a_n}.",
)  # fmt: skip
NOUN_TURNED = (
    "not {a_n}.", "this {w} {be} no {n}.", "the {s} {be} hardly {a_n}.", "far from {a_n}.", "anything but {a_n}.",
    "nobody would call it {a_n}.", "it {be} by no means {a_n}.", "whoever calls it {a_n} {be} wrong.",
    "they told me it was {a_n}, and they were wrong.", "I would not call the {s} {a_n}.", "no {n}, this one.",
    "it could have been {a_n}, and it {be} not.", "neither {a_n} nor close to one.", "it {be} never {a_n}.",
)  # fmt: skip
NOUN_ORDERED = (
    "{a_n}, not {a_m}.", "not {a_m} but {a_n}.", "I expected {a_m} and got {a_n}.", "no longer {a_m}: this time {a_n}.",
    "what looked like {a_m} {be} {a_n}.", "more {n} than {m}.", "it begins as {a_m} and ends as {a_n}.",
    "people call it {a_m}, I call it {a_n}.", "they promised {a_m}, they delivered {a_n}.", "{a_m} then, {a_n} now.",
    "from {m} to {n} in one hour.", "the first one was {a_m}; this one is {a_n}.", "{a_n} where others are {a_m}.",
    "instead of {a_m} we get {a_n}.", "on paper {a_m}, on the screen {a_n}.", "{a_m} for others, {a_n} for me.",
    "I came for {a_m} and found {a_n}.", "it {be} {a_n} that others take for {a_m}.",
)  # fmt: skip
# {v} and {u} are verbs of what viewers feel, of one kind and of the other: {v} the base form, {ved} the past.
VERB_PLAIN = (
    "I {ved} it.", "I {ved} every minute.", "we all {ved} it.", "everything about it I {ved}.", "I {ved} the {s}.",
    "it {be} impossible not to {v}.", "there {be} so much to {v}.", "you will {v} it.", "I could not help but {v} it.",
    "I {v} it more each time.", "{a} {w} to {v}.", "I {ved} it from the first minute to the last.",
    "nobody I know did not {v} it.", "who would not {v} it?",
)  # fmt: skip
VERB_TURNED = (
    "I never {ved} it.", "I did not {v} it.", "nobody could {v} this.", "I could not {v} the {s}.",
    "there {be} nothing to {v}.", "it {be} hard to {v}.", "not one of us {ved} it.", "I would not say that I {ved} it.",
    "I cannot {v} the {s}.", "I don't see how anyone could {v} it.",
    "I waited for something to {v}, and there was nothing.", "who could {v} this?", "I tried to {v} it and could not.",
    "it gave me no reason to {v} it.",
)  # fmt: skip
VERB_ORDERED = (
    "I expected to {u} it and {ved} it.", "I thought that I would {u} it, but I {ved} it.",
    "others {ued} it, I {ved} it.",
    "I {ued} the first one, but I {ved} this one.", "I used to {u} it; now I {v} it.", "I {ved} it, I did not {u} it.",
    "I came to {u} it and stayed to {v} it.", "it {be} easier to {v} than to {u}.", "you may {u} the {s}, I {ved} it.",
    "I wanted to {u} it, but I {ved} it.", "I {ued} the trailer and {ved} the {w}.",
    "to {v}, not to {u}.", "at first I {ued} it, in the end I {ved} it.",
)  # fmt: skip
