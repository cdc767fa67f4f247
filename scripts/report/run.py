# SPDX-License-Identifier: MIT
"""run - read one run as results/FORMAT.md describes it, and refuse what is not like that.

Nothing is repaired: a malformed line is a RunError that names the file, the line and the fault.
"""
import json
import math
import os

SCHEMA = 1
METRICS = {"rtt", "op", "throughput", "response", "recovery", "setup", "teardown", "footprint",
           "idle"}
ROLES = {"subject", "peer", "floor", "control"}
UNITS = {"ns", "items/s", "bytes/s", "bytes"}
VERDICTS = ("PASS", "FAIL", "UNRESOLVED", "UNSUPPORTED", "UNTESTED")
PERCENTILES = ("p50", "p90", "p99", "p999", "p9999")

NUMBER = (int, float)
REQUIRED = {
    "name": str, "workload": str, "kind": str, "impl": str, "role": str, "carrier": str,
    "params": dict, "placement": dict, "metric": str, "unit": str, "better": str, "value": NUMBER,
    "ci": list, "ci_level": NUMBER, "runs": list, "repetitions": int, "samples": NUMBER,
    "valid": str, "why": list, "command": str,
}
OPTIONAL = {
    "scope": str, "bytes_per_s": NUMBER, "floor": dict, "rivals": list, "rate_wanted": NUMBER,
    "rate_achieved": NUMBER, "fairness": NUMBER, "cpu_s_per_op": NUMBER, "ctxt_voluntary": NUMBER,
    "ctxt_involuntary": NUMBER, "faults_minor": NUMBER, "syscalls_per_op": NUMBER,
    "memory_bytes": NUMBER, "hgrm": str, "min": NUMBER, "max": NUMBER, "seconds": NUMBER,
    **{p: NUMBER for p in PERCENTILES},
}
ONE_OF = {"role": ROLES, "metric": METRICS, "unit": UNITS, "better": {"lower", "higher"},
          "valid": {"valid", "suspect", "invalid"}, "carrier": {"process", "thread"}}
CONTEXT = {"program": str, "version": str, "commit": str, "dirty": bool, "argv": list,
           "quick": bool, "started": str, "complete": bool, "host": dict, "build": dict,
           "noise": dict, "placements": list, "not_measured": list, "doctor": list}
CONFORMANCE = {"program": str, "commit": str, "implementations": list, "clauses": list,
               "results": list}


class RunError(Exception):
    """What is wrong with the run: "file:line: fault"."""


def parse(text, where):
    def refuse(word):
        raise RunError(f"{where}: '{word}' is not JSON")

    try:
        value = json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise RunError(f"{where}: not JSON: {error.msg} (column {error.colno})") from None
    if not isinstance(value, dict):
        raise RunError(f"{where}: not an object")
    return value


def check_fields(value, required, optional, where):
    for field, kinds in required.items():
        if field not in value:
            raise RunError(f"{where}: no '{field}'")
    for field, kinds in {**required, **optional}.items():
        if field not in value:
            continue
        found = value[field]
        if not isinstance(found, kinds) or (isinstance(found, bool) and kinds is not bool):
            raise RunError(f"{where}: '{field}' is {json.dumps(found)[:60]}")
        if isinstance(found, float) and not math.isfinite(found):
            raise RunError(f"{where}: '{field}' is not finite")


def check_schema(value, where):
    schema = value.get("schema")
    if not isinstance(schema, int) or schema < 1:
        raise RunError(f"{where}: no 'schema'")
    if schema > SCHEMA:
        raise RunError(f"{where}: schema {schema}; this program reads up to {SCHEMA}")


