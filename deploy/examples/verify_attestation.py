#!/usr/bin/env python3
"""Verifies statements about events, from docs/attestation.md alone.

    verify_attestation.py EVENT.json --bundle alpha.example=alpha.pem --bundle beta.example=beta.pem
    verify_attestation.py vectors.json

Of an event it prints the verdict and, where there is one, the fault; it exits with 1 where the
event is invalid or unproven. Of test vectors it prints a verdict for each, and exits with 1 where
one is not as the file says. Needs the package cryptography (Debian: python3-cryptography).
"""
import argparse
import base64
import datetime
import hashlib
import json
import re
import struct
import sys

from cryptography import exceptions, x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

ZERO = bytes(32)
MOST_FIELDS = 16_384
MOST_NAME_BYTES = 4 << 20
MOST_LEVELS = 128
OUTER_DISAGREES, FIELDS_COMMITTED = 1, 256
KEPT, WITHHELD, SUBSTITUTED = 0, 1, 2
IDENTITY = {b"/context/id", b"/context/source", b"/context/type", b"/context/version",
            b"/context/specversion", b"/context/timestamp", b"/subject/type"}
SCALES = (("TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"),
          ("public", "internal", "confidential", "restricted"))


class Invalid(Exception):
    """Something is false."""


class Unproven(Exception):
    """Something is not shown."""


# --- notation

def u32(number):
    return struct.pack(">I", number)


def u64(number):
    return struct.pack(">Q", number)


def i64(number):
    return struct.pack(">q", number)


def lp(text):
    raw = text.encode() if isinstance(text, str) else text
    return u32(len(raw)) + raw


def sha256(raw):
    return hashlib.sha256(raw).digest()


def labelled(label, raw):
    return sha256(label.encode() + b"\0" + raw)


def leaf_of(label, raw):
    return sha256(b"\0" + label.encode() + b"\0" + raw)


# --- protobuf, as far as it is needed

class Message:
    """The fields of a serialised message, by number, in order."""

    def __init__(self, raw):
        self.fields = {}
        at = 0
        while at < len(raw):
            tag, at = self.varint(raw, at)
            number, kind = tag >> 3, tag & 7
            if kind == 0:
                value, at = self.varint(raw, at)
            elif kind in (1, 2, 5):
                size = {1: 8, 5: 4}.get(kind)
                if size is None:
                    size, at = self.varint(raw, at)
                value, at = raw[at:at + size], at + size
            else:
                raise Invalid("a message is malformed")
            if number == 0 or at > len(raw):
                raise Invalid("a message is malformed")
            self.fields.setdefault(number, []).append((kind, value))

    @staticmethod
    def varint(raw, at):
        value = 0
        for shift in range(0, 70, 7):
            if at >= len(raw):
                break
            value |= (raw[at] & 0x7f) << shift
            at += 1
            if raw[at - 1] < 0x80:
                return value & (1 << 64) - 1, at
        raise Invalid("a message is malformed")

    def last(self, number, kind, default):
        values = [value for found, value in self.fields.get(number, []) if found == kind]
        return values[-1] if values else default

    def raw(self, number):
        return self.last(number, 2, b"")

    def text(self, number):
        try:
            return self.raw(number).decode()
        except UnicodeDecodeError:
            raise Invalid("a text is not UTF-8") from None

    def number(self, number):
        return self.last(number, 0, 0)

    def signed64(self, number):
        value = self.number(number)
        return value - (1 << 64) if value >> 63 else value

    def fixed64(self, number):
        return struct.unpack("<q", self.last(number, 1, bytes(8)))[0]

    def has(self, number):
        return number in self.fields

    def all(self, number):
        return [value for kind, value in self.fields.get(number, []) if kind == 2]


# --- the fields of an event

