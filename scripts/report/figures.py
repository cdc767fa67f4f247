# SPDX-License-Identifier: MIT
"""figures - the six figures: what each shows of a run, its title, its words and its table."""
import collections
import math
import os

import choice
import gnuplot
import words

# What the page needs of a figure. table is (head, rows) of text; empty says why there is none.
Figure = collections.namedtuple("Figure", "name heading title alt note table empty")
SERIES_MAX = 8  # styles that can be told apart
ROWS_MAX = 44


def sample_note(records):
    n = sum(int(r["samples"]) for r in records)
    repetitions = sorted({r["repetitions"] for r in records})
    spread = f"{repetitions[0]}" if len(repetitions) == 1 else f"{repetitions[0]}-{repetitions[-1]}"
    return f"n = {words.count(n)} operations in {words.plural(len(records), 'record')}, {spread} repetitions each"


def at(main):
    return f"CPU pair: {main}" if main else "no CPU pair"


def interval(record):
    lo, hi = record["ci"]
    unit = record["unit"]
    return f"{words.quantity(lo, unit)} to {words.quantity(hi, unit)}"


def record_row(record, label):
    floor = record.get("floor")
    return [label, words.quantity(record["value"], record["unit"]), interval(record),
            f"{words.ratio(floor['ratio'])} {choice.floor_name(floor)}" if floor else "",
            words.count(record["samples"]), record["valid"]]


RECORD_HEAD = ["", "median", "interval", "times its floor", "samples", "validity"]


def nothing(run, folder, name, heading, why):
    """Draw the reason in the figure's place."""
    known = [x for x in run.context["not_measured"] if x.get("what") == name]
    note = known[0]["why"] if known else why
    gnuplot.draw("no_data", folder, name, (1000, 130),
                 {"title": f"{heading}: no data in this run", "note": "", "why": note})
    return Figure(name, heading, f"{heading}: no data in this run", f"No plot: {note}", note,
                  None, note)


def latency_ladder(run, folder):
    name, heading = "latency_ladder", "Latency of every implementation"
    main = choice.main_class(run.records)
    chosen = [r for r in run.usable() if choice.is_latency(r) and r["role"] != "control"
              and choice.is_plain(r)
              and "rate" not in r["params"] and r["value"] > 0]
    chosen = choice.smallest(choice.at_one_placement(chosen, main), "size", "members", "clients")
    if not any(r["role"] == "subject" for r in chosen):
        return nothing(run, folder, name, heading, "bench.json has no valid latency record")
    chosen.sort(key=lambda r: (choice.rank(choice.KINDS, r["kind"]), r["value"]))
    left_out = max(0, len(chosen) - ROWS_MAX)
    # Before any goes: what is left of an implementation says which of its ways it is.
    labels = choice.labels(chosen, main, ("size", "members", "clients"))
    while len(chosen) > ROWS_MAX:
        chosen.remove(choice.drop_one(chosen))

    groups = collections.defaultdict(list)
    ytics, row, previous = [], 0, None
    for record in chosen:
        if previous not in (None, record["kind"]):
            row += 0.6
        previous = record["kind"]
        floor = record.get("floor", {})
        same_unit = floor.get("unit") == "ns"
        text = words.duration(record["value"])
        if floor:
            text += f"  ({words.ratio(floor['ratio'])})"
        groups[choice.group_of(record)].append(
            (record["value"], row, record["ci"][0], record["ci"][1], record.get("p99"),
             floor["value"] if same_unit else None,
             max(record["value"], record.get("p99", 0), record["ci"][1]), text))
        ytics.append((labels[record["name"]], row))
        row += 1
    titles = {"shm": "shared memory", "inherited": "inherited", "managed": "server process",
              "peer": "somebody else's", "floor": "physical floor"}
    order = [g for g in titles if g in groups]
    styles = [list(titles).index(g) + 1 for g in order]
    low = min(min(r["value"], r.get("floor", {}).get("value", r["value"])
                  if r.get("floor", {}).get("unit") == "ns" else r["value"]) for r in chosen)
    high = max(max(r["value"], r.get("p99", 0)) for r in chosen)

    subjects = [r for r in chosen if r["role"] == "subject"]
    best, worst = choice.fastest(subjects), choice.highest(subjects)
    title = (f"From {words.duration(best['value'])} ({labels[best['name']]}) to "
             f"{words.duration(worst['value'])} ({labels[worst['name']]})")
    note = f"{at(main)}; smallest size; {sample_note(chosen)}; whiskers: confidence interval"
    if left_out:
        note += f"; {left_out} more rows in the full table"
    gnuplot.draw("latency_ladder", folder, name, (1000, int(196 + 20 * row)),
                 {"title": title, "note": note, "groups": len(order), "style": styles,
                  "rows": float(row),
                  "x_min": low / 2, "x_max": high * 30,
                  "x_tics": gnuplot.log_tics(low, high * 30, "ns"),
                  "y_tics": gnuplot.tics(ytics)},
                 {"data": [(titles[g], groups[g]) for g in order]})
    table = (RECORD_HEAD, [record_row(r, labels[r["name"]]) for r in chosen])
    return Figure(name, heading, title,
                  f"Dot plot of {len(chosen)} medians on a logarithmic time axis. {title}.", note,
                  table, None)


