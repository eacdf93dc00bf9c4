#!/usr/bin/env python3
"""What people and tools ask of a gateway's log, and how they read by turns: lists, traces over a
boundary, subscribers that wait, count-limited workers, and the table that a person watches."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time

import harness
from harness import cdevent

CHAIN = "4c8cb7dd-3448-41de-8768-eec704e2829b"


def path_from(event_id):
    return {"linkType": "PATH", "from": {"contextId": event_id}}


def linked(event, *links, chain=CHAIN):
    event["context"].update({"chainId": chain, "links": list(links)})
    return event


class Reader:
    """`cdgate subscribe` in the background; its lines as they come."""

    def __init__(self, domain, *arguments):
        self.process = subprocess.Popen(
            [harness.BINARY, "subscribe", *arguments, "--gateway", domain.api, "--identity", domain.identity("subscriber")],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.out, self.err = [], []
        for pipe, lines in ((self.process.stdout, self.out), (self.process.stderr, self.err)):
            threading.Thread(target=lambda pipe=pipe, lines=lines: lines.extend(pipe), daemon=True).start()

    def ids(self):
        return [json.loads(line)["event"]["context"]["id"] for line in list(self.out)]

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=harness.PATIENCE_S)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class QueriesTest(harness.DomainsTest):
    def setUp(self):
        self.alpha, self.beta = self.domains.alpha, self.domains.beta

    def publish(self, *events):
        text = "".join(json.dumps(event) + "\n" for event in events)
        self.assert_run(self.alpha.cdgate("publish", "-", identity="publisher", input=text))

    def list(self, domain, *arguments, code=0):
        return self.assert_run(domain.cdgate("event", "list", *arguments, "-o", "json", identity="subscriber"), code)

    def ids(self, *arguments):
        return [line["event"]["context"]["id"] for line in self.list(self.alpha, *arguments).json_lines()]

    def trace(self, domain, *arguments):
        answer = self.assert_run(domain.cdgate("trace", *arguments, "-o", "json", identity="subscriber")).json()
        return {event["id"]: event for event in answer["events"]}

    def reader(self, *arguments):
        reader = Reader(self.alpha, *arguments)
        self.addCleanup(reader.kill)
        return reader

    def test_list_by_field_and_by_page(self):
        self.publish(*[cdevent(f"list-{n}", source="/alpha/list/odd" if n % 2 else "/alpha/list/even") for n in range(10)],
                     cdevent("list-run", "pipelinerun.finished.0.2.0", source="/alpha/list/odd"))
        self.assertEqual(self.ids("--source", "/alpha/list/odd"), ["list-run", "list-9", "list-7", "list-5", "list-3", "list-1"])
        self.assertEqual(self.ids("--source", "/alpha/list/%", "--type", "dev.cdevents.pipelinerun.%"), ["list-run"])
        self.assertEqual(self.ids("--source", "/alpha/list/even", "--oldest-first", "--max", "2"), ["list-0", "list-2"])
        self.assertEqual(self.ids("--filter", "source LIKE '/alpha/list/%' AND id LIKE '%8'", "--since", "1h"), ["list-8"])
        self.list(self.alpha, "--source", "/alpha/list/%", "--until", "1h", code=1)
        # Page by page, while more come.
        found, token = [], ()
        while True:
            page = self.list(self.alpha, "--source", "/alpha/list/%", "--max", "4", *token)
            found += [line["event"]["context"]["id"] for line in page.json_lines()]
            more = re.search(r"--page-token (\S+)", page.err)
            if more is None:
                break
            self.publish(cdevent(f"list-late-{len(found)}", source="/alpha/list/even"))
            token = ("--page-token", more.group(1))
        self.assertEqual(found, ["list-run", *[f"list-{n}" for n in range(9, -1, -1)]])
        refused = self.alpha.cdgate("event", "list", "--source", "/other", *token, identity="subscriber")
        self.assertEqual(refused.code, 1, str(refused))
        self.assertIn("invalid_argument", refused.err)

    def test_a_trace_ends_at_the_boundary(self):
        self.publish(linked(cdevent("trace-run", "pipelinerun.finished.0.2.0")))
        self.publish(linked(cdevent("trace-deployed"), path_from("trace-run")))
        self.publish(linked(cdevent("trace-upgraded", "service.upgraded.0.2.0"), path_from("trace-deployed")))
        here = self.trace(self.alpha, CHAIN)
        self.assertEqual(set(here), {"trace-run", "trace-deployed", "trace-upgraded"})
        self.assertEqual(here["trace-deployed"]["links"][0]["target"], "HELD")
        self.subscribe(self.beta, 2, "trace-%")  # they are there
        there = self.trace(self.beta, CHAIN)
        self.assertEqual(set(there), {"trace-deployed", "trace-upgraded"})
        self.assertEqual(there["trace-deployed"]["links"][0]["target"], "NOT_HELD")
        self.assertEqual(there["trace-upgraded"]["links"][0]["target"], "HELD")
        self.assertEqual(there["trace-upgraded"]["received_from"], "alpha.example")
        text = self.assert_run(self.beta.cdgate("trace", "--event", "trace-upgraded", identity="subscriber")).out
        self.assertIn("PATH trace-run: not held here; the boundary of alpha.example", text)
        self.assertRegex(text, r"└─ service\.upgraded\.0\.2")
        missing = self.alpha.cdgate("trace", "no-such-chain", identity="subscriber")
        self.assertEqual(missing.code, 1, str(missing))

    def test_a_second_reader_waits_for_its_turn(self):
        arguments = ("--name", "turns", "--filter", "source = '/alpha/turns'", "--from", "earliest", "-o", "json")
        first = self.reader(*arguments)
        self.publish(cdevent("turns-1", source="/alpha/turns"))
        harness.wait_until(lambda: first.ids() == ["turns-1"], "the first reads")
        second = self.reader(*arguments, "--wait")
        harness.wait_until(lambda: any("waiting: 1 stream" in line for line in second.err), "the second is told that it waits")
        shown = self.assert_run(self.alpha.cdgate("subscription", "show", "turns", "-o", "json", identity="subscriber")).json()
        self.assertEqual((shown["streams"], shown["waiting"]), (1, 1))
        self.publish(cdevent("turns-2", source="/alpha/turns"))
        harness.wait_until(lambda: first.ids() == ["turns-1", "turns-2"], "the first still reads")
        time.sleep(0.2)  # its ack is on its way
        self.assertEqual(second.ids(), [])
        first.kill()
        self.publish(cdevent("turns-3", source="/alpha/turns"))
        harness.wait_until(lambda: "turns-3" in second.ids(), "the second has its turn")
        third = self.reader(*arguments)
        self.assertEqual(second.process.wait(timeout=harness.PATIENCE_S), 1, "one that does not wait takes over")
        self.publish(cdevent("turns-4", source="/alpha/turns"))
        harness.wait_until(lambda: third.ids()[-1:] == ["turns-4"], "and reads")
        self.assertEqual(third.interrupt(), 0)

    def test_a_worker_takes_so_many_and_leaves_the_rest(self):
        self.assert_run(self.alpha.cdgate("subscription", "create", "batch", "--shared", "--filter", "source = '/alpha/batch'",
                                          "--from", "earliest", "--dead-letter-retention", "7d", identity="subscriber"))
        self.publish(*[cdevent(f"batch-{n}", source="/alpha/batch") for n in range(5)])
        took = []
        for count in (2, 1, 2):
            result = self.assert_run(self.alpha.cdgate("subscribe", "--name", "batch", "--max", str(count), "-o", "json",
                                                       identity="subscriber"))
            lines = result.json_lines()
            self.assertEqual(len(lines), count)
            self.assertEqual({line["attempt"] for line in lines}, {1}, "the rest was never given out")
            took += [line["event"]["context"]["id"] for line in lines]
        self.assertEqual(sorted(took), [f"batch-{n}" for n in range(5)])
        shown = self.assert_run(self.alpha.cdgate("subscription", "show", "batch", identity="subscriber")).out
        self.assertRegex(shown, r"pending +0\n")
        self.assertRegex(shown, r"dead +kept for 7d\n")
        self.assertIn("cdgate_subscription_dead_letters_expired_total", self.alpha.metrics())

    def test_the_table_is_for_watching(self):
        self.publish(cdevent("table-1", "pipelinerun.finished.0.2.0", source="/alpha/table"), cdevent("table-2", source="/alpha/table"))
        arguments = ("subscribe", "--from", "earliest", "--filter", "source = '/alpha/table'", "--max", "2")
        plain = self.assert_run(self.alpha.cdgate(*arguments, identity="subscriber")).out
        self.assertNotIn("\x1b", plain)
        titles, first, second = plain.splitlines()
        self.assertEqual(titles.split(), ["SEQ", "TYPE", "SUBJECT", "ORIGIN", "AGE", "OUTCOME", "RULE"])
        self.assertRegex(first, r"^\d+ +pipelinerun\.finished\.0\.2\.0 +app +alpha\.example +\d+s +success +-$")
        self.assertEqual(first.index("alpha.example"), second.index("alpha.example"), "aligned")
        watched = self.on_terminal(140, *arguments)
        self.assertIn("\x1b[1mSEQ", watched)
        self.assertIn("\x1b[32msuccess", watched)
        narrow = re.sub(r"\x1b\[\d+m", "", self.on_terminal(80, *arguments))
        for line in narrow.splitlines():
            self.assertLessEqual(len(line), 80)
        self.assertNotIn("RULE", narrow)

    def on_terminal(self, columns, *arguments):
        """What the command prints on a terminal of that width."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        process = subprocess.Popen(
            [harness.BINARY, *arguments, "--gateway", self.alpha.api, "--identity", self.alpha.identity("subscriber")],
            stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.DEVNULL, env=environment)
        os.close(theirs)
        out = b""
        try:
            while select.select([ours], [], [], harness.PATIENCE_S)[0]:
                data = os.read(ours, 1 << 16)
                if not data:
                    break
                out += data
        except OSError:
            pass  # the other end is closed
        os.close(ours)
        self.assertEqual(process.wait(timeout=harness.PATIENCE_S), 0)
        return out.decode().replace("\r\n", "\n")


if __name__ == "__main__":
    harness.main()
