#!/usr/bin/env python3
"""Makes attestors.json: the roots and attestors of the domains in vectors.json.

    make_attestors.py > attestors.json

Keys come from their names (see seed_of), so that tests have the private halves without any file;
all roots are Ed25519 keys, so that the certificates come out the same each time.
"""
import datetime
import hashlib
import json

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

BEGIN = datetime.datetime(2026, 1, 1)
END_OF_ROOTS = datetime.datetime(2046, 1, 1)
END_OF_ATTESTORS = datetime.datetime(2027, 1, 1)
# The kind of the attestor's key.
DOMAINS = {"alpha.example": "Ed25519", "beta.example": "Ed25519", "gamma.example": "P-256",
           "rogue.example": "Ed25519"}


def seed_of(name):
    return hashlib.sha256(b"cdgate test key: " + name.encode()).digest()


def key_of(name, kind):
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(seed_of(name))
    return ec.derive_private_key(int.from_bytes(seed_of(name), "big"), ec.SECP256R1())


def serial_of(name):
    return int.from_bytes(seed_of("serial of " + name)[:16], "big") >> 1


def usage(**wanted):
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
             "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: wanted.get(name, False) for name in names})


def certificate(name, issuer, uri, key, end, extensions):
    builder = (x509.CertificateBuilder()
               .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
               .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
               .public_key(key.public_key()).serial_number(serial_of(name))
               .not_valid_before(BEGIN).not_valid_after(end)
               .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), False)
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder


def domain_of(name, kind):
    root_name = f"{name} root CA"
    root_key = key_of(root_name, "Ed25519")
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
    root = certificate(root_name, root_name, f"spiffe://{name}", root_key, END_OF_ROOTS, [
        (x509.BasicConstraints(ca=True, path_length=None), True),
        (usage(key_cert_sign=True, crl_sign=True), True), (identifier, False)]).sign(root_key, None)
    attestor_name = f"{name} attestor"
    attestor = certificate(attestor_name, root_name, f"spiffe://{name}/attestor/a1",
                           key_of(attestor_name, kind), END_OF_ATTESTORS, [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (usage(digital_signature=True), True), (identifier, False),
        (x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")]), False),
    ]).sign(root_key, None)
    pem = serialization.Encoding.PEM
    return {"bundle": root.public_bytes(pem).decode(), "attestor": attestor.public_bytes(pem).decode()}


print(json.dumps({name: domain_of(name, kind) for name, kind in DOMAINS.items()}, indent=1))
