#!/usr/bin/env python3
"""Tools post CDEvents over HTTP in alpha; a gRPC subscriber gets them, byte for byte. The
commands of docs/http.md do what the page says."""
import json
import os
import re
import shutil
import uuid

import harness
from harness import cdevent

PAGE = os.path.join(harness.ROOT, "docs", "http.md")


class IngressTest(harness.DomainsTest):
    """What the tests share: alpha's ingress, and tokens for it."""

    def token(self, name, *arguments):
        made = self.domains.alpha.cdgate("token", "create", name, "--grant", "publisher", *arguments)
        return self.assert_run(made).out.strip()

    def environment(self, **more):
        alpha = self.domains.alpha
        return {**os.environ, "INGRESS": alpha.address("ingress"),
                "BUNDLE": os.path.join(alpha.identity("publisher"), "bundle.pem"),
                "IDENTITY": alpha.identity("publisher"), **more}

    def curl(self, *arguments, input=None):
        """Status and body of a request to /events."""
        env = self.environment()
        result = harness.run(["curl", "-sS", "-w", "\n%{http_code}", "--cacert", env["BUNDLE"], *arguments,
                              f"https://{env['INGRESS']}/events"], input=input)
        body, _, status = self.assert_run(result).out.rpartition("\n")
        return int(status), json.loads(body) if body else None

    def post(self, token, text):
        return self.curl("-H", f"Authorization: Bearer {token}", "-H", "Content-Type: application/json",
                         "--data-binary", "@-", input=text)


class TokenTest(IngressTest):
    def setUp(self):
        if not shutil.which("curl"):
            self.skipTest("curl is not installed")

    def test_a_token_is_shown_once_and_kept_as_a_digest(self):
        token = self.token("shown", "--expires", "1h", "--description", "for the test")
        self.assertRegex(token, r"^cdgate_[A-Za-z0-9_-]{48}$")
        listed = self.assert_run(self.domains.alpha.cdgate("token", "list", "-o", "json"))
        self.assertNotIn(token[7:], listed.out)
        mine = [entry for entry in listed.json()["tokens"] if entry["name"] == "shown"]
        self.assertEqual([(entry["grant"], entry["description"]) for entry in mine], [("publisher", "for the test")])
        self.assertEqual([entry.get("secret_digest", "") for entry in mine], [""])

    def test_revocation_holds_from_the_next_request(self):
        token = self.token("revoked")
        self.assertEqual(self.post(token, json.dumps(cdevent(str(uuid.uuid4()))))[0], 202)
        self.assert_run(self.domains.alpha.cdgate("token", "revoke", "revoked"))
        status, problem = self.post(token, json.dumps(cdevent(str(uuid.uuid4()))))
        self.assertEqual((status, problem["reason"]), (401, "ACCESS_TOKEN_INVALID"))
        self.assertNotIn(token[7:], self.domains.alpha.log())

    def test_tokens_outlive_a_restart(self):
        token = self.token("lasting")
        self.domains.alpha.kill()
        self.domains.alpha.start()
        self.assertEqual(self.post(token, json.dumps(cdevent(str(uuid.uuid4()))))[0], 202)

    def test_a_name_in_use_and_a_grant_that_is_none_are_refused(self):
        alpha = self.domains.alpha
        self.token("twice")
        again = alpha.cdgate("token", "create", "twice", "--grant", "publisher")
        self.assertIn("ALREADY_EXISTS", again.err.upper().replace(" ", "_"), str(again))
        self.assertNotEqual(alpha.cdgate("token", "create", "x", "--grant", "nothing").code, 0)
        self.assertNotEqual(alpha.cdgate("token", "create", "x", "--grant", "subscriber").code, 0)
        self.assertNotEqual(alpha.cdgate("token", "create", "x", "--grant", "publisher", "--expires", "400d").code, 0)
        self.assertNotEqual(alpha.cdgate("token", "create", "x", "--grant", "publisher", identity="publisher").code, 0)

    def test_a_deleted_grant_makes_its_tokens_useless(self):
        alpha = self.domains.alpha
        self.assert_run(alpha.cdgate("grant", "apply", "short", "--principal", "spiffe://alpha.example/service/x",
                                     "--role", "publisher", "--source", "/event/source/%"))
        token = self.assert_run(alpha.cdgate("token", "create", "short", "--grant", "short")).out.strip()
        self.assertEqual(self.post(token, json.dumps(cdevent(str(uuid.uuid4()))))[0], 202)
        self.assert_run(alpha.cdgate("grant", "delete", "short"))
        status, problem = self.post(token, json.dumps(cdevent(str(uuid.uuid4()))))
        self.assertEqual((status, problem["reason"]), (403, "NOT_GRANTED"))
        self.assertIn("short", problem["detail"])

    def test_what_is_refused_is_counted(self):
        before = self.domains.alpha.metrics().get('cdgate_http_refusals_total{reason="access_token_invalid"}', 0)
        self.post("cdgate_nonsense", "{}")
        after = self.domains.alpha.metrics()['cdgate_http_refusals_total{reason="access_token_invalid"}']
        self.assertEqual(after, before + 1)


