# SPDX-License-Identifier: MIT
"""advice - what the run answers: which mode to use, at what price, and what happens in a crash.

Every sentence is generated from records and verdicts. An implementation that fails a MUST clause is
not advised, and is named with the clause.
"""
import collections
import re

import choice
import words

DEATH = re.compile(r"died|death|dead|kill|crash|orphan")
SCOPE_NAMES = {"shm": "shared memory", "inherited": "inheritance", "managed": "the server process"}

Judged = collections.namedtuple("Judged", "passed failed open death_passed death_total")


def judge(run):
    """{implementation: Judged} over its MUST clauses."""
    verdicts = collections.defaultdict(lambda: Judged([], [], [], [], []))
    for result in (run.conformance or {}).get("results", ()):
        if result["level"] != "MUST" or result["verdict"] == "UNSUPPORTED":
            continue
        judged = verdicts[result["impl"]]
        where = {"PASS": judged.passed, "FAIL": judged.failed}.get(result["verdict"], judged.open)
        where.append(result["clause"])
        if DEATH.search(result["clause"]):
            judged.death_total.append(result["clause"])
            if result["verdict"] == "PASS":
                judged.death_passed.append(result["clause"])
    return verdicts


def excluded(run):
    """{implementation of ours: clauses that it fails}."""
    peers = {i["name"] for i in (run.conformance or {}).get("implementations", ())
             if i.get("role") == "peer"}
    return {impl: judged.failed for impl, judged in judge(run).items()
            if judged.failed and impl not in peers}


def latencies(run, advised=True):
    """Our latency records at the main placement, smallest size and fewest members."""
    main = choice.main_class(run.records)
    out = excluded(run) if advised else {}
    wanted = [r for r in run.usable() if choice.is_latency(r) and r["role"] == "subject"
              and choice.is_plain(r)
              and r["carrier"] == "process" and "rate" not in r["params"] and r["impl"] not in out]
    return choice.smallest(choice.at_one_placement(wanted, main), "size", "members", "clients")


def price(record):
    floor = record.get("floor")
    text = words.duration(record["value"])
    return f"{text}, {words.ratio(floor['ratio'])} {choice.floor_name(floor)}" if floor else text


def unit_of(record):
    return "a round trip" if record["metric"] == "rtt" else "an operation"


def compared(records):
    """{kind: (workload, {scope: fastest record})}: of each kind the workload that compares most."""
    by_kind = collections.defaultdict(lambda: collections.defaultdict(list))
    for record in records:
        by_kind[record["kind"]][record["workload"]].append(record)
    result = {}
    for kind in sorted(by_kind, key=lambda k: choice.rank(choice.KINDS, k)):
        workloads = by_kind[kind]
        best = max(workloads, key=lambda w: (len({r["scope"] for r in workloads[w] if "scope" in r}),
                                             len({r["impl"] for r in workloads[w]}), w))
        scopes = {scope: choice.fastest([r for r in workloads[best] if r.get("scope") == scope])
                  for scope in choice.SCOPES}
        result[kind] = (best, {s: r for s, r in scopes.items() if r})
    return result


def judged_of(judged, impl):
    """The verdicts on it; a server is judged by each of its transports ("manager/event_unix")."""
    found = [j for name, j in judged.items() if name == impl or name.startswith(impl + "_")]
    return Judged(*(sum(lists, []) for lists in zip(*found))) if found else None


def death_text(judged):
    if not judged or not judged.death_total:
        return "not judged"
    passed, total = len(judged.death_passed), len(judged.death_total)
    if passed == total:
        return f"survivors go on ({passed} of {total} verdicts)"
    return "not as it should: " + ", ".join(sorted(set(judged.death_total)
                                                   - set(judged.death_passed)))


def decision(run):
    """(head, rows): a row a kind, a column a mode, the cheapest that may be advised."""
    judged, out = judge(run), excluded(run)
    measured = collections.defaultdict(set)
    for record in latencies(run, advised=False):
        measured[record["kind"], record.get("scope")].add(record["impl"])
    rows = []
    advised = compared(latencies(run))
    for kind in sorted({k for k, _ in measured}, key=lambda k: choice.rank(choice.KINDS, k)):
        workload, scopes = advised.get(kind, ("", {}))
        cells = []
        for scope in choice.SCOPES:
            if scope in scopes:
                cells.append(f"{scopes[scope]['impl']}: {price(scopes[scope])}")
            elif measured[kind, scope] and measured[kind, scope] <= set(out):
                cells.append("not advised: " + "; ".join(
                    f"{i} fails {', '.join(out[i])}" for i in sorted(measured[kind, scope])))
            else:
                cells.append("—")
        best = choice.fastest(scopes.values())
        rows.append([kind, workload.replace("_", " "), *cells,
                     SCOPE_NAMES[best["scope"]] if best else "none",
                     death_text(judged_of(judged, best["impl"])) if best else ""])
    return (["kind", "measured by", "shared memory", "inheritance", "server process",
             "cheapest", "when a process dies (the cheapest)"], rows)


