#!/usr/bin/env python3
"""Who may do what in alpha: `cdgate can` says what calls meet, grants for some peers reach these
alone, and tokens of an OpenID provider stand for people and for tools, no longer than they are
good."""
import base64
import http.server
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import threading
import time
import uuid

import harness
from harness import cdevent

try:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
except ImportError:
    ec = None

ISSUER = "https://id.alpha.example"
PROVIDERS = f"""
identity_providers:
  - name: corp
    issuer: {ISSUER}
    audiences: [cdgate]
    jwks_file: jwks.json
    algorithms: [ES256, RS256, PS256]
    clock_skew: 0s
"""


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class Issuer:
    """An OpenID provider: its keys, and tokens signed by them. Made without any JOSE library, so
    that the gateway is held against somebody else's reading of the specification."""

    def __init__(self):
        self.keys = {}

    def add(self, kid, kind="ES256"):
        self.keys[kid] = (kind, ec.generate_private_key(ec.SECP256R1()) if kind == "ES256" else
                          rsa.generate_private_key(65537, 2048))

    def jwks(self):
        keys = []
        for kid, (kind, key) in self.keys.items():
            public = key.public_key().public_numbers()
            if kind == "ES256":
                keys.append({"kty": "EC", "crv": "P-256", "x": number(public.x, 32), "y": number(public.y, 32),
                             "kid": kid, "use": "sig"})
            else:
                keys.append({"kty": "RSA", "n": number(public.n), "e": number(public.e), "kid": kid})
        return json.dumps({"keys": keys})

    def sign(self, kid, text):
        kind, key = self.keys[kid]
        if kind == "ES256":
            r, s = decode_dss_signature(key.sign(text, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        scheme = padding.PKCS1v15() if kind == "RS256" else padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        return key.sign(text, scheme, hashes.SHA256())

    def token(self, subject, kid="k1", ttl=3600, header=None, key=None, **claims):
        now = int(time.time())
        header = {"alg": self.keys[key or kid][0], "kid": kid, "typ": "JWT", **(header or {})}
        body = {"iss": ISSUER, "aud": "cdgate", "sub": subject, "iat": now, "exp": now + ttl, **claims}
        body = {name: value for name, value in body.items() if value is not None}
        signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(body).encode())}"
        return f"{signed}.{b64(self.sign(key or kid, signed.encode()))}"


class AccessTest(harness.DomainsTest):
    """What the tests share: alpha with an identity provider whose keys are in a file."""

    @classmethod
    def setUpClass(cls):
        if ec is None:
            raise harness.unittest.SkipTest("python3-cryptography is not installed")
        super().setUpClass()
        cls.issuer = Issuer()
        cls.issuer.add("k1")
        cls.alpha = cls.domains.alpha
        cls.jwks = os.path.join(cls.alpha.dir, "jwks.json")
        try:
            cls.publish_keys()
            cls.configure(PROVIDERS)
        except BaseException:
            cls.failed = True
            cls._end()
            raise

    @classmethod
    def configure(cls, text):
        with open(os.path.join(cls.alpha.dir, "gateway.yaml"), "a", encoding="utf-8") as file:
            file.write(text)
        cls.alpha.kill()
        cls.alpha.start()

    @classmethod
    def publish_keys(cls):
        with open(cls.jwks + ".new", "w", encoding="utf-8") as file:
            file.write(cls.issuer.jwks())
        os.rename(cls.jwks + ".new", cls.jwks)

    def token_file(self, token):
        path = self.path(str(uuid.uuid4()))
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write(token + "\n")
        return path

    def as_token(self, token, *arguments, input=None):
        """The command line with the token, over a connection of the publisher's certificate."""
        return self.alpha.cdgate(*arguments, "--token-file", self.token_file(token), identity="publisher", input=input)

    def grant(self, name, subject, role, *arguments):
        self.assert_run(self.alpha.cdgate("grant", "apply", name, "--principal", f"oidc:corp:{subject}",
                                          "--role", role, *arguments))


