#!/usr/bin/env python3
"""What a gateway has of an event is shown to who has no gateway: `cdgate get --proof` writes it,
`cdgate verify` and the verifier that was written from the documentation say the same of it.

alpha publishes, beta removes a member and passes it on, gamma has it."""
import base64
import json
import os
import subprocess
import sys

import harness
import three_domains

VERIFIER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "deploy", "examples",
                        "verify_attestation.py")


class VerifyTest(three_domains.Chain):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.give()
        cls.send_on(redact=["customData.secret"])
        event = harness.cdevent("shown", secret="s3cr3t", kept="kept")
        sent = cls.alpha.cdgate("publish", "-", identity="publisher", input=json.dumps(event))
        assert sent.code == 0, str(sent)

    def proof(self, domain):
        self.subscribe(domain, 1, "shown")
        return self.assert_run(domain.cdgate("get", "shown", "--proof", identity="subscriber")).json()

    def judge(self, file, bundles=None):
        """What both say of it: (exit code, proof or reason) and (exit code, word)."""
        path = os.path.join(self.gamma.dir, "event.json")
        with open(path, "w", encoding="utf-8") as out:
            json.dump(file, out)
        if bundles is None:
            bundles = {domain.name: domain for domain in (self.alpha, self.beta)}
        flags = [f"--bundle={name}={self.bundle(domain)}" for name, domain in bundles.items()]
        ours = harness.run([harness.BINARY, "verify", path, *flags, "-o", "json"])
        self.assertIn(ours.code, (0, 1), str(ours))
        said = ours.json()
        self.assertEqual(said["proven"], ours.code == 0)
        theirs = subprocess.run([sys.executable, "-B", VERIFIER, path, *flags], capture_output=True, text=True,
                                check=False)
        return (ours.code, said.get("proof", said.get("reason"))), (theirs.returncode, theirs.stdout.split(":")[0].strip())

    def assert_both(self, file, ours, word, bundles=None):
        code = 0 if word == ours else 1
        self.assertEqual(self.judge(file, bundles), ((code, ours), (code, word)))

    def assert_invalid(self, file):
        self.assert_both(file, "ATTESTATION_INVALID", "invalid")

    def change_data(self, file, old, new):
        """Puts `new` for `old` into the event, lengths of protobuf included."""
        raw = base64.b64decode(file["event"]["cloudEvent"])
        self.assertIn(old, raw)
        self.assertEqual(len(old), len(new))
        file["event"]["cloudEvent"] = base64.b64encode(raw.replace(old, new)).decode()
        return file

    def test_gamma_shows_all_of_the_way(self):
        file = self.proof(self.gamma)
        self.assertEqual((file["version"], file["receiver"], file["event"]["path"]),
                         (1, "gamma.example", ["alpha.example", "beta.example"]))
        self.assertNotIn("s3cr3t", base64.b64decode(file["event"]["cloudEvent"]).decode("utf-8", "replace"))
        self.assert_both(file, "fields", "fields")
        path = os.path.join(self.gamma.dir, "shown.json")
        with open(path, "w", encoding="utf-8") as out:
            json.dump(file, out)
        shown = self.assert_run(harness.run([
            harness.BINARY, "verify", path, f"--bundle=alpha.example={self.bundle(self.alpha)}",
            f"--bundle=beta.example={self.bundle(self.beta)}"])).out
        self.assertIn("spiffe://alpha.example/attestor/gw1", shown)
        self.assertIn("withheld    /customData/secret, by beta.example\n", shown)
        self.assertIn("terms: onward 3", shown)
        self.assertIn("proven      of alpha.example, as gamma.example has it\n", shown)

    def test_those_before_show_their_part(self):
        self.assert_both(self.proof(self.beta), "unaltered", "unaltered")
        own = self.proof(self.alpha)
        self.assertEqual((len(own["event"]["statements"]), own["event"].get("path", [])), (1, []))
        self.assert_both(own, "unaltered", "unaltered")
        own["event"]["salt"] = base64.b64encode(b"x" * 16).decode()
        self.assert_invalid(own)

    def test_a_changed_kept_field_is_seen(self):
        self.assert_invalid(self.change_data(self.proof(self.gamma), b'"kept"', b'"keqt"'))

    def test_what_was_dropped_cannot_be_put_back(self):
        raw = base64.b64decode(self.proof(self.beta)["event"]["cloudEvent"])
        file = self.proof(self.gamma)
        file["event"]["cloudEvent"] = base64.b64encode(raw).decode()
        self.assert_invalid(file)

    def test_loosened_terms_are_seen(self):
        file = self.proof(self.gamma)
        terms = file["event"]["export"].setdefault("terms", {})
        terms["onward"] = 2 if terms.get("onward", 0) != 2 else 1
        self.assert_invalid(file)
        file = self.proof(self.gamma)
        statement = bytearray(base64.b64decode(file["event"]["statements"][1]))
        place = statement.rindex(b"\x08\x03")
        statement[place + 1] = 9
        file["event"]["statements"][1] = base64.b64encode(statement).decode()
        self.assert_invalid(file)

    def test_another_bundle_proves_nothing(self):
        file = self.proof(self.gamma)
        others = {"alpha.example": self.beta, "beta.example": self.beta}
        path = os.path.join(self.gamma.dir, "other.json")
        with open(path, "w", encoding="utf-8") as out:
            json.dump(file, out)
        flags = [f"--bundle={name}={self.bundle(domain)}" for name, domain in others.items()]
        ours = harness.run([harness.BINARY, "verify", path, *flags])
        self.assertNotEqual(ours.code, 0)
        theirs = subprocess.run([sys.executable, "-B", VERIFIER, path, *flags], capture_output=True, text=True,
                                check=False)
        self.assertEqual((theirs.returncode, theirs.stdout.split(":")[0]), (1, "unproven"))
        self.assert_both(file, "ATTESTATION_UNPROVEN", "unproven", bundles={"beta.example": self.beta})

    def test_who_may_not_read_it_gets_no_proof(self):
        refused = self.gamma.cdgate("get", "shown", "--proof", identity="publisher")
        self.assertNotEqual(refused.code, 0)
        self.assertNotIn("cloudEvent", refused.out)


if __name__ == "__main__":
    harness.main()