def attribute_value(message):
    """The kind, then the value, of a CloudEventAttributeValue: the member that is set last."""
    kinds = [kind for kind in message.fields if 1 <= kind <= 7]
    if len(kinds) != 1:
        raise Invalid("an attribute has no value, or several")
    kind = kinds[0]
    if kind == 1:
        value = bytes([1 if message.number(1) else 0])
    elif kind == 2:
        value = u32(message.number(2) & 0xffffffff)
    elif kind == 7:
        time = Message(message.raw(7))
        value = i64(time.signed64(1)) + u32(time.number(2) & 0xffffffff)
    else:
        value = message.raw(kind)
    return bytes([kind]) + value


class Json:
    """Walks over the leaves of a text, which has to be JSON with no member twice."""

    SPACE = re.compile(rb"[ \t\n\r]*")
    STRING = re.compile(rb'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"')
    SCALAR = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null")

    def __init__(self, text):
        self.text = text
        self.at = 0
        self.leaves = []
        self.name_bytes = 0

    def walk(self):
        self.space()
        self.value(b"", 0)
        self.space()
        if self.at != len(self.text):
            raise Invalid("the data is not JSON")
        return self.leaves

    def space(self):
        self.at = self.SPACE.match(self.text, self.at).end()

    def take(self, byte):
        self.space()
        found = self.text[self.at:self.at + 1] == byte
        self.at += found
        return found

    def token(self, pattern):
        found = pattern.match(self.text, self.at)
        if not found:
            raise Invalid("the data is not JSON")
        self.at = found.end()
        return found.group()

    def leaf(self, name, value):
        self.name_bytes += len(name)
        self.leaves.append((name, value))
        if len(self.leaves) > MOST_FIELDS or self.name_bytes > MOST_NAME_BYTES:
            raise Invalid("the event has too many fields")

    def value(self, name, level):
        if level > MOST_LEVELS:
            raise Invalid("the data has too many levels")
        first = self.text[self.at:self.at + 1]
        if first == b"{":
            self.object(name, level)
        elif first == b"[":
            self.array(name, level)
        else:
            self.leaf(name, self.token(self.STRING if first == b'"' else self.SCALAR))

    def object(self, name, level):
        self.at += 1
        if self.take(b"}"):
            return self.leaf(name, b"{}")
        members = set()
        while True:
            self.space()
            try:
                member = json.loads(self.token(self.STRING)).encode()
            except (UnicodeError, ValueError):
                raise Invalid("the data is not JSON") from None
            if member in members or not self.take(b":"):
                raise Invalid("the data is not JSON, or has a member twice")
            members.add(member)
            self.space()
            self.value(name + b"/" + member.replace(b"~", b"~0").replace(b"/", b"~1"), level + 1)
            if self.take(b"}"):
                return None
            if not self.take(b","):
                raise Invalid("the data is not JSON")

    def array(self, name, level):
        self.at += 1
        if self.take(b"]"):
            return self.leaf(name, b"[]")
        index = 0
        while True:
            self.space()
            self.value(name + b"/~2%d" % index, level + 1)
            index += 1
            if self.take(b"]"):
                return None
            if not self.take(b","):
                raise Invalid("the data is not JSON")


class CloudEvent:
    def __init__(self, raw):
        message = Message(raw)
        self.id, self.source, self.type = message.raw(1), message.raw(2), message.raw(4)
        self.data = message.raw(6)
        attributes = {}
        for entry in message.all(5):
            pair = Message(entry)
            attributes[pair.raw(1)] = attribute_value(Message(pair.raw(2)))
        self.attributes = sorted([*attributes.items(), (b"id", b"\x03" + self.id)])
        self.leaves = Json(self.data).walk()

    def fields(self):
        fields = [(b"@" + name, value) for name, value in self.attributes] + self.leaves
        if len(fields) > MOST_FIELDS or sum(len(name) for name, _ in fields) > MOST_NAME_BYTES:
            raise Invalid("the event has too many fields")
        return fields

    def attributes_digest(self):
        return labelled("cdgate/attributes/v1", u32(len(self.attributes)) + b"".join(
            lp(name) + lp(value) for name, value in self.attributes))

    def content_digest(self):
        return sha256(self.data)

    def check_source_and_type(self):
        """They are no fields of their own, because the data has them."""
        leaves = dict(self.leaves)
        for name, outer in ((b"/context/source", self.source), (b"/context/type", self.type)):
            value = leaves.get(name, b"null")
            if not value.startswith(b'"') or json.loads(value).encode() != outer:
                raise Invalid("source or type is not that of the data")


