"""What lies in a collection's table in PostgreSQL, read by psql as text."""

from tests.support.assorted_values import to_float32
from tests.support.compare import copy_text
from tests.support.readers import dense_vector, exact_json, gather, record_of


class PostgresReader:
    def __init__(self, postgres, folder):
        """`postgres` is a Postgres of tests/support/processes.py."""
        self._postgres = postgres
        self._folder = folder

    def close(self):
        pass

    def holds(self, subject):
        return bool(self._table(subject))

    def _table(self, subject):
        return self._postgres.psql("select table_name from roost_collections "
                                   f"where name = '{subject.name}'").strip()

    def read(self, subject):
        table = self._table(subject)
        columns = self._columns(subject, table)
        path = self._folder / f"{subject.name}.tsv"
        selected = ", ".join('"' + column.replace('"', '""') + '"' for column in columns)
        self._postgres.copy_out(f'select "_tenant", "_key", "_dynamic", {selected} from "{table}" '
                                'where not "_deleted"', path)
        with open(path, encoding="utf-8", newline="\n") as lines:
            found = gather(_decode(subject, [copy_text(text) for text in line.rstrip("\n").split("\t")])
                           for line in lines)
        path.unlink()
        return found

    def _columns(self, subject, table):
        """Those of the fields and vectors: in the schema's order, behind Roost's own."""
        names = self._postgres.psql("select attname from pg_attribute where attnum > 0 and not attisdropped "
                                    f"and attrelid = '\"{table}\"'::regclass order by attnum").splitlines()
        own = ("_words_", "_parts_")
        columns = [name for name in names[6:] if not name.startswith(own)]
        if len(columns) != len(subject.fields) + len(subject.vectors):
            raise AssertionError(f"{table} has the columns {names}")
        return columns


def _decode(subject, texts):
    tenant, key, dynamic, *texts = texts
    values = dict(zip([*subject.fields, *subject.vectors], texts))
    fields = {name: None if values[name] is None else _value(kind, element, values[name])
              for name, (kind, element) in subject.fields.items()}
    vectors = {name: None if values[name] is None else _vector(kind, values[name])
               for name, (kind, _) in subject.vectors.items()}
    identity = (tenant, int(key) if subject.integer_keys else key)
    return identity, record_of(subject, fields, vectors, {} if dynamic is None else exact_json(dynamic))


def _value(kind, element, text):
    if kind == "ARRAY":
        return [_value(element, None, one) for one in _elements(text)]
    if kind == "BOOL":
        return {"t": True, "f": False}[text]
    if kind == "DOUBLE":
        return float(text)
    if kind == "FLOAT":
        return to_float32(float(text))
    if kind == "JSON":
        return exact_json(text)
    return text if kind in ("VARCHAR", "TEXT", "UUID") else int(text)


def _elements(text):
    """Of an array as PostgreSQL writes it: {1,2} or {"a \\"b\\"",c}. There are no nulls."""
    elements, at = [], 1
    while text[at] != "}":
        if text[at] == "\"":
            at += 1
            element = ""
            while text[at] != "\"":
                at += text[at] == "\\"
                element += text[at]
                at += 1
            at += 1
        else:
            end = min(place for place in (text.find(",", at), len(text) - 1) if place >= 0)
            element, at = text[at:end], end
        elements.append(element)
        at += text[at] == ","
    return elements


def _vector(kind, text):
    if kind == "SPARSE_VECTOR":
        return bytes.fromhex(text.removeprefix("\\x"))
    if kind == "BINARY_VECTOR":
        return int(text, 2).to_bytes(len(text) // 8, "big")
    return dense_vector(kind, [float(number) for number in text[1:-1].split(",")])
