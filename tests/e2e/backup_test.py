#!/usr/bin/env python3
"""A gateway that loses its disk comes back from a backup: peers get nothing twice and miss nothing,
and what they have of its events comes home."""
import json
import os
import shutil
import subprocess

import harness


class BackupTest(harness.DomainsTest):
    def setUp(self):
        self.alpha, self.beta = self.domains.alpha, self.domains.beta
        self.domains.wait_for_link()

    def publish(self, *ids, kind="service.deployed.0.2.0", **custom):
        lines = "\n".join(json.dumps(harness.cdevent(one, kind, **custom)) for one in ids)
        self.assert_run(self.alpha.cdgate("publish", "-", identity="publisher", input=lines, timeout=240))

    def ids(self, domain, count, pattern):
        return [line["event"]["context"]["id"] for line in self.subscribe(domain, count, pattern)]

    def data(self, domain):
        return os.path.join(domain.dir, "data")

    def verify(self, folder):
        return harness.run([harness.BINARY, "backup", "verify", folder])

    def restore(self, backup, data):
        return harness.run([harness.BINARY, "restore", backup, "--data-dir", data])

    def status(self):
        shown = self.assert_run(self.alpha.cdgate("restore", "status", "-o", "json")).json()
        return shown, {peer["peer"]: peer for peer in shown.get("peers", [])}

    def lost(self):
        """What beta has of ours and we lost; none while it was not heard."""
        return self.status()[1]["beta.example"].get("lost", [])

    def test_what_was_lost_comes_back_from_the_peer(self):
        before = [f"b-{n}" for n in range(5)]
        after = [f"b-after-{n}" for n in range(5)]
        self.publish(*before)
        self.ids(self.beta, 5, "b-%")
        backup = self.path("monday")
        made = self.assert_run(self.alpha.cdgate("backup", backup, "-o", "json")).json()
        head = int(made["head_sequence"])
        self.assert_run(self.verify(backup))
        again = self.alpha.cdgate("backup", backup)
        self.assertIn("already_exists", again.err)
        self.publish(*after)
        self.publish("b-stays", kind="pipelinerun.finished.0.2.0")  # alpha's policy keeps it
        self.assertEqual(self.ids(self.beta, 10, "b-%"), before + after)

        refused = self.restore(backup, self.data(self.alpha))
        self.assertIn("log_locked", refused.err)
        self.alpha.kill()
        refused = self.restore(backup, self.data(self.alpha))
        self.assertIn("already_exists", refused.err)
        shutil.rmtree(self.data(self.alpha))
        self.assert_run(self.restore(backup, self.data(self.alpha)))
        self.alpha.start()
        lost = harness.wait_until(self.lost, "beta names its place")
        shown, _ = self.status()
        self.assertEqual((shown["restored"], int(shown["head_sequence"]), shown["epoch_before"]),
                         (True, head, made["epoch"]))
        self.assertEqual([(one["epoch"], int(one["first_sequence"])) for one in lost], [(made["epoch"], head + 1)])
        self.assertGreaterEqual(int(lost[0]["last_sequence"]), head + 5)
        self.assertLess(int(lost[0]["last_sequence"]), head + 7)

        fetched = self.assert_run(self.alpha.cdgate("restore", "fetch", "beta.example", "-o", "json")).json()
        self.assertEqual(int(fetched["recovered"]), 5, fetched)
        repeated = self.assert_run(self.alpha.cdgate("restore", "fetch", "beta.example", "-o", "json")).json()
        self.assertEqual(int(repeated.get("recovered", 0)), 0, repeated)
        self.assertGreaterEqual(int(repeated["present"]), 5)

        # A publisher that does not know whether it was heard says it again: it was.
        self.publish(*after)
        self.publish("b-new", "b-last")
        self.domains.wait_for_link()
        everything = before + after + ["b-new", "b-last"]
        self.assertEqual(self.ids(self.beta, 12, "b-%"), everything)
        self.assertEqual(sorted(self.ids(self.alpha, 12, "b-%")), sorted(everything))
        who_got = self.assert_run(self.alpha.cdgate("who-got", "b-after-0", "-o", "json")).out
        self.assertIn("split_horizon", who_got)

    def test_a_damaged_backup_is_refused(self):
        self.publish("damage")
        backup = self.path("damaged")
        self.assert_run(self.alpha.cdgate("backup", backup))
        key = os.path.join(backup, "data", "secrets", "sealing.key")
        with open(key, "r+b") as file:
            file.write(b"x")
        for told in (self.verify(backup), self.restore(backup, self.path("nowhere"))):
            self.assertNotEqual(told.code, 0)
            self.assertIn("backup_invalid", told.err)
            self.assertIn("sealing.key", told.err)
        self.assertFalse(os.path.exists(self.path("nowhere")))

    def test_a_kill_leaves_no_whole_looking_backup(self):
        self.publish(*[f"bulk-{n}" for n in range(3000)], padding="x" * 2000)
        backup = self.path("cut")
        for _ in range(5):
            run = subprocess.Popen([harness.BINARY, "backup", backup, "--gateway", self.alpha.api, "--identity",
                                    self.alpha.identity("admin")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            harness.wait_until(lambda: os.path.exists(backup + ".partial") or run.poll() is not None, "it begins")
            self.alpha.kill()
            run.wait(timeout=60)
            whole = os.path.exists(backup)
            self.alpha.start()
            if not whole:
                break
            self.assert_run(self.verify(backup))
            shutil.rmtree(backup)
        self.assertFalse(whole, "no kill came in between")
        self.assertNotEqual(self.verify(backup).code, 0)
        self.assert_run(self.alpha.cdgate("backup", backup))
        self.assert_run(self.verify(backup))
        self.assertFalse(os.path.exists(backup + ".partial"))
        self.assertFalse(os.path.exists(os.path.join(self.data(self.alpha), "backup.tmp")))


if __name__ == "__main__":
    harness.main()
