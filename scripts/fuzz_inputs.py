"""What ``scripts/fuzz.py`` tries: odd texts, files of them, ways to spoil any file; all drawn from a ``Random``."""

from __future__ import annotations

import json
import math
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import yaml

from sentiment_lstm.inference import archive

# fmt: off
WORDS = ["good", "bad", "film", "not", "a", "the", "zebra", "Σ", "İstanbul", "it's", "<br />", "<br", "/>", "<pad>"]
ODD = [
    "", " ", "\0", "\ufeff", "\ud800", "\udfff", "👩‍👩‍👧", "🏳️‍🌈", "שלום", "\u202eevil", "映画は最高", "e\u0301\u0301",
    "\r", "\n", "\r\n", "\x1c", "\x85", "\u2028", "\u00ad", '"', "'", ",", "\t", ";", "\\", "\x1b[31m", "\ufffd", "ﷺ",
    "NaN", "null", "1e999", "<unk>",
]
NASTY: list[Any] = [
    None, True, -1, 0, 1, 2**31, 2**63, 10**400, -1e308, 0.5, math.nan, math.inf, "", "x", "..", "../../etc/passwd",
    "/dev/zero", "\0", "a" * 5000, "cuda:99999999999", [], [[]], {}, {"": None}, ["a"] * 3, {"Regex": "(a+)+$"},
    "!!python/name:os.system",
]
SCRAPS = [
    b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"[" * 5000, b"{" * 5000, b'{"a":' * 3000, b"9" * 6000, b"1e999", b"NaN",
    b"- " * 3000, b"&a [*a,*a]", b"!!timestamp x", b"!!int ''", b"2001-99-99", b"<<: x", b"? {}", b"%YAML 9", b'"' * 99,
    b",", b"\n", b"\r", b"\t", b"PK\x03\x04", b"\x1f\x8b\x08", b"BZh9", b"PAR1", b"ustar", b"\x04\x22\x4d\x18",
    pickle.dumps({"a": os.getcwd}),
]
# fmt: on


def spoil_bytes(random: Random, content: bytes) -> bytes:
    """Flip, cut, repeat, insert or replace."""
    place = random.randrange(len(content) + 1)
    end = min(place + random.choice((1, 4, 64, 4096)), len(content))
    way = random.randrange(7)
    if way == 0 and content:
        flipped = bytearray(content)
        flipped[random.randrange(len(content))] ^= 1 << random.randrange(8)
        return bytes(flipped)
    if way == 1:
        return content[:place]
    if way == 2:
        return content[:place] + content[end:]
    if way == 3:
        return content[:end] + content[place:end] * random.choice((1, 2, 50)) + content[end:]
    if way == 4:
        return content[:place] + random.choice(SCRAPS) + content[place:]
    if way == 5:
        return content[:place] + random.randbytes(end - place) + content[end:]
    return random.choice((random.choice(SCRAPS), random.randbytes(random.randrange(300)), content[::-1]))