def local_sentence(run):
    best = {}
    for kind, (_, scopes) in compared(latencies(run)).items():
        local = choice.fastest([r for s, r in scopes.items() if s != "managed"])
        if local and kind != "manager":
            best[kind] = local
    if not best:
        return None
    by_scope = collections.defaultdict(list)
    for kind in [k for k in ("value", "lock", "event", "queue", "pipe") if k in best]:
        record = best[kind]
        by_scope[record["scope"]].append(
            f"{'an' if kind == 'event' else 'a'} {kind} ({record['impl']}) for {words.duration(record['value'])} {unit_of(record)}"
            + (f", {words.ratio(record['floor']['ratio'])} its floor" if "floor" in record else ""))
    parts = [f"{SCOPE_NAMES[scope]} gives " + words.listed(items)
             for scope, items in by_scope.items()]
    text = "; ".join(parts)
    return f"Between processes of one family, {text}." if text else None


def stream_sentence(run):
    out = excluded(run)
    main = choice.main_class(run.records)
    streams = [r for r in run.usable() if r["metric"] == "throughput" and r["role"] == "subject"
               and choice.is_plain(r)
               and "size" in r["params"] and "clients" not in r["params"] and r["impl"] not in out
               and r["unit"] in ("items/s", "bytes/s")]
    streams = choice.at_one_placement(streams, main)
    if not streams:
        return None

    def octets(r):
        return choice.bytes_rate(r)[0]

    least = min(r["params"]["size"] for r in streams)
    small = max((r for r in streams if r["params"]["size"] == least),
                key=lambda r: octets(r))
    big = max(streams, key=octets)
    text = (f"As a stream, {small['impl']} moves {words.rate(octets(small) / least, 'items/s')} of "
            f"{words.size(least)}")
    if big is not small:
        name = "" if big["impl"] == small["impl"] else big["impl"] + " "
        text += (f", and {name}{words.rate(octets(big), 'B/s')} at "
                 f"{words.size(big['params']['size'])}")
    return text + "."


def manager_sentence(run):
    main = choice.main_class(run.records)
    calls = [r for r in run.usable() if choice.is_latency(r) and choice.is_managed(r)
             and choice.is_plain(r) and "rate" not in r["params"]]
    calls = choice.smallest(choice.at_one_placement(calls, main), "size", "clients", "members")
    out = excluded(run)
    ours = choice.fastest([r for r in calls if r["role"] == "subject" and r["impl"] not in out])
    if not ours:
        return None
    way = [ours["impl"]] + [ours["params"][p] for p in ("transport", "wait") if p in ours["params"]]
    text = (f"An object of any type in the server process costs {words.duration(ours['value'])} a "
            f"call ({', '.join(way)})")
    if "floor" in ours:
        text += f", {words.ratio(ours['floor']['ratio'])} its floor"
    stock = choice.fastest([r for r in calls if r["role"] == "peer" and "python" in r["impl"]
                            and r["workload"] == ours["workload"]])
    if stock:
        text += (f"; {stock['impl'].split('/')[-1]}'s own manager needs "
                 f"{words.duration(stock['value'])}, {words.ratio(stock['value'] / ours['value'])} "
                 "as long")
    return text + "."


def crash_sentence(run):
    if not run.conformance:
        return "Nothing is known of crashes: this run has no conformance.json."
    ours = {i["name"] for i in run.conformance["implementations"] if i.get("role") != "peer"}
    judged = {impl: j for impl, j in judge(run).items() if impl in ours}
    passed = sum(len(j.passed) for j in judged.values())
    total = passed + sum(len(j.failed) + len(j.open) for j in judged.values())
    death = sum(len(j.death_total) for j in judged.values())
    text = f"Of {words.count(total)} MUST verdicts on our implementations {words.count(passed)} pass"
    if death:
        text += (f", of those on the death of a process "
                 f"{sum(len(j.death_passed) for j in judged.values())} of {death}")
    out = excluded(run)
    if out:
        text += "; not advised for failing one: " + ", ".join(
            f"{impl} ({', '.join(clauses[:3])}{' ...' if len(clauses) > 3 else ''})"
            for impl, clauses in sorted(out.items()))
    return text + "."


def caveat_sentence(run):
    main = choice.main_class(run.records)
    states = collections.Counter(r["valid"] for r in run.records)
    text = f"These are medians on a CPU pair of class {main}" if main else "No CPU pair was measured"
    if run.context["quick"]:
        text += " in a quick run"
    text += f", from {words.plural(len(run.records), 'record')}"
    if states["suspect"] or states["invalid"]:
        text += f" ({states['suspect']} suspect; {states['invalid']} invalid, left out)"
    if not run.context["complete"]:
        text += "; the run was interrupted, so what is missing was not measured"
    return text + "."


def answer(run):
    """Up to five sentences; never fewer than two."""
    sentences = [local_sentence(run), stream_sentence(run), manager_sentence(run),
                 crash_sentence(run), caveat_sentence(run)]
    if not any(sentences[:3]):
        sentences.insert(0, "This run measured no implementation, so it advises nothing.")
    return [s for s in sentences if s]