def latency_percentiles(run, folder):
    name, heading = "latency_percentiles", "The whole distribution of latency"
    main = choice.main_class(run.records)
    chosen = [r for r in run.usable() if r["name"] in run.distributions and r["unit"] == "ns"
              and choice.is_latency(r) and choice.is_plain(r) and r["role"] != "floor"]
    chosen = choice.smallest(choice.at_one_placement(chosen, main), "size", "members", "clients",
                             "rate")
    chosen = [r for r in chosen if run.distributions[r["name"]][1] >= 200]
    if not chosen:
        return nothing(run, folder, name, heading,
                       "no valid record has a distribution (*.hgrm) of at least 200 samples")
    workloads = collections.defaultdict(list)
    for record in chosen:
        workloads[record["workload"]].append(record)
    ordered = sorted(workloads, key=lambda w: (workloads[w][0]["metric"] != "rtt", -len(workloads[w]), w))
    panels, captions, counts, limits, heights, shown = [], [], [], [], [], []
    for workload in sorted(ordered[:6], key=ordered.index):
        records = sorted(workloads[workload], key=lambda r: r["value"])[:SERIES_MAX - 2]
        labels = choice.labels(records, main, ("size", "members", "clients", "rate"))
        series, last = [], 1
        for record in records:
            rows, total = run.distributions[record["name"]]
            # Beyond this percentile fewer than 100 samples lie: not drawn, as results/FORMAT.md says.
            rows = [(p, v) for v, p, _ in rows if p <= 1 - 100 / total and v > 0]
            if len(rows) > 1:
                series.append((labels[record["name"]], rows))
                last = max(last, 1 / (1 - rows[-1][0]))
                shown.append(record)
        if series:
            panels.append(series)
            counts.append(len(series))
            captions.append(f"{workload.replace('_', ' ')}, "
                            + ("round trip" if records[0]["metric"] == "rtt" else "one operation"))
            values = [v for _, rows in series for _, v in rows]
            low, high = min(values) / 1.1, max(values) * 1.1
            share = 0.08 * len(series)  # of the height: the key stands there
            heights.append((low, high * (high / low) ** (share / (1 - share))))
            limits.append(max(last * 1.2, 12.0))
    if not panels:
        return nothing(run, folder, name, heading, "every distribution is too short to draw")
    steepest = max((r for r in shown if "p99" in r and "p50" in r and r["p50"] > 0),
                   key=lambda r: r["p99"] / r["p50"], default=None)
    title = "Latency by percentile"
    if steepest:
        title = (f"The longest tail: {steepest['impl']} in {steepest['workload'].replace('_', ' ')}, "
                 f"99 % within {words.duration(steepest['p99'])}, half within "
                 f"{words.duration(steepest['p50'])}")
    columns = 1 if len(panels) == 1 else 2
    rows_n = math.ceil(len(panels) / columns)
    note = f"{at(main)}; {sample_note(shown)}; drawn while 100 samples lie beyond"
    gnuplot.draw("latency_percentiles", folder, name, (1000, 130 + 285 * rows_n),
                 {"title": title, "note": note, "panels": len(panels), "series": counts,
                  "caption": captions, "x_max": limits, "columns_n": columns, "rows_n": rows_n,
                  "y_min": [low for low, _ in heights], "y_max": [high for _, high in heights],
                  "y_tics": [gnuplot.log_tics(*h, "ns") for h in heights]},
                 {"data": panels})
    head = ["", "50 %", "90 %", "99 %", "99.9 %", "99.99 %", "largest", "samples"]
    rows = [[r["name"]] + [words.duration(r[p]) if p in r else "too few samples"
                           for p in ("p50", "p90", "p99", "p999", "p9999")]
            + [words.duration(r["max"]) if "max" in r else "", words.count(r["samples"])]
            for r in shown]
    return Figure(name, heading, title, f"{len(panels)} panels with {len(shown)} curves of latency "
                  f"over the percentile, both logarithmic. {title}.", note, (head, rows), None)


