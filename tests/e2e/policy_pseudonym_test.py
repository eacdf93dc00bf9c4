#!/usr/bin/env python3
"""What is withheld is nowhere to be found, and pseudonyms are what they are said to be.

    policy_pseudonym_test.py [--events N] [--seed N]

alpha gives artifacts to beta and gamma, not all of them, without some members, with pseudonyms for
users and for what names other events. Between alpha and the others stands a tap that has their
keys and reads every frame (tap.cc). Pseudonyms are stable for one peer, over cut links, kills and a
receiver that lost what it had; different between peers; and no frame, no file of a receiver and no
byte of a subscriber holds an identifier of an event that the peer was not given, nor a value that
was removed or replaced.
"""
import argparse
import json
import os
import random
import re
import shutil
import subprocess

import harness
import policy_harness
from policy_harness import TAP, import_rule, policy_yaml, rule

PSEUDONYM = re.compile(r"p\d+\.[A-Za-z2-7]{26}")


class PseudonymTest(policy_harness.PolicyTest):
    run_as = None

    def setUp(self):
        self.random = random.Random(self.run_as.seed)
        self.gamma = policy_harness.add_domain(self.domains, "gamma")
        self.addCleanup(self.gamma.end)
        self.gamma.peer_with(self.alpha)
        self.tap_the_links()
        hidden = "(HAS_CDEVENT('customData.audience') AND CDEVENT('customData.audience') = '{}')"
        for peer in ("beta", "gamma"):
            self.apply_policy(self.alpha, policy_yaml(f"{peer}.example", export=[
                rule("not theirs", hidden.format("none") + " OR " + hidden.format(f"not {peer}"), action="DENY"),
                {"name": "artifacts", "when": "SUBJECT_TYPE() = 'artifact'", "action": "ALLOW",
                 "redact": ["customData.secret", "subject.content.sbom"], "pseudonymise": ["subject.content.user"]}]))
        for domain in (self.beta, self.gamma):
            self.apply_policy(domain, policy_yaml("alpha.example", interest="NONE", imports=[
                import_rule("no thanks", "CDEVENT('customData.audience', '') = 'refusing'", action="DENY"),
                import_rule("all", "TRUE")]))

    def tap_the_links(self):
        """Puts the tap into the way of both links."""
        self.frames = self.path("frames")
        os.makedirs(self.frames)
        identity = self.alpha.identity("gateway")
        argv = [TAP, "--listen-as", identity, "--to", self.alpha.address("peers"), "--out", self.frames]
        for domain in (self.beta, self.gamma):
            argv += ["--as", f"{domain.name}={domain.identity('gateway')}"]
        tap = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end_tap, tap)
        self.forwarder.forward_to(f"127.0.0.1:{json.loads(tap.stdout.readline())['port']}")
        self.forwarder.cut()

    def end_tap(self, tap):
        tap.kill()
        tap.wait()
        tap.stdin.close()
        tap.stdout.close()

    # --- events

    def word(self, kind):
        """Found nowhere else."""
        return f"{kind}-{self.random.getrandbits(96):024x}"

    def make(self, count):
        """Events that lead to events before them; what is what is in `facts`, by id."""
        users = [self.word("user") for _ in range(20)]
        chains = [self.word("chain") for _ in range(10)]
        self.facts = getattr(self, "facts", {})
        events = []
        for _ in range(count):
            fact = {"id": self.word("event"), "user": self.random.choice(users), "chain": self.random.choice(chains),
                    "secret": self.word("secret"), "sbom": self.word("sbom"),
                    "audience": self.random.choice(["all"] * 5 + ["none", "not beta", "not gamma", "refusing"]),
                    "before": self.random.choice(list(self.facts) or [self.word("event")])}
            self.facts[fact["id"]] = fact
            events.append(self.event(fact))
        return "".join(json.dumps(event) + "\n" for event in events)

    @staticmethod
    def event(fact):
        links = [{"linkType": "PATH", "from": {"contextId": fact["before"]}, "tags": {"cause": fact["before"]}},
                 {"linkType": "RELATION", "linkKind": "TRIGGER", "target": {"contextId": fact["before"]}}]
        return {"context": {"specversion": "0.5.1", "id": fact["id"], "chainId": fact["chain"], "source": "/event/source/pseudonyms",
                            "type": "dev.cdevents.artifact.published.0.3.0", "timestamp": "2025-05-20T10:15:42.318Z", "links": links},
                "subject": {"id": "pkg:oci/app@sha256:0f1e2d3c", "content": {
                    "user": fact["user"], "sbom": {"uri": f"https://sbom.example/{fact['sbom']}"}}},
                "customDataContentType": "application/json",
                "customData": {"audience": fact["audience"], "secret": fact["secret"], "kept": "kept"}}

    def publish(self, count):
        self.assert_run(self.alpha.cdgate("publish", "-", identity="publisher", input=self.make(count), timeout=4 * harness.PATIENCE_S))

    def given(self, domain):
        """Ids of the events that the domain is given; it takes those that it does not refuse."""
        return {fact["id"] for fact in self.facts.values() if fact["audience"] not in ("none", f"not {domain.short}")}

    def taken(self, domain):
        return {one for one in self.given(domain) if self.facts[one]["audience"] != "refusing"}

    def settle(self):
        for peer in ("beta.example", "gamma.example"):
            self.wait_until_settled(peer=peer)

    # --- what arrived

    def received(self, domain):
        """{id: event} of all that a subscriber gets, and every byte of it."""
        wanted = self.taken(domain)
        result = self.assert_run(domain.cdgate("subscribe", "--from", "earliest", "--max", str(len(wanted)), "--filter",
                                               "id LIKE 'event-%'", "-o", "json", identity="subscriber"))
        events = {line["event"]["context"]["id"]: line["event"] for line in result.json_lines()}
        self.assertEqual(set(events), wanted)
        return events, result.out

    def pseudonyms(self, events):
        """(kind, value) -> pseudonym over all events; fails where one has two, or two have one."""
        found, meaning = {}, {}
        for event_id, event in events.items():
            fact = self.facts[event_id]
            self.assertEqual(event["customData"], {"audience": fact["audience"], "kept": "kept"})
            self.assertNotIn("sbom", event["subject"]["content"])
            links = event["context"]["links"]
            self.assertEqual([link["linkType"] for link in links], ["PATH", "RELATION"])
            places = [("user", fact["user"], event["subject"]["content"]["user"]), ("chain", fact["chain"], event["context"]["chainId"]),
                      ("event", fact["before"], links[0]["from"]["contextId"]), ("event", fact["before"], links[1]["target"]["contextId"])]
            for kind, value, pseudonym in places:
                self.assertRegex(pseudonym, PSEUDONYM)
                self.assertEqual(found.setdefault((kind, value), pseudonym), pseudonym, f"{kind} of {event_id}")
                self.assertEqual(meaning.setdefault(pseudonym, (kind, value)), (kind, value), "one pseudonym for two values")
        return found

    def forbidden(self, domain):
        """Texts that nothing the domain has may hold."""
        given, out = self.given(domain), set()
        for fact in self.facts.values():
            out |= {fact["user"], fact["chain"], fact["secret"], fact["sbom"]}
            out |= {one for one in (fact["id"], fact["before"]) if one not in given}
        return out

    def assert_holds_none(self, domain, name, data, must=()):
        text = data.decode("latin-1") if isinstance(data, bytes) else data
        words = set(re.findall(r"(?:event|user|chain|secret|sbom)-[0-9a-f]{24}", text))
        self.assertEqual(sorted(words & self.forbidden(domain))[:5], [], f"{name} of {domain.short} holds what it must not")
        self.assertEqual(sorted(set(must) - words)[:5], [], f"{name} of {domain.short} is not what was searched for")
        return len(data)

    def assert_nothing_leaked(self, domain, text):
        searched = self.assert_holds_none(domain, "what subscribers got", text, self.taken(domain))
        with open(os.path.join(self.frames, f"{domain.name}.frames"), "rb") as file:
            searched += self.assert_holds_none(domain, "the link", file.read(), self.given(domain))
        everything = b""
        for folder, _, names in os.walk(os.path.join(domain.dir, "data")):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.isfile(path):
                    with open(path, "rb") as file:
                        everything += file.read()
        searched += self.assert_holds_none(domain, "the data directory", everything, self.taken(domain))
        return searched + self.assert_holds_none(domain, "the gateway's log", domain.log())

    # --- the test

    def test_pseudonyms_and_what_is_withheld(self):
        count = self.run_as.events // 4
        for _ in range(2):
            self.publish(count)
            self.forwarder.cut()
        self.settle()
        # What beta had by now comes back in the end.
        policy_harness.stop(self.beta)
        shutil.copytree(os.path.join(self.beta.dir, "data"), self.path("earlier"), ignore=_no_sockets)
        self.beta.start()
        self.publish(count)
        self.beta.kill()
        self.publish(count)
        self.beta.start()
        self.settle()
        events, text = self.received(self.beta)
        others, other_text = self.received(self.gamma)
        of_beta, of_gamma = self.pseudonyms(events), self.pseudonyms(others)
        self.assertEqual(set(of_beta.values()) & set(of_gamma.values()), set(), "the same pseudonym for two peers")
        self.assertTrue(set(of_beta) & set(of_gamma))
        searched = self.assert_nothing_leaked(self.beta, text) + self.assert_nothing_leaked(self.gamma, other_text)

        policy_harness.stop(self.beta)
        shutil.rmtree(os.path.join(self.beta.dir, "data"))
        shutil.copytree(self.path("earlier"), os.path.join(self.beta.dir, "data"))
        self.beta.start()
        harness.wait_until(lambda: {arrival.id for arrival in self.arrivals(self.beta)} >= self.taken(self.beta),
                           "what beta lost is sent again", 4 * harness.PATIENCE_S)
        again, text = self.received(self.beta)
        self.assertEqual(again, events, "sent again with another content")
        self.assert_nothing_leaked(self.beta, text)
        print(f"seed {self.run_as.seed}: {len(self.facts)} events, {len(self.given(self.beta))} and {len(self.given(self.gamma))} given; "
              f"{len(of_beta)} and {len(of_gamma)} pseudonyms, none in common; {searched >> 10} KiB of frames, files and deliveries "
              f"hold none of {len(self.forbidden(self.beta))} texts", flush=True)


def _no_sockets(folder, names):
    return [name for name in names if name.endswith(".sock")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=None)
    options, rest = parser.parse_known_args()
    if options.seed is None:
        options.seed = int.from_bytes(os.urandom(3), "little")
    print(f"policy_pseudonym_test.py {vars(options)}", flush=True)
    PseudonymTest.run_as = options
    harness.main(rest)


if __name__ == "__main__":
    main()
