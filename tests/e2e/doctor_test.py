#!/usr/bin/env python3
"""cdgate peer doctor names the layer that fails, for faults that are injected one by one into what
is otherwise well. beta dials alpha, so beta's doctor tests the way to alpha; alpha's says what can
be known of a peer that dials us."""
import contextlib
import datetime
import json
import os
import shutil
import socket
import ssl
import threading
import time
import unittest

import harness
from certificate_test import CONFIG
from harness import cdevent

LAYERS = ["name", "route", "tcp", "tls", "certificate", "clock", "agreement", "policy", "link", "lag"]


class TlsServer:
    """Shows a certificate and says nothing more."""

    def __init__(self, directory):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols(["h2"])
        context.load_cert_chain(f"{directory}/tls.crt", f"{directory}/tls.key")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        threading.Thread(target=self._serve, args=(context,), daemon=True).start()

    def _serve(self, context):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as session:
                session.settimeout(5)
                session.recv(1)

    def close(self):
        self._listener.close()


class DoctorTest(harness.DomainsTest):
    def setUp(self):
        self.alpha, self.beta = self.domains.alpha, self.domains.beta
        self.endpoint = self.alpha.address("peers")
        self.domains.wait_for_link()

    def cdgate(self, domain, *arguments):
        return self.assert_run(domain.cdgate(*arguments))

    def doctor(self, domain, peer, gateway=None):
        """The findings by layer, and the first that fails."""
        arguments = ["peer", "doctor", peer.name, "-o", "json"]
        if gateway:
            result = harness.run([harness.BINARY, *arguments, "--gateway", gateway], timeout=90)
        else:
            result = domain.cdgate(*arguments, timeout=90)
        self.assertIn(result.code, (0, 1), str(result))
        answer = result.json()
        self.assertEqual([finding["layer"] for finding in answer["findings"]], LAYERS)
        first = answer.get("first_failure", "")
        self.assertEqual(result.code, 1 if first else 0)
        return {finding["layer"]: finding for finding in answer["findings"]}, first

    def assert_fails(self, layer, detail, reason=None, domain=None, peer=None, gateway=None):
        """The layer fails, saying so and what to do; those before are not at fault, and those
        behind are not tested."""
        findings, first = self.doctor(domain or self.beta, peer or self.alpha, gateway)
        self.assertEqual(first, layer, findings)
        self.assertRegex(findings[layer]["detail"], detail)
        self.assertTrue(findings[layer]["remedy"])
        if reason is not None:
            self.assertEqual(findings[layer].get("reason", ""), reason)
        position = LAYERS.index(layer)
        for name in LAYERS[:position]:
            self.assertNotEqual(findings[name]["state"], "FAILED", findings)
        for name in LAYERS[position + 1:]:
            self.assertEqual(findings[name]["state"], "NOT_TESTED", findings)
        return findings

    @contextlib.contextmanager
    def endpoint_is(self, endpoint):
        """alpha is at another address, for beta."""
        self.cdgate(self.beta, "peer", "set", "alpha.example", "--endpoint", endpoint)
        try:
            yield
        finally:
            self.cdgate(self.beta, "peer", "set", "alpha.example", "--endpoint", self.endpoint)

    def issue(self, name, ca, start=-1, end=1):
        """An identity of alpha's gateway from the CA in `ca`, valid from `start` to `end` in days."""
        directory = self.path(name)
        os.makedirs(directory)
        names = "URI:spiffe://alpha.example/gateway/gw1, IP:127.0.0.1"
        with open(f"{directory}/openssl.cnf", "w", encoding="utf-8") as file:
            file.write(CONFIG.format(dir=directory, ca=ca, usage="clientAuth, serverAuth", names=names))
        open(f"{directory}/index.txt", "w", encoding="utf-8").close()
        now = datetime.datetime.now(datetime.timezone.utc)
        first, last = ((now + datetime.timedelta(days=days)).strftime("%Y%m%d%H%M%SZ") for days in (start, end))
        for command in (["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{directory}/tls.key"],
                        ["req", "-new", "-key", f"{directory}/tls.key", "-subj", "/CN=test", "-out", f"{directory}/csr"],
                        ["ca", "-batch", "-notext", "-config", f"{directory}/openssl.cnf", "-startdate", first,
                         "-enddate", last, "-in", f"{directory}/csr", "-out", f"{directory}/tls.crt"]):
            self.assert_run(harness.run(["openssl", *command]))
        return directory

    def restart(self, domain):
        domain.kill()
        domain.start()
        self.domains.wait_for_link()

    # --- well

    def test_all_is_well_where_we_dial(self):
        links = 'cdgate_link_reconnects_total{peer="beta.example"}'
        before = self.alpha.metrics()[links]
        findings, first = self.doctor(self.beta, self.alpha)
        self.assertEqual(first, "", findings)
        self.assertEqual({finding["state"] for finding in findings.values()}, {"GOOD"})
        self.assertIn("spiffe://alpha.example/gateway/gw1", findings["certificate"]["detail"])
        self.assertRegex(findings["agreement"]["detail"], r"approved here until 20\S+Z, there until 20\S+Z")
        self.assertIn("in: open", findings["policy"]["detail"])
        table = self.cdgate(self.beta, "peer", "doctor", "alpha.example").out
        self.assertRegex(table, r"(?m)^tcp +good +connected to 127\.0\.0\.1$")
        # The link is not disturbed by any of it.
        self.assertEqual(self.alpha.metrics()[links], before)

    def test_all_is_well_where_it_dials_us(self):
        findings, first = self.doctor(self.alpha, self.beta)
        self.assertEqual(first, "", findings)
        self.assertIn("it dials us", findings["tcp"]["detail"])

    # --- the way there

    def test_a_name_that_does_not_exist(self):
        with self.endpoint_is("no-such-gateway.invalid:7444"):
            self.assert_fails("name", "no-such-gateway.invalid does not resolve", "unreachable")

    def test_a_closed_port(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            closed = listener.getsockname()[1]
        with self.endpoint_is(f"127.0.0.1:{closed}"):
            self.assert_fails("tcp", "Connection refused", "unreachable")

    def test_no_route_and_a_black_hole(self):
        if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"):
            raise unittest.SkipTest("needs root, unshare and ip")
        # In a network of its own beta has no way out but one that swallows everything.
        prepare = 'ip link set lo up && ip route add 192.0.2.0/24 dev lo && exec "$0" "$@"'
        self.cdgate(self.beta, "peer", "set", "alpha.example", "--endpoint", "198.51.100.1:7444")
        try:
            self.beta.kill()
            self.beta.start_behind("unshare", "--net", "sh", "-c", prepare)
            local = f"unix:{self.beta.address('local')}"
            harness.wait_until(lambda: harness.run([harness.BINARY, "status", "--gateway", local]).code == 0, "beta serves")
            self.assert_fails("route", "no route to 198.51.100.1", "unreachable", gateway=local)
            self.assert_run(harness.run([harness.BINARY, "peer", "set", "alpha.example", "--endpoint", "192.0.2.1:7444",
                                         "--gateway", local]))
            self.assert_fails("tcp", "timed out", "unreachable", gateway=local)
        finally:
            if self.beta.running():
                self.beta.kill()
            self.beta.start()
            self.cdgate(self.beta, "peer", "set", "alpha.example", "--endpoint", self.endpoint)

    def test_a_port_that_does_not_speak_tls(self):
        with self.endpoint_is(self.alpha.address("ops")):
            self.assert_fails("tls", "no TLS handshake", "tls_handshake_failed")

    # --- who is there

    def test_another_ca_that_claims_alpha(self):
        ca = self.path("impostor")
        self.assert_run(harness.run([harness.BINARY, "ca", "init", "alpha.example", "--ca", ca]))
        server = TlsServer(self.issue("forged", ca))
        self.addCleanup(server.close)
        with self.endpoint_is(server.address):
            self.assert_fails("certificate", "there is spiffe://alpha.example/gateway/gw1: ", "certificate_untrusted")

    def test_another_domains_gateway(self):
        with self.endpoint_is(self.beta.address("peers")):
            self.assert_fails("certificate", "spiffe://beta.example/gateway/gw1 is no gateway of alpha.example", "wrong_peer")

    def test_an_expired_certificate(self):
        server = TlsServer(self.issue("expired", self.alpha.ca(), start=-2, end=-1))
        self.addCleanup(server.close)
        with self.endpoint_is(server.address):
            self.assert_fails("certificate", "gw1: ", "certificate_expired")

    def test_a_server_that_refuses_us(self):
        server = TlsServer(self.alpha.identity("gateway"))
        self.addCleanup(server.close)
        with self.endpoint_is(server.address):
            self.assert_fails("certificate", "ended the handshake", "peer_closed_handshake")

    def test_a_clock_that_is_wrong(self):
        # Behind: gRPC does not look at changed files of the past any more where it is ahead.
        clock = self.path("slow.clock")
        harness.set_clock(clock, -120)
        slow = harness.false_clock(clock)
        self.alpha.kill()
        self.alpha.start_behind(*slow)
        try:
            self.alpha.wait_until_it_serves()
            self.domains.wait_for_link()
            self.assert_fails("clock", r"its clock is (1m59|2m0?).* behind ours")
        finally:
            self.restart(self.alpha)

    # --- what was agreed

    def test_frozen_there(self):
        self.cdgate(self.alpha, "peer", "freeze", "beta.example")
        try:
            self.assert_fails("agreement", "frozen", "frozen")
            self.assert_fails("agreement", "beta.example is frozen here", "frozen", self.alpha, self.beta)
        finally:
            self.cdgate(self.alpha, "peer", "resume", "beta.example")

    def test_expired_there(self):
        self.cdgate(self.alpha, "peer", "renew", "beta.example", "--for", "1s")
        try:
            harness.wait_until(lambda: self.doctor(self.beta, self.alpha)[1], "the agreement ends")
            self.assert_fails("agreement", "ended at", "agreement_expired")
        finally:
            self.cdgate(self.alpha, "peer", "renew", "beta.example", "--for", "365d")

    def test_pending_there(self):
        for domain, peer in ((self.alpha, self.beta), (self.beta, self.alpha)):
            self.cdgate(domain, "peer", "remove", peer.name)
        token = self.cdgate(self.alpha, "peer", "invite", "-o", "json").json()["token"]
        self.assert_run(self.beta.cdgate("peer", "accept", "-", input=token))
        self.cdgate(self.beta, "peer", "approve", "alpha.example")
        # A handshake may be refused until the new bundle is published, a second at most.
        harness.wait_until(lambda: self.doctor(self.beta, self.alpha)[1] == "agreement", "the handshake is good")
        self.assert_fails("agreement", "not approved", "agreement_pending")
        harness.wait_until(lambda: self.doctor(self.alpha, self.beta)[1] == "agreement", "it came through since")
        self.assert_fails("agreement", "on this side", "agreement_pending", self.alpha, self.beta)
        self.cdgate(self.alpha, "peer", "approve", "beta.example")

    def policy(self, domain, name, text):
        path = self.path(name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.cdgate(domain, "policy", "apply", path, "--unplanned")

    def test_no_policy_lets_anything_cross(self):
        self.policy(self.beta, "nothing.yaml", "kind: policy\npeer: alpha.example\nimport:\n"
                    "  rules:\n    - {name: none, action: DENY}\n")
        try:
            self.assert_fails("policy", "in: no import rule here allows anything", "no_rule")
        finally:
            self.cdgate(self.beta, "policy", "apply", f"{self.beta.dir}/policy.yaml", "--unplanned")

    def test_exports_that_are_stopped(self):
        self.cdgate(self.alpha, "export", "stop", "--all")
        try:
            self.assert_fails("policy", "all exports are stopped here", "exports_stopped", self.alpha, self.beta)
            self.assert_fails("policy", "in: all exports are stopped there")
        finally:
            self.cdgate(self.alpha, "export", "resume", "--all")

    def test_events_that_wait_on_a_link_that_is_up(self):
        with open(f"{self.alpha.dir}/policy.yaml", encoding="utf-8") as file:
            self.policy(self.alpha, "slow.yaml", file.read() + "  limits: {events_per_second: 1, burst: 1}\n")
        try:
            events = "".join(json.dumps(cdevent(f"late-{number}")) + "\n" for number in range(200))
            self.assert_run(self.alpha.cdgate("publish", "-", identity="publisher", input=events))
            time.sleep(11)  # what waits longer than 10 s is late
            self.assert_fails("lag", r"\d+ events wait, the oldest for \d\ds", "", self.alpha, self.beta)
        finally:
            self.cdgate(self.alpha, "policy", "apply", f"{self.alpha.dir}/policy.yaml", "--unplanned")

    def test_a_link_that_is_down_where_it_dials_us(self):
        self.beta.kill()
        try:
            harness.wait_until(lambda: self.doctor(self.alpha, self.beta)[1] == "link", "the link is down")
            findings = self.assert_fails("link", "the link is not up", None, self.alpha, self.beta)
            self.assertIn("cdgate peer doctor alpha.example", findings["link"]["remedy"])
            self.assertEqual(findings["tcp"]["state"], "NOT_TESTED")
        finally:
            self.beta.start()

    def test_who_is_no_peer(self):
        result = self.beta.cdgate("peer", "doctor", "gamma.example")
        self.assertEqual(result.code, 1, str(result))
        self.assertIn("(not_found)", result.err)


if __name__ == "__main__":
    harness.main()
