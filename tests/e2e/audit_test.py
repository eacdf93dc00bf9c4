#!/usr/bin/env python3
"""Who did what is in the audit log, once, with before and after and without a secret; and
whatever is done to its files is found and named."""
import glob
import json
import os
import re
import shutil
import ssl
import socket
import sys
import urllib.error
import urllib.request

import harness

PAGE = os.path.join(harness.ROOT, "docs", "audit.md")
ADMIN = "spiffe://alpha.example/user/admin"
SERVICE = "/cdgate.admin.v1.AdminService/"


class AuditTest(harness.DomainsTest):
    def folder(self, domain=None):
        return os.path.join((domain or self.domains.alpha).dir, "data", "audit")

    def lines(self, domain=None):
        """Every whole line that stands in the files, in order."""
        lines = []
        for name in sorted(glob.glob(os.path.join(self.folder(domain), "*.jsonl"))):
            with open(name, encoding="utf-8") as file:
                lines += [line[:-1] for line in file.readlines() if line.endswith("\n")]
        return lines

    def entries(self, domain=None):
        return [json.loads(line) for line in self.lines(domain)]

    def last(self, domain=None):
        return self.entries(domain)[-1]["number"]

    def since(self, number, kind=None, domain=None):
        return [entry for entry in self.entries(domain) if entry["number"] > number and kind in (None, entry["kind"])]

    def act(self, *arguments, code=0, identity="admin", input=None):
        """The one act that a command leaves."""
        before = self.last()
        self.assert_run(self.domains.alpha.cdgate(*arguments, identity=identity, input=input), code)
        acts = self.since(before, "act")
        self.assertEqual(len(acts), 1, acts)
        return acts[0]

    def verify(self, *arguments, code=0):
        return self.assert_run(harness.run([harness.BINARY, "audit", "verify", *arguments]), code)

    def bundle(self):
        return os.path.join(self.domains.alpha.ca(), "ca.crt")