class CanTest(AccessTest):
    CALLS = [  # a method, and a command that calls it
        ("ListGrants", ["grant", "list"]),
        ("ListPeers", ["peer", "list"]),
        ("GetStatus", ["status"]),
        ("DeleteGroup", ["group", "delete", "no-such-group"]),
        ("ListTokens", ["token", "list"]),
        ("RotatePseudonyms", ["policy", "rotate-pseudonyms", "beta.example"]),
        ("publish", ["publish", "-"]),
        ("EventsService/ListEvents", None),
        ("Describe", ["types"]),
    ]

    def test_verdicts_are_what_calls_meet(self):
        roles = ["publisher", "subscriber", "operator", "policy_author", "policy_approver", "auditor"]
        verdicts = []
        for role in roles + [None]:
            if role:
                extra = ["--source", "/event/source/%"] if role == "publisher" else []
                self.grant(f"matrix-{role.replace('_', '-')}", role, role, *extra)
            subject = role or "nobody"
            token = self.issuer.token(subject)
            for method, command in self.CALLS:
                if command is None:
                    continue
                can = self.alpha.cdgate("can", f"oidc:corp:{subject}", method, "-o", "json")
                self.assertIn(can.code, (0, 1), str(can))
                self.assertEqual(can.json().get("allowed", False), can.code == 0)
                event = json.dumps(cdevent(str(uuid.uuid4()))) if command[0] == "publish" else None
                called = self.as_token(token, *command, input=event)
                refused = called.code == 4
                self.assertEqual(can.code == 0, not refused, f"{can}\n{called}")
                verdicts.append(can.code)
        self.assertGreater(verdicts.count(0), 10)
        self.assertGreater(verdicts.count(1), 20)

    def test_it_says_why(self):
        yes = self.assert_run(self.alpha.cdgate("can", "spiffe://alpha.example/user/admin", "FreezePeer", "--peer",
                                                "beta.example"))
        self.assertRegex(yes.out, r"^yes: spiffe://alpha.example/user/admin may call "
                                  r"cdgate.admin.v1.AdminService/FreezePeer by the grant ")
        no = self.assert_run(self.alpha.cdgate("can", "spiffe://alpha.example/service/nobody", "FreezePeer"), 1)
        self.assertRegex(no.out, r"^no: .*a grant of the role operator.*\(not_granted\)")
        self.assert_run(self.alpha.cdgate("can", "spiffe://alpha.example/user/admin", "NoSuchMethod"), 1)
        both = self.assert_run(self.alpha.cdgate("can", "spiffe://alpha.example/user/admin", "Watch"), 1)
        self.assertIn("EventsService/Watch or grpc.health.v1.Health/Watch", both.err)

    def test_it_lists_all_methods(self):
        listed = self.assert_run(self.alpha.cdgate("can", "local:root", "-o", "json")).json()["methods"]
        self.assertGreater(len(listed), 40)
        may = {entry["method"].rpartition("/")[2]: entry.get("allowed", False) for entry in listed}
        self.assertTrue(may["FreezePeer"] and may["ApplyPolicy"] and may["ListGrants"])
        self.assertFalse(may["ApprovePlan"])

    def test_who_may_ask_about_whom(self):
        self.grant("asks", "asker", "publisher", "--source", "/event/source/%")
        token = self.issuer.token("asker")
        self.assert_run(self.as_token(token, "can", "oidc:corp:asker", "publish", "--source", "/event/source/1"))
        other = self.as_token(token, "can", "spiffe://alpha.example/user/admin", "FreezePeer")
        self.assertEqual(other.code, 4, str(other))

    def test_events_by_source_and_type(self):
        self.grant("sources", "sourced", "publisher", "--source", "/event/source/a%", "--type", "dev.cdevents.service.%")
        for source, kind, code in [("/event/source/a1", "dev.cdevents.service.deployed.0.2.0", 0),
                                   ("/event/source/b1", "dev.cdevents.service.deployed.0.2.0", 1),
                                   ("/event/source/a1", "dev.cdevents.change.merged.0.2.0", 1)]:
            self.assert_run(self.alpha.cdgate("can", "oidc:corp:sourced", "publish", "--source", source, "--type", kind), code)


