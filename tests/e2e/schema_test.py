#!/usr/bin/env python3
"""Events are checked against the schemas that the operator registered, and only those: what
a schemaUri points at is never fetched."""
import json
import socket

import harness
from harness import cdevent

URI = "https://alpha.example/schema/deployment"
SCHEMA = {"$id": URI, "properties": {"subject": {"properties": {"content": {
    "properties": {"artifactId": {"pattern": "^pkg:oci/"}}}}}}}


def naming(uri, event_id, artifact="pkg:oci/app@sha256:0f1e2d3c"):
    """An event that names a schema."""
    event = cdevent(event_id)
    event["context"]["schemaUri"] = uri
    event["subject"]["content"]["artifactId"] = artifact
    return event


class SchemaTest(harness.DomainsTest):
    def publish(self, *events):
        text = "".join(json.dumps(event) + "\n" for event in events)
        return self.domains.alpha.cdgate("publish", "-", identity="publisher", input=text)

    def notes(self, domain, count, pattern):
        return {line["event"]["context"]["id"]: line.get("notes", []) for line in self.subscribe(domain, count, pattern)}

    def add(self):
        path = self.path("deployment.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(SCHEMA, file)
        self.assert_run(self.domains.alpha.cdgate("schema", "add", path))

        def in_force():
            self.added = getattr(self, "added", 0) + 1
            probe = f"probe-{self.id()}-{self.added}"
            self.assert_run(self.publish(naming(URI, probe)))
            return self.notes(self.domains.alpha, 1, probe) == {probe: ["schema_valid"]}
        harness.wait_until(in_force, "the schema is in force")

    def test_events_are_annotated_where_they_enter(self):
        self.add()
        self.assert_run(self.publish(cdevent("note-none"), naming(URI, "note-good"), naming(URI, "note-bad", "banana"),
                                     naming("https://myorg.com/schema/custom", "note-other")))
        self.assertEqual(self.notes(self.domains.alpha, 4, "note-%"), {
            "note-none": [], "note-good": ["schema_valid"], "note-bad": ["schema_invalid"],
            "note-other": ["schema_unresolved"]})
        # Beta has not registered it, and does not believe alpha.
        self.assertEqual(self.notes(self.domains.beta, 4, "note-%"), {
            "note-none": [], "note-good": ["schema_unresolved"], "note-bad": ["schema_unresolved"],
            "note-other": ["schema_unresolved"]})
        listed = self.assert_run(self.domains.alpha.cdgate("schema", "list", "-o", "json")).json()
        self.assertEqual([schema["uri"] for schema in listed["schemas"]], [URI])

    def test_a_strict_grant_refuses_what_does_not_fit_with_its_faults(self):
        self.add()
        alpha = self.domains.alpha
        grants = self.assert_run(alpha.cdgate("grant", "list", "-o", "json")).json()["grants"]
        grant = next(one for one in grants if one["role"] == "PUBLISHER")
        arguments = ["grant", "apply", grant["name"], "--principal", grant["principal"], "--role", "publisher"]
        for source in grant["sources"]:
            arguments += ["--source", source]
        try:
            self.assert_run(alpha.cdgate(*arguments, "--schema-check", "refuse-invalid"))
            refused = harness.wait_until(self.refusal, "the grant is in force")
            for text in ("schema_invalid", URI, "/subject/content/artifactId: pattern ^pkg:oci/", "banana"):
                self.assertIn(text, str(refused))
            self.assert_run(self.publish(naming(URI, "strict-good"), cdevent("strict-none")))
            self.assertGreaterEqual(alpha.refusals("SCHEMA_INVALID"), 1)
        finally:
            self.assert_run(alpha.cdgate(*arguments))

    def refusal(self):
        """What publishing an invalid event says, once it is refused."""
        self.tried = getattr(self, "tried", 0) + 1
        result = self.publish(naming(URI, f"strict-bad-{self.tried}", "banana"))
        return result if result.code != 0 else None

    def test_nothing_is_fetched(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            uri = f"http://127.0.0.1:{server.getsockname()[1]}/schema"
            self.assert_run(self.publish(naming(uri, "fetch-1"), naming(uri, "fetch-2")))
            self.assertEqual(self.notes(self.domains.beta, 2, "fetch-%"),
                             {"fetch-1": ["schema_unresolved"], "fetch-2": ["schema_unresolved"]})
            path = self.path("reference.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump({"$ref": uri}, file)
            result = self.domains.alpha.cdgate("schema", "add", path, "--uri", "urn:reference")
            self.assertNotEqual(result.code, 0)
            self.assertIn("schema_unsupported", str(result))
            server.setblocking(False)
            with self.assertRaises(BlockingIOError):
                server.accept()


if __name__ == "__main__":
    harness.main()