class PageTest(IngressTest):
    """docs/http.md, as it stands."""

    def test_the_commands_print_what_they_say(self):
        for tool in ("curl", "jq", "bash"):
            if not shutil.which(tool):
                self.skipTest(f"{tool} is not installed")
        with open(PAGE, encoding="utf-8") as file:
            blocks = re.findall(r"^```sh\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)
        commands = [block for block in blocks if "curl" in block]
        self.assertGreaterEqual(len(commands), 7)
        env = self.environment(CDGATE_TOKEN=self.token("page"))
        for command in commands:
            expected = re.search(r"^# prints (\d{3})$", command, re.MULTILINE).group(1)
            folder = self.path(str(uuid.uuid4()))
            os.mkdir(folder)
            for name in ("event.json", "other.json"):
                event = cdevent(str(uuid.uuid4()), text="Grüße 🚀")
                event["subject"]["id"] = "pkg:oci/a@sha256%3Aab"
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    json.dump(event, file, ensure_ascii=False)
            result = harness.run(["bash", "-euo", "pipefail", "-c", command], cwd=folder, env=env)
            answer = ""
            if os.path.exists(os.path.join(folder, "answer.json")):
                with open(os.path.join(folder, "answer.json"), encoding="utf-8") as file:
                    answer = file.read()
            self.assertEqual((result.code, result.out.strip()), (0, expected), f"{command}\n{result}\n{answer}")


class SdkTest(IngressTest):
    """The CloudEvents SDK for JavaScript, deploy/examples/node-http."""

    @classmethod
    def setUpClass(cls):
        cls.folder = harness.install_node_example("node-http")
        super().setUpClass()

    def publish(self, mode, token, lines):
        env = self.environment(CDGATE_TOKEN=token)
        return harness.run(["node", os.path.join(self.folder, "publish.mjs"), "--url",
                            f"https://{env['INGRESS']}/events", "--ca", env["BUNDLE"], "--mode", mode],
                           input="".join(line + "\n" for line in lines), env=env)

    def test_every_mode_arrives_byte_for_byte(self):
        token = self.token("sdk")
        subjects = ["pkg:oci/a@sha256%3Aab?tag=1", "Grüße 🚀 \"x\"", "app"]
        sent = {}
        for mode in ("binary", "structured", "batch"):
            for number, subject in enumerate(subjects):
                event = cdevent(f"{mode}-{number}-{uuid.uuid4()}", source="/event/source/sdk", text="Grüße 🚀", number=number)
                event["subject"]["id"] = subject
                sent[event["context"]["id"]] = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
            lines = [line for event_id, line in sent.items() if event_id.startswith(mode)]
            result = self.assert_run(self.publish(mode, token, lines))
            self.assertEqual([line.split()[1] for line in result.out.splitlines()],
                             [event_id for event_id in sent if event_id.startswith(mode)], str(result))
            again = self.assert_run(self.publish(mode, token, lines))
            self.assertTrue(all(line.endswith(" duplicate") for line in again.out.splitlines()), str(again))
        self.assertEqual(self.data_of(sent), sent)

    def data_of(self, ids):
        """What a gRPC subscriber of alpha gets as the data of these events, verbatim: the command line
        prints it last in its line, as it came."""
        result = self.domains.alpha.cdgate("subscribe", "--from", "earliest", "--max", str(len(ids)), "--filter",
                                           "source = '/event/source/sdk'", "-o", "json", identity="subscriber")
        lines = self.assert_run(result).out.splitlines()
        data = [line[line.index('"event":') + len('"event":'):].removesuffix("}") for line in lines]
        return {json.loads(text)["context"]["id"]: text for text in data}

    def test_a_refusal_is_named(self):
        lines = [json.dumps(cdevent(str(uuid.uuid4()))), json.dumps(cdevent("elsewhere", source="/elsewhere"))]
        for mode in ("binary", "structured", "batch"):
            result = self.assert_run(self.publish(mode, self.token(f"refused-{mode}"), lines), 1)
            self.assertIn("elsewhere: SOURCE_NOT_GRANTED", result.err)
            self.assertEqual(len(result.out.splitlines()), 1, str(result))


if __name__ == "__main__":
    harness.main()
