#!/usr/bin/env python3
"""Where the instructions of a query go on the emulated board: a table for each kind, by function.

    (cd firmware/boards/mps2-an386 && cargo build --release --features count)
    echo casino.example | gardefou build --list gambling=/dev/stdin -o casino.gfi
    benches/instructions.py path/to/mps2-an386 casino.gfi > table.md

QEMU runs one instruction at a time and writes down where each was; from the wake-up that brings a
frame to the sleep behind it, all are counted. Wants qemu-system-arm, nm and llvm-objdump
(Debian: binutils, llvm).
"""

import bisect
import collections
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

QUERIES = 12
ROWS = 25
# Nothing else comes meanwhile.
PAUSE_S = 0.03
# Until the board has looked for exceptions.
BEGIN_S = 8


def query(name):
    labels = name.split(".")
    wire = b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"
    edns = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
    return b"\0\7\1\0\0\1\0\0\0\0\0\1" + wire + b"\0\1\0\1" + edns


def upstream():
    """A server that knows an address for every name; gives its port."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def serve():
        while True:
            asked, client = server.recvfrom(4096)
            answer = bytearray(asked[: asked.index(0, 12) + 5])
            answer[2:4] = b"\x81\x80"
            answer[6:12] = b"\0\1\0\0\0\0"
            answer += b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"
            server.sendto(answer, client)

    threading.Thread(target=serve, daemon=True).start()
    return server.getsockname()[1]


class Board:
    def __init__(self, folder, firmware, image):
        shutil.copy(firmware, folder + "/firmware")
        shutil.copy(image, folder + "/image")
        with open(folder + "/settings", "w") as settings:
            settings.write(f"upstream 10.0.2.2:{upstream()}\n")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.log = folder + "/log"
        self.process = subprocess.Popen(
            "qemu-system-arm -M mps2-an386 -display none -serial none -icount shift=6 -singlestep"
            " -semihosting-config enable=on,target=native -d nochain -D log"
            f" -nic user,model=lan9118,hostfwd=udp:127.0.0.1:{port}-:53"
            " -monitor unix:monitor,server=on,wait=off"
            " -device loader,file=image,addr=0x21000000,force-raw=on"
            " -device loader,file=settings,addr=0x21ff0000,force-raw=on -kernel firmware".split(),
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )
        while not os.path.exists(folder + "/monitor"):
            time.sleep(0.1)
        self.monitor = socket.socket(socket.AF_UNIX)
        self.monitor.connect(folder + "/monitor")
        self.read_until(b"(qemu) ")
        self.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.client.connect(("127.0.0.1", port))
        self.client.settimeout(2)

    def read_until(self, end):
        said = b""
        while not said.endswith(end):
            said += self.monitor.recv(4096)

    def command(self, command):
        self.monitor.send(command.encode() + b"\n")
        self.read_until(b"\n(qemu) ")

    def ask(self, name):
        for _ in range(10):
            try:
                self.client.send(query(name))
                self.client.recv(4096)
                return time.sleep(PAUSE_S)
            except (TimeoutError, ConnectionRefusedError):
                pass
        sys.exit("the board does not answer")

    def trace(self, names):
        """Where each instruction was while it was asked about these names."""
        begin = os.path.getsize(self.log)
        self.command("log exec,nochain")
        for name in names:
            self.ask(name)
        self.command("log nochain")
        time.sleep(PAUSE_S)
        with open(self.log) as log:
            log.seek(begin)
            return [int(place, 16) for place in re.findall(r"\[\w+/(\w+)/", log.read())]


class Program:
    def __init__(self, elf):
        symbols = subprocess.check_output(["nm", "-C", "-S", elf], text=True)
        found = re.findall(r"(?m)^(\w+) (\w+) [tTwW] (.*)$", symbols)
        functions = [(int(start, 16) & ~1, int(size, 16), name) for start, size, name in found]
        self.functions = sorted(functions)
        self.starts = [start for start, _, _ in self.functions]
        code = subprocess.check_output(["llvm-objdump", "-d", elf], text=True)
        self.sleeps = {int(place, 16) for place in re.findall(r"(?m)^ *(\w+):.*\twfi$", code)}

    def function(self, place):
        start, size, name = self.functions[bisect.bisect(self.starts, place) - 1]
        return name if place < start + size else "elsewhere"

    def count(self, trace):
        """Instructions by function, of all that was done with a frame; and their calls."""
        instructions, calls = collections.Counter(), collections.Counter()
        begin = 0
        for end, place in enumerate(trace):
            if place not in self.sleeps:
                continue
            awake, begin = trace[begin : end + 1], end + 1
            names = {place: self.function(place) for place in set(awake)}
            if any("RxToken" in name for name in names.values()):
                instructions.update(names[place] for place in awake)
                calls.update(names[place] for place in awake if place in self.starts)
        return instructions, calls


def main():
    firmware, image = sys.argv[1:]
    program = Program(firmware)
    kinds = {
        "blocked": [f"n{number}.casino.example" for number in range(QUERIES)],
        "blocked again": ["n0.casino.example"] * QUERIES,
        "forwarded": [f"n{number}.school.example" for number in range(QUERIES)],
        "from the cache": ["n0.school.example"] * QUERIES,
    }
    with tempfile.TemporaryDirectory() as folder:
        board = Board(folder, firmware, image)
        try:
            board.ask("casino.example")
            time.sleep(BEGIN_S)
            for kind, names in kinds.items():
                if kind == "from the cache":
                    board.ask(names[0])
                instructions, calls = program.count(board.trace(names))
                print(f"\n## A query, {kind}: {instructions.total() // QUERIES:,} instructions\n")
                print("| instructions | calls | function |\n|---|---|---|")
                for name, count in instructions.most_common(ROWS):
                    print(f"| {count // QUERIES:,} | {calls[name] / QUERIES:.1f} | `{name}` |")
        finally:
            board.process.kill()
            board.process.wait()


main()