def throughput_size(run, folder):
    name, heading = "throughput_size", "Throughput by message size"
    main = choice.main_class(run.records)
    streams = [r for r in run.usable() if choice.is_plain(r)
               and r["metric"] == "throughput" and r["role"] in ("subject", "peer")
               and not isinstance(r["params"].get("size"), str) and "size" in r["params"]
               and "clients" not in r["params"] and r["value"] > 0
               and (r["unit"] == "bytes/s" or "bytes_per_s" in r)]  # what was read, not handed over
    streams = choice.at_one_placement(streams, main)
    streams = [r for rows in choice.series_by(
        [r for r in streams], "size").values() if len(rows) > 1 for r in rows]
    if not streams:
        return nothing(run, folder, name, heading,
                       "bench.json has no stream at two or more message sizes")
    labels = choice.labels(streams, main, ("size",))
    series = sorted(choice.series_by(streams, "size").values(),
                    key=lambda rows: -max(choice.bytes_rate(r)[0] for r in rows))
    left_out = len(series) - SERIES_MAX
    series = series[:SERIES_MAX]
    data = [(labels[rows[0]["name"]], [(r["params"]["size"], *choice.bytes_rate(r)) for r in rows])
            for rows in series]
    ceilings = choice.series_by(choice.at_one_placement(
        [r for r in run.usable() if r["role"] == "floor" and "memcpy" in r["impl"]
         and r["unit"] == "bytes/s"], main), "size")
    ceilings = {key[1]: rows for key, rows in sorted(ceilings.items(), reverse=True)}
    data += [(f"{impl.split('/')[1]} (floor)",
              [(r["params"]["size"], *choice.bytes_rate(r)) for r in rows])
             for impl, rows in ceilings.items()]
    limits = [r for rows in ceilings.values() for r in rows]
    shown = [r for rows in series for r in rows]
    best = max(shown, key=lambda r: choice.bytes_rate(r)[0])
    title = (f"{labels[best['name']]} moves most: {words.rate(choice.bytes_rate(best)[0], 'B/s')} at "
             f"{words.size(best['params']['size'])}")
    if "floor" in best:
        title += (f", {100 / best['floor']['ratio']:.0f} % of "
                  f"{choice.floor_name(best['floor'])}")
    note = f"{at(main)}; {sample_note(shown)}; whiskers: confidence interval"
    if left_out > 0:
        note += f"; {left_out} more series in the full table"
    sizes = [r["params"]["size"] for r in shown + limits]
    speeds = [choice.bytes_rate(r)[0] for r in shown + limits]
    gnuplot.draw("throughput_size", folder, name, (1000, 500),
                 {"title": title, "note": note, "series": len(series),
                  "ceilings": len(ceilings), "y_min": min(speeds) / 2,
                  "y_max": max(speeds) * 2,
                  "y_tics": gnuplot.log_tics(min(speeds), max(speeds) * 2, "B/s"), "x_min": min(sizes) / 1.5,
                  "x_max": max(sizes) * 1.5}, {"data": data})
    head = ["", "size", "payload", "items", "share of its floor", "samples", "validity"]
    rows = []
    for r in shown:
        size, speed = r["params"]["size"], choice.bytes_rate(r)[0]
        items = r["value"] if r["unit"] == "items/s" else speed / size
        rows.append([labels[r["name"]], words.size(size), words.rate(speed, "B/s"),
                     words.rate(items, "items/s"),
                     f"{100 / r['floor']['ratio']:.1f} % of {choice.floor_name(r['floor'])}"
                     if "floor" in r else "",
                     words.count(r["samples"]), r["valid"]])
    return Figure(name, heading, title, f"{len(series)} curves of bytes per second over the message "
                  f"size, both logarithmic{', under copying in memory' if limits else ''}. {title}.",
                  note, (head, rows), None)


