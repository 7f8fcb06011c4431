"""Derives `results.bin`: the bounds of the values in results of AWS's services, for the check of mocked results alone.

`generate.py` writes it beside `services.bin`, which has the members and types, and `../src/sdk/results.rs` reads it. Numbers
are LEB128, texts UTF-8 with their length before them:

    file       MAGIC, index of services by resource name, blocks
    index      resource name, offset of the block behind the index, its length packed and unpacked
    block      LZ4; texts, bounds, places
    bounds     the least and the most of a number, as texts; or of a length, each one more, and the values of an enumeration
    place      how many shapes of `services.bin` further, the number of the member (0 in a list or a map), the bounds
"""

import lz4.block

import names

MAGIC = b"stepwell results 1\n"
NUMBERS = ("integer", "long", "double", "float")
LENGTHS = ("string", "blob", "list")


class Results:
    """The bounds in one service's results on their way into a block. `packed` is the service as `services.bin` has it."""

    def __init__(self, model, packed, out):
        self.model, self.packed, self.bytes = model, packed, out
        self.strings, self.bounds, self.places, self.visited = {}, {}, [], set()

    def string(self, text):
        return self.strings.setdefault(text, len(self.strings))

    def visit(self, name):
        if name in self.visited:
            return
        self.visited.add(name)
        shape = self.model["shapes"][name]
        if shape["type"] == "structure":
            # The order of services.bin.
            targets = [member["shape"] for _, member in
                       sorted(shape.get("members", {}).items(), key=lambda item: names.member(item[0]))]
        elif shape["type"] in ("list", "map"):
            targets = [shape["member" if shape["type"] == "list" else "value"]["shape"]]
        else:
            return
        for slot, target in enumerate(targets):
            bounds = self.bounds_of(self.model["shapes"][target])
            if bounds is not None:
                self.places.append((self.packed.places[name], slot, bounds))
            self.visit(target)

    def bounds_of(self, shape):
        """The number of a shape's bounds; None where it has none."""
        least, most, values = shape.get("min"), shape.get("max"), shape.get("enum", [])
        if shape["type"] in NUMBERS and (least is not None or most is not None):
            key = ("number", str(least if least is not None else ""), str(most if most is not None else ""))
        elif shape["type"] in LENGTHS and (least or most is not None or values):
            key = ("length", least or 0, most, tuple(values))
        else:
            return None
        return self.bounds.setdefault(key, len(self.bounds))

    def block(self):
        for _, operation in sorted(self.model["operations"].items()):
            # Those with event streams are not in services.bin.
            if operation.get("output", {}).get("shape") in self.packed.places:
                self.visit(operation["output"]["shape"])
        bounds = self.bytes()
        bounds.number(len(self.bounds))
        for kind, least, most, *values in self.bounds:
            if kind == "number":
                bounds.number(0)
                bounds.number(self.string(least))
                bounds.number(self.string(most))
            else:
                bounds.number(1)
                bounds.number(least + 1)
                bounds.number(0 if most is None else most + 1)
                bounds.number(len(values[0]))
                for value in values[0]:
                    bounds.number(self.string(value))
        head = self.bytes()
        head.number(len(self.strings))
        for text in self.strings:
            head.text(text)
        tail, before = self.bytes(), 0
        tail.number(len(self.places))
        for shape, slot, number in sorted(self.places):
            tail.number(shape - before)
            tail.number(slot)
            tail.number(number)
            before = shape
        return bytes(head.data + bounds.data + tail.data)


def table(services, out):
    """The file. `services` are the models with their services as `services.bin` has them."""
    index, blocks, offset = {}, [], 0
    for model, packed_service in services:
        block = Results(model, packed_service, out).block()
        packed = lz4.block.compress(block, mode="high_compression", compression=12, store_size=False)
        index[names.service(model["metadata"]["serviceId"]).lower()] = (offset, len(packed), len(block))
        blocks.append(packed)
        offset += len(packed)
    head = out()
    head.data += MAGIC
    head.number(len(index))
    for name, numbers in sorted(index.items()):
        head.text(name)
        for number in numbers:
            head.number(number)
    return bytes(head.data) + b"".join(blocks)
