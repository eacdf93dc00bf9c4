#!/usr/bin/env python3
"""The CDEvents model over two real gateways: another release for who asks for it, types that no
release has, what is known, and events that are published as messages."""
import json

import harness
from harness import cdevent

ALLOW = """kind: policy
peer: {peer}
{side}:
{extra}  rules:
    - name: everything
      when: 'TRUE'
      action: ALLOW
"""


class CdEventsTest(harness.DomainsTest):
    def publish(self, *events):
        text = "".join(json.dumps(event) + "\n" for event in events)
        return self.domains.alpha.cdgate("publish", "-", identity="publisher", input=text)

    def lines(self, domain, pattern, count, *flags):
        result = domain.cdgate("subscribe", "--from", "earliest", "--filter", f"id LIKE '{pattern}'", "--max", str(count),
                               "-o", "json", *flags, identity="subscriber")
        return self.assert_run(result).json_lines()

    def apply(self, domain, text):
        path = self.path("applied.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.assert_run(domain.cdgate("apply", "-f", path, "--unplanned"))

    def test_a_subscriber_gets_the_release_it_asks_for_and_the_original_stays(self):
        run = cdevent("convert-1", kind="pipelinerun.finished.0.2.0")
        run["subject"]["content"] = {"outcome": "success", "url": "https://ci.alpha.example/1"}
        odd = cdevent("convert-2", kind="pipelinerun.finished.0.2.0")
        odd["subject"]["content"] = {"outcome": "success", "url": "job/1"}
        self.assert_run(self.publish(run, odd))
        converted, kept = self.lines(self.domains.alpha, "convert-%", 2, "--convert-to", "0.5.1")
        self.assertEqual(converted["convertedFrom"], "dev.cdevents.pipelinerun.finished.0.2.0")
        self.assertEqual(converted["event"]["context"]["type"], "dev.cdevents.pipelinerun.finished.0.3.0")
        self.assertEqual(converted["event"]["context"]["specversion"], "0.5.1")
        self.assertEqual(converted["event"]["subject"]["content"],
                         {"uri": "https://ci.alpha.example/1", "outcome": "success"})
        self.assertNotIn("type", converted["event"]["subject"])
        self.assertEqual(kept["event"], odd)
        self.assertIn("/subject/content/uri: format uri", kept["notConverted"])
        # Both are in the log as they were published.
        for event in (run, odd):
            got = self.assert_run(self.domains.alpha.cdgate("get", event["context"]["id"], identity="subscriber"))
            self.assertEqual(got.json()["event"], event)
        wrong = self.domains.alpha.cdgate("subscribe", "--convert-to", "0.3.0", identity="subscriber")
        self.assertNotEqual(wrong.code, 0)
        self.assertIn("convert_to", str(wrong))

    def test_a_named_subscription_keeps_the_release(self):
        self.assert_run(self.publish(cdevent("named-1")))
        first = self.lines(self.domains.alpha, "named-%", 1, "--name", "upgraded", "--convert-to", "0.5.1")
        self.assertEqual(first[0]["event"]["context"]["specversion"], "0.5.1")
        self.assert_run(self.publish(cdevent("named-2")))
        again = self.domains.alpha.cdgate("subscribe", "--name", "upgraded", "--max", "1", "-o", "json", identity="subscriber")
        self.assertEqual(self.assert_run(again).json_lines()[0]["event"]["context"]["specversion"], "0.5.1")
        other = self.domains.alpha.cdgate("subscribe", "--name", "upgraded", "--convert-to", "0.4.1", identity="subscriber")
        self.assertNotEqual(other.code, 0)
        self.assertIn("convert_to", str(other))

    def test_unknown_types_enter_and_cross_only_where_both_sides_say_so(self):
        alpha, beta = self.domains.alpha, self.domains.beta
        grants = self.assert_run(alpha.cdgate("grant", "list", "-o", "json")).json()["grants"]
        grant = next(one for one in grants if one["role"] == "PUBLISHER")
        arguments = ["grant", "apply", grant["name"], "--principal", grant["principal"], "--role", "publisher"]
        for source in grant["sources"]:
            arguments += ["--source", source]
        unknown = cdevent("unknown-1", kind="service.deployed.7.0.0")
        unknown["subject"]["content"] = {"anything": [1, None]}
        refused = self.publish(unknown)
        self.assertNotEqual(refused.code, 0)
        for text in ("unknown_type", "dev.cdevents.service.deployed.0.2.0", "accept_unknown"):
            self.assertIn(text, str(refused))
        try:
            self.assert_run(alpha.cdgate(*arguments, "--accept-unknown"))
            self.apply(alpha, ALLOW.format(peer="beta.example", side="export", extra=""))
            self.apply(beta, ALLOW.format(peer="alpha.example", side="import", extra=""))
            self.assert_run(self.publish(unknown, cdevent("unknown-2")))
            self.assertEqual(self.lines(alpha, "unknown-1", 1)[0]["notes"], ["unknown_type"])
            self.lines(beta, "unknown-2", 1)  # which came behind it
            self.assertIn("unknown_type", str(alpha.cdgate("who-got", "unknown-1")) + str(beta.metrics()))
            missing = beta.cdgate("get", "unknown-1", identity="subscriber")
            self.assertIn("not_found", str(missing))
            self.apply(beta, ALLOW.format(peer="alpha.example", side="import", extra="  accept_unknown: true\n"))
            self.assert_run(self.publish(cdevent("unknown-3", kind="service.deployed.7.0.0")))
            self.assertEqual(self.lines(beta, "unknown-3", 1)[0]["notes"], ["unknown_type"])
        finally:
            self.assert_run(alpha.cdgate(*arguments))

    def test_types_says_what_is_known(self):
        alpha = self.domains.alpha
        answer = self.assert_run(alpha.cdgate("types", "-o", "json")).json()
        self.assertEqual(len(answer["types"]), 133)
        self.assertEqual(answer, self.assert_run(self.domains.beta.cdgate("types", "-o", "json")).json())
        one = self.assert_run(alpha.cdgate("types", "dev.cdevents.build.queued.0.3.0", "--schema"))
        schema = json.loads(one.out.splitlines()[0])
        self.assertEqual(schema["properties"]["context"]["properties"]["type"]["enum"], ["dev.cdevents.build.queued.0.3.0"])
        self.assertEqual(alpha.cdgate("types", "no.such.type").code, 1)


if __name__ == "__main__":
    harness.main()