def response_rate(run, folder):
    name, heading = "response_rate", "Response time at a given rate"
    main = choice.main_class(run.records)
    chosen = [r for r in run.usable() if r["metric"] == "response" and r["value"] > 0
              and isinstance(r["params"].get("rate"), (int, float)) and "rate_achieved" in r]
    chosen = choice.at_one_placement(chosen, main)
    labels = choice.labels(chosen, main, ("rate",))
    series = [rows for rows in choice.series_by(chosen, "rate").values() if len(rows) > 1]
    if not series:
        return nothing(run, folder, name, heading,
                       "bench.json has no open-loop record at two or more rates")
    series.sort(key=lambda rows: rows[-1]["value"])
    left_out = len(series) - SERIES_MAX
    series = series[:SERIES_MAX]
    shown = [r for rows in series for r in rows]

    def late(r):  # less than 95 % of what was wanted
        return r["rate_achieved"] < 0.95 * r["params"]["rate"]

    data = [(labels[rows[0]["name"]],
             [(r["params"]["rate"], r["value"], *r["ci"], r.get("p99"),
               r["value"] if late(r) else None) for r in rows]) for rows in series]
    best = series[0][-1]
    title = (f"{labels[best['name']]} at {words.rate(best['params']['rate'], 'items/s')}: half within "
             f"{words.duration(best['value'])}")
    if "p99" in best:
        title += f", 99 % within {words.duration(best['p99'])}"
    note = f"{at(main)}; from the intended moment; {sample_note(shown)}; whiskers: confidence interval"
    if left_out > 0:
        note += f"; {left_out} more series in the full table"
    rates = [r["params"]["rate"] for r in shown]
    times = [t for r in shown for t in (r["value"], *r["ci"], r.get("p99", r["value"])) if t > 0]
    gnuplot.draw("response_rate", folder, name, (1000, 500),
                 {"title": title, "note": note, "series": len(series),
                  "late": 1 if any(late(r) for r in shown) else 0,
                  "x_min": min(rates) / 1.5, "x_max": max(rates) * 1.5,
                  "x_tics": gnuplot.log_tics(min(rates), max(rates), "/s"),
                  "y_min": min(times) / 2, "y_max": max(times) * 2,
                  "y_tics": gnuplot.log_tics(min(times), max(times) * 2, "ns")}, {"data": data})
    table = (["", "rate wanted", "rate achieved", "median", "interval", "99 %", "samples", "validity"],
             [[labels[r["name"]], words.rate(r["params"]["rate"], "items/s"),
               words.rate(r["rate_achieved"], "items/s"), words.duration(r["value"]), interval(r),
               words.duration(r["p99"]) if "p99" in r else "too few samples",
               words.count(r["samples"]), r["valid"]] for r in shown])
    return Figure(name, heading, title, f"{len(series)} curves of the response time over the rate at which "
                  f"items come, both logarithmic. {title}.", note, table, None)


