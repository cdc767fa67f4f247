# SPDX-License-Identifier: MIT
"""What scripts/figures makes of a run: of a whole one, a poor one, and of malformed ones."""
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as tree

import made_run
import page
import words

FIGURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "figures")
NAMES = ("latency_ladder", "throughput_size", "latency_percentiles", "response_rate", "manager_clients",
         "core_map")
RECORDED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "testdata", "run")
XHTML = "{http://www.w3.org/1999/xhtml}"


def draw(folder):
    return subprocess.run([sys.executable, "-B", FIGURES, folder], text=True, capture_output=True,
                          check=False, timeout=100)


def records_of(folder):
    with open(os.path.join(folder, "bench.json"), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


class Folder(unittest.TestCase):
    cpus = 2

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="xpshare-report-")
        self.addCleanup(shutil.rmtree, self.folder)
        made_run.make(self.folder, self.cpus)

    def path(self, name):
        return os.path.join(self.folder, name)

    def text(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def rewrite(self, name, change):
        text = change(self.text(name))
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def keep(self, wanted):
        self.rewrite("bench.json", lambda text: "".join(
            line + "\n" for line in text.splitlines() if wanted(json.loads(line))))


class WholeRun(Folder):
    """Drawn once: no test here changes the run."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="xpshare-report-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        made_run.make(cls.folder, cls.cpus)
        cls.answer = draw(cls.folder)

    def setUp(self):
        self.assertEqual((self.answer.returncode, self.answer.stderr), (0, ""))
        self.assertEqual(self.answer.stdout.strip(), self.path("report.html"))
        self.report = self.text("report.html")
        self.root = tree.fromstring(self.report)  # well-formed, or this throws

    def check_figures(self):
        for name in NAMES:
            with open(self.path(f"figures/{name}.png"), "rb") as file:
                png = file.read()
            self.assertEqual(png[:8], b"\x89PNG\r\n\x1a\n")
            self.assertGreater(len(png), 20000, name)
            drawn = list(tree.parse(self.path(f"figures/{name}.svg")).iter())
            shapes = [e for e in drawn if e.tag.endswith(("}path", "}use", "}image"))]
            self.assertGreater(len(shapes), 10, name)
            words = " ".join("".join(e.itertext()) for e in drawn if e.tag.endswith("}text"))
            self.assertNotIn("no data", words)
            self.assertRegex(words, r"n = [\d,]+ operations", name)

    def test_the_figures_show_data_and_the_page_holds_everything(self):
        self.check_figures()
        images = list(self.root.iter(XHTML + "img"))
        self.assertEqual(len(images), len(NAMES))
        for image in images:
            kind, data = image.get("src").split(",", 1)
            self.assertEqual(kind, "data:image/svg+xml;base64")
            self.assertGreater(len(base64.b64decode(data)), 2000)
            self.assertGreater(len(image.get("alt")), 40)
        self.assertLess(os.path.getsize(self.path("report.html")), page.BYTES_MAX)

        records = records_of(self.folder)
        all_rows = next(t for t in self.root.iter(XHTML + "table") if t.get("id") == "all")
        rows = ["".join(r.itertext()) for r in all_rows.find(XHTML + "tbody")]
        self.assertEqual(len(rows), len(records))
        for record, row in zip(records, rows):
            self.assertIn(record["name"], row)
            self.assertIn(record["command"], row)

        embedded = next(s for s in self.root.iter(XHTML + "script") if s.get("id") == "data")
        data = json.loads(embedded.text)
        self.assertEqual([r["name"] for r in data["records"]], [r["name"] for r in records])
        self.assertEqual(data["records"][0]["runs"], records[0]["runs"])

    def test_nothing_is_loaded_from_elsewhere(self):
        outside = [e.get(a) for e in self.root.iter() for a in ("src", "href") if e.get(a)
                   and not e.get(a).startswith(("data:", "#"))]
        self.assertEqual(outside, [])
        self.assertNotIn("@import", self.report)

    def test_links_lead_somewhere(self):
        ids = {e.get("id") for e in self.root.iter()}
        for link in self.root.iter(XHTML + "a"):
            self.assertIn(link.get("href")[1:], ids)

    def test_it_is_html_too(self):
        lint = shutil.which("xmllint")
        if not lint:
            self.skipTest("there is no xmllint")
        run = subprocess.run([lint, "--html", "--noout", self.path("report.html")], text=True,
                             capture_output=True, check=False)
        # libxml2 knows HTML 4: the elements of HTML 5 are all that it may complain of.
        faults = [x for x in run.stderr.splitlines() if "error" in x
                  and not re.search(r"Tag (main|section|header|nav|figure|details|summary) invalid", x)]
        self.assertEqual(faults, [])

    def test_what_fails_a_clause_is_not_advised(self):
        answer = next(s for s in self.root.iter(XHTML + "section") if s.get("id") == "answer")
        text = "".join(answer.itertext())
        self.assertIn("not advised for failing one: queue/pipe (queue.producer_died)", text)
        self.assertIn("queue (queue/ring)", text)
        self.assertTrue(3 <= len(list(answer.iter(XHTML + "p"))) <= 6, text)

    def test_what_is_about_something_else_is_no_answer(self):
        for name in ("answer", "decision"):
            section = next(s for s in self.root.iter(XHTML + "section") if s.get("id") == name)
            text = "".join(section.itertext())
            for foreign in ("14.8 ns", "codec", "17 GB/s", "17.0 GB/s", "TB/s", "00 GB/s"):
                self.assertNotIn(foreign, text)
        self.assertNotIn("codec", self.text("figures/throughput_size.svg"))

    def test_what_is_no_latency_is_among_the_costs(self):
        costs = next(s for s in self.root.iter(XHTML + "section") if s.get("id") == "costs")
        text = "".join(costs.itertext())
        self.assertIn("until a survivor goes on", text)
        self.assertIn("CPU time of one second of waiting", text)
        self.assertNotIn("1.50 ms", self.text("figures/latency_ladder.svg"))

    def test_an_invalid_record_is_in_the_table_and_in_no_plot(self):
        invalid = [r for r in records_of(self.folder) if r["valid"] == "invalid"]
        self.assertEqual(len(invalid), 1)
        self.assertIn("member 1 moved from CPU 1 to CPU 0 &lt;&amp;&gt;", self.report)
        self.assertNotIn("spin", self.text("figures/latency_ladder.svg"))


class ManyCpus(WholeRun):
    cpus = 24


class RecordedRun(Folder):
    """A part of a real run, as xpbench wrote it: the names, fields and sizes are not ours to invent."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="xpshare-report-")
        self.addCleanup(shutil.rmtree, self.folder)
        shutil.copytree(RECORDED, self.folder, dirs_exist_ok=True)

    def test_every_figure_has_something_to_show(self):
        answer = draw(self.folder)
        self.assertEqual((answer.returncode, answer.stderr), (0, ""))
        titles = {}
        for name in NAMES:
            drawn = tree.parse(self.path(f"figures/{name}.svg")).iter()
            titles[name] = ["".join(e.itertext()) for e in drawn if e.tag.endswith("}text")]
            self.assertNotIn("no data", " ".join(titles[name]))
        value = {r["name"]: r["value"] for r in records_of(self.folder)}
        there, back = (words.duration(value[f"floor/floor/cache_line/{where}"])
                       for where in ("same_l3", "same_l3:1-0"))
        self.assertTrue(any(there in t and back in t for t in titles["core_map"]), titles["core_map"])
        # What is handed over without being read has no bytes per second.
        self.assertFalse(any("handover" in t for t in titles["throughput_size"]))
        self.assertTrue(any(t.startswith("queue/ring-spsc") for t in titles["response_rate"]))
        report = self.text("report.html")
        for record in records_of(self.folder):
            self.assertIn(record["name"], report)
        self.assertNotIn("No plot: ", report)

    def test_streams_count_the_bytes_that_their_value_says(self):
        streams = [r for r in records_of(self.folder) if "bytes_per_s" in r and "size" in r["params"]]
        self.assertGreater(len(streams), 5)
        for r in streams:
            self.assertAlmostEqual(r["bytes_per_s"] / (r["value"] * r["params"]["size"]), 1, 6, r["name"])


class PoorRun(Folder):
    def test_a_figure_without_data_says_so(self):
        self.keep(lambda r: r["workload"] == "lock_uncontended")
        os.remove(self.path("conformance.json"))
        answer = draw(self.folder)
        self.assertEqual(answer.returncode, 0, answer.stderr)
        report = self.text("report.html")
        self.assertEqual(report.count("No plot: "), 2 * 4)  # the text, and the image's alt text
        self.assertIn("bench.json has no manager call by", report)
        self.assertIn("this run has no conformance.json", report)
        for name in ("throughput_size", "response_rate", "manager_clients", "core_map"):
            self.assertIn("no data in this run", self.text(f"figures/{name}.svg"))

    def test_the_run_may_say_itself_why(self):
        self.keep(lambda r: r["workload"] == "lock_uncontended")
        self.rewrite("context.json", lambda text: json.dumps({**json.loads(text), "not_measured": [
            {"what": "core_map", "why": "one CPU only"}]}) + "\n")
        self.assertEqual(draw(self.folder).returncode, 0)
        self.assertIn("one CPU only", self.text("figures/core_map.svg"))

    def test_an_empty_run_advises_nothing(self):
        self.keep(lambda r: False)
        self.assertEqual(draw(self.folder).returncode, 0)
        self.assertIn("so it advises nothing", self.text("report.html"))

    def test_an_interrupted_run_is_called_so(self):
        self.rewrite("context.json", lambda text: text.replace('"complete": true',
                                                               '"complete": false'))
        self.assertEqual(draw(self.folder).returncode, 0)
        self.assertIn("This run was interrupted", self.text("report.html"))

    def test_a_page_too_large_drops_the_single_runs_first(self):
        self.assertEqual(draw(self.folder).returncode, 0)
        import run
        whole = run.Run(self.folder)
        sizes = [len(page.render(whole, [], level)) for level in (0, 1, 2)]
        self.assertGreater(sizes[0], sizes[1])
        self.assertGreater(sizes[1], sizes[2])


class MalformedRun(Folder):
    def refused(self, *words):
        answer = draw(self.folder)
        self.assertEqual(answer.returncode, 2, answer.stderr)
        self.assertEqual(answer.stderr.count("\n"), 1, answer.stderr)
        for word in words:
            self.assertIn(word, answer.stderr)
        self.assertFalse(os.path.exists(self.path("report.html")))

    def change(self, number, **fields):
        def apply(text):
            lines = text.splitlines()
            record = json.loads(lines[number - 1])
            for key, value in fields.items():
                if value is None:
                    del record[key]
                else:
                    record[key] = value
            lines[number - 1] = json.dumps(record)
            return "\n".join(lines) + "\n"

        self.rewrite("bench.json", apply)

    def test_no_run(self):
        shutil.rmtree(self.folder)
        self.refused("there is no such run")
        os.mkdir(self.folder)

    def test_a_missing_file(self):
        os.remove(self.path("context.json"))
        self.refused("context.json: there is no such file")

    def test_a_line_that_was_cut(self):
        self.rewrite("bench.json", lambda text: text[:-20])
        self.refused("bench.json:", "the last line is not whole")

    def test_not_json(self):
        self.rewrite("bench.json", lambda text: text.replace('"schema": 1', '"schema": ', 1))
        self.refused("bench.json:1: not JSON")

    def test_not_a_number(self):
        self.rewrite("bench.json", lambda text: re.sub(r'"value": [\d.]+', '"value": NaN', text, 1))
        self.refused("bench.json:1: 'NaN' is not JSON")

    def test_a_missing_field(self):
        self.change(3, samples=None)
        self.refused("bench.json:3: no 'samples'")

    def test_a_field_of_the_wrong_type(self):
        self.change(2, value="fast")
        self.refused("bench.json:2: 'value' is \"fast\"")

    def test_an_unknown_word(self):
        self.change(2, valid="perhaps")
        self.refused("bench.json:2: 'valid' is 'perhaps'")

    def test_the_same_name_twice(self):
        self.change(2, name=records_of(self.folder)[0]["name"])
        self.refused("bench.json:2:", "stands in line 1 already")

    def test_a_later_schema(self):
        self.change(1, schema=2)
        self.refused("bench.json:1: schema 2")

    def test_a_distribution_that_falls(self):
        name = next(r["hgrm"] for r in records_of(self.folder) if "hgrm" in r)
        self.rewrite(name, lambda text: text + "1.0 0.1 1 1.1\n")
        self.refused(name, "must rise")

    def test_a_distribution_outside_the_run(self):
        number = next(i for i, r in enumerate(records_of(self.folder), 1) if "hgrm" in r)
        self.change(number, hgrm="../../../etc/passwd")
        self.refused("points out of the run")

    def test_an_unknown_verdict(self):
        self.rewrite("conformance.json", lambda text: text.replace('"PASS"', '"MAYBE"', 1))
        self.refused("conformance.json: results[0]: unknown verdict 'MAYBE'")


class Words(unittest.TestCase):
    def test_three_digits_and_a_unit(self):
        for text, wanted in ((words.duration(0.4567), "0.457 ns"), (words.duration(20.94), "20.9 ns"),
                             (words.duration(999.7), "1.00 µs"), (words.duration(8e9), "8.00 s"),
                             (words.rate(4.851e7, "items/s"), "48.5 M items/s"),
                             (words.rate(8e9, "B/s"), "8.00 GB/s"), (words.size(4096), "4 KiB"),
                             (words.size(1536), "1.50 KiB"), (words.ratio(1.0), "1.00×"),
                             (words.listed(["a", "b", "c"]), "a, b and c")):
            self.assertEqual(text, wanted)


class Usage(unittest.TestCase):
    def test_help_and_wrong_usage(self):
        for arguments, status in ((["--help"], 0), ([], 2), (["--fast"], 2), (["a", "b"], 2)):
            run = subprocess.run([sys.executable, "-B", FIGURES, *arguments], capture_output=True,
                                 check=False)
            self.assertEqual(run.returncode, status, arguments)


if __name__ == "__main__":
    if not shutil.which("gnuplot"):
        print("there is no gnuplot")
        sys.exit(77)
    unittest.main()
