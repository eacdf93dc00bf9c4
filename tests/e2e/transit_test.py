#!/usr/bin/env python3
"""Events go on from domain to domain where terms and policies allow it, with what shows whose they
are; over two ways they arrive once.

alpha and beta are peers, gamma is beta's. gamma holds alpha's bundle, set by hand, and has no
agreement with it, but where a test makes one."""
import harness
import three_domains


class TransitTest(three_domains.Chain):
    def test_an_event_goes_on_as_it_was_written(self):
        self.send_on()
        self.send("whole", secret="s3cr3t")
        event = self.arrived(self.gamma, "whole")
        self.assertEqual(self.data(event), self.data(self.arrived(self.alpha, "whole")))

    def test_what_was_removed_on_the_way_is_gone_and_the_rest_verifies(self):
        self.send_on(redact=["customData.secret"])
        self.send("redacted", secret="s3cr3t", kept="kept")
        event = self.arrived(self.gamma, "redacted")
        self.assertEqual(self.data(event)["customData"], {"kept": "kept"})

    def test_terms_that_end_at_the_receiver_end_there(self):
        self.send_on()
        self.send("stays", onward=0)
        self.arrived(self.beta, "stays")
        self.send("goes")
        self.arrived(self.gamma, "goes")
        explained = self.assert_run(self.beta.cdgate("who-got", "stays")).out
        self.assertIn("terms_exceeded", explained)


if __name__ == "__main__":
    harness.main()
