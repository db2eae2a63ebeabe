#!/usr/bin/env python3
"""Takes the protocol definitions of a store out of its Python client's wheel, as a descriptor set for protoc.

The wheel carries each definition as a serialised FileDescriptorProto inside a `*_pb2.py`. Those files
are parsed, never run. What only other languages and tools need is left out: services, custom options
and source positions; the generated C++ is without reflection (LITE_RUNTIME), which halves its
compile time.
"""

import argparse
import ast
import pathlib
import re
import sys
import zipfile

# Field numbers of google/protobuf/descriptor.proto.
FILE_NAME, FILE_DEPENDENCY, FILE_MESSAGE, FILE_SERVICE, FILE_EXTENSION, FILE_OPTIONS = 1, 3, 4, 6, 7, 8
FILE_PUBLIC_DEPENDENCY, FILE_WEAK_DEPENDENCY, FILE_SOURCE_INFO = 10, 11, 9
MESSAGE_NESTED, MESSAGE_OPTIONS = 3, 7
OPTIONS_MAP_ENTRY, OPTIONS_OPTIMIZE_FOR, LITE_RUNTIME = 7, 9, 3
VARINT, LENGTH = 0, 2
OWN_OPTIONS = 1000  # From here on numbers are of custom options.


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def fields(data):
    """(number, wire type, value) of each field of a message; the value is an int or bytes."""
    position = 0

    def take_varint():
        nonlocal position
        number = shift = 0
        while True:
            byte = data[position]
            position += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7

    while position < len(data):
        tag = take_varint()
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            yield number, wire, take_varint()
        elif wire in (1, LENGTH, 5):
            size = take_varint() if wire == LENGTH else 8 if wire == 1 else 4
            yield number, wire, data[position:position + size]
            position += size
        else:
            raise ValueError(f"wire type {wire} at byte {position}")


def field(number, wire, value):
    tag = varint(number << 3 | wire)
    if wire == VARINT:
        return tag + varint(value)
    return tag + (varint(len(value)) if wire == LENGTH else b"") + value


def slim_message(data):
    out = b""
    for number, wire, value in fields(data):
        if number == MESSAGE_NESTED:
            value = slim_message(value)
        elif number == MESSAGE_OPTIONS:
            value = b"".join(field(*f) for f in fields(value) if f[0] < OWN_OPTIONS)
        out += field(number, wire, value)
    return out


def slim_file(data):
    """The file as C++ needs it."""
    out = b""
    options = field(OPTIONS_OPTIMIZE_FOR, VARINT, LITE_RUNTIME)
    for number, wire, value in fields(data):
        if number in (FILE_SERVICE, FILE_EXTENSION, FILE_SOURCE_INFO):
            continue
        if number in (FILE_PUBLIC_DEPENDENCY, FILE_WEAK_DEPENDENCY):
            raise ValueError("public and weak imports are not handled")
        if number == FILE_DEPENDENCY and value == b"google/protobuf/descriptor.proto":
            continue  # For custom options only.
        if number == FILE_OPTIONS:
            continue
        if number == FILE_MESSAGE:
            value = slim_message(value)
        out += field(number, wire, value)
    return out + field(FILE_OPTIONS, LENGTH, options)


def descriptors(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "AddSerializedFile":
            yield node.args[0].value


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=pathlib.Path)
    parser.add_argument("folder", help="folder in the wheel that holds the *_pb2.py")
    parser.add_argument("out", type=pathlib.Path, help="descriptor set to write")
    parser.add_argument("files", nargs="+", help="the definitions to take, as they import each other")
    arguments = parser.parse_args()
    found = {}
    with zipfile.ZipFile(arguments.wheel) as wheel:
        for name in wheel.namelist():
            if re.fullmatch(re.escape(arguments.folder) + r"/\w+_pb2\.py", name):
                for data in descriptors(wheel.read(name).decode()):
                    proto = next(value for number, _, value in fields(data) if number == FILE_NAME)
                    found[proto.decode()] = slim_file(data)
    missing = [name for name in arguments.files if name not in found]
    if missing:
        sys.exit(f"{arguments.wheel.name}: no {', '.join(missing)} in {arguments.folder}; "
                 f"there are {', '.join(sorted(found))}")
    arguments.out.write_bytes(b"".join(field(1, LENGTH, found[name]) for name in arguments.files))


if __name__ == "__main__":
    main()