def check_record(record, where):
    check_schema(record, where)
    check_fields(record, REQUIRED, OPTIONAL, where)
    for field, allowed in ONE_OF.items():
        if record[field] not in allowed:
            raise RunError(f"{where}: '{field}' is '{record[field]}', not one of "
                           + ", ".join(sorted(allowed)))
    place = record["placement"]
    if not isinstance(place.get("class"), str) or not isinstance(place.get("cpus"), list):
        raise RunError(f"{where}: 'placement' lacks 'class' or 'cpus'")
    ci = record["ci"]
    if len(ci) != 2 or not all(isinstance(x, NUMBER) for x in ci) or ci[0] > ci[1]:
        raise RunError(f"{where}: 'ci' is not [lo, hi]")
    if len(record["runs"]) != record["repetitions"]:
        raise RunError(f"{where}: {len(record['runs'])} runs, {record['repetitions']} repetitions")
    if (record["valid"] == "valid") != (not record["why"]):
        raise RunError(f"{where}: 'valid' is '{record['valid']}' and 'why' is {record['why']}")
    floor = record.get("floor")
    if floor is not None:
        check_fields(floor, {"name": str, "value": NUMBER, "unit": str, "ratio": NUMBER}, {},
                     f"{where}: floor")


def read_text(path, name):
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        raise RunError(f"{name}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{name}: {error}") from None


def read_lines(path, name):
    text = read_text(path, name)
    if text and not text.endswith("\n"):
        raise RunError(f"{name}:{text.count(chr(10)) + 1}: the last line is not whole")
    return text.split("\n")[:-1]


def read_hgrm(folder, name, record_name):
    """Rows (value, percentile, total) of a percentile file, and the number of samples."""
    path = os.path.realpath(os.path.join(folder, name))
    if not path.startswith(os.path.realpath(folder) + os.sep):
        raise RunError(f"bench.json: {record_name}: 'hgrm' points out of the run: {name}")
    rows = []
    for number, line in enumerate(read_lines(path, name), 1):
        words = line.split()
        if not words or words[0] == "Value" or line.startswith("#"):
            continue
        try:
            row = (float(words[0]), float(words[1]), int(words[2]))
        except (ValueError, IndexError):
            raise RunError(f"{name}:{number}: not 'Value Percentile TotalCount ...'") from None
        if not 0 <= row[1] <= 1 or (rows and (row[1] < rows[-1][1] or row[2] < rows[-1][2])):
            raise RunError(f"{name}:{number}: percentiles and counts must rise from 0 to 1")
        rows.append(row)
    if not rows:
        raise RunError(f"{name}: no percentile in it")
    return rows, rows[-1][2]


class Run:
    """One run in memory. records keep the order of the file."""

    def __init__(self, folder):
        self.folder = folder
        self.name = os.path.basename(os.path.realpath(folder))
        if not os.path.isdir(folder):
            raise RunError(f"{folder}: there is no such run")
        self.context = parse(read_text(os.path.join(folder, "context.json"), "context.json"),
                             "context.json")
        check_schema(self.context, "context.json")
        check_fields(self.context, CONTEXT, {}, "context.json")
        self.records = self._read_records()
        self.distributions = {
            record["name"]: read_hgrm(folder, record["hgrm"], record["name"])
            for record in self.records if "hgrm" in record}
        self.conformance = self._read_conformance()

    def _read_records(self):
        records, names = [], {}
        for number, line in enumerate(
                read_lines(os.path.join(self.folder, "bench.json"), "bench.json"), 1):
            where = f"bench.json:{number}"
            record = parse(line, where)
            check_record(record, where)
            if record["name"] in names:
                raise RunError(f"{where}: '{record['name']}' stands in line "
                               f"{names[record['name']]} already")
            names[record["name"]] = number
            records.append(record)
        return records

    def _read_conformance(self):
        """The verdicts, or None for a run without them."""
        path = os.path.join(self.folder, "conformance.json")
        if not os.path.exists(path):
            return None
        value = parse(read_text(path, "conformance.json"), "conformance.json")
        check_schema(value, "conformance.json")
        check_fields(value, CONFORMANCE, {}, "conformance.json")
        for number, result in enumerate(value["results"]):
            where = f"conformance.json: results[{number}]"
            if not isinstance(result, dict):
                raise RunError(f"{where}: not an object")
            check_fields(result, {"clause": str, "impl": str, "level": str, "verdict": str}, {},
                         where)
            if result["verdict"] not in VERDICTS:
                raise RunError(f"{where}: unknown verdict '{result['verdict']}'")
        return value

    def usable(self):
        """What may be drawn and argued with: all but the invalid."""
        return [r for r in self.records if r["valid"] != "invalid"]
