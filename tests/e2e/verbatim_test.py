#!/usr/bin/env python3
"""Bytes in are bytes out: random valid events of every type, with every member, numbers beyond
64 bits, offsets, nanoseconds, open objects and Unicode (tests/support/random_event.h), are
published in one domain, relayed, and read by a subscriber in the other, each once, in order and
with the very bytes of its data.

    python3 tests/e2e/verbatim_test.py --events 100000 --seed 7
"""
import argparse
import json
import os
import subprocess
import time

import harness

ALPHA = """kind: policy
peer: beta.example
export:
  rules:
    - name: everything
      when: 'TRUE'
      action: ALLOW
      links: KEEP
"""
BETA = """kind: policy
peer: alpha.example
import:
  rules:
    - name: everything
      when: 'TRUE'
      action: ALLOW
"""
# Sources are as random as the rest.
GRANT = """kind: grant
name: publisher
principal: spiffe://alpha.example/service/publisher
role: PUBLISHER
sources: ['%']
plane: integration-delivery
"""


class VerbatimTest(harness.DomainsTest):
    plan = None  # of the command line

    def setUp(self):
        self.processes = []
        path = self.path("grant.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(GRANT)
        self.assert_run(self.domains.alpha.cdgate("apply", "-f", path))
        for domain, text in ((self.domains.alpha, ALPHA), (self.domains.beta, BETA)):
            path = self.path(f"{domain.short}.yaml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            self.assert_run(domain.cdgate("policy", "apply", path, "--unplanned"))
        self.domains.wait_for_link()

    def tearDown(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
            process.stdout.close()

    def start(self, domain, command, *arguments, identity):
        argv = domain.client(command, "--plan", "random", "--seed", self.plan.seed, *arguments, identity=identity)
        self.processes.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True))
        return self.processes[-1]

    def finish(self, process):
        out, _ = process.communicate(timeout=self.plan.events / 100 + 4 * harness.PATIENCE_S)
        self.assertEqual(process.returncode, 0, out)
        return out

    def test_data_crosses_byte_for_byte_once_and_in_order(self):
        events = self.plan.events
        began = time.monotonic()
        subscriber = self.start(self.domains.beta, "subscribe", "--out", self.path("received"), "--until", events - 1,
                                "--linger-ms", 500, identity="subscriber")
        publisher = self.start(self.domains.alpha, "publish", "--count", events, identity="publisher")
        published = json.loads(self.finish(publisher))
        self.finish(subscriber)
        print(f"{events} events, seed {self.plan.seed}: {published}; all had crossed after "
              f"{time.monotonic() - began:.1f} s", flush=True)
        self.assertEqual(published["duplicates"], 0)
        # "sequence index attempt"; the index is "!" where the bytes are not those that were published.
        with open(self.path("received"), encoding="utf-8") as file:
            lines = [line.split() for line in file.read().splitlines()[1:]]
        changed = [line for line in lines if line[1] == "!"]
        self.assertEqual(changed, [], "other bytes than were published")
        self.assertEqual([line[1] for line in lines], [str(index) for index in range(events)],
                         "lost, repeated, out of order or not of the run")
        sequences = [int(line[0]) for line in lines]
        self.assertEqual(sequences, sorted(set(sequences)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=40000)
    parser.add_argument("--seed", type=int, default=None)
    options, rest = parser.parse_known_args()
    if options.seed is None:
        options.seed = int.from_bytes(os.urandom(4), "little")
    print(f"verbatim_test.py --events {options.events} --seed {options.seed}", flush=True)
    VerbatimTest.plan = options
    harness.main(rest)


if __name__ == "__main__":
    main()
