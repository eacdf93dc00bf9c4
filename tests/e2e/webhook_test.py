#!/usr/bin/env python3
"""A subscription pushed to a real server: deploy/examples/node-http/receive.mjs, with the CloudEvents SDK.

    webhook_test.py [--events N] [--kills N] [--trouble SHARE] [--seed N]

While a publisher publishes N events, the server answers a share of the requests with 500, 429 or never,
and it and the gateway are killed -9 at random moments and started again. Each event arrives, and those of
one subject arrive in their order; retries and the breaker are in the metrics; nothing that can be mended is a
dead letter. What may not be pushed to is refused: an address that the operator does not name, and a name that
resolves to an address of this machine.
"""
import argparse
import http.server
import json
import os
import random
import socket
import subprocess
import threading
import time

import harness

NAME = "hook"
ATTEMPTS = 20


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Receiver:
    """receive.mjs on one port over all of its lives, and what it wrote."""

    def __init__(self, folder, path, port, trouble, seed):
        self.argv = ["node", os.path.join(folder, "receive.mjs"), "--port", str(port), "--origin", "alpha.example",
                     "--rate", "60000", "--trouble", str(trouble), "--seed", str(seed)]
        self.path = path
        self.process = None

    def start(self):
        with open(self.path, "ab") as file:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.DEVNULL)

    def kill(self):
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        self.process = None
        with open(self.path, "r+b") as file:  # a line that was cut off was not written
            text = file.read()
            file.truncate(text.rfind(b"\n") + 1)

    def lines(self, word):
        with open(self.path, encoding="utf-8") as file:
            return [line.split() for line in file.read().splitlines() if line.startswith(word)]