def commitment_to_content(salt, data):
    return sha256(b"cdgate/commit/v1" + salt + sha256(data))


def commitment_over(digests):
    root = labelled("cdgate/fields/v1", u32(len(digests)) + b"".join(digests))
    return labelled("cdgate/commit/v2", root)


def field_digest(salt, field):
    return labelled("cdgate/field/v1", salt + lp(field[0]) + field[1])


def commitment_to_fields(salt, fields):
    return commitment_over([
        field_digest(labelled("cdgate/field-salt/v1", salt + u32(i))[:16], field)
        for i, field in enumerate(fields)])


# --- field proofs

class Copy:
    """The fields of an altered copy, to which the entries of a proof belong."""

    def __init__(self, fields, withheld, substituted):
        self.withheld = {pointer.encode() for pointer in withheld}
        self.substituted = {pointer.encode() for pointer in substituted}
        # What leads to something that was withheld.
        self.above = {pointer[:i] for pointer in self.withheld
                      for i, byte in enumerate(pointer) if byte == ord("/")}
        # Each field with how many were passed over before it; None stands for the end.
        self.walk, passed = [], 0
        for field in [*fields, None]:
            if field is not None and self.passes_over(*field):
                passed += 1
            else:
                self.walk.append((field, passed))
                passed = 0

    @staticmethod
    def pointer_of(name):
        return name if name.startswith(b"@") else name.replace(b"~2", b"")

    def passes_over(self, name, value):
        if name.startswith(b"@"):
            return False
        if value in (b"{}", b"[]"):
            return self.pointer_of(name) in self.above
        element = re.search(rb"/~2[0-9]+\Z", name)
        return value == b"null" and bool(element) and self.pointer_of(name) in self.withheld

    def may_substitute(self, name):
        if name.startswith(b"@"):
            return name == b"@subject" and b"/subject/id" in self.substituted | self.withheld
        pointer = self.pointer_of(name)
        return pointer in self.substituted and pointer not in IDENTITY


def commitment_of_proof(fields, withheld, substituted, raw):
    message = Message(raw)
    kinds, values = message.raw(1), message.raw(2)
    if not 0 < len(kinds) <= MOST_FIELDS or any(kind > SUBSTITUTED for kind in kinds):
        raise Invalid("the field proof has no fields, too many, or some of an unknown kind")
    if len(values) != sum(16 if kind == KEPT else 32 for kind in kinds):
        raise Invalid("the field proof has too few values, or too many")
    copy = Copy(fields, withheld, substituted)
    place = at = gone = 0
    digests = []

    def next_field():
        nonlocal place, gone
        field, passed = copy.walk[place]
        if passed > gone:
            raise Invalid("something empty stands where nothing was withheld")
        place, gone = place + 1, 0
        return field

    for kind in kinds:
        value = values[at:at + (16 if kind == KEPT else 32)]
        at += len(value)
        if kind == WITHHELD:
            gone += 1
            digests.append(value)
            continue
        field = next_field()
        if field is None:
            raise Invalid("the copy has fewer fields than its proof")
        if kind == SUBSTITUTED and not copy.may_substitute(field[0]):
            raise Invalid(f"{field[0].decode()} is not listed as substituted, or may not be")
        digests.append(field_digest(value, field) if kind == KEPT else value)
    if next_field() is not None:
        raise Invalid("the copy has more fields than its proof")
    return commitment_over(digests)


# --- trees

def node(left, right):
    return sha256(b"\x01" + left + right)


class Tree:
    def __init__(self, leaves, seed):
        width = 1 << (len(leaves) - 1).bit_length()
        pads = [leaf_of("cdgate/pad/v1", seed + u32(j)) for j in range(width - len(leaves))]
        self.rows = [sorted(leaves + pads)]
        while len(self.rows[-1]) > 1:
            row = self.rows[-1]
            self.rows.append([node(*row[i:i + 2]) for i in range(0, len(row), 2)])
        self.root = self.rows[-1][0]

    def prove(self, leaf):
        index = self.rows[0].index(leaf)
        return index, b"".join(row[(index >> k) ^ 1] for k, row in enumerate(self.rows[:-1]))


