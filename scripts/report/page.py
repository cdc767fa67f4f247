# SPDX-License-Identifier: MIT
"""page - report.html: one file that needs no other, in the order of a reader's questions.

It is well-formed XML as well as HTML, so that a test can prove that nothing in it is broken.
"""
import base64
import collections
import html
import json
import os

import advice
import choice
import run as runs
import words

BYTES_MAX = 2 * 1024 * 1024
HERE = os.path.dirname(os.path.abspath(__file__))

VERDICT_MARKS = {"PASS": "✓", "FAIL": "✗", "UNRESOLVED": "?", "UNSUPPORTED": "–", "UNTESTED": "·"}


class PageError(Exception):
    pass


class Markup(str):
    """Text that is HTML already."""


def esc(text):
    return text if isinstance(text, Markup) else Markup(html.escape(str(text), quote=True))


def tag(name, *content, **attributes):
    inside = "".join(esc(c) for c in content)
    names = "".join(f' {k.rstrip("_").replace("_", "-")}="{esc(v)}"' for k, v in attributes.items())
    return Markup(f"<{name}{names}>{inside}</{name}>")


def table(head, rows, **attributes):
    def row(cells, name):
        return tag("tr", *(c if isinstance(c, Markup) and c.startswith(f"<{name}") else tag(name, c)
                           for c in cells))

    return tag("div", tag("table", tag("thead", row(head, "th")), "\n",
                          tag("tbody", *(Markup(row(r, "td") + "\n") for r in rows)), **attributes),
               class_="scroll")


def section(ident, heading, *content):
    return Markup(tag("section", tag("h2", heading), *content, id=ident) + "\n")


