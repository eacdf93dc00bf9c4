#!/usr/bin/env python3
"""The verifier that was written from docs/attestation.md agrees with the gateway's vectors."""
import copy
import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
VERIFIER = os.path.join(HERE, "..", "..", "..", "deploy", "examples", "verify_attestation.py")
VECTORS = os.path.join(HERE, "testdata", "vectors.json")


class VerifyAttestationTest(unittest.TestCase):
    def setUp(self):
        with open(VECTORS, encoding="utf-8") as file:
            self.vectors = json.load(file)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write(self, name, content):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
        return path

    def run_verifier(self, *arguments):
        return subprocess.run([sys.executable, "-B", VERIFIER, *arguments], capture_output=True, text=True,
                              check=False)

    def verify(self, name, *, domains=("alpha.example", "beta.example"), change=None):
        """What is said of the event of that vector, written to a file by itself."""
        vector = next(one for one in self.vectors["vectors"]
                      if one["kind"] == "event" and one["name"] == name)
        event = {"version": 1, "receiver": vector["receiver"], "event": vector["event"],
                 "senderStatement": vector["sender_statement"]}
        event["attestors"] = self.vectors["attestors"]
        if change:
            change(event)
        bundles = [f"--bundle={domain}=" + self.write(domain, self.vectors["bundles"][domain])
                   for domain in domains]
        return self.run_verifier(self.write("event.json", json.dumps(event)), *bundles)

    def test_every_vector_is_as_the_file_says(self):
        done = self.run_verifier(VECTORS)
        wrong = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
        self.assertEqual((done.returncode, wrong), (0, []), done.stderr)
        self.assertEqual(done.stdout.splitlines()[-1],
                         f"{len(self.vectors['vectors'])} vectors, 0 not as expected")

    def test_every_vector_counts(self):
        turned = copy.deepcopy(self.vectors)
        for vector in turned["vectors"]:
            part = next(part for part in ("verdict", "link", "commitment", "root") if part in vector)
            vector[part] = "other"
        done = self.run_verifier(self.write("turned.json", json.dumps(turned)))
        self.assertEqual(done.returncode, 1)
        count = len(turned["vectors"])
        self.assertEqual(done.stdout.splitlines()[-1], f"{count} vectors, {count} not as expected")

    def test_an_event_of_its_own_file(self):
        done = self.verify("altered on the way, by fields")
        self.assertEqual((done.returncode, done.stdout), (0, "fields\n"), done.stderr)

    def test_without_the_statement_of_the_sender_what_was_altered_last_is_unproven(self):
        done = self.verify("altered on the way, by fields", change=lambda event: event.pop("senderStatement"))
        self.assertEqual((done.returncode, done.stdout),
                         (1, "unproven: nobody signed what was withheld or replaced last\n"), done.stderr)
        done = self.verify("over one domain, by fields", change=lambda event: event.pop("senderStatement"))
        self.assertEqual((done.returncode, done.stdout), (0, "unaltered\n"), done.stderr)

    def test_another_version_is_not_read(self):
        for version in (0, 2, "1"):
            done = self.verify("altered on the way, by fields", change=lambda event: event.update(version=version))
            self.assertEqual((done.returncode, done.stderr), (1, "not an event file of version 1\n"))

    def test_what_nobody_signed_is_unproven(self):
        def unsign(event):
            event.pop("senderStatement")
            event["event"].pop("statements")
        done = self.verify("from its origin, by fields", change=unsign)
        self.assertEqual((done.returncode, done.stdout), (1, "unproven: nobody signed this content\n"))

    def test_what_is_false_says_what(self):
        done = self.verify("a changed kept field")
        self.assertEqual((done.returncode, done.stdout),
                         (1, "invalid: a field of the copy is not what the origin committed to\n"))

    def test_only_bundles_that_are_given_count(self):
        done = self.verify("altered on the way, by fields", domains=("beta.example",))
        self.assertEqual((done.returncode, done.stdout),
                         (1, "unproven: a key of alpha.example is not known\n"))

    def test_another_receiver_cannot_show_it_as_its_own(self):
        done = self.verify("over one domain, by fields",
                           change=lambda event: event.update(receiver="delta.example"))
        self.assertEqual((done.returncode, done.stdout),
                         (1, "invalid: the sender's statement is not about this event\n"))


if __name__ == "__main__":
    unittest.main()
