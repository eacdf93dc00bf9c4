#!/usr/bin/env python3
"""The code keeps to cmake/layers.txt, and the check finds what does not."""
import os
import tempfile
import unittest

import layers

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

LAYERS = """
layer 0: proto
layer 1: gateway/base
layer 2: auth/crypto
layer 2: auth/trust -> auth/crypto
layer 3: gateway/eventlog
layer 3: federation/link
layer 5: gateway/api
"""


def faults_of(files, layer_lines=LAYERS):
    """The breaches in a tree made of `files` (path -> content)."""
    with tempfile.TemporaryDirectory() as root:
        for path, content in {"cmake/layers.txt": layer_lines, **files}.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(content)
        return layers.check(root)


class LayersTest(unittest.TestCase):
    def test_the_project_keeps_to_its_layers(self):
        self.assertEqual(layers.check(ROOT), [])

    def test_allows_lower_layers_and_named_edges(self):
        self.assertEqual(faults_of({
            "auth/trust/a.cc": '#include "auth/crypto/b.h"\n#include "gateway/base/c.h"\n'
                               '#include "cdgate/admin/v1/admin.pb.h"\n#include <string>\n',
            "auth/crypto/b.h": "#include <openssl/evp.h>\n",
        }), [])

    def test_finds_each_breach(self):
        cases = {
            "a higher layer": ("gateway/base/a.h", '#include "auth/crypto/b.h"', "not allowed"),
            "an unnamed edge": ("auth/crypto/a.h", '#include "auth/trust/b.h"', "not allowed"),
            "OpenSSL": ("auth/trust/a.h", "#include <openssl/x509.h>", "OpenSSL"),
            "gRPC in a pure library": ("federation/link/a.h", "#include <grpcpp/channel.h>", "pure"),
            "a stub in a pure library": (
                "federation/link/a.h", '#include "cdgate/federation/v1/link.grpc.pb.h"', "pure"),
            "the log in a pure library": (
                "federation/link/a.h", '#include "gateway/eventlog/b.h"', "pure"),
            "auth above its place": ("auth/trust/a.h", '#include "gateway/api/b.h"', "never"),
            "federation above its place": ("federation/link/a.h", '#include "gateway/api/b.h"', "never"),
            "a directory in no layer": ("gateway/other/a.h", "", "in no layer"),
            "an include in no layer": ("gateway/api/a.h", '#include "gateway/other/b.h"', "in no layer"),
        }
        for name, (path, line, expected) in cases.items():
            with self.subTest(name):
                faults = faults_of({path: line + "\n"})
                self.assertEqual(len(faults), 1, faults)
                self.assertIn(path, faults[0])
                self.assertIn(expected, faults[0])

    def test_finds_a_cycle_and_an_edge_across_layers(self):
        faults = faults_of({}, "layer 1: gateway/base\nlayer 2: auth/crypto -> auth/trust\n"
                               "layer 2: auth/trust -> auth/crypto gateway/base\n")
        self.assertTrue(any("cycle" in fault for fault in faults), faults)
        self.assertTrue(any("not in the same layer" in fault for fault in faults), faults)

    def test_finds_a_public_dependency_that_no_header_needs(self):
        tree = {
            "gateway/base/CMakeLists.txt": "cdgate_cc_library(NAME base SRCS a.cc HDRS a.h)",
            "auth/crypto/CMakeLists.txt":
                "cdgate_cc_library(NAME crypto SRCS b.cc HDRS b.h PUBLIC_DEPS cdgate::base)",
            "auth/crypto/b.h": "",
        }
        self.assertEqual(len(faults_of(tree)), 1)
        tree["auth/crypto/b.h"] = '#include "gateway/base/a.h"\n'
        self.assertEqual(faults_of(tree), [])


if __name__ == "__main__":
    unittest.main()
