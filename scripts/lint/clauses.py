# SPDX-License-Identifier: MIT
"""clauses - every clause that a header names exists, and the clauses themselves are well formed.

A clause is a line of conformance/clauses/*.def: XC_CLAUSE(lock.deadline, MUST, "sentence", "source").
A header names clauses in the field "Clauses:" of a comment; "lock.*" names all that begin so.
"""
import re
import sys

import source

CLAUSE = re.compile(r'^XC_CLAUSE\(\s*"?([\w.]+)"?\s*,\s*(\w+)\s*,')
WHOLE = re.compile(
    r'^XC_CLAUSE\(\s*"?([a-z0-9_]+(?:\.[a-z0-9_]+)+)"?\s*,\s*(MUST|SHOULD)\s*,'
    r'\s*"(?:[^"\\]|\\.)+[.)]"\s*,\s*"(?:[^"\\]|\\.)+"\s*\)$')
FIELD = re.compile(r"\bClauses:((?:[ \t]*(?:\n[ \t]*\*)?[ \t]+[a-z0-9_]+(?:\.[a-z0-9_*]+)+,?)+)")


def definitions(root):
    known, found, files = {}, [], []
    for name in source.listing(root):
        if not (name.startswith("conformance/clauses/") and name.endswith(".def")):
            continue
        files.append(name)
        for number, line in enumerate(source.read(root, name).split("\n"), 1):
            begin = CLAUSE.match(line)
            if not begin:
                if line.startswith("XC_CLAUSE("):
                    found.append(f"{name}:{number}: XC_CLAUSE(id, MUST|SHOULD, ... on one line")
                continue
            if not WHOLE.match(line.rstrip()):
                found.append(f"{name}:{number}: not XC_CLAUSE(id, MUST|SHOULD, \"Sentence.\", "
                             "\"source\") on one line")
            if begin.group(1) in known:
                found.append(f"{name}:{number}: {begin.group(1)} stands in "
                             f"{known[begin.group(1)]} already")
            known[begin.group(1)] = f"{name}:{number}"
    return known, found, files


def check(root):
    known, found, files = definitions(root)
    if not files:
        print("there is no conformance/clauses/*.def to look into")
        sys.exit(77)
    for name in source.c_files(root):
        text = source.read(root, name)
        for field in FIELD.finditer(text):
            for match in re.finditer(r"[a-z0-9_]+(?:\.[a-z0-9_*]+)+", field.group(1)):
                clause = match.group(0)
                line = text.count("\n", 0, field.start(1) + match.start()) + 1
                if clause.endswith(".*"):
                    exists = any(k.startswith(clause[:-1]) for k in known)
                else:
                    exists = clause in known
                if not exists:
                    found.append(f"{name}:{line}: there is no clause '{clause}'")
    return found, files


if __name__ == "__main__":
    source.main(check, __doc__)
