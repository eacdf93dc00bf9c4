"""Holds #includes and CMake dependencies against cmake/layers.txt.

check(root) returns one line for every breach:
  - a source file whose directory is in no layer;
  - an include of a higher layer, or of the same layer where the file does not name it;
  - a cycle among the edges that the file names within a layer;
  - <openssl/...> outside auth/crypto;
  - gRPC or the log in the pure libraries (federation/policy, attestation, link);
  - what auth and federation never include (FORBIDDEN);
  - a PUBLIC dependency between our libraries that no header of the library needs.
Tests are exempt: they may include anything.
"""
import os
import re

TOPS = ("gateway", "federation", "auth")
GENERATED = ("cdgate/", "io/cloudevents/", "google/rpc/", "grpc/health/", "grpc/reflection/")
FORBIDDEN = {
    "auth": ("gateway/delivery", "gateway/api", "gateway/http", "gateway/app", "federation"),
    "federation": ("gateway/delivery", "gateway/api", "gateway/http", "gateway/app", "gateway/cli"),
}
PURE = ("federation/policy", "federation/attestation", "federation/link")
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.MULTILINE)
LAYER_LINE = re.compile(r"^layer (\d+): (\S+)(?: -> (.+))?$")


class Layers:
    """The parsed file: the layer of each directory, and the edges named within one."""

    def __init__(self, text):
        self.layer = {}
        self.edges = {}
        for number, line in enumerate(text.splitlines(), 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            match = LAYER_LINE.match(line)
            if not match:
                raise ValueError(f"layers.txt:{number}: not 'layer N: DIRECTORY [-> DIRECTORY...]'")
            directory = match.group(2)
            self.layer[directory] = int(match.group(1))
            self.edges[directory] = (match.group(3) or "").split()

    def owner(self, path):
        """The listed directory that `path` belongs to, the deepest one; None: none does."""
        directory = os.path.dirname(path)
        while directory and directory not in self.layer:
            directory = os.path.dirname(directory)
        return directory or None


def edge_faults(layers):
    """Edges to unknown directories or other layers, and cycles."""
    faults = []
    for directory, targets in layers.edges.items():
        for target in targets:
            if layers.layer.get(target) != layers.layer[directory]:
                faults.append(f"layers.txt: {directory} -> {target}: not in the same layer")
    done, path = set(), []

    def visit(directory):
        if directory in path:
            faults.append("layers.txt: cycle " + " -> ".join(path[path.index(directory):] + [directory]))
            return
        if directory in done:
            return
        path.append(directory)
        for target in layers.edges.get(directory, []):
            visit(target)
        path.pop()
        done.add(directory)

    for directory in layers.edges:
        visit(directory)
    return faults


def within(path, directory):
    return path == directory or path.startswith(directory + "/")


def include_fault(layers, path, quote, included):
    """What is wrong with one include of the file `path`; None: nothing."""
    owner = layers.owner(path)
    if quote == "<":
        if included.startswith("openssl/") and owner != "auth/crypto":
            return f"{path} includes <{included}>: only auth/crypto sees OpenSSL"
        if included.startswith(("grpc/", "grpcpp/")) and owner in PURE:
            return f"{path} includes <{included}>: {owner} is pure, without gRPC"
        return None
    if included.startswith(GENERATED):
        if included.endswith(".grpc.pb.h") and owner in PURE:
            return f"{path} includes {included}: {owner} is pure, without gRPC"
        return None
    if not included.startswith(tuple(top + "/" for top in TOPS)):
        return None  # a library of the system
    target = layers.owner(included)
    if target is None:
        return f"{path} includes {included}, which is in no layer of layers.txt"
    for top, never in FORBIDDEN.items():
        if within(path, top) and any(within(included, other) for other in never):
            return f"{path} includes {included}: {top} never does"
    if owner in PURE and within(target, "gateway/eventlog"):
        return f"{path} includes {included}: {owner} is pure, without the log"
    if target == owner or layers.layer[target] < layers.layer[owner]:
        return None
    if layers.layer[target] == layers.layer[owner] and target in layers.edges[owner]:
        return None
    return (f"{path} (layer {layers.layer[owner]}) includes {included} "
            f"(layer {layers.layer[target]}): not allowed by layers.txt")


def source_files(root):
    for top in TOPS:
        for directory, _, names in sorted(os.walk(os.path.join(root, top))):
            for name in sorted(names):
                if name.endswith((".h", ".cc")):
                    yield os.path.relpath(os.path.join(directory, name), root)


def includes_of(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return INCLUDE.findall(file.read())


def include_faults(root, layers):
    faults = []
    for path in source_files(root):
        if layers.owner(path) is None:
            faults.append(f"{path} is in no layer of layers.txt")
            continue
        for quote, included in includes_of(root, path):
            fault = include_fault(layers, path, quote, included)
            if fault:
                faults.append(fault)
    return faults


LIBRARY = re.compile(r"cdgate_cc_library\(([^)]*)\)")
KEYWORDS = ("NAME", "SRCS", "HDRS", "DEPS", "PUBLIC_DEPS")


class Library:
    """One cdgate_cc_library call: its directory and its arguments by keyword."""

    def __init__(self, directory, text):
        self.directory = directory
        self.arguments = {keyword: [] for keyword in KEYWORDS}
        keyword = None
        for word in re.sub(r"#.*", "", text).split():
            if word in KEYWORDS:
                keyword = word
            elif keyword:
                self.arguments[keyword].append(word)
        self.name = (self.arguments["NAME"] or [""])[0]


def libraries(root):
    for top in TOPS:
        for directory, _, names in sorted(os.walk(os.path.join(root, top))):
            if "CMakeLists.txt" not in names:
                continue
            with open(os.path.join(directory, "CMakeLists.txt"), encoding="utf-8") as file:
                for text in LIBRARY.findall(file.read()):
                    yield Library(os.path.relpath(directory, root), text)


def public_faults(root):
    """PUBLIC dependencies on our own libraries that no header includes."""
    faults = []
    found = list(libraries(root))
    headers = {}  # of each library, as they are included
    for library in found:
        headers[library.name] = {os.path.join(library.directory, header)
                                 for header in library.arguments["HDRS"]}
    for library in found:
        included = set()
        for header in library.arguments["HDRS"]:
            path = os.path.join(library.directory, header)
            if os.path.exists(os.path.join(root, path)):
                included.update(name for _, name in includes_of(root, path))
        for dependency in library.arguments["PUBLIC_DEPS"]:
            name = dependency.removeprefix("cdgate::")
            if name == dependency or not library.arguments["SRCS"]:
                continue
            needed = (any(path.startswith(GENERATED) for path in included) if name == "proto"
                      else bool(included & headers.get(name, set())))
            if not needed:
                faults.append(f"{library.directory}/CMakeLists.txt: {library.name} links "
                              f"{dependency} PUBLIC, but none of its headers includes it")
    return faults


def check(root):
    with open(os.path.join(root, "cmake", "layers.txt"), encoding="utf-8") as file:
        layers = Layers(file.read())
    return edge_faults(layers) + include_faults(root, layers) + public_faults(root)
