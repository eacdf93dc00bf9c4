#!/usr/bin/env python3
"""Who comes without the right certificate gets nothing, and the gateway counts why.

What the TLS library itself refuses before the gateway's verifier is asked is counted as
tls_handshake_failed; everything else has a reason of its own.
"""
import datetime
import json
import os
import shutil

import harness
from bad_input_test import envelope
from harness import cdevent

CONFIG = """
[ca]
default_ca = test
[test]
database = {dir}/index.txt
new_certs_dir = {dir}
certificate = {ca}/ca.crt
private_key = {ca}/ca.key
rand_serial = yes
default_md = sha256
unique_subject = no
policy = any
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = {usage}
subjectAltName = {names}
"""
PUBLISHER = "URI:spiffe://alpha.example/service/publisher"


class CertificateTest(harness.DomainsTest):
    def openssl(self, *arguments):
        result = harness.run(["openssl", *arguments])
        self.assertEqual(result.code, 0, str(result))

    def issue(self, name, names=PUBLISHER, usage="clientAuth, serverAuth", start=-1, end=1, ca=None):
        """An identity directory; its certificate is valid from `start` to `end` in days
        from now and comes from alpha's CA or the one in directory `ca`."""
        directory = self.path(name)
        os.makedirs(directory)
        alpha = self.domains.alpha
        with open(f"{directory}/openssl.cnf", "w", encoding="utf-8") as file:
            file.write(CONFIG.format(dir=directory, ca=ca or alpha.ca(), usage=usage, names=names))
        open(f"{directory}/index.txt", "w", encoding="utf-8").close()
        now = datetime.datetime.now(datetime.timezone.utc)
        first, last = ((now + datetime.timedelta(days=days)).strftime("%Y%m%d%H%M%SZ") for days in (start, end))
        self.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{directory}/tls.key")
        self.openssl("req", "-new", "-key", f"{directory}/tls.key", "-subj", "/CN=test", "-out", f"{directory}/csr")
        self.openssl("ca", "-batch", "-notext", "-config", f"{directory}/openssl.cnf", "-startdate", first,
                     "-enddate", last, "-in", f"{directory}/csr", "-out", f"{directory}/tls.crt")
        shutil.copy(f"{alpha.ca()}/ca.crt", f"{directory}/bundle.pem")
        return directory

    def publish(self, identity):
        """The outcome of one event from this identity."""
        event = envelope(cdevent(self.id()), self.id())
        result = harness.run([harness.CLIENT, "send", "--gateway", self.domains.alpha.api, "--identity", identity],
                             input=json.dumps(event) + "\n", timeout=30)
        return result.json_lines()[0]

    def assert_refused(self, identity, *reasons):
        """Nothing is published, and one of the reasons is counted."""
        def count():
            return sum(self.domains.alpha.refusals(reason) for reason in reasons)
        before = count()
        outcome = self.publish(identity)
        self.assertEqual((outcome["code"], outcome["sequence"]), (14, 0), outcome)  # UNAVAILABLE
        harness.wait_until(lambda: count() > before, f"a count of {' or '.join(reasons)}", timeout=5)

    def test_a_proper_certificate_is_taken(self):
        outcome = self.publish(self.issue("proper"))
        self.assertEqual(outcome["code"], 0, outcome)

    def test_no_certificate(self):
        directory = self.path("none")
        os.makedirs(directory)
        shutil.copy(f"{self.domains.alpha.ca()}/ca.crt", f"{directory}/bundle.pem")
        self.assert_refused(directory, "TLS_HANDSHAKE_FAILED", "CERTIFICATE_MISSING")

    def test_expired(self):
        self.assert_refused(self.issue("expired", start=-2, end=-1), "TLS_HANDSHAKE_FAILED", "CERTIFICATE_EXPIRED")

    def test_not_yet_valid(self):
        self.assert_refused(self.issue("early", start=1, end=2), "TLS_HANDSHAKE_FAILED", "CERTIFICATE_NOT_YET_VALID")

    def test_another_ca_that_claims_our_domain(self):
        ca = self.path("impostor")
        self.assert_run(harness.run([harness.BINARY, "ca", "init", "alpha.example", "--ca", ca]))
        self.assert_refused(self.issue("forged", ca=ca), "TLS_HANDSHAKE_FAILED", "CERTIFICATE_UNTRUSTED")

    def test_a_service_of_a_peer(self):
        """beta's CA is known, to beta's gateway's benefit only."""
        directory = self.path("foreign")
        shutil.copytree(self.domains.beta.identity("publisher"), directory)
        shutil.copy(f"{self.domains.alpha.ca()}/ca.crt", f"{directory}/bundle.pem")
        self.assert_refused(directory, "TLS_HANDSHAKE_FAILED", "UNKNOWN_TRUST_DOMAIN", "WRONG_PEER",
                            "CERTIFICATE_UNTRUSTED")

    def test_no_identity_in_the_certificate(self):
        self.assert_refused(self.issue("nameless", names="DNS:localhost"), "CERTIFICATE_MALFORMED")

    def test_two_identities_in_the_certificate(self):
        names = f"{PUBLISHER}, URI:spiffe://alpha.example/user/admin"
        self.assert_refused(self.issue("two", names=names), "CERTIFICATE_MALFORMED")

    def test_an_identity_of_another_domain_from_our_ca(self):
        """The CA's own name constraints end the handshake before the verifier is asked."""
        names = "URI:spiffe://beta.example/service/publisher"
        self.assert_refused(self.issue("stranger", names=names), "TLS_HANDSHAKE_FAILED", "CERTIFICATE_UNTRUSTED",
                            "UNKNOWN_TRUST_DOMAIN", "WRONG_PEER")

    def test_an_attestor_that_could_connect(self):
        """As it may come from an outside CA; what our own issues the TLS library refuses."""
        self.assert_refused(self.issue("attestor", names="URI:spiffe://alpha.example/attestor/gw1"),
                            "CERTIFICATE_WRONG_USE")

    def test_a_certificate_that_is_not_for_clients(self):
        self.assert_refused(self.issue("server-only", usage="serverAuth"), "TLS_HANDSHAKE_FAILED",
                            "CERTIFICATE_UNTRUSTED", "CERTIFICATE_MALFORMED")


if __name__ == "__main__":
    harness.main()