class ActsTest(AuditTest):
    def assert_by_admin(self, entry, method, outcome="OK"):
        self.assertEqual((entry["who"], entry["what"], entry["outcome"]), (ADMIN, SERVICE + method, outcome), entry)
        self.assertEqual(entry["from"]["listener"], "api")
        self.assertRegex(entry["from"]["address"], r"^ipv4:127\.0\.0\.1:\d+$")
        self.assertRegex(entry["time"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$")

    def fields(self, change):
        return {field["path"]: (field.get("before"), field.get("after")) for field in change["fields"]}

    def grant(self, name, source):
        return ["grant", "apply", name, "--principal", "spiffe://alpha.example/service/jenkins", "--role", "publisher",
                "--source", source]

    def test_a_grant_made_changed_and_deleted(self):
        made = self.act(*self.grant("jenkins", "/alpha/a/%"))
        self.assert_by_admin(made, "ApplyGrant")
        [change] = made["changes"]
        self.assertEqual((change["kind"], change["name"], change["author"]), ("grant", "jenkins", ADMIN))
        self.assertEqual(change["after"]["version"], 1)
        self.assertNotIn("before", change)
        changed = self.act(*self.grant("jenkins", "/alpha/b/%"))
        [second] = changed["changes"]
        self.assertEqual(second["before"], change["after"])
        self.assertEqual(self.fields(second), {"sources[0]": ("/alpha/a/%", "/alpha/b/%")})
        deleted = self.act("grant", "delete", "jenkins")
        self.assert_by_admin(deleted, "DeleteGrant")
        [third] = deleted["changes"]
        self.assertEqual(third["before"], second["after"])
        self.assertEqual(third["after"], {"version": 3, "deleted": True})
        self.assertEqual(self.fields(third)["sources[0]"], ("/alpha/b/%", None))

    def test_an_act_that_fails(self):
        entry = self.act("grant", "delete", "no-such-grant", code=1)
        self.assert_by_admin(entry, "DeleteGrant", "NOT_FOUND")
        self.assertEqual(entry["request"], {"name": "no-such-grant"})
        self.assertIn("no-such-grant", entry["detail"])
        self.assertNotIn("changes", entry)

    def test_a_policy(self):
        path = self.path("policy.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("kind: policy\npeer: beta.example\nexport:\n  rules:\n"
                       "    - {name: nothing, action: DENY}\n")
        entry = self.act("policy", "apply", path, "--unplanned")
        self.assert_by_admin(entry, "ApplyPolicy")
        [change] = entry["changes"]
        self.assertEqual((change["kind"], change["name"], change["unplanned"]), ("policy", "beta.example", True))
        self.assertEqual(self.fields(change)["export.rules[0].action"], ("ACTION_ALLOW", "ACTION_DENY"))

    def test_a_freeze_and_its_end(self):
        frozen = self.act("peer", "freeze", "beta.example", "--reason", "key lost")
        self.assert_by_admin(frozen, "FreezePeer")
        self.assertEqual(self.fields(frozen["changes"][0])["frozen"], (None, "true"))
        self.assertEqual(frozen["request"]["reason"], "key lost")
        resumed = self.act("peer", "resume", "beta.example")
        self.assertEqual(self.fields(resumed["changes"][0])["frozen"], ("true", None))

    def test_no_secret_is_in_it(self):
        invited = self.assert_run(self.domains.alpha.cdgate("peer", "invite", "--domain", "gamma.example", "-o", "json"))
        token = invited.json()["token"]
        made = self.assert_run(self.domains.alpha.cdgate("token", "create", "ci", "--grant", "publisher")).out.strip()
        refused = self.domains.alpha.cdgate("peer", "accept", token)
        self.assertNotEqual(refused.code, 0)
        text = "\n".join(self.lines())
        self.assertIn('"kind":"invite"', text)
        self.assertIn('"kind":"token","name":"ci"', text)
        for secret in (token, token[-40:], made, made[7:], made[7:27]):
            self.assertNotIn(secret, text)
        for word in ("secret_digest", "sealed_secret", "token_digest", "PRIVATE KEY"):
            self.assertNotIn(word, text)

    def test_the_steps_of_peering_are_on_both_sides(self):
        alpha = [entry["what"].rpartition("/")[2] for entry in self.entries() if entry["kind"] == "act"]
        for step in ("CreateInvite", "Enrol", "ApprovePeer"):
            self.assertIn(step, alpha)
        [enrolled] = [entry for entry in self.entries() if entry.get("what", "").endswith("/Enrol")]
        self.assertEqual(enrolled["who"], "spiffe://beta.example/gateway/gw1")
        self.assertEqual(enrolled["from"]["listener"], "enrolment")
        self.assertEqual(sorted(change["kind"] for change in enrolled["changes"]), ["invite", "peer"])
        beta = [entry["what"].rpartition("/")[2] for entry in self.entries(self.domains.beta) if entry["kind"] == "act"]
        for step in ("AcceptInvite", "ApprovePeer"):
            self.assertIn(step, beta)

    def test_a_refused_call(self):
        before = self.last()
        self.assert_run(self.domains.alpha.cdgate("grant", "list", identity="publisher"), 4)
        [entry] = harness.wait_until(lambda: self.since(before, "refusal"), "the refusal is written")
        self.assertEqual((entry["who"], entry["what"], entry["outcome"]),
                         ("spiffe://alpha.example/service/publisher", SERVICE + "ListGrants", "NOT_GRANTED"))
        self.assertEqual(entry["from"]["listener"], "api")

    def test_many_refusals_are_counted(self):
        before = self.last()
        process = [self.domains.alpha.cdgate("grant", "list", identity="subscriber") for _ in range(30)]
        self.assertEqual({run.code for run in process}, {4})

        def counted():
            found = [entry for entry in self.since(before) if entry.get("who", "").endswith("/subscriber")]
            alone = sum(1 for entry in found if entry["kind"] == "refusal")
            return alone + sum(entry["count"] for entry in found if entry["kind"] == "summary") >= 30 and alone
        self.assertGreaterEqual(harness.wait_until(counted, "all refusals are accounted for"), 20)

    def test_a_refused_handshake(self):
        before = self.last()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        host, port = self.domains.alpha.api.split(":")
        try:
            with socket.create_connection((host, int(port))) as plain, context.wrap_socket(plain) as tls:
                tls.recv(1)
        except OSError:
            pass
        [entry] = harness.wait_until(lambda: self.refused_handshakes(before, "did not return a certificate"),
                                     "the refusal is written")
        self.assertEqual(entry["what"], "incoming handshake")
        self.assertIn(entry["outcome"], ("TLS_HANDSHAKE_FAILED", "CERTIFICATE_MISSING"))

    def refused_handshakes(self, before, detail):
        """Those and no others: a gateway of somebody else's may dial a port that was its peer's and is ours now."""
        return [entry for entry in self.since(before, "refusal")
                if entry["what"] == "incoming handshake" and detail in entry["detail"]]

    def test_a_handshake_that_the_ingress_refuses_has_its_address(self):
        before = self.last()
        stranger = self.path("stranger")
        for arguments in (["ca", "init", "alpha.example", "--ca", f"{stranger}/ca"],
                          ["cert", "issue", "service/ci", "--ca", f"{stranger}/ca", "--out", f"{stranger}/ci"]):
            self.assert_run(harness.run([harness.BINARY, *arguments]))
        context = ssl.create_default_context(cafile=self.bundle())
        context.check_hostname = False
        context.load_cert_chain(f"{stranger}/ci/tls.crt", f"{stranger}/ci/tls.key")
        host, port = self.domains.alpha.address("ingress").split(":")
        try:
            with socket.create_connection((host, int(port))) as plain, context.wrap_socket(plain) as tls:
                tls.recv(1)
        except OSError:
            pass
        [entry] = harness.wait_until(lambda: self.refused_handshakes(before, "CN=service/ci"), "the refusal is written")
        self.assertEqual((entry["what"], entry["from"]), ("incoming handshake", {"listener": "ingress", "address": "127.0.0.1"}))
        self.assertEqual((entry["who"], entry["outcome"]), ("spiffe://alpha.example/service/ci", "CERTIFICATE_UNTRUSTED"))

    def test_a_renewed_certificate_that_is_refused(self):
        before = self.last()
        path = os.path.join(self.domains.alpha.identity("gateway"), "tls.crt")
        with open(path, encoding="ascii") as file:
            good = file.read()
        with open(os.path.join(self.domains.alpha.identity("admin"), "tls.crt"), encoding="ascii") as file:
            other = file.read()
        try:
            with open(path, "w", encoding="ascii") as file:
                file.write(other)  # not of the key beside it
            [entry] = harness.wait_until(lambda: self.since(before, "identity"), "the refusal is written")
            self.assertEqual((entry["event"], entry["outcome"]), ("certificate refused", "CREDENTIALS_INVALID"))
            self.assertIn("tls.crt", entry["detail"])
        finally:
            with open(path, "w", encoding="ascii") as file:
                file.write(good)

    def test_a_refused_request(self):
        before = self.last()
        context = ssl.create_default_context(cafile=self.bundle())
        context.check_hostname = False
        request = urllib.request.Request(f"https://{self.domains.alpha.address('ingress')}/events", data=b"{}",
                                         headers={"Authorization": "Bearer cdgate_" + "A" * 48})
        with self.assertRaises(urllib.error.HTTPError):
            urllib.request.urlopen(request, context=context, timeout=10)
        [entry] = harness.wait_until(lambda: self.since(before, "refusal"), "the refusal is written")
        self.assertEqual((entry["from"]["listener"], entry["outcome"]), ("ingress", "ACCESS_TOKEN_INVALID"))
        self.assertNotIn("A" * 20, json.dumps(entry))

    def test_reading_is_recorded_on_the_local_socket_alone(self):
        before = self.last()
        self.assert_run(self.domains.alpha.cdgate("grant", "list"))
        self.assertEqual(self.since(before, "act"), [])
        local = re.search(r"local: *(\S+)", self.domains.alpha.config()).group(1)
        self.assert_run(harness.run([harness.BINARY, "grant", "list", "--gateway", f"unix:{local}"]))
        [entry] = self.since(before, "act")
        self.assertRegex(entry["who"], r"^local:\w+")
        self.assertEqual((entry["from"]["listener"], entry["what"]), ("local", SERVICE + "ListGrants"))

    def test_metrics_count_entries(self):
        metrics = self.domains.alpha.metrics()
        self.assertGreater(metrics['cdgate_audit_entries_total{kind="act"}'], 0)
        self.assertEqual(metrics["cdgate_audit_writable"], 1)
        self.assertGreater(metrics["cdgate_audit_last_checkpoint_timestamp_seconds"], 1e9)


class FilesTest(AuditTest):
    def copy(self, change):
        """Verifies a copy of the folder with the lines of its last file changed."""
        copy = self.path("copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.folder(), copy)
        name = sorted(glob.glob(os.path.join(copy, "*.jsonl")))[-1]
        with open(name, encoding="utf-8") as file:
            lines = file.read().splitlines()
        lines = change(lines)
        with open(name, "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines))
        found = self.verify(copy, "--bundle", self.bundle(), "-o", "json", code=1).json()["fault"]
        said = self.verify(copy, code=1).out
        self.assertIn(f"entry {found['number']} ", said)
        self.assertIn(os.path.basename(name), said)
        return found

    def test_a_log_is_fine(self):
        self.verify(self.folder(), "--bundle", self.bundle())
        said = self.assert_run(self.domains.alpha.cdgate("audit", "verify"))
        self.assertIn("are as they were written", said.out)
        self.assertIn("spiffe://alpha.example/gateway/gw1", said.out)
        self.assert_run(self.domains.alpha.cdgate("audit", "verify", identity="publisher"), 4)

    def test_a_flipped_byte_is_named(self):
        fault = self.copy(lambda lines: [*lines[:4], lines[4].replace('"who":"', '"who":"x', 1), *lines[5:]])
        self.assertEqual((fault["kind"], fault["number"], fault["line"]), ("altered", 5, 5))

    def test_a_dropped_entry_is_named(self):
        fault = self.copy(lambda lines: lines[:4] + lines[5:])
        self.assertEqual((fault["kind"], fault["number"], fault["line"]), ("missing", 5, 5))

    def test_reordered_entries_are_named(self):
        fault = self.copy(lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]])
        self.assertEqual((fault["kind"], fault["number"]), ("out_of_order", 5))

    def test_what_is_cut_off_the_end_is_known_to_the_gateway_and_in_its_log(self):
        known = re.findall(r'"audit log".*?"entry":"(\d+)","hash":"(\w{64})"', self.domains.alpha.log())[-1]
        copy = self.path("cut")
        shutil.copytree(self.folder(), copy)
        name = sorted(glob.glob(os.path.join(copy, "*.jsonl")))[-1]
        with open(name, encoding="utf-8") as file:
            lines = file.read().splitlines()[:3]
        with open(name, "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines))
        self.verify(copy, "--known", "3:" + json.loads(lines[2])["hash"])
        if int(known[0]) > 3:
            self.assertIn("cut", self.verify(copy, "--known", ":".join(known), code=1).out)

    def test_the_program_of_the_page_agrees(self):
        with open(PAGE, encoding="utf-8") as file:
            program = re.search(r"```python\n(.*?)```", file.read(), re.DOTALL).group(1)
        copy = self.path("for the page")
        shutil.copytree(self.folder(), copy)  # the gateway goes on writing
        name = sorted(glob.glob(os.path.join(copy, "*.jsonl")))[-1]
        with open(name, "r+", encoding="utf-8") as file:
            text = file.read()
            whole = text[:text.rindex("\n")]
            said = self.assert_run(harness.run([sys.executable, "-c", program, copy])).out
            self.assertIn(json.loads(whole.splitlines()[-1])["hash"], said)
            text = text.replace('"kind":"act"', '"kind":"axt"', 1)
            file.seek(0)
            file.write(text)
        self.assertEqual(harness.run([sys.executable, "-c", program, copy]).code, 1)

    def test_an_export_of_a_period_is_what_was_written(self):
        lines = self.lines()
        exported = self.assert_run(harness.run([harness.BINARY, "audit", "export", self.folder()])).out.splitlines()
        self.assertEqual(exported[:len(lines)], lines)
        self.assertEqual(self.lines()[:len(exported)], exported)
        start, end = json.loads(lines[3])["time"], json.loads(lines[9])["time"]
        exported = self.assert_run(self.domains.alpha.cdgate("audit", "export", "--from", start, "--to", end)).out.splitlines()
        self.assertEqual(exported, [line for line in lines if start <= json.loads(line)["time"] < end])
        self.assertGreaterEqual(len(exported), 6)
        table = self.assert_run(self.domains.alpha.cdgate("audit", "export", "-o", "table", "--to", end)).out
        self.assertIn("ApplyGrant", table)
        self.assertLessEqual(max(map(len, table.splitlines())), 100)
        looked = [entry["what"] for entry in self.entries() if "AuditService" in entry.get("what", "")]
        self.assertIn("/cdgate.admin.v1.AuditService/ExportAudit", looked)
        self.assert_run(self.domains.alpha.cdgate("audit", "export", identity="publisher"), 4)

    def test_kill_leaves_a_log_that_verifies(self):
        alpha = self.domains.alpha
        for number in range(3):
            made = alpha.cdgate("grant", "apply", f"killed-{number}", "--principal", "spiffe://alpha.example/service/x",
                                "--role", "subscriber")
            self.assert_run(made)
            alpha.kill()
            self.verify(self.folder(), "--bundle", self.bundle())
            # What was acknowledged is there.
            self.assertIn(f'"name":"killed-{number}"', "\n".join(self.lines()))
            alpha.start()
        names = [change["name"] for entry in self.entries() for change in entry.get("changes", [])
                 if change["name"].startswith("killed-")]
        self.assertEqual(names, ["killed-0", "killed-1", "killed-2"])  # each once
        self.assert_run(alpha.cdgate("audit", "verify"))
        # A line that a kill left unfinished.
        alpha.kill()
        name = sorted(glob.glob(os.path.join(self.folder(), "*.jsonl")))[-1]
        with open(name, "a", encoding="utf-8") as file:
            file.write(self.lines()[-1][:100])
        self.verify(self.folder(), "--bundle", self.bundle())
        alpha.start()
        self.assertIn("unfinished line cut off", "\n".join(self.lines()))
        self.assert_run(alpha.cdgate("audit", "verify"))


class FullDiskTest(AuditTest):
    """The audit folder is a small file system of its own, and full for a while."""

    def tearDown(self):
        if os.path.ismount(self.folder()):
            self.domains.alpha.kill()
            harness.run(["umount", self.folder()])

    def test_changes_are_refused_and_events_go_on(self):
        alpha = self.domains.alpha
        alpha.kill()
        shutil.rmtree(self.folder())
        os.makedirs(self.folder(), mode=0o700)
        if harness.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs", self.folder()]).code != 0:
            alpha.start()
            self.skipTest("file systems cannot be mounted here")
        alpha.start()
        filler = os.path.join(self.folder(), "filler")
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 1024)
            except OSError:
                pass

        def grant(name):
            return alpha.cdgate("grant", "apply", name, "--principal", "spiffe://alpha.example/service/x", "--role",
                                "subscriber")
        # What is left of the last page may take a few entries.
        refused = harness.wait_until(lambda: next((run for run in map(grant, ("a", "b", "c", "d")) if run.code != 0), None),
                                     "a change is refused")
        self.assertIn("disk_full", refused.err)
        self.assertIn(self.folder(), refused.err)
        self.assertEqual(alpha.metrics()["cdgate_audit_writable"], 0)
        self.assertIn("administrative changes are refused", alpha.cdgate("status").out)
        event = json.dumps(harness.cdevent("while-it-is-full"))
        self.assert_run(alpha.cdgate("publish", "-", identity="publisher", input=event))
        os.remove(filler)
        harness.wait_until(lambda: grant("after").code == 0, "changes are taken again")
        self.assertIn('"event":"written again"', "\n".join(self.lines()))
        self.assertIn('"name":"after"', "\n".join(self.lines()))
        self.verify(self.folder(), "--bundle", self.bundle())
        self.assert_run(alpha.cdgate("audit", "verify"))


if __name__ == "__main__":
    harness.main()
