#!/usr/bin/env python3
"""What bench/flamegraph.py reads of perf, and draws."""
import os
import sys
import unittest
import xml.dom.minidom

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench"))
import flamegraph  # noqa: E402

SCRIPT = """work
\t    7f12 cdgate::policy::DecideExport(cdgate::policy::CompiledPolicy const*)+0x1f (/usr/bin/cdgate)
\t    7f11 cdgate::session::ExportReader::Decide()+0x2 (/usr/bin/cdgate)

work
\tffff81 futex_wake+0x10 ([kernel.kallsyms])
\t    7f11 cdgate::session::ExportReader::Decide()+0x2 (/usr/bin/cdgate)

committer
\tffff82 io_schedule ([kernel.kallsyms])

"""


class FlamegraphTest(unittest.TestCase):
    def test_stacks_are_outermost_first(self):
        decide = "cdgate::session::ExportReader::Decide()"
        self.assertEqual(flamegraph.stacks(SCRIPT), {
            ("work", decide, "cdgate::policy::DecideExport(cdgate::policy::CompiledPolicy const*)"): 1,
            ("work", decide, "futex_wake [k]"): 1,
            ("committer", "io_schedule [k]"): 1,
        })

    def test_the_picture_is_well_formed_and_says_shares(self):
        root = flamegraph.tree(flamegraph.stacks(SCRIPT))
        picture = flamegraph.draw(root, "three <samples>")
        xml.dom.minidom.parseString(picture)
        self.assertIn("cdgate::session::ExportReader::Decide(): 66.67 %, 2 samples", picture)
        self.assertIn("three &lt;samples&gt;", picture)

    def test_what_is_too_narrow_is_left_out(self):
        root = flamegraph.tree({("work", "much"): 100000, ("work", "little"): 1})
        self.assertNotIn("little", flamegraph.draw(root, ""))


if __name__ == "__main__":
    unittest.main()
