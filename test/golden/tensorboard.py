"""Reads an events file of TensorBoard without TensorBoard: records, checksums and messages from their definitions.

    python3 test/golden/tensorboard.py FILE     prints [{"wall_time", "step", "values": {tag: float}} …] as JSON
    npm run golden tensorboard                  writes test/golden/tensorboard.json: an events file made here, in base64

The checksum is computed bit by bit from the polynomial, and the numbers are unpacked with struct: nothing is shared with
the writer that it checks.
"""
import base64
import json
import os
import struct
import sys


def crc32c(data):
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


assert crc32c(b"123456789") == 0xE3069283  # the check value of the catalogue of CRCs
assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    at = 0
    while at < len(data):
        head = data[at : at + 8]
        (length,) = struct.unpack("<Q", head)
        assert struct.unpack_from("<I", data, at + 8)[0] == masked(head), f"checksum of a length at {at}"
        body = data[at + 12 : at + 12 + length]
        assert struct.unpack_from("<I", data, at + 12 + length)[0] == masked(body), f"checksum of a record at {at}"
        yield body
        at += 16 + length


def fields(data):
    at = 0

    def varint():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        wire = key & 7
        if wire == 0:
            yield key >> 3, varint()
        elif wire == 1:
            yield key >> 3, struct.unpack_from("<d", data, at)[0]
            at += 8
        elif wire == 5:
            yield key >> 3, struct.unpack_from("<f", data, at)[0]
            at += 4
        else:
            assert wire == 2
            length = varint()
            yield key >> 3, data[at : at + length]
            at += length


def events(data):
    found = []
    for body in records(data):
        event = {"step": 0, "values": {}}
        for number, value in fields(body):
            if number == 1:
                event["wall_time"] = value
            elif number == 2:
                event["step"] = value
            elif number == 3:
                event["file_version"] = value.decode()
            elif number == 5:
                for kind, item in fields(value):
                    assert kind == 1
                    parts = dict(fields(item))
                    event["values"][parts[1].decode()] = parts[2]
        found.append(event)
    return found


def varint_of(value):
    out = b""
    while value >= 128:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def length_field(number, data):
    return varint_of(number << 3 | 2) + varint_of(len(data)) + data


def record(data):
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", masked(head)) + data + struct.pack("<I", masked(data))


def event_of(seconds, step, values):
    summary = b"".join(
        length_field(1, length_field(1, tag.encode()) + b"\x15" + struct.pack("<f", value)) for tag, value in values
    )
    return record(b"\x09" + struct.pack("<d", seconds) + b"\x10" + varint_of(step) + length_field(5, summary))


def golden():
    """The file of three lines of metrics: an evaluation, a step, a step whose number takes two bytes."""
    begin = 1_700_000_000.25
    data = record(b"\x09" + struct.pack("<d", begin) + length_field(3, b"brain.Event:2"))
    tag = "eval/Fragen über Öl/cosine_spearman"
    data += event_of(begin, 0, [(tag, 0.5), (tag + "/low", 0.25), (tag + "/high", 0.75)])
    for step, elapsed, loss in [(1, 1.5, 3.4657359), (300, 450.125, 0.1)]:
        rows = [("loss", loss), ("learning_rate", 2e-5), ("gradient_norm", 1.25), ("epoch", step / 200)]
        data += event_of(begin + elapsed, step, [("train/" + name, value) for name, value in rows])
    file = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tensorboard.json")
    with open(file, "w") as out:
        json.dump({"file": base64.b64encode(data).decode(), "events": events(data)}, out, ensure_ascii=False, indent=1)
        out.write("\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(events(open(sys.argv[1], "rb").read())))
    else:
        golden()
