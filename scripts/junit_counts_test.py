# SPDX-License-Identifier: MIT
"""What junit_counts makes of every way in which ctest records a test."""
import contextlib
import io
import tempfile
import unittest

import junit_counts

CASES = {
    "passed": '<testcase name="a" status="run"/>',
    "skipped": '<testcase name="a" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/></testcase>',
    "failed": '<testcase name="a" status="fail"><failure message=""/></testcase>',
    "no program": '<testcase name="a" status="notrun"><skipped message="Unable to find executable"/>'
                  '</testcase>',
    "no fixture": '<testcase name="a" status="notrun">'
                  '<skipped message="Fixture dependency failed"/></testcase>',
    "disabled": '<testcase name="a" status="disabled"/>',
}


def counts(*names):
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        file.write("<testsuite>" + "".join(CASES[n] for n in names) + "</testsuite>")
        file.flush()
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            junit_counts.main(file.name)
        return out.getvalue().split()


class Counts(unittest.TestCase):
    def test_each_verdict_has_its_own_column(self):
        self.assertEqual(counts("passed", "failed", "failed", "skipped"), ["1", "2", "1"])

    def test_a_test_that_could_not_start_has_failed(self):
        self.assertEqual(counts("no program", "no fixture", "disabled"), ["0", "3", "0"])

    def test_an_empty_run_counts_nothing(self):
        self.assertEqual(counts(), ["0", "0", "0"])

    def test_a_missing_or_broken_file_is_an_error(self):
        with self.assertRaises(SystemExit):
            junit_counts.main("/nonexistent.xml")


if __name__ == "__main__":
    unittest.main()