def core_map(run, folder):
    name, heading = "core_map", "Core to core"
    pairs = {}
    for r in run.usable():
        cpus = r["placement"]["cpus"]
        if r["impl"] == "floor/cache_line" and len(cpus) == 2 and cpus[0] != cpus[1]:
            pairs[tuple(cpus)] = r
    if not pairs:
        return nothing(run, folder, name, heading,
                       "bench.json has no floor/cache_line between two CPUs")
    cpus = sorted({c for pair in pairs for c in pair})
    place = {c: i for i, c in enumerate(cpus)}
    values = [r["value"] for r in pairs.values()]
    # The colours span at least a quarter of the value, so that noise does not look like structure.
    middle = (min(values) + max(values)) / 2
    low, high = min(values + [middle * 0.875]), max(values + [middle * 1.125])
    light, dark = [], []
    for (a, b), record in sorted(pairs.items()):
        text = words.digits3(record["value"])
        bright = (record["value"] - low) / (high - low) > 0.55
        (dark if bright else light).append((place[a], place[b], text))
    # image wants a full grid: pairs that were not measured are holes
    grid = [(i, j, pairs[a, b]["value"] if (a, b) in pairs else None)
            for i, a in enumerate(cpus) for j, b in enumerate(cpus)]
    fastest, slowest = (min(pairs, key=lambda p: pairs[p]["value"]),
                        max(pairs, key=lambda p: pairs[p]["value"]))
    classes = {r["placement"]["class"] for r in pairs.values()}
    if len(cpus) == 2:
        title = f"One pair of CPUs here, {next(iter(classes))}: {words.duration(values[0])} a round trip"
        if len(pairs) == 2:
            title += f" one way, {words.duration(values[1])} the other"
    else:
        title = (f"{words.duration(min(values))} between CPUs {fastest[0]} and {fastest[1]}, "
                 f"{words.duration(max(values))} between {slowest[0]} and {slowest[1]}")
    few = len(cpus) <= 16
    blank = [(-9, -9, "")]
    note = (f"{words.plural(len(cpus), 'CPU')}; grey: not measured; "
            f"{sample_note(list(pairs.values()))}")
    side = 420 if len(cpus) <= 8 else 760
    step = math.ceil(len(cpus) / 16)
    gnuplot.draw("core_map", folder, name, (max(side + 160, 760), side + 80),
                 {"title": title, "note": note, "cpus": len(cpus), "labels": 1 if few else 0,
                  "cpu_tics": gnuplot.tics([(str(c), i) for i, c in enumerate(cpus)][::step]),
                  "c_min": low, "c_max": high},
                 {"data": [("", grid), ("", light or blank), ("", dark or blank)]})
    table = (["from", "to", "class", "round trip", "interval", "samples", "validity"],
             [[str(a), str(b), r["placement"]["class"], words.duration(r["value"]), interval(r),
               words.count(r["samples"]), r["valid"]] for (a, b), r in sorted(pairs.items())])
    return Figure(name, heading, title, f"Map of {len(pairs)} ordered pairs of {len(cpus)} CPUs, "
                  f"coloured by the round trip of a cache line. {title}.", note, table, None)


