# SPDX-License-Identifier: MIT
"""choice - which of many records stand for an implementation in a plot or a sentence.

A run holds each workload at many sizes, placements and wait strategies. A plot compares like with
like: one placement, the same parameters. What is left out of a plot is in the full table.
"""
from collections import Counter, defaultdict

KINDS = ["floor", "baseline", "value", "array", "lock", "rlock", "semaphore", "bounded", "condition",
         "event", "barrier", "pipe", "queue", "joinable", "namespace", "list", "dict", "manager"]
SCOPES = ["shm", "inherited", "managed"]
CLASSES = ["same_l3", "same_package", "same_numa", "same_l2", "cross_numa", "cross_package", "smt",
           "same_pu", "single", "any"]
VARIANTS = ["compact", "spread", "oversubscribed"]
LATENCY = ("rtt", "op", "response")


def rank(order, item):
    return order.index(item) if item in order else len(order)


def group_of(record):
    """How a record is drawn: by its scope, or as a peer, floor or control."""
    if record["role"] == "subject":
        return record.get("scope", "shm")
    return record["role"]


def is_latency(record):
    return record["metric"] in LATENCY and record["unit"] == "ns"


def is_managed(record):
    return (record["kind"] == "manager" or record.get("scope") == "managed"
            or "clients" in record["params"])


def is_plain(record):
    """Whether it is about an object that two processes share, and nothing else.

    The codec is a part of a call, alone; a hand-over moves no byte of what it hands over. Of the manager's
    workloads only the call and its throughput ask what an object costs there: the others are about
    connections, crowds, attacks, caches and other clients.
    """
    workload = record["workload"]
    return workload not in ("codec", "queue_handover") and (
        not workload.startswith("manager_") or workload in ("manager_call", "manager_throughput"))


def main_class(records):
    """The class of CPU pair that most latency records share: what the plots stand on."""
    seen = Counter(r["placement"]["class"] for r in records
                   if is_latency(r) and r["role"] == "subject" and len(r["placement"]["cpus"]) >= 2)
    if not seen:
        return None
    return min(seen, key=lambda c: (c == "same_pu", -seen[c], rank(CLASSES, c)))


def distance(record, main):
    """Sorts the records of one series: those at the main placement first."""
    place = record["placement"]
    at_main = place["class"] == main or len(place["cpus"]) < 2
    return (not at_main, rank(CLASSES, place["class"]), rank(VARIANTS, place.get("variant", "")),
            place["cpus"])


def is_at(record, main):
    return len(record["placement"]["cpus"]) < 2 or record["placement"]["class"] in (main, "any")


def at_one_placement(records, main):
    """Of records that differ in placement alone, the one nearest to the main one.

    What an implementation does elsewhere stands in for what it does there only where there is nothing
    else of it in that workload.
    """
    there = {(r["workload"], r["impl"]) for r in records if is_at(r, main)}
    best = {}
    for record in records:
        if not is_at(record, main) and (record["workload"], record["impl"]) in there:
            continue
        key = (record["workload"], record["impl"], record["metric"], record["carrier"],
               tuple(sorted((k, str(v)) for k, v in record["params"].items())))
        if key not in best or distance(record, main) < distance(best[key], main):
            best[key] = record
    return list(best.values())


def series_by(records, axis):
    """Split into series {key: records sorted by params[axis]}; a key is all but the axis."""
    series = defaultdict(list)
    for record in records:
        if axis in record["params"]:
            rest = tuple(sorted((k, str(v)) for k, v in record["params"].items() if k != axis))
            series[(record["workload"], record["impl"], rest)].append(record)
    return {key: sorted(rows, key=lambda r: r["params"][axis]) for key, rows in series.items()}


def smallest(records, *axes):
    """One record for each (workload, implementation, other parameters): the smallest on the axes."""
    best = {}
    for record in records:
        key = (record["workload"], record["impl"], record["metric"],
               tuple(sorted((k, str(v)) for k, v in record["params"].items() if k not in axes)))
        size = [float(record["params"].get(a, 0)) for a in axes]
        if key not in best or size < best[key][0]:
            best[key] = (size, record)
    return [record for _, record in best.values()]


def labels(records, main, without=()):
    """A short label for each record: the implementation, and whatever tells it from the others."""
    workloads, names_of = defaultdict(set), defaultdict(set)
    for record in records:
        workloads[record["impl"]].add(record["workload"])
        names_of[record["workload"], record["impl"]].update(record["params"])
    values = defaultdict(set)  # a parameter that only some of the records have tells them apart too
    for record in records:
        for name in names_of[record["workload"], record["impl"]]:
            values[record["workload"], record["impl"], name].add(record["params"].get(name))
    names = {}
    for record in records:
        label = record["impl"]
        if len(workloads[record["impl"]]) > 1:
            label += " " + record["workload"].removeprefix(record["kind"] + "_")
        for name, value in sorted(record["params"].items()):
            if name in without or len(values[record["workload"], record["impl"], name]) < 2:
                continue
            label += f" {value}" if isinstance(value, str) else f" {name}={value}"
        place = record["placement"]
        if len(place["cpus"]) >= 2 and place["class"] != main:
            label += f" @{place['class']}"
        if record["carrier"] == "thread":
            label += " (threads)"
        names[record["name"]] = label
    return names


def line_of(record):
    """What a plot must not lose for want of room: each implementation by each transport."""
    return record["impl"], record["params"].get("transport", "")


def drop_one(records):
    """The record that a full plot misses least: of the fullest kind the slowest variant of one that stays."""
    kinds = Counter(r["kind"] for r in records)
    kind = max(kinds, key=kinds.get)
    lines = Counter(line_of(r) for r in records)
    of_kind = [r for r in records if r["kind"] == kind]
    variants = [r for r in of_kind if lines[line_of(r)] > 1]
    return max(variants or of_kind, key=lambda r: r["value"])


def fastest(records):
    return min(records, key=lambda r: r["value"], default=None)


def highest(records):
    return max(records, key=lambda r: r["value"], default=None)


def bytes_rate(record):
    """(value, lo, hi) of a stream in bytes a second; None where it cannot be said."""
    if record["unit"] == "bytes/s":
        factor = 1
    elif "size" in record["params"]:
        factor = record["params"]["size"]
    elif "bytes_per_s" in record and record["value"] > 0:
        factor = record["bytes_per_s"] / record["value"]
    else:
        return None
    return tuple(max(x * factor, 1e-9) for x in (record["value"], *record["ci"]))


def floor_name(floor):
    """"cache_line" for the record floor/floor/cache_line/same_l3."""
    words = [w for w in floor["name"].split("/") if w != "floor"]
    return words[0] if words else floor["name"]