class ScopeTest(AccessTest):
    def test_a_grant_for_a_peer_reaches_that_peer_alone(self):
        self.grant("near", "near", "operator", "--peer", "beta.example")
        self.grant("far", "far", "operator", "--peer", "gamma.%")
        near, far = self.issuer.token("near"), self.issuer.token("far")
        show = ["peer", "show", "beta.example"]
        self.assert_run(self.as_token(near, *show))
        refused = self.assert_run(self.as_token(far, *show), 4)
        self.assertIn("scope_not_granted", refused.err)
        # Lists and explanations show what is in scope.
        for token, count in ((near, 1), (far, 0)):
            listed = self.assert_run(self.as_token(token, "peer", "list", "-o", "json")).json()
            self.assertEqual(len(listed.get("peers", [])), count, str(listed))
            status = self.assert_run(self.as_token(token, "status", "-o", "json")).json()
            self.assertEqual(len(status.get("peers", [])), count, str(status))
        event = str(uuid.uuid4())
        self.assert_run(self.alpha.cdgate("publish", "-", identity="publisher", input=json.dumps(cdevent(event))))
        for token, peers in ((near, ["beta.example"]), (far, [])):
            got = self.assert_run(self.as_token(token, "who-got", event, "-o", "json")).json()
            self.assertEqual([outcome["peer"] for outcome in got.get("outcomes", [])], peers)
        # What concerns the gateway as a whole is out of reach, and so is a way to more.
        for command in (["grant", "list"], ["token", "list"], ["group", "delete", "g"],
                        ["grant", "apply", "more", "--principal", "oidc:corp:near", "--role", "operator"]):
            self.assertIn("scope_not_granted", self.assert_run(self.as_token(near, *command), 4).err)
        self.assertIn("beta.example", self.assert_run(self.alpha.cdgate("grant", "list")).out)

    def test_freezing_and_policies(self):
        self.grant("freezer", "freezer", "operator", "--peer", "beta.example")
        self.grant("writer", "writer", "policy_author", "--peer", "gamma.example")
        token = self.issuer.token("freezer")
        self.assert_run(self.as_token(token, "peer", "freeze", "beta.example"))
        self.assert_run(self.as_token(token, "peer", "resume", "beta.example"))
        writer = self.issuer.token("writer")
        policy = self.path("policy.yaml")
        for peer, code in (("beta.example", 4), ("gamma.example", 0)):
            with open(policy, "w", encoding="utf-8") as file:
                file.write(f"kind: policy\npeer: {peer}\nexport: {{rules: [{{name: r, action: DENY}}]}}\n")
            self.assert_run(self.as_token(writer, "policy", "apply", "--unplanned", policy), code)
        # A plan that somebody else made for another peer is not his to apply, whatever he names.
        with open(policy, "w", encoding="utf-8") as file:
            file.write("kind: policy\npeer: beta.example\nexport: {rules: [{name: r, action: DENY}]}\n")
        self.grant("planner", "planner", "policy_author")
        plan = self.assert_run(self.as_token(self.issuer.token("planner"), "policy", "plan", policy, "-o", "json")).json()
        listed = self.assert_run(self.as_token(writer, "policy", "plans", "-o", "json")).json()
        self.assertEqual(listed.get("plans", []), [])
        self.assert_run(self.as_token(writer, "policy", "apply", "--plan", plan["hash"]), 4)

    def test_applied_from_a_file_it_stays_as_it_is(self):
        path = self.path("grant.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("kind: grant\nname: filed\nprincipal: oidc:corp:filed\nrole: AUDITOR\npeers: [beta.example]\n")
        self.assert_run(self.alpha.cdgate("apply", "-f", path))
        again = self.assert_run(self.alpha.cdgate("apply", "-f", path))
        self.assertRegex(again.out + again.err, "unchanged|as it is")
        grants = self.assert_run(self.alpha.cdgate("grant", "list", "-o", "json")).json()["grants"]
        self.assertEqual([grant["peers"] for grant in grants if grant["name"] == "filed"], [["beta.example"]])


class TokenTest(AccessTest):
    def test_what_is_refused_and_why(self):
        self.grant("ada", "ada", "auditor")
        issuer, now = self.issuer, int(time.time())
        stranger = Issuer()
        stranger.add("k1")
        issuer.add("r1", "RS256")
        issuer.add("p1", "PS256")
        self.publish_keys()
        harness.wait_until(lambda: self.as_token(issuer.token("ada", kid="p1"), "peer", "list").code == 0, "the keys are read")
        self.assert_run(self.as_token(issuer.token("ada", kid="r1"), "peer", "list"))
        good = issuer.token("ada")
        head, body, signature = good.split(".")
        cases = [
            (issuer.token("ada", iss="https://id.beta.example"), "identity_token_invalid", "no identity provider"),
            (issuer.token("ada", aud="other"), "identity_token_invalid", "audience"),
            (issuer.token("ada", ttl=-1), "identity_token_expired", "expired at"),
            (issuer.token("ada", nbf=now + 600), "identity_token_expired", "not valid before"),
            (issuer.token("ada", ttl=40 * 86400), "identity_token_invalid", "longer than"),
            (issuer.token("ada", iat=None), "identity_token_invalid", "issued"),
            (issuer.token("ada", header={"alg": "none"}), "identity_token_invalid", "may not use"),
            (f"{b64(json.dumps({'alg': 'none', 'kid': 'k1'}).encode())}.{body}.AAAA", "identity_token_invalid", "may not use"),
            (f"{head}.{b64(base64.urlsafe_b64decode(body + '==').replace(b'ada', b'eve'))}.{signature}",
             "identity_token_invalid", "does not verify"),
            (f"{head}.{body}.{b64(b'0' * 64)}", "identity_token_invalid", "does not verify"),
            (issuer.token("ada", kid="k9", key="k1"), "identity_token_invalid", "k9"),
            (stranger.token("ada"), "identity_token_invalid", "does not verify"),
            (issuer.token("a%"), "identity_token_invalid", "sub"),
            ("not-a-token", "identity_token_invalid", "three parts"),
        ]
        for token, reason, why in cases:
            refused = self.assert_run(self.as_token(token, "peer", "list"), 4)
            self.assertIn(reason, refused.err, str(refused))
            self.assertIn(why, refused.err, str(refused))
            self.assertNotIn(token, self.alpha.log())
        self.assert_run(self.as_token(good, "peer", "list"))

    def test_the_token_is_the_principal_and_not_the_certificate(self):
        # The connection's certificate may publish; whoever the token is of may not.
        refused = self.as_token(self.issuer.token("nobody"), "publish", "-", input=json.dumps(cdevent(str(uuid.uuid4()))))
        self.assertEqual(refused.code, 4, str(refused))
        self.assertIn("oidc:corp:nobody", refused.err)

    def test_a_token_file_that_others_can_read_and_a_local_socket(self):
        path = self.token_file(self.issuer.token("ada"))
        os.chmod(path, 0o644)
        refused = self.alpha.cdgate("peer", "list", "--token-file", path)
        self.assertIn("chmod 600", refused.err)
        local = harness.run([harness.BINARY, "peer", "list", "--gateway", f"unix:{self.alpha.dir}/data/local.sock",
                             "--token-file", path])
        self.assertEqual(local.code, 2, str(local))

    def subscriber(self, token):
        return subprocess.Popen([harness.BINARY, "subscribe", "--max", "1", "--gateway", self.alpha.api, "--identity",
                                 self.alpha.identity("publisher"), "--token-file", self.token_file(token)],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def assert_ends(self, process, since, reason):
        _, err = process.communicate(timeout=harness.PATIENCE_S)
        self.assertLess(time.monotonic() - since, 5, err)
        self.assertIn(reason, err)

    def wait_for_streams(self, count):
        def live():
            listed = self.alpha.metrics()
            return listed.get('cdgate_rpc_connections{listener="api"}', 0) >= count
        harness.wait_until(live, "the subscriber is connected")

    def test_a_stream_ends_with_its_token(self):
        self.grant("reader", "reader", "subscriber")
        token = self.issuer.token("reader", ttl=4)
        expires = time.monotonic() + 4
        process = self.subscriber(token)
        time.sleep(max(0, expires - time.monotonic()))
        self.assert_ends(process, expires, "identity_token_expired")

    def test_a_stream_ends_with_its_key_and_a_new_key_is_taken(self):
        self.grant("rotated", "rotated", "subscriber")
        self.issuer.add("old")
        self.publish_keys()
        harness.wait_until(lambda: self.as_token(self.issuer.token("rotated", kid="old"), "types").code == 0, "the key is read")
        ends = self.subscriber(self.issuer.token("rotated", kid="old"))
        self.wait_for_streams(1)
        self.issuer.add("new")
        self.publish_keys()
        harness.wait_until(lambda: self.as_token(self.issuer.token("rotated", kid="new"), "types").code == 0, "the key is read")
        self.assertIsNone(ends.poll())  # with both keys nothing ends
        old = self.issuer.token("rotated", kid="old")
        del self.issuer.keys["old"]
        self.publish_keys()
        self.assert_ends(ends, time.monotonic(), "identity_token_invalid")
        self.assertIn("k", self.assert_run(self.as_token(old, "types"), 4).err)

    def reload(self, change):
        """SIGHUP with a changed configuration; what was logged then."""
        path = os.path.join(self.alpha.dir, "gateway.yaml")
        before = len(self.alpha.log())
        text = change(self.alpha.config())
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.kill(self.alpha.pid(), signal.SIGHUP)
        return harness.wait_until(lambda: re.search(r'"((?:not )?reloaded)\b', self.alpha.log()[before:]), "it is read").group(1)

    def test_a_stream_ends_with_its_provider(self):
        self.grant("reloaded", "reloaded", "subscriber")
        config = self.alpha.config()
        process = self.subscriber(self.issuer.token("reloaded"))
        self.wait_for_streams(1)
        try:
            for bad in (lambda text: text.replace("jwks_file: jwks.json", "jwks_file: none.json"),
                        lambda text: text.replace("issuer:", "isuer:")):
                self.assertEqual(self.reload(bad), "not reloaded")
                self.assertIsNone(process.poll())
                self.assert_run(self.as_token(self.issuer.token("reloaded"), "types"))
            since = time.monotonic()
            self.assertEqual(self.reload(lambda _: config.replace("name: corp", "name: other")), "reloaded")
            self.assert_ends(process, since, "identity_token_invalid")
        finally:
            self.assertEqual(self.reload(lambda _: config), "reloaded")
        self.assert_run(self.as_token(self.issuer.token("reloaded"), "types"))

    def test_a_broken_key_file_leaves_the_last_good_keys(self):
        self.grant("kept", "kept", "auditor")
        with open(self.jwks, "w", encoding="utf-8") as file:
            file.write("{")
        try:
            def shown():
                status = self.assert_run(self.as_token(self.issuer.token("kept"), "status", "-o", "json")).json()
                return [problem for problem in status.get("problems", []) if "identity provider corp" in problem]
            harness.wait_until(shown, "the problem is shown")
            self.assertGreaterEqual(self.alpha.metrics()['cdgate_identity_keys_failures_total{provider="corp"}'], 1)
        finally:
            self.publish_keys()
        harness.wait_until(lambda: not shown(), "the problem is over")


class IngressTest(AccessTest):
    def post(self, token):
        event = json.dumps(cdevent(str(uuid.uuid4()), source="/event/source/oidc"))
        result = harness.run(["curl", "-sS", "-w", "\n%{http_code}", "--cacert",
                              os.path.join(self.alpha.identity("publisher"), "bundle.pem"), "-H", f"Authorization: Bearer {token}",
                              "-H", "Content-Type: application/json", "--data-binary", "@-",
                              f"https://{self.alpha.address('ingress')}/events"], input=event)
        body, _, status = self.assert_run(result).out.rpartition("\n")
        return int(status), json.loads(body) if body else {}

    def test_tokens_publish_by_their_grants(self):
        if not shutil.which("curl"):
            self.skipTest("curl is not installed")
        self.grant("tool", "repo:alpha/app:%", "publisher", "--source", "/event/source/oidc")
        self.assertEqual(self.post(self.issuer.token("repo:alpha/app:main"))[0], 202)
        for token, status, reason in [(self.issuer.token("repo:alpha/other:main"), 403, "NOT_GRANTED"),
                                      (self.issuer.token("repo:alpha/app:main", aud="x"), 401, "IDENTITY_TOKEN_INVALID"),
                                      (self.issuer.token("repo:alpha/app:main", ttl=-1), 401, "IDENTITY_TOKEN_EXPIRED"),
                                      ("a.b.c", 401, "IDENTITY_TOKEN_INVALID"),
                                      ("cdgate_nonsense", 401, "ACCESS_TOKEN_INVALID")]:
            answer, problem = self.post(token)
            self.assertEqual((answer, problem.get("reason")), (status, reason), token)
        made = self.assert_run(self.alpha.cdgate("token", "create", "beside", "--grant", "tool"))
        self.assertEqual(self.post(made.out.strip())[0], 202)


class AddressTest(AccessTest):
    """Keys that are read by https."""

    def test_keys_are_read_from_an_address(self):
        issuer = Issuer()
        issuer.add("u1")

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                found = self.path == "/jwks"
                self.send_response(200 if found else 404)
                self.end_headers()
                self.wfile.write(issuer.jwks().encode() if found else b"")

            def log_message(self, *arguments):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(self.alpha.identity("gateway"), "tls.crt"),
                                os.path.join(self.alpha.identity("gateway"), "tls.key"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        bundle = os.path.join(self.alpha.identity("gateway"), "bundle.pem")
        address = f"https://127.0.0.1:{server.server_address[1]}"
        self.configure(f"""
  - name: web
    issuer: https://web.alpha.example
    audiences: [cdgate]
    jwks_url: {address}/jwks
    ca_file: {bundle}
  - name: lost
    issuer: https://lost.alpha.example
    audiences: [cdgate]
    jwks_url: {address}/nothing
    ca_file: {bundle}
  - name: untrusted
    issuer: https://untrusted.alpha.example
    audiences: [cdgate]
    jwks_url: {address}/jwks
""")
        try:
            self.assert_run(self.alpha.cdgate("grant", "apply", "web", "--principal", "oidc:web:ada", "--role", "auditor"))
            token = issuer.token("ada", kid="u1", iss="https://web.alpha.example")
            harness.wait_until(lambda: self.as_token(token, "peer", "list").code == 0, "the keys are read")
            harness.wait_until(lambda: self.alpha.metrics()['cdgate_identity_keys_failures_total{provider="untrusted"}'] >= 1,
                               "all addresses were tried")
            problems = self.assert_run(self.alpha.cdgate("status", "-o", "json")).json()["problems"]
            self.assertTrue(any("lost" in problem and "404" in problem for problem in problems), problems)
            self.assertTrue(any("untrusted" in problem and "certificate" in problem for problem in problems), problems)
            refused = self.as_token(issuer.token("ada", kid="u1", iss="https://untrusted.alpha.example"), "peer", "list")
            self.assertIn("identity_token_invalid", refused.err)
        finally:
            server.shutdown()


if __name__ == "__main__":
    harness.main()