class Scripted:
    """A server that answers every POST as it is told, and grants all that is asked."""

    def __init__(self, status, fields=(), body=b""):
        outer = self
        self.got = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_OPTIONS(self):
                self.send_response(200)
                self.send_header("WebHook-Allowed-Origin", "*")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_POST(self):
                outer.got.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(status)
                for name, value in fields:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:  # the gateway is gone
                    self.close_connection = True

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class WebhookTest(harness.DomainsTest):
    plan = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.alpha = cls.domains.alpha
        cls.port = free_port()
        cls.servers = {"gone": Scripted(410, body=b"retired"), "moved": Scripted(307, [("Location", "/elsewhere")]),
                       "bad": Scripted(422, body=b"no such pipeline")}
        targets = [("hook", f"http://127.0.0.1:{cls.port}", True), ("named", f"http://localhost:{cls.port}", False)]
        targets += [(name, f"http://127.0.0.1:{server.port}", True) for name, server in cls.servers.items()]
        with open(os.path.join(cls.alpha.dir, "gateway.yaml"), "a", encoding="utf-8") as file:
            file.write("webhooks:\n  targets:\n")
            for name, url, local in targets:
                file.write(f"    - name: {name}\n      url: {url}\n")
                if local:
                    file.write("      allow_addresses: [127.0.0.0/8]\n")
        cls.alpha.kill()
        cls.alpha.start()

    @classmethod
    def tearDownClass(cls):
        for server in cls.servers.values():
            server.stop()
        super().tearDownClass()

    def subscription(self, *arguments):
        return self.alpha.cdgate("subscription", *arguments, identity="subscriber")

    def show(self, name):
        return json.loads(self.assert_run(self.subscription("show", name, "-o", "json")).out)

    def push(self, name):
        """How its push stands; nothing before that is known."""
        return self.show(name).get("push", {})

    def letters(self, name):
        return json.loads(self.assert_run(self.subscription("dead-letters", name, "-o", "json")).out)["dead_letters"]

    def publish(self, seed, count):
        self.assert_run(harness.run(self.alpha.client("publish", "--seed", seed, "--count", count, identity="publisher")))

    def metric(self, name, **labels):
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(value for key, value in self.alpha.metrics().items()
                   if key.startswith(name) and all(label in key for label in wanted))

    # --- what is refused

    def test_addresses_that_are_not_named_are_refused(self):
        for url in ("https://elsewhere.example/", f"http://127.0.0.1:{self.port}@elsewhere.example/",
                    "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", f"http://127.0.0.1:{free_port()}/"):
            result = self.subscription("create", "nowhere", "--push-url", url)
            self.assertNotEqual(result.code, 0, url)
            self.assertRegex(result.err, "webhook_not_allowed|invalid_argument", url)
        self.assertNotEqual(self.subscription("show", "nowhere").code, 0, "nothing was made")

    def test_a_name_that_resolves_to_this_machine_is_refused(self):
        self.assert_run(self.subscription("create", "named", "--push-url", f"http://localhost:{self.port}/"))
        harness.wait_until(lambda: self.push("named").get("reason") == "webhook_address_refused",
                           "the address is refused")
        self.assertIn("localhost resolves to", self.push("named")["message"])
        self.assertEqual(self.push("named").get("state"), "HANDSHAKE")
        self.assertIn("webhook_address_refused", self.assert_run(self.subscription("show", "named")).out)
        self.assert_run(self.subscription("delete", "named"))

    # --- answers

    def test_one_that_is_gone_ends_it(self):
        self.assert_run(self.subscription("create", "gone", "--push-url", f"http://127.0.0.1:{self.servers['gone'].port}/"))
        self.publish(self.plan.seed + 1, 3)
        harness.wait_until(lambda: self.push("gone").get("state") == "ENDED", "the push ends")
        harness.wait_until(lambda: self.show("gone")["subscription"]["push"].get("end"), "the end is kept")
        self.alpha.kill()
        self.alpha.start()
        sent = len(self.servers["gone"].got)
        self.publish(self.plan.seed + 2, 3)
        self.assertEqual(self.push("gone").get("state"), "ENDED")
        self.assertEqual(self.push("gone")["reason"], "webhook_gone")
        self.assertEqual(len(self.servers["gone"].got), sent)
        self.assert_run(self.subscription("delete", "gone"))

    def test_dead_letters_have_the_last_answer(self):
        for name, reason, message in (("bad", "webhook_rejected", "answered 422: no such pipeline"),
                                      ("moved", "webhook_redirected", "/elsewhere, which is not followed")):
            self.assert_run(self.subscription("create", name, "--push-url", f"http://127.0.0.1:{self.servers[name].port}/x",
                                              "--max-attempts", "2", "--min-backoff", "100ms", "--max-backoff", "100ms",
                                              "--push-format", "structured"))
            self.publish(self.plan.seed + len(name), 1)
            letter = harness.wait_until(lambda: self.letters(name), "there is a dead letter")[0]  # pylint: disable=cell-var-from-loop
            self.assertEqual(letter["reason"], reason)
            self.assertIn(message, letter["message"])
            event = json.loads(self.servers[name].got[0])
            self.assertEqual(event["data"]["context"]["id"], event["id"])
            self.assert_run(self.subscription("delete", name))

    # --- through everything

    def chaos(self, publisher, receiver):
        for left in range(self.plan.kills, 0, -1):
            time.sleep(self.random.uniform(0.3, 1.5))
            if left % 3 == 0:
                print("gateway killed", flush=True)
                self.alpha.kill()
                self.alpha.start()
            else:
                print("server killed", flush=True)
                receiver.kill()
                # Now and then for longer than the breaker waits.
                time.sleep(self.random.choice((0, 0.5, 2.5)))
                receiver.start()
        self.assertEqual(publisher.wait(timeout=4 * harness.PATIENCE_S), 0)

    def is_settled(self, first, events):
        status = self.show(NAME)
        return status["position"] >= first + events and status["lag"] == 0 and status["pending"] == 0

    def check(self, receiver, first, events):
        taken = receiver.lines("taken")
        sequences = [int(line[1]) for line in taken]
        wanted = set(range(first + 1, first + events + 1))
        print(f"{len(set(sequences))} events taken, {len(sequences) - len(set(sequences))} of them again, "
              f"{len(receiver.lines('refused'))} requests refused", flush=True)
        self.assertEqual(wanted - set(sequences), set(), "events did not arrive")
        last, seen = {}, set()
        for _, sequence, attempt, subject, _ in taken:
            sequence = int(sequence)
            if sequence in seen:
                self.assertGreater(int(attempt), 1, f"{sequence} came again as if for the first time")
                continue
            seen.add(sequence)
            self.assertLess(last.get(subject, 0), sequence, f"{sequence} of {subject} came before those before it")
            last[subject] = sequence
        self.assertGreater(len(last), 10)

    def test_z_every_event_arrives_in_the_order_of_its_subject(self):
        self.random = random.Random(self.plan.seed)
        folder = harness.install_node_example("node-http")
        receiver = Receiver(folder, self.path("received"), self.port, self.plan.trouble, self.plan.seed)
        self.addCleanup(receiver.kill)
        self.assert_run(self.subscription(
            "create", NAME, "--push-url", f"http://127.0.0.1:{self.port}/events?team=ci", "--keep-subject-order",
            "--max-attempts", str(ATTEMPTS), "--min-backoff", "100ms", "--max-backoff", "1s", "--push-timeout", "1s",
            "--push-concurrency", "32"))
        first = self.show(NAME)["position"]
        harness.wait_until(lambda: self.push(NAME).get("reason") == "webhook_unreachable", "it is not there yet")
        receiver.start()
        harness.wait_until(lambda: self.push(NAME).get("state") == "SENDING", "it grants permission")
        publisher = subprocess.Popen(
            self.alpha.client("publish", "--seed", self.plan.seed, "--count", self.plan.events, "--rate", self.plan.rate,
                              identity="publisher"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.addCleanup(publisher.kill)
        self.chaos(publisher, receiver)
        # Each 429 asks for a second, and a third of the trouble is that.
        pauses = self.plan.events * self.plan.trouble / 3
        harness.wait_until(lambda: self.is_settled(first, self.plan.events), "all is taken", 4 * harness.PATIENCE_S + pauses)
        self.check(receiver, first, self.show(NAME)["position"] - first)
        self.assertEqual(self.letters(NAME), [])
        self.breaker(receiver)

    def breaker(self, receiver):
        """Where the server is away for a while, the breaker opens, and closes once it is back."""
        receiver.kill()
        openings = self.metric("cdgate_webhook_breaker_openings_total", target="hook")
        self.publish(self.plan.seed + 9, 20)
        harness.wait_until(lambda: self.metric("cdgate_webhook_breakers_open", target="hook") == 1, "the breaker opens")
        harness.wait_until(lambda: self.push(NAME).get("state") == "BREAKER_OPEN", "it is shown")
        shown = self.assert_run(self.subscription("show", NAME)).out
        self.assertIn("breaker open", shown)
        receiver.start()
        harness.wait_until(lambda: self.metric("cdgate_webhook_breakers_open", target="hook") == 0, "the breaker closes")
        harness.wait_until(lambda: self.show(NAME)["lag"] == 0 and self.show(NAME)["pending"] == 0, "all is taken")
        self.assertGreater(self.metric("cdgate_webhook_breaker_openings_total", target="hook"), openings)
        self.assertGreater(self.metric("cdgate_webhook_retries_total", target="hook"), 0)
        for result in ("taken", "webhook_unreachable"):
            self.assertGreater(self.metric("cdgate_webhook_requests_total", target="hook", result=result), 0, result)
        self.assertEqual(self.letters(NAME), [])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--kills", type=int, default=9)
    parser.add_argument("--trouble", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 24))
    WebhookTest.plan, rest = parser.parse_known_args()
    print(f"seed {WebhookTest.plan.seed}")
    harness.main(rest)
