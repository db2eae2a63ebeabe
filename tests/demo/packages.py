"""The demo's records: every package of this machine's Debian package index, with a vector of its text.

The vectors come from the static sentence-embedding model inside the PyPI package `wordllama`: a
vector is the mean of its tokens' rows, normalised, 256 dimensions.
"""

import importlib.util
import json
import os
import pathlib
import re
import subprocess

# The demo forks a reader; the tokenizer's own threads would not live in it.
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np  # noqa: E402
import safetensors.numpy  # noqa: E402
import tokenizers  # noqa: E402

DIMENSION = 256
COLLECTION = {
    "name": "packages",
    "description": "Debian packages with a vector of their description",
    "fields": [
        {"name": "section", "type": "VARCHAR"},
        {"name": "priority", "type": "VARCHAR"},
        {"name": "version", "type": "VARCHAR"},
        {"name": "installed_kib", "type": "INT64"},
        {"name": "maintainer", "type": "VARCHAR"},
        {"name": "tags", "type": "ARRAY", "element_type": "VARCHAR", "max_capacity": 512},
        {"name": "description", "type": "TEXT"},
        {"name": "revision", "type": "INT64", "default": 0},
    ],
    "vectors": [{"name": "embedding", "dimension": DIMENSION, "metric": "COSINE"}],
}


class Embedder:
    """Turns texts into unit vectors. Deterministic."""

    def __init__(self):
        folder = pathlib.Path(importlib.util.find_spec("wordllama").origin).parent
        weights = safetensors.numpy.load_file(folder / "weights" / "l2_supercat_256.safetensors")
        self._rows = weights["embedding.weight"].astype(np.float32)
        self._tokenizer = tokenizers.Tokenizer.from_file(
            str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(512)

    def __call__(self, texts):
        """float32, one row a text; a text without tokens gets the mean of all rows."""
        out = np.empty((len(texts), DIMENSION), np.float32)
        for i, encoding in enumerate(self._tokenizer.encode_batch(texts, add_special_tokens=False)):
            rows = self._rows[encoding.ids] if encoding.ids else self._rows
            mean = rows.mean(axis=0)
            out[i] = mean / np.linalg.norm(mean)
        return out


def _paragraphs(text):
    for block in text.split("\n\n"):
        fields, name = {}, None
        for line in block.split("\n"):
            if line[:1] in (" ", "\t"):
                if name:
                    fields[name] += "\n" + line.strip()
            elif ":" in line:
                name, value = line.split(":", 1)
                fields[name] = value.strip()
        if fields:
            yield fields


def _long_descriptions():
    """By Description-md5: what the index keeps in its translation files."""
    found = {}
    for path in sorted(pathlib.Path("/var/lib/apt/lists").glob("*Translation-en*")):
        text = subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", str(path)],
                              capture_output=True, check=True).stdout.decode("utf-8", "replace")
        for fields in _paragraphs(text):
            if "Description-md5" in fields:
                found[fields["Description-md5"]] = fields.get("Description-en", "")
    return found


def _index():
    # --no-all-versions would still list a package once an archive: the newest wins below.
    return subprocess.run(["apt-cache", "dumpavail"], capture_output=True,
                          check=True).stdout.decode("utf-8", "replace")


def read_packages():
    """Records without vectors, sorted by id; one a package name, the highest version listed last."""
    long_texts = _long_descriptions()
    records = {}
    for fields in _paragraphs(_index()):
        name = fields.get("Package")
        if not name:
            continue
        text = long_texts.get(fields.get("Description-md5", ""), "") or fields.get("Description", "")
        tags = [tag for tag in re.split(r"[,\s]+", fields.get("Tag", "")) if tag]
        records[name] = {
            "id": name,
            "section": fields.get("Section", ""),
            "priority": fields.get("Priority", ""),
            "version": fields.get("Version", ""),
            "installed_kib": int(fields.get("Installed-Size", "0") or 0),
            "maintainer": fields.get("Maintainer", ""),
            "tags": tags[:512],
            "description": text[:8000],
            "revision": 0,
        }
    return [records[name] for name in sorted(records)]


def text_of(record):
    return record["id"].replace("-", " ") + ": " + record["description"]


def load(folder, say=lambda text: None):
    """(records, vectors) from `folder`, made there first when it does not hold them yet."""
    folder = pathlib.Path(folder)
    meta = folder / "meta.json"
    if not meta.exists():
        folder.mkdir(parents=True, exist_ok=True)
        say("reading the Debian package index")
        records = read_packages()
        if len(records) < 1000:
            raise SystemExit("the Debian package index is empty: run `apt-get update` first")
        say(f"making vectors of {len(records):,} descriptions")
        vectors = Embedder()([text_of(record) for record in records])
        vectors.tofile(folder / "base.f32")
        with open(folder / "records.jsonl", "w", encoding="utf-8") as out:
            for record in records:
                out.write(json.dumps(record, ensure_ascii=False) + "\n")
        meta.write_text(json.dumps({"n": len(records), "dimension": DIMENSION}) + "\n")
    with open(folder / "records.jsonl", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    vectors = np.fromfile(folder / "base.f32", np.float32).reshape(len(records), DIMENSION)
    return records, vectors


if __name__ == "__main__":
    import sys

    RECORDS, VECTORS = load(sys.argv[1] if len(sys.argv) > 1 else ".dev/data/packages",
                            lambda text: print(text, file=sys.stderr))
    print(f"{len(RECORDS):,} records, {VECTORS.shape[1]} dimensions")