def spoil_value(random: Random, value: Any) -> Any:
    """Change one thing somewhere in nested dictionaries and lists."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        key = random.choice(list(value))
        way = random.randrange(10)
        if way == 0:
            return {name: own for name, own in value.items() if name != key}
        if way == 1:
            return {**value, random.choice(("", "x", "../x", "\ud800", key + "x")): random.choice(NASTY)}
        return {**value, key: spoil_value(random, value[key])}
    if isinstance(value, list) and value and random.random() < 0.9:
        place = random.randrange(len(value))
        way = random.randrange(6)
        if way == 0:
            return value[:place] + value[place + 1 :]
        if way == 1:
            return [*value, random.choice([*NASTY, value[place]])]
        return [*value[:place], spoil_value(random, value[place]), *value[place + 1 :]]
    if isinstance(value, (int, float)) and random.random() < 0.5:
        return value + random.choice((-1, 1, 2**32, 0.5))
    return random.choice(NASTY)


def spoil_json(random: Random, content: bytes) -> bytes:
    """Change a value of a JSON file, or make it say the same twice."""
    text = json.dumps(spoil_value(random, json.loads(content)))
    return text.replace("{", '{"kind": 1, "kind": 2, ', 1).encode() if random.random() < 0.05 else text.encode()


def spoil_yaml(random: Random, content: bytes) -> bytes:
    """Change a value of a YAML file."""
    return yaml.safe_dump(spoil_value(random, yaml.safe_load(content))).encode("utf-8", "surrogatepass")


def spoil_weights(random: Random, content: bytes) -> bytes:
    """Let the header of a safetensors file lie, or put odd numbers in and sign them anew."""
    length = int.from_bytes(content[:8], "little")
    way = random.randrange(4)
    if way == 0:
        lie = random.choice((0, 1, length - 1, length + 1, len(content), 2**31, 2**63, 2**64 - 1))
        return lie.to_bytes(8, "little") + content[8:]
    if way == 1:
        header = spoil_json(random, content[8 : 8 + length])
        return len(header).to_bytes(8, "little") + header + content[8 + length :]
    from safetensors.torch import load, save

    weights = load(content)
    tensor = weights[random.choice(sorted(weights))].view(-1)
    tensor[random.randrange(len(tensor)) :: random.choice((1, 7))] = random.choice(
        (math.nan, math.inf, -1e38, 1e20, 9e5, 1e-45, 0.0)
    )
    return save(weights, {"sha256": archive._digest(weights)})


SPOILERS: dict[str, list[Callable[[Random, bytes], bytes]]] = {
    archive.CONFIG: [spoil_bytes, spoil_yaml, spoil_yaml],
    archive.TOKENIZER: [spoil_bytes, spoil_json, spoil_json],
    archive.LABELS: [spoil_bytes, spoil_json],
    archive.META: [spoil_bytes, spoil_json],
    archive.WEIGHTS: [spoil_bytes, spoil_weights, spoil_weights],
}


def make_text(random: Random) -> str:
    """A text of any kind, most of them short."""
    size = random.choice((0, 1, 3, 10, 40))
    parts = [random.choice(random.choice((WORDS, WORDS, ODD))) for _ in range(size)]
    if random.random() < 0.3:
        parts += [chr(random.randrange(0x110000)) for _ in range(random.randrange(20))]
    text = random.choice(("", " ", " ")).join(parts)
    return text * random.choice((1, 1, 1, 1, 1, 1, 300, 3000)) if len(text) < 100 else text


def make_file(random: Random, path: Path, texts: list[str]) -> int:
    """Write texts as a file of any format, spoilt or not; return how many it holds, or -1 for one that is spoilt."""
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    labels = [random.choice(("pos", "neg", "", "0", "😀")) for _ in texts]
    suffix, is_spoilt = path.suffix, random.random() < 0.6
    if suffix == ".parquet":
        import pyarrow as pa
        from pyarrow import parquet

        table = pa.table({"text": texts, "label": labels})
        if random.random() < 0.3:
            feature = {
                "_type": random.choice(("Image", "Audio", "Value", "ClassLabel", "x")),
                "names": ["a"],
                "dtype": "string",
            }
            description = {"info": {"features": {random.choice(("text", "label", "other")): feature}}}
            table = table.replace_schema_metadata({"huggingface": json.dumps(description)})
            is_spoilt = True
        encodings = {"use_dictionary": random.random() < 0.5, "compression": random.choice(("none", "snappy", "zstd"))}
        parquet.write_table(table, path, **encodings, row_group_size=random.choice((1, 3, 100)))
        content = path.read_bytes()
    elif suffix == ".jsonl":
        rows = [{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)]
        content = "".join(json.dumps(row, ensure_ascii=random.random() < 0.5) + "\n" for row in rows).encode()
    elif suffix == ".txt":
        content = "".join(text.replace("\n", " ") + "\n" for text in texts).encode()
    else:
        separator = "\t" if suffix == ".tsv" else ","
        cells = [[f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row] for row in zip(texts, labels, strict=True)]
        lines = [separator.join(row) for row in [["text", "label"], *cells]]
        content = (random.choice(("\n", "\r\n")).join(lines) + "\n").encode()
    if is_spoilt:
        for _ in range(random.choice((1, 1, 3))):
            content = spoil_bytes(random, content)
    path.write_bytes(content)
    return -1 if is_spoilt else len(texts)
