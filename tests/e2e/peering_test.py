#!/usr/bin/env python3
"""Two gateways that know nothing of each other peer in two commands on each side, where the inviter
can be dialled and where it cannot; a reused, expired, altered or guessed invite is refused."""
import base64
import os
import random
import time

import harness


class PeeringTest(harness.DomainsTest):
    def setUp(self):
        self.alpha, self.beta = self.domains.alpha, self.domains.beta
        for domain, peer in ((self.alpha, self.beta), (self.beta, self.alpha)):
            domain.cdgate("peer", "remove", peer.name)  # of the quickstart, or of the test before

    def token(self, *options):
        return self.assert_run(self.alpha.cdgate("peer", "invite", "-o", "json", *options)).json()["token"]

    def accept(self, token, *options):
        return self.beta.cdgate("peer", "accept", "-", *options, input=token)

    def assert_refused(self, result, *reasons):
        self.assertIn(result.code, (1, 4), str(result))
        self.assertTrue(any(f"({reason})" in result.err for reason in reasons), str(result))
        self.assertEqual(self.alpha.cdgate("peer", "show", "beta.example").code, 1)

    def assert_peered_within_a_minute(self, began):
        self.domains.wait_for_link()
        self.assertLess(time.monotonic() - began, 60)

    # --- two commands on each side

    def test_two_commands_each_where_the_inviter_can_be_dialled(self):
        began = time.monotonic()
        token = self.token()                                                                # alpha, 1
        self.assert_run(self.accept(token))                                                 # beta, 1
        self.assert_run(self.beta.cdgate("peer", "approve", "alpha.example"))               # beta, 2
        self.assert_run(self.alpha.cdgate("peer", "approve", "beta.example"))               # alpha, 2
        self.assert_peered_within_a_minute(began)

    def test_two_commands_each_where_the_inviter_cannot_be_dialled(self):
        began = time.monotonic()
        token = self.token("--offline")                                                     # alpha, 1
        accepted = self.assert_run(self.accept(token, "--offline", "-o", "json")).json()    # beta, 1
        self.assert_run(self.alpha.cdgate("peer", "approve", "-", input=accepted["reply_code"]))  # alpha, 2
        self.assert_run(self.beta.cdgate("peer", "approve", "alpha.example"))               # beta, 2
        self.assert_peered_within_a_minute(began)

    # --- what is no invite

    def test_a_reused_invite(self):
        token = self.token()
        self.assert_run(self.accept(token))
        for domain, peer in ((self.alpha, self.beta), (self.beta, self.alpha)):
            self.assert_run(domain.cdgate("peer", "remove", peer.name))
        self.assert_refused(self.accept(token), "invite_invalid")

    def test_an_altered_invite(self):
        token = self.token()
        prefix, body = token[:len("cdgate-invite-")], token[len("cdgate-invite-"):]
        generator = random.Random(7)
        for _ in range(20):
            place = generator.randrange(len(body))
            other = generator.choice([c for c in "ABCDEFGHabcdefgh0123-_" if c != body[place]])
            altered = prefix + body[:place] + other + body[place + 1:]
            # The last character may hold bits that belong to nothing.
            if base64.urlsafe_b64decode(altered[len(prefix):] + "==") == base64.urlsafe_b64decode(body + "=="):
                continue
            self.assert_refused(self.accept(altered), "invite_malformed")
        self.assert_refused(self.accept(token[:-5]), "invite_malformed")
        self.assert_run(self.accept(token))  # none of that used it up

    def test_an_expired_invite(self):
        clock = self.path("late.clock")
        harness.set_clock(clock, 90)
        late = harness.false_clock(clock)
        token = self.token("--ttl", "1m")
        # beta's clock is past the token's end; then alpha's alone.
        for domain in (self.beta, self.alpha):
            domain.kill()
            domain.start_behind(*late)
            domain.wait_until_it_serves()
            self.assert_refused(self.accept(token), "invite_invalid")
            domain.kill()
            domain.start()

    def test_a_guessed_invite(self):
        """What is made up has no checksum; a token of another inviter names no invite of ours."""
        made_up = "cdgate-invite-" + base64.urlsafe_b64encode(os.urandom(150)).decode().rstrip("=")
        self.assert_refused(self.accept(made_up), "invite_malformed")
        revoked = self.assert_run(self.alpha.cdgate("peer", "invite", "-o", "json")).json()
        self.assert_run(self.alpha.cdgate("peer", "invite", "--revoke", revoked["invite_id"]))
        self.assert_refused(self.accept(revoked["token"]), "invite_invalid")


if __name__ == "__main__":
    harness.main()