def root_from(leaf, index, path):
    depth = len(path) // 32
    if len(path) % 32 or depth > 12 or index >> depth:
        raise Invalid("a path is of no tree")
    for k in range(depth):
        sibling = path[32 * k:32 * k + 32]
        leaf = node(sibling, leaf) if index >> k & 1 else node(leaf, sibling)
    return leaf


# --- keys

def validity(certificate):
    """Both ends, whichever release of the package it is."""
    try:
        return certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except AttributeError:
        utc = datetime.timezone.utc
        return (certificate.not_valid_before.replace(tzinfo=utc),
                certificate.not_valid_after.replace(tzinfo=utc))


def read_pem(text):
    blocks = re.findall(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", text, re.DOTALL)
    return [x509.load_pem_x509_certificate(block.encode()) for block in blocks]


def extension(certificate, kind):
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def is_issued_by(certificate, issuer):
    if certificate.issuer != issuer.subject:
        return False
    constraints, usage = extension(issuer, x509.BasicConstraints), extension(issuer, x509.KeyUsage)
    if constraints is None or not constraints.ca or (usage and not usage.key_cert_sign):
        return False
    key, signed = issuer.public_key(), (certificate.signature, certificate.tbs_certificate_bytes)
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(*signed)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(*signed, ec.ECDSA(certificate.signature_hash_algorithm))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(*signed, padding.PKCS1v15(), certificate.signature_hash_algorithm)
        else:
            return False
    except exceptions.InvalidSignature:
        return False
    return True


class Keys:
    """The attestors that came, under the bundles that are trusted."""

    def __init__(self, bundles, attestors):
        self.bundles = {domain: read_pem(pem) for domain, pem in bundles.items()}
        self.attestors = {}
        for pem in attestors:
            chain = read_pem(pem)
            if chain:
                self.attestors[chain[0].fingerprint(hashes.SHA256())] = chain

    def verify(self, domain, key_id, sign_time, text, signature):
        chain = self.attestors.get(key_id)
        if chain is None or domain not in self.bundles:
            raise Unproven(f"a key of {domain} is not known")
        self.check(domain, chain, sign_time)
        key = chain[0].public_key()
        try:
            if isinstance(key, ed25519.Ed25519PublicKey):
                key.verify(signature, text)
            elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1":
                key.verify(signature, text, ec.ECDSA(hashes.SHA256()))
            else:
                raise Unproven(f"a key of {domain} is of a kind that does not sign")
        except exceptions.InvalidSignature:
            raise Invalid(f"what came is not what {domain} signed") from None

    def check(self, domain, chain, sign_time):
        """The leaf is an attestor of the domain and leads to a root, all valid at the time."""
        names = extension(chain[0], x509.SubjectAlternativeName)
        uris = names.get_values_for_type(x509.UniformResourceIdentifier) if names else []
        usage = extension(chain[0], x509.KeyUsage)
        if len(uris) != 1 or not uris[0].startswith(f"spiffe://{domain}/attestor/"):
            raise Unproven(f"a key is not of an attestor of {domain}")
        if usage and not usage.digital_signature:
            raise Unproven(f"a key of {domain} may not sign")
        at = datetime.datetime.fromtimestamp(sign_time // 10**9, datetime.timezone.utc)
        certificate, left = chain[0], chain[1:]
        for _ in range(len(chain) + 1):
            begin, end = validity(certificate)
            if not begin <= at <= end:
                raise Unproven(f"a certificate of {domain} was not valid at the time of signing")
            if certificate in self.bundles[domain]:
                return
            above = [other for other in [*self.bundles[domain], *left]
                     if is_issued_by(certificate, other)]
            if not above:
                break
            certificate = above[0]
        raise Unproven(f"a key of {domain} does not verify under its bundle")


# --- statements

class Terms:
    def __init__(self, raw):
        message = Message(raw)
        self.onward = message.number(1) & 0xffffffff
        self.groups = [group.decode() for group in message.all(2)]
        self.classification = message.text(3)

    def encoded(self):
        return (u32(self.onward) + lp(self.classification) + u32(len(self.groups))
                + b"".join(map(lp, self.groups)))

    def check_within(self, before):
        if self.onward >= before.onward:
            raise Invalid("terms let the event go as far as before, or further")
        if before.groups and not (self.groups and set(self.groups) <= set(before.groups)):
            raise Invalid("terms name groups that those before did not")
        old, new = before.classification, self.classification
        if old not in ("", new) and not any(
                old in scale and new in scale and scale.index(new) >= scale.index(old)
                for scale in SCALES):
            raise Invalid("the classification of terms was lowered")


class Statement:
    def __init__(self, raw):
        message = Message(raw)
        self.domain, self.sign_time = message.text(1), message.fixed64(2)
        self.key_id, self.signature, self.salt = message.raw(3), message.raw(4), message.raw(5)
        self.index, self.path = message.number(6) & 0xffffffff, message.raw(7)
        sizes = [(self.key_id, 32), (self.salt, 16)]
        self.claim = None
        if message.has(8):
            self.claim = claim = Message(message.raw(8))
            self.receiver, self.link = claim.text(1), claim.raw(2)
            self.attributes, self.content, self.changes = claim.raw(3), claim.raw(4), claim.raw(6)
            self.terms = Terms(claim.raw(5))
            sizes += [(part, 32) for part in (self.link, self.attributes, self.content, self.changes)]
        if any(len(part) != size for part, size in sizes) or not 0 < len(self.signature) <= 72:
            raise Invalid("a part of a statement is missing or out of bounds")

    def verify_signed(self, leaf, begin, keys):
        root = root_from(leaf, self.index, self.path)
        keys.verify(self.domain, self.key_id, self.sign_time, begin + root, self.signature)

    def verify_origin(self, event, attributes, keys):
        leaf = leaf_of("cdgate/origin-leaf/v1", b"".join((
            self.salt, event.commitment, i64(event.accepted_time), lp(event.plane),
            lp(event.classification), bytes([event.notes & OUTER_DISAGREES]), attributes)))
        self.verify_signed(leaf, b"cdgate/origin-statement/v1\0" + lp(self.domain)
                           + i64(self.sign_time), keys)

    def verify_export(self, event, previous, keys):
        leaf = leaf_of("cdgate/export-leaf/v1", b"".join((
            self.salt, event.commitment, self.attributes, self.content, previous,
            i64(event.accepted_time), lp(event.origin), lp(event.plane), lp(event.classification),
            lp(self.terms.encoded()), self.changes)))
        self.verify_signed(leaf, b"cdgate/export-statement/v1\0" + lp(self.domain)
                           + lp(self.receiver) + i64(self.sign_time) + self.link, keys)


class Event:
    """A RelayedEvent, from its JSON form."""

    def __init__(self, form):
        def raw(value):
            return base64.b64decode(value, validate=True)
        self.cloud_event = CloudEvent(raw(form.get("cloudEvent", "")))
        self.origin = form.get("origin", "")
        self.accepted_time = int(form.get("acceptedTimeNanos", "0"))
        self.salt, self.commitment = raw(form.get("salt", "")), raw(form.get("commitment", ""))
        self.plane, self.classification = form.get("plane", ""), form.get("classification", "")
        self.path, self.notes = form.get("path", []), form.get("notes", 0)
        self.statements = [raw(statement) for statement in form.get("statements", [])]
        self.field_proof = raw(form.get("fieldProof", ""))
        export = form.get("export", {})
        self.withheld, self.substituted = export.get("withheld", []), export.get("substituted", [])
        self.terms = Terms(b"")
        terms = export.get("terms", {})
        self.terms.onward = terms.get("onward", 0)
        self.terms.groups = terms.get("groups", [])
        self.terms.classification = terms.get("classification", "")

    @property
    def by_fields(self):
        return bool(self.notes & FIELDS_COMMITTED)

    def changes(self):
        return labelled("cdgate/changes/v1", b"".join(
            u32(len(pointers)) + b"".join(map(lp, pointers))
            for pointers in (self.withheld, self.substituted)))

    def is_what(self, statement):
        return (statement.attributes == self.cloud_event.attributes_digest()
                and statement.content == self.cloud_event.content_digest()
                and statement.changes == self.changes())

    def previous(self):
        return sha256(self.statements[-1]) if self.statements else ZERO


def read_statements(event):
    """All that the path needs, each of the domain and kind that belongs there."""
    if len(event.statements) > len(event.path):
        raise Invalid("more statements came than the path needs")
    if len(event.statements) < len(event.path) and len(event.path) > 1:
        raise Unproven("fewer statements came than the path needs")
    statements = [Statement(raw) for raw in event.statements]
    for i, statement in enumerate(statements):
        wanted = (event.path[i - 1], event.path[i]) if i else (event.path[0], None)
        receiver = statement.receiver if statement.claim else None
        if (statement.domain, receiver) != wanted:
            raise Invalid(f"statement {i + 1} is not what belongs there")
    return statements


def check_path(event, receiver):
    path = event.path
    if not path or path[0] != event.origin or not all(path) or len(path) > 32:
        raise Invalid("the path is empty, too long, or does not begin with the origin")
    if len(set(path)) < len(path) or receiver in path:
        raise Invalid("the path comes to a domain twice")


def verify_origin(event, statements, keys):
    """Whether the origin's statement is of the event as it came."""
    if not statements:
        return False
    attributes = ZERO if event.by_fields else event.cloud_event.attributes_digest()
    try:
        statements[0].verify_origin(event, attributes, keys)
        return True
    except (Invalid, Unproven):
        sent = len(statements) > 1 and event.is_what(statements[1])
        if event.by_fields or not (not event.salt or len(event.path) == 1 or sent):
            raise
        return False


def check_substitutes(event, statements):
    """No field proof covers a value that was replaced: where nothing was altered since a domain sent
    the event, the copy is what that said that it sent."""
    for statement in statements[1:] if event.substituted else ():
        if statement.changes == event.changes() and not event.is_what(statement):
            raise Invalid(f"a value that was replaced is not what {statement.domain} said that it sent")


def prove_content(event, statements, origin_fits):
    direct = len(event.path) == 1
    if event.salt:
        if len(event.salt) != 16 or event.withheld or event.substituted or event.field_proof:
            raise Invalid("a salt came that is none, or with an altered copy")
        cloud_event = event.cloud_event
        found = (commitment_to_fields(event.salt, cloud_event.fields()) if event.by_fields
                 else commitment_to_content(event.salt, cloud_event.data))
        if found != event.commitment:
            raise Invalid("the content is not what the origin committed to")
        return "unaltered" if origin_fits else "direct" if direct else "origin export"
    if event.field_proof:
        found = commitment_of_proof(event.cloud_event.fields(), event.withheld, event.substituted,
                                    event.field_proof)
        if not event.by_fields or found != event.commitment:
            raise Invalid("a field of the copy is not what the origin committed to")
        return "fields" if origin_fits else "direct"
    if direct:
        return "direct"
    if event.is_what(statements[1]):
        return "origin export"
    raise Unproven("nothing shows that the content is the origin's")


def verify_event(form, receiver, sender_statement, keys):
    """The verdict, where the event is proven."""
    event = Event(form)
    event.cloud_event.check_source_and_type()
    if len(event.commitment) != 32:
        raise Invalid("no commitment came")
    check_path(event, receiver)
    statements = read_statements(event)
    origin_fits = verify_origin(event, statements, keys)
    for before, statement in zip(event.statements, statements[1:]):
        statement.verify_export(event, sha256(before), keys)
    all_terms = [statement.terms for statement in statements[1:]] + [event.terms]
    for before, after in zip(all_terms, all_terms[1:]):
        after.check_within(before)
    check_substitutes(event, statements)
    verdict = prove_content(event, statements, origin_fits)
    if sender_statement:
        verify_sender(event, receiver, Statement(sender_statement), keys)
    return verdict


def verify_sender(event, receiver, statement, keys):
    if (statement.claim is None or statement.domain != event.path[-1]
            or statement.receiver != receiver or not event.is_what(statement)
            or statement.terms.encoded() != event.terms.encoded()):
        raise Invalid("the sender's statement is not about this event")
    statement.verify_export(event, event.previous(), keys)


# --- receipts, counts and links

def link_digest(vector):
    return labelled("cdgate/link/v1", b"".join((
        bytes.fromhex(vector["seed"]), lp(vector["agreement"]), lp(vector["link_epoch"]),
        u64(vector["first_position"]), u32(vector["count"]), bytes.fromhex(vector["before"]))))


def next_digest(vector):
    return labelled("cdgate/checkpoint/v1", b"".join((
        bytes.fromhex(vector["before"]), u64(vector["first_position"]), u32(vector["count"]),
        bytes.fromhex(vector["root"]))))


def verify_receipt(vector, keys):
    sign_time = int(vector["sign_time_nanos"])
    text = b"".join((b"cdgate/receipt/v1\0", lp(vector["receiver"]), lp(vector["sender"]),
                     lp(vector["agreement"]), lp(vector["link_epoch"]), u64(vector["position"]),
                     bytes.fromhex(vector["digest"]), i64(sign_time)))
    keys.verify(vector["receiver"], bytes.fromhex(vector["key_id"]), sign_time, text,
                base64.b64decode(vector["signature"]))


def verify_count(vector, keys):
    sign_time = int(vector["sign_time_nanos"])
    commitments = [bytes.fromhex(commitment) for commitment in vector["commitments"]]
    if commitments != sorted(set(commitments)):
        raise Invalid("the commitments are not sorted")
    text = b"".join((b"cdgate/origin-count/v1\0", lp(vector["origin"]), lp(vector["destination"]),
                     lp(vector["through"]), lp(bytes.fromhex(vector["request_id"])),
                     i64(int(vector["from_nanos"])), i64(int(vector["until_nanos"])),
                     u64(len(commitments)), labelled("cdgate/commitments/v1", b"".join(commitments)),
                     i64(sign_time)))
    keys.verify(vector["origin"], bytes.fromhex(vector["key_id"]), sign_time, text,
                base64.b64decode(vector["signature"]))


# --- vectors: each returns what it found and what the file says

def judge_content_commitment(vector, _):
    found = commitment_to_content(bytes.fromhex(vector["salt"]), base64.b64decode(vector["data"]))
    return found.hex(), vector["commitment"]


def judge_fields(vector, _):
    event = CloudEvent(base64.b64decode(vector["cloud_event"]))
    fields = event.fields()
    found = [[name.decode(), base64.b64encode(value).decode()] for name, value in fields]
    commitment = commitment_to_fields(bytes.fromhex(vector["salt"]), fields)
    return ((found, event.attributes_digest().hex(), commitment.hex()),
            (vector["fields"], vector["attributes_digest"], vector["commitment"]))


def judge_field_proof(vector, _):
    event = CloudEvent(base64.b64decode(vector["cloud_event"]))
    try:
        found = commitment_of_proof(event.fields(), vector["withheld"], vector["substituted"],
                                    base64.b64decode(vector["proof"]))
    except Invalid:
        found = b""
    return "valid" if found.hex() == vector["commitment"] else "invalid", vector["verdict"]


def judge_tree(vector, _):
    leaves = [bytes.fromhex(leaf) for leaf in vector["leaves"]]
    tree = Tree(leaves, bytes.fromhex(vector["seed"]))
    found = []
    for i, index, path in vector["inclusions"]:
        proven = tree.prove(leaves[i])
        led = root_from(leaves[i], index, bytes.fromhex(path)) == tree.root
        found.append([i, proven[0], proven[1].hex()] if led else [i])
    return (tree.root.hex(), found), (vector["root"], vector["inclusions"])


def judge_event(vector, keys):
    statement = base64.b64decode(vector.get("sender_statement", ""))
    try:
        found = verify_event(vector["event"], vector["receiver"], statement, keys)
    except Invalid:
        found = "invalid"
    except Unproven:
        found = "unproven"
    return found, vector["verdict"]


def judge_link(vector, _):
    return (link_digest(vector).hex(), next_digest(vector).hex()), (vector["link"], vector["after"])


def judge_signed(verify, vector, keys):
    try:
        verify(vector, keys)
        return "valid", vector["verdict"]
    except (Invalid, Unproven):
        return "invalid", vector["verdict"]


def judge_receipt(vector, keys):
    return judge_signed(verify_receipt, vector, keys)


def judge_count(vector, keys):
    return judge_signed(verify_count, vector, keys)


JUDGES = {"content commitment": judge_content_commitment, "fields": judge_fields,
          "field proof": judge_field_proof, "tree": judge_tree, "event": judge_event,
          "link": judge_link, "receipt": judge_receipt, "count": judge_count}


def run_vectors(file):
    keys = Keys(file["bundles"], file["attestors"])
    wrong = 0
    for vector in file["vectors"]:
        found, expected = JUDGES[vector["kind"]](vector, keys)
        shown = found if isinstance(found, str) and len(found) < 20 else "as computed"
        agrees = found == expected
        wrong += not agrees
        print(f"{'ok  ' if agrees else 'FAIL'} {vector['kind']}: {vector['name']}: "
              + (shown if agrees else f"{found}, expected {expected}"))
    print(f"{len(file['vectors'])} vectors, {wrong} not as expected")
    return 1 if wrong or not file["vectors"] else 0


def verify_file(file, keys):
    """Also of an event that its origin itself shows, as its first receiver would see it."""
    form, receiver = file["event"], file["receiver"]
    sender_statement = base64.b64decode(file.get("senderStatement", ""))
    if not form.get("path") and receiver == form.get("origin"):
        form, receiver = {**form, "path": [receiver]}, ""
        if sender_statement:
            raise Invalid("the sender's statement is not about this event")
    verdict = verify_event(form, receiver, sender_statement, keys)
    if sender_statement:
        return verdict
    changes = form.get("export", {})
    if verdict == "fields" and (changes.get("withheld") or changes.get("substituted")):
        raise Unproven("nobody signed what was withheld or replaced last")
    if verdict == "direct":
        raise Unproven("nobody signed this content")
    return verdict


def run_event(file, bundles):
    if file.get("version") != 1:
        raise SystemExit("not an event file of version 1")
    keys = Keys(bundles, file.get("attestors", []))
    try:
        verdict = verify_file(file, keys)
    except (Invalid, Unproven) as fault:
        print(f"{type(fault).__name__.lower()}: {fault}")
        return 1
    print(verdict)
    return 0


def read_bundles(arguments):
    bundles = {}
    for argument in arguments:
        domain, separator, path = argument.partition("=")
        if not separator:
            raise SystemExit(f"--bundle {argument}: expected DOMAIN=FILE")
        with open(path, encoding="utf-8") as file:
            bundles[domain] = bundle_pem(file.read())
    return bundles


def bundle_pem(text):
    """Of either form: PEM, or a bundle document of SPIFFE."""
    if not text.lstrip().startswith("{"):
        return text
    return "".join(f"-----BEGIN CERTIFICATE-----\n{key['x5c'][0]}\n-----END CERTIFICATE-----\n"
                   for key in json.loads(text)["keys"] if key.get("use") == "x509-svid" and "x5c" in key)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("file", help="an event with its statements, or test vectors")
    parser.add_argument("--bundle", action="append", default=[], metavar="DOMAIN=FILE",
                        help="the root certificates of a domain whose statements count")
    arguments = parser.parse_args()
    with open(arguments.file, encoding="utf-8") as file:
        content = json.load(file)
    if "vectors" in content:
        return run_vectors(content)
    return run_event(content, read_bundles(arguments.bundle))


if __name__ == "__main__":
    sys.exit(main())