def manager_clients(run, folder):
    name, heading = "manager_clients", "A manager by number of clients"
    main = choice.main_class(run.records)
    usable = [r for r in run.usable() if choice.is_managed(r) and "clients" in r["params"]
              and choice.is_plain(r)
              and not isinstance(r["params"]["clients"], str) and r["value"] > 0
              and r["role"] in ("subject", "peer")]
    usable = choice.smallest(choice.at_one_placement(usable, main), "size")
    panels, counts, captions, tics, shown, styles, left_out = [], [], [], [], [], [], 0
    style_of = {}  # an implementation looks the same in both panels
    for caption, is_time, wanted in (
            ("time of one call", True, [r for r in usable if choice.is_latency(r)]),
            ("calls per second, all clients together", False,
             [r for r in usable if r["metric"] == "throughput" and r["unit"] == "items/s"])):
        labels = choice.labels(wanted, main, ("clients", "size"))
        found = list(choice.series_by(wanted, "clients").values())
        # One for each manager and transport: over the most numbers of clients, of a get, the best.
        best = {}
        for rows in sorted(found, key=lambda rows: (-len(rows), rows[0]["params"].get("method", ""),
                                                    rows[0]["value"] * (1 if is_time else -1))):
            best.setdefault(choice.line_of(rows[0]), rows)
        series = sorted(best.values(), key=lambda rows: rows[0]["value"], reverse=not is_time)[:SERIES_MAX]
        left_out += len(found) - len(series)
        if series:
            names = [labels[rows[0]["name"]] for rows in series]
            panels.append([(label, [(r["params"]["clients"], r["value"], *r["ci"]) for r in rows])
                           for label, rows in zip(names, series)])
            row = [style_of.setdefault(label, len(style_of) % SERIES_MAX + 1) for label in names]
            styles += row + [0] * (SERIES_MAX - len(row))
            counts.append(len(series))
            captions.append(caption)
            values = [r["value"] for rows in series for r in rows]
            tics.append(gnuplot.log_tics(min(values), max(values), "ns" if is_time else "/s"))
            shown += [r for rows in series for r in rows]
    if not shown:
        return nothing(run, folder, name, heading, "bench.json has no manager call by 'clients'")
    calls = [r for r in shown if choice.is_latency(r)]
    few = min(r["params"]["clients"] for r in shown)
    ours = choice.fastest([r for r in calls
                           if r["role"] == "subject" and r["params"]["clients"] == few])
    title = f"{words.plural(len({r['impl'] for r in shown}), 'manager')} measured"
    if ours:
        title = f"{words.duration(ours['value'])} a call with {words.plural(few, 'client')}"
        many = [r for r in calls if r["impl"] == ours["impl"] and r["workload"] == ours["workload"]]
        most = max(many, key=lambda r: r["params"]["clients"])
        if most["params"]["clients"] > few:
            title += (f", {words.duration(most['value'])} with "
                      f"{most['params']['clients']}")
        title += f" ({ours['impl']})"
        peer = choice.fastest([r for r in calls if r["role"] == "peer" and "python" in r["impl"]
                               and r["workload"] == ours["workload"]
                               and r["params"]["clients"] == few])
        if peer:
            title += f"; {peer['impl'].split('/')[-1]}: {words.duration(peer['value'])}"
    note = f"{at(main)}; {sample_note(shown)}; whiskers: confidence interval"
    if left_out:
        note += f"; {left_out} more series in the table"
    most = max(r["params"]["clients"] for r in shown)
    pus = run.context["host"].get("pus")
    crowded = math.sqrt((pus - 1) * pus) if isinstance(pus, int) and pus > 1 else 0.8
    if crowded < most:
        note += "; grey: more than CPUs"
    gnuplot.draw("manager_clients", folder, name, (1000, 470 + 18 * max(counts)),
                 {"title": title, "note": note, "panels": len(panels), "series": counts,
                  "style": styles, "caption": captions, "y_tics": tics, "c_max": float(most),
                  "c_tics": gnuplot.tics([(str(2 ** i), 2 ** i)
                                          for i in range(int(math.log2(most)) + 1)]),
                  "crowded": float(min(crowded, most * 1.25)), "key_lines": float(max(counts))},
                 {"data": panels})
    labels = choice.labels(shown, main, ("clients", "size"))
    table = (["", "clients", "measured", "median", "interval", "samples", "validity"],
             [[labels[r["name"]], str(r["params"]["clients"]), r["metric"],
               words.quantity(r["value"], r["unit"]), interval(r), words.count(r["samples"]),
               r["valid"]] for r in shown])
    return Figure(name, heading, title, f"{len(panels)} panels over the number of clients. {title}.",
                  note, table, None)


ALL = (latency_ladder, throughput_size, latency_percentiles, response_rate, manager_clients, core_map)


def draw_all(run):
    folder = os.path.join(run.folder, "figures")
    os.makedirs(folder, exist_ok=True)
    return [figure(run, folder) for figure in ALL]