def as_json(value):
    """JSON that may stand inside <script>, in HTML and in XML."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def answer_box(run):
    return tag("section", tag("h2", "The answer"),
               *(tag("p", sentence) for sentence in advice.answer(run)), id="answer", class_="box")


def banner(run):
    faults = []
    if not run.context["complete"]:
        faults.append("This run was interrupted: it is not whole.")
    if run.context["dirty"]:
        faults.append("The source differed from the commit that is named here.")
    return Markup("".join(tag("p", f, class_="banner") for f in faults))


def decision(run):
    head, rows = advice.decision(run)
    if not rows:
        return section("decision", "Which mode for which object",
                       tag("p", "No latency of ours was measured: there is nothing to decide on."))
    return section(
        "decision", "Which mode for which object",
        tag("p", "The cheapest implementation of each kind in each mode, with its median, and how many "
                 "times its physical floor that is. One that fails a MUST clause is not advised."),
        table(head, rows))


def winners(run):
    """Which stream moves most at each message size: a table, since it is a map of one row here."""
    main = choice.main_class(run.records)
    out = advice.excluded(run)
    by_size = collections.defaultdict(list)
    for r in choice.at_one_placement(
            [r for r in run.usable() if r["metric"] == "throughput" and r["role"] == "subject"
             and choice.is_plain(r)
             and isinstance(r["params"].get("size"), (int, float)) and r["impl"] not in out
             and "clients" not in r["params"]], main):
        by_size[r["params"]["size"]].append(r)
    rows = []
    for size, records in sorted(by_size.items()):
        ranked = sorted(records, key=lambda r: -choice.bytes_rate(r)[0])
        best = ranked[0]
        second = next((r for r in ranked if r["impl"] != best["impl"]), None)
        rows.append([words.size(size), best["impl"], words.quantity(best["value"], best["unit"]),
                     second["impl"] if second else "—",
                     words.quantity(second["value"], second["unit"]) if second else "—"])
    if not rows:
        return Markup("")
    return section("winners", "Who moves most, by message size",
                   table(["message", "most", "its rate", "next", "its rate"], rows))


def noise(run):
    context, facts = run.context, []
    n = context["noise"]
    if "load_before" in n:
        facts.append(("load before", words.digits3(n["load_before"])))
    if "load_after" in n:
        facts.append(("load after", words.digits3(n["load_after"])))
    if "steal_percent" in n:
        facts.append(("steal", f"{words.digits3(n['steal_percent'])} %"))
    if "clock_ns" in n:
        facts.append(("reading the clock", words.duration(n["clock_ns"])))
    host = context["host"]
    facts += [(name, str(host[key])) for key, name in
              (("pus", "PUs"), ("cores", "cores"), ("packages", "packages"),
               ("numa_nodes", "NUMA nodes")) if key in host]
    if "hypervisor" in host:
        facts.append(("hypervisor", host["hypervisor"]))
    states = collections.Counter(r["valid"] for r in run.records)
    facts += [(state, words.count(states[state])) for state in ("valid", "suspect", "invalid")]
    strip = tag("ul", *(tag("li", tag("b", value), " ", name) for name, value in facts),
                class_="strip")
    parts = [tag("p", host.get("cpu", "unknown CPU"), ", ", host.get("kernel", "")), strip]
    findings = [d for d in context["doctor"] if d.get("state") != "ok"]
    if findings:
        parts.append(table(["on this machine", "found", "what would mend it"],
                           [[d.get("check", ""), f"{d.get('found', '')} ({d.get('state', '')})",
                             tag("code", d["mend"]) if d.get("mend") else ""] for d in findings]))
    absent = [[p["class"], p.get("why", "")] for p in context["placements"]
              if not p.get("present")]
    missing = [[m.get("what", ""), m.get("why", "")] for m in context["not_measured"]]
    known = {what for what, _ in missing}
    parts.append(tag("h3", "What was not measured"))
    missing += [[f"CPU pairs of class {c}", why] for c, why in absent if c not in known]
    by_reason = collections.defaultdict(list)
    for what, why in missing:
        by_reason[why].append(what)
    parts.append(table(["", "why"], [[Markup(", ".join(tag("code", w) for w in what)), why]
                                     for why, what in by_reason.items()]) if missing
                 else tag("p", "The run names nothing that it left out."))
    return section("noise", "The machine, its noise, and what was not measured", *parts)


def figure(shown, folder):
    with open(os.path.join(folder, "figures", shown.name + ".svg"), "rb") as file:
        source = "data:image/svg+xml;base64," + base64.b64encode(file.read()).decode("ascii")
    parts = [Markup(f'<img src="{source}" alt="{esc(shown.alt)}"/>')]
    if shown.empty:
        parts = [tag("p", f"No plot: {shown.empty}.", class_="empty"), *parts]
    if shown.table:
        parts.append(tag("details", tag("summary", "The numbers behind this plot"),
                         table(*shown.table)))
    return section(shown.name, shown.heading, tag("figure", *parts))


OTHER_COSTS = (("recovery", "From the death of a process until a survivor goes on"),
               ("idle", "CPU time of one second of waiting"), ("setup", "Making one"),
               ("teardown", "Taking one down"), ("footprint", "Memory"))


def other_cost(run, metric, what):
    main = choice.main_class(run.records)
    found = choice.smallest(choice.at_one_placement(
        [r for r in run.usable() if r["metric"] == metric and r["role"] in ("subject", "peer")],
        main), "size", "members", "clients")
    if not found:
        return []
    found.sort(key=lambda r: (choice.rank(choice.KINDS, r["kind"]), r["value"]))
    labels = choice.labels(found, main, ("size", "members", "clients"))
    return [tag("h3", what),
            table(["", "median", "interval", "samples", "validity"],
                  [[labels[r["name"]], words.quantity(r["value"], r["unit"]),
                    " to ".join(words.quantity(x, r["unit"]) for x in r["ci"]),
                    words.count(r["samples"]), r["valid"]] for r in found])]


def costs(run):
    """What it costs besides time: a row for each record that counted something."""
    main = choice.main_class(run.records)
    chosen = choice.smallest(choice.at_one_placement(
        [r for r in run.usable() if r["role"] in ("subject", "peer")
         and any(k in r for k in ("cpu_s_per_op", "syscalls_per_op", "memory_bytes"))], main),
        "size", "members", "clients")
    chosen.sort(key=lambda r: (choice.rank(choice.KINDS, r["kind"]), r["workload"], r["value"]))
    others = [part for metric, what in OTHER_COSTS for part in other_cost(run, metric, what)]
    if not chosen:
        return section("costs", "What it costs besides time", *others or [
            tag("p", "The run counted nothing besides time.")])
    labels = choice.labels(chosen, main, ("size", "members", "clients"))

    def cell(record, key, text):
        return text(record[key]) if key in record else "—"

    return section(
        "costs", "What it costs besides time",
        tag("p", "CPU time is that of all processes together; a spinning waiter pays in it for its "
                 "low latency. System calls are counted apart from what is timed; those of waits that spin or "
                 "poll do not come out the same twice and are left out. Switches are those of all "
                 "repetitions."),
        table(["", "workload", "CPU time per operation", "system calls per operation",
               "voluntary switches", "involuntary switches", "minor faults", "memory"],
              [[labels[r["name"]], r["workload"],
                cell(r, "cpu_s_per_op", lambda x: words.duration(x * 1e9)),
                cell(r, "syscalls_per_op", lambda x: words.digits3(x) if x % 1 else words.count(x)),
                cell(r, "ctxt_voluntary", words.count), cell(r, "ctxt_involuntary", words.count),
                cell(r, "faults_minor", words.count), cell(r, "memory_bytes", words.size)]
               for r in chosen]), *others)


def conformance(run):
    if not run.conformance:
        return section("conformance", "Conformance", tag("p", "This run has no conformance.json: "
                       "nothing here was judged, and the advice above rests on time alone."))
    results = run.conformance["results"]
    kinds = {i["name"]: i["kind"] for i in run.conformance["implementations"]}
    clauses = {c["id"]: c for c in run.conformance["clauses"]}
    by_kind = collections.defaultdict(dict)
    for r in results:
        kind = kinds.get(r["impl"], r["impl"].split("/")[0])
        by_kind[kind][r["clause"], r["impl"]] = r
    tally = collections.Counter(r["verdict"] for r in results)
    legend = tag("p", *(Markup(tag("span", f"{VERDICT_MARKS[v]} {v} {tally[v]}",
                                   class_=f"v {v.lower()}") + " ") for v in runs.VERDICTS))
    parts = [legend]
    for kind in sorted(by_kind, key=lambda k: choice.rank(choice.KINDS, k)):
        found = by_kind[kind]
        impls = sorted({impl for _, impl in found})
        rows = []
        for clause in sorted({c for c, _ in found}):
            known = clauses.get(clause, {})
            cells = []
            for impl in impls:
                r = found.get((clause, impl))
                verdict = r["verdict"] if r else "UNTESTED"
                title = f"{verdict}: {r.get('detail', '')}" if r else verdict
                cells.append(tag("td", VERDICT_MARKS[verdict], class_=f"v {verdict.lower()}",
                                 title=title[:300]))
            rows.append([Markup(f"{tag('code', clause)} {esc(known.get('level', ''))}<br/>"
                                + tag("span", known.get("text", ""), " (", known.get("source", ""),
                                      ")", class_="note")), *cells])
        parts += [tag("h3", kind), table(["clause", *impls], rows, class_="matrix")]
    wrong = [r for r in results if r["verdict"] in ("FAIL", "UNRESOLVED")]
    if wrong:
        parts += [tag("h3", "What failed or could not be decided"),
                  table(["clause", "implementation", "verdict", "detail"],
                        [[tag("code", r["clause"]), r["impl"], r["verdict"],
                          tag("pre", r.get("detail", ""))] for r in wrong])]
    return section("conformance", "Conformance", *parts)


def full_table(run):
    head = ["name", "median", "interval", "99 %", "largest", "times floor", "samples", "validity"]
    rows = []
    for r in run.records:
        unit, floor = r["unit"], r.get("floor")
        validity = r["valid"] if r["valid"] == "valid" else f"{r['valid']}: {'; '.join(r['why'])}"
        rows.append([
            Markup(tag("code", r["name"]) + "<br/>" + tag("code", r["command"], class_="note")),
            words.quantity(r["value"], unit),
            f"{words.quantity(r['ci'][0], unit)} – {words.quantity(r['ci'][1], unit)}",
            words.quantity(r["p99"], unit) if "p99" in r else "",
            words.quantity(r["max"], unit) if "max" in r else "",
            f"{words.ratio(floor['ratio'])} {choice.floor_name(floor)}" if floor else "",
            words.count(r["samples"]), tag("td", validity, class_=r["valid"])])
    return section(
        "records", f"All {words.plural(len(run.records), 'record')}",
        tag("p", "Below each name the command that measures it again."),
        Markup('<p class="screen"><label>Show rows that contain '
               '<input id="filter" type="search" size="30"/></label> <span id="shown"></span></p>'),
        table(head, rows, class_="records", id="all"))


def manifest(run):
    def rows(value, prefix=""):
        for key, inner in value.items():
            if isinstance(inner, dict):
                yield from rows(inner, f"{prefix}{key}.")
            elif key not in ("placements", "not_measured", "doctor"):
                text = " ".join(map(str, inner)) if key == "argv" else (
                    inner if isinstance(inner, str) else json.dumps(inner))
                yield [prefix + key, tag("code", text)]

    return section("manifest", "Manifest", table(["", ""], rows(run.context), class_="manifest"))


METHOD = (
    "Latency is the time of a whole round trip or operation, never half of one; it is not open loop "
    "unless the row says so.",
    "A median stands with the order-statistic interval of the repetitions; with five repetitions that "
    "is their range, at 93.75 % confidence. Repetitions run in fresh processes, in random order.",
    "A percentile is given only where at least 100 samples lie beyond it. Percentiles are never "
    "averaged.",
    "Every figure stands beside a physical floor that was measured on the same CPUs in the same run. "
    "Times floor: 1 is the limit.",
    "Throughput ends when the receiver has verified the last item.",
    "A record is suspect or invalid for the reason in its row; invalid ones are in the table alone.",
    "Two processes by default; the CPU pair of each row is in its name. On a virtual machine a wake-up "
    "across CPUs includes that of the halted virtual CPU.",
    "The numbers are those of this machine on this day. A ratio between two rows of one run carries "
    "over to another machine better than either number, and neither is a promise.",
)


def method():
    return section("method", "Method and limits", tag("ul", *(tag("li", m) for m in METHOD)))


def embedded(run, level):
    """The raw data. Level 1 leaves the runs of each repetition out, level 2 the reproducing command."""
    drop = [(), ("runs",), ("runs", "command")][level]
    data = {"context": run.context,
            "records": [{k: v for k, v in r.items() if k not in drop} for r in run.records],
            "left_out": list(drop)}
    if run.conformance:
        data["conformance"] = {k: v for k, v in run.conformance.items() if k != "results"}
        data["conformance"]["results"] = [
            {k: v for k, v in r.items() if k not in ("text", "source")}
            for r in run.conformance["results"]]
    return data


def render(run, figures, level):
    with open(os.path.join(HERE, "page.css"), encoding="utf-8") as file:
        style = Markup(file.read())
    with open(os.path.join(HERE, "page.js"), encoding="utf-8") as file:
        script = Markup(file.read())
    title = f"xpshare on {run.context['host'].get('name', 'a machine')}"
    started = run.context["started"]
    links = [("answer", "answer"), ("decision", "decision"), ("noise", "machine"),
             *((f.name, f.name.replace("_", " ")) for f in figures),
             ("costs", "costs"), ("conformance", "conformance"), ("records", "all records"),
             ("manifest", "manifest"), ("method", "method")]
    body = [
        tag("header", tag("h1", "Which way of sharing objects between processes?"),
            tag("p", title, f", {started}, commit {run.context['commit'][:12]}, run ",
                tag("code", run.name)),
            tag("nav", *(Markup(tag("a", text, href="#" + to) + " ") for to, text in links))),
        banner(run), answer_box(run), decision(run), winners(run), noise(run),
        *(figure(f, run.folder) for f in figures), costs(run), conformance(run), full_table(run),
        manifest(run), method(),
        tag("script", as_json(embedded(run, level)), type="application/json", id="data"),
        tag("script", script)]
    head = tag("head", Markup('<meta charset="utf-8"/>'),
               Markup('<meta name="viewport" content="width=device-width, initial-scale=1"/>'),
               tag("title", title), tag("style", style))
    return ('<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" lang="en">'
            + head + "\n" + tag("body", tag("main", *body)) + "</html>\n")


def write(run, figures):
    """Write report.html, whole or not at all; return its path."""
    for level in (0, 1, 2):
        text = render(run, figures, level).encode("utf-8")
        if len(text) <= BYTES_MAX:
            break
    else:
        raise PageError(f"report.html would have {words.size(len(text))}, more than "
                        f"{words.size(BYTES_MAX)}: measure less in one run (--benchmark_filter)")
    path = os.path.join(run.folder, "report.html")
    with open(path + ".new", "wb") as file:
        file.write(text)
    os.replace(path + ".new", path)
    return path
