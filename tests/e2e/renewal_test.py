#!/usr/bin/env python3
"""Gateways renew their own certificates before these end: alpha from its CA, beta by a
command. What fails raises an alarm and leaves the last good certificate in use; events go on
crossing all the while.
"""
import json
import os
import re
import ssl

import harness
from harness import cdevent

# Seconds. With a time before the end that is longer than that, a certificate is renewed at once
# where the gateway found it, and when half of it is left where it was renewed.
LIFETIME_S = 60
RENEWED = 'cdgate_certificate_renewals_total{result="renewed"}'
FAILED = 'cdgate_certificate_renewals_total{result="failed"}'

HOOK = """#!/bin/sh
# An outside PKI: issues into the folder that the gateway names.
set -eu
[ ! -e "{dir}/closed" ] || {{ echo "the PKI is closed" >&2; exit 3; }}
[ "$CDGATE_SPIFFE_ID" = spiffe://beta.example/gateway/gw1 ]
exec "{cdgate}" cert issue gateway/gw1 --ca "{ca}" --dns localhost --ip 127.0.0.1 \\
    --valid {lifetime}s --out "$CDGATE_RENEWAL_DIR"
"""


class RenewalTest(harness.DomainsTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        alpha, beta = cls.domains.alpha, cls.domains.beta
        hook = os.path.join(cls.dir, "hook.sh")
        with open(hook, "w", encoding="utf-8") as file:
            file.write(HOOK.format(dir=cls.dir, cdgate=harness.BINARY, ca=beta.ca(), lifetime=LIFETIME_S))
        os.chmod(hook, 0o755)
        cls.restart(alpha, f"ca: {alpha.ca()}, validity: {LIFETIME_S}s, before: 3000d")
        cls.restart(beta, f"command: [{hook}], command_timeout: 30s, before: 3000d")
        cls.domains.wait_for_link()

    @classmethod
    def restart(cls, domain, renewal):
        """Serves with this renewal."""
        domain.kill()
        # The first is the identity's; the attestor goes on as it is.
        config = re.sub(r"  renewal:\n    ca: .*\n", f"  renewal: {{{renewal}}}\n", domain.config(), count=1)
        assert renewal in config
        with open(os.path.join(domain.dir, "gateway.yaml"), "w", encoding="utf-8") as file:
            file.write(config)
        domain.start()

    def certificate(self, domain):
        """The serial and the end of the gateway's certificate on disk."""
        shown = harness.run([harness.BINARY, "cert", "show", domain.identity("gateway"), "-o", "json"])
        leaf = self.assert_run(shown).json()[0]
        return leaf["serial"], leaf["not_after"]

    def shown_serial(self, domain):
        """The serial of the certificate that a client is shown."""
        host, _, port = domain.address("ingress").rpartition(":")
        pem = ssl.get_server_certificate((host, int(port)))
        path = self.path("shown.pem")
        with open(path, "w", encoding="utf-8") as file:
            file.write(pem)
        return self.assert_run(harness.run([harness.BINARY, "cert", "show", path, "-o", "json"])).json()[0]["serial"]

    def crosses(self, event_id):
        """An event from alpha arrives in beta."""
        event = json.dumps(cdevent(event_id))
        self.assert_run(self.domains.alpha.cdgate("publish", "-", identity="publisher", input=event))
        self.subscribe(self.domains.beta, 1, event_id)

    def renewals(self, domain, name=RENEWED):
        return domain.metrics().get(name, 0)

    def test_1_both_renew_again_and_again_and_events_cross(self):
        for domain in (self.domains.alpha, self.domains.beta):
            harness.wait_until(lambda: self.renewals(domain) >= 1, f"{domain.name} renews", timeout=180)
        self.crosses("renewed-once")
        first = {domain: self.certificate(domain) for domain in (self.domains.alpha, self.domains.beta)}
        for domain in (self.domains.alpha, self.domains.beta):
            harness.wait_until(lambda: self.renewals(domain) >= 2, f"{domain.name} renews again", timeout=180)
            serial, end = harness.wait_until(
                lambda: self.certificate(domain) if self.certificate(domain) != first[domain] else None,
                "another certificate is in place")
            self.assertNotEqual(serial, first[domain][0])
            self.assertGreater(end, first[domain][1])
            self.assertEqual(self.renewals(domain, FAILED), 0, domain.log())
        self.crosses("renewed-twice")

    def test_2_what_is_shown_is_the_renewed_one(self):
        def same():
            return self.shown_serial(self.domains.alpha) == self.certificate(self.domains.alpha)[0]
        harness.wait_until(same, "the ingress shows the certificate on disk")

    def test_3_the_ca_has_them_in_its_register(self):
        listed = harness.run([harness.BINARY, "cert", "list", "--ca", self.domains.alpha.ca(), "-o", "json"])
        serials = {entry["serial"] for entry in self.assert_run(listed).json()}
        self.assertIn(self.certificate(self.domains.alpha)[0], serials)

    def test_4_a_failing_hook_raises_an_alarm_and_keeps_the_last_good_one(self):
        beta = self.domains.beta
        open(self.path("closed"), "w", encoding="utf-8").close()
        failed = self.renewals(beta, FAILED)
        harness.wait_until(lambda: self.renewals(beta, FAILED) > failed, "the hook fails", timeout=180)
        in_place = self.certificate(beta)
        status = self.assert_run(beta.cdgate("status", "-o", "json")).out
        self.assertIn("was not renewed", status)
        self.assertIn("the PKI is closed", status)
        self.crosses("while-the-hook-fails")
        self.assertEqual(self.certificate(beta), in_place)
        os.remove(self.path("closed"))
        renewed = self.renewals(beta)
        harness.wait_until(lambda: self.renewals(beta) > renewed, "the hook works again", timeout=180)
        self.assertNotIn("was not renewed", self.assert_run(beta.cdgate("status", "-o", "json")).out)
        self.crosses("after-the-hook-failed")

    def test_5_an_end_while_the_gateway_is_down_is_made_good_at_the_start(self):
        alpha = self.domains.alpha
        alpha.kill()
        old = harness.run([harness.BINARY, "cert", "issue", "gateway/gw1", "--ca", alpha.ca(), "--dns", "localhost",
                           "--ip", "127.0.0.1", "--valid", "1s", "--out", alpha.identity("gateway")])
        self.assert_run(old)
        serial, _ = self.certificate(alpha)

        def over():
            verified = harness.run(["openssl", "x509", "-checkend", "0", "-noout", "-in",
                                    os.path.join(alpha.identity("gateway"), "tls.crt")])
            return verified.code == 1
        harness.wait_until(over, "the certificate ends", timeout=10)
        alpha.start()
        self.assertNotEqual(self.certificate(alpha)[0], serial)
        self.domains.wait_for_link()
        self.crosses("after-the-start")


if __name__ == "__main__":
    harness.main()
