#!/usr/bin/env python3
"""Two domains that cannot dial each other's enrolment listener peer by two codes, carried by
hand, and then relay. Before both sides have approved, nothing crosses."""
import datetime
import json

import harness
from harness import cdevent


class OfflineTest(harness.DomainsTest):
    """alpha invites and has no enrolment listener; the agreement that the quickstart made is
    ended first."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        alpha, beta = cls.domains.alpha, cls.domains.beta
        for domain, peer in ((alpha, beta), (beta, alpha)):
            result = domain.cdgate("peer", "remove", peer.name)
            assert result.code == 0, str(result)
        alpha.kill()
        config = "".join(line for line in alpha.config().splitlines(keepends=True) if "enrolment:" not in line)
        with open(f"{alpha.dir}/gateway.yaml", "w", encoding="utf-8") as file:
            file.write(config)
        alpha.start()

    def setUp(self):
        self.alpha, self.beta = self.domains.alpha, self.domains.beta

    def publish(self, event_id):
        self.assert_run(self.alpha.cdgate("publish", "-", identity="publisher", input=json.dumps(cdevent(event_id))))

    def invite(self, *options):
        return self.assert_run(self.alpha.cdgate("peer", "invite", "--offline", "-o", "json", *options)).json()

    def accept(self, token):
        return self.assert_run(self.beta.cdgate("peer", "accept", "--offline", "-", "-o", "json", input=token)).json()

    def assert_refused(self, result, reason, *texts):
        """It fails with the reason, and says all of the texts."""
        self.assertEqual(result.code, 4 if reason == "INVITE_INVALID" else 1, str(result))
        for text in (f"({reason.lower()})", *texts):
            self.assertIn(text, result.err)

    def test_two_codes_make_a_link_that_relays(self):
        refused = self.alpha.cdgate("peer", "invite")
        self.assert_refused(refused, "INVALID_CONFIG", "--offline")

        invite = self.invite("--domain", "beta.example", "--purpose", "by hand", "--agreement-for", "90d",
                             "--contact", "ops@alpha.example")
        shown = self.assert_run(self.beta.cdgate("peer", "accept", "--show", invite["token"], "-o", "json")).json()
        self.assertEqual((shown["purpose"], shown["contacts"], shown["fingerprint"]),
                         ("by hand", ["ops@alpha.example"], invite["fingerprint"]))
        self.assertEqual(self.beta.cdgate("peer", "show", "alpha.example").code, 1, "to look is not to accept")
        accepted = self.accept(invite["token"])
        self.assertEqual(accepted["peer_fingerprint"], invite["fingerprint"])
        self.assert_run(self.beta.cdgate("peer", "approve", "alpha.example", "--fingerprint", invite["fingerprint"]))
        # The accepter has consented, the inviter has not: nothing crosses, not even later.
        self.publish("before-consent")
        self.assertEqual(self.beta.cdgate("who-got", "before-consent").code, 1)

        code = accepted["reply_code"]
        wrong = self.alpha.cdgate("peer", "approve", code, "--fingerprint", invite["fingerprint"])
        self.assert_refused(wrong, "FINGERPRINT_DIFFERS", accepted["our_fingerprint"])
        self.assert_refused(self.alpha.cdgate("peer", "approve", code[:-9]), "INVITE_MALFORMED", "copy it again")
        self.assert_run(self.alpha.cdgate("peer", "approve", "-", "--fingerprint", accepted["our_fingerprint"], input=code))
        self.domains.wait_for_link()
        ends = {self.assert_run(domain.cdgate("peer", "show", peer.name, "-o", "json")).json()["peer"]["expire_time"]
                for domain, peer in ((self.alpha, self.beta), (self.beta, self.alpha))}
        self.assertEqual(len(ends), 1, ends)
        days = (datetime.datetime.fromisoformat(ends.pop().replace("Z", "+00:00"))
                - datetime.datetime.now(datetime.timezone.utc)).days
        self.assertIn(days, (89, 90, 91))
        self.publish("after-consent")
        received = self.subscribe(self.beta, 1, "%-consent")
        self.assertEqual([(line["event"]["context"]["id"], line["origin"]) for line in received],
                         [("after-consent", "alpha.example")])
        self.assertEqual(self.beta.cdgate("who-got", "before-consent").code, 1)

        self.assert_refused(self.alpha.cdgate("peer", "approve", code), "INVITE_INVALID", "used by beta.example",
                            "cdgate peer invite --offline")
        self.assert_refused(self.beta.cdgate("peer", "accept", "--offline", invite["token"]), "ALREADY_EXISTS",
                            "cdgate peer remove")

    def test_refusals_say_what_to_do(self):
        other = self.invite("--domain", "gamma.example")
        self.assert_refused(self.beta.cdgate("peer", "accept", "--offline", other["token"]), "INVITE_INVALID",
                            "for gamma.example")
        self.assert_run(self.alpha.cdgate("peer", "invite", "--revoke", other["invite_id"]))
        again = self.alpha.cdgate("peer", "invite", "--revoke", other["invite_id"])
        self.assert_refused(again, "NOT_FOUND")
        typo = self.alpha.cdgate("peer", "approve", "cdgate-repl" + other["token"][20:])
        self.assert_refused(typo, "INVITE_MALFORMED", "cdgate-reply-")
        self.assert_refused(self.alpha.cdgate("peer", "approve", other["token"]), "INVITE_MALFORMED", "cdgate peer accept")

    def test_the_table_form_shows_the_reply_code_and_what_comes_next(self):
        result = self.assert_run(self.alpha.cdgate("peer", "invite", "--offline"))
        self.assertRegex(result.out, r"^cdgate-invite-[\w-]+\n$")
        for text in ("cdgate peer accept --offline", "cdgate peer approve CODE"):
            self.assertIn(text, result.err)


if __name__ == "__main__":
    harness.main()
