"""How many small pictures a second `nasion serve` answers, and how long an answer takes.

Usage: python benchmarks/serve.py --data IMM [--run face68_light] [--pictures 30] [--seconds 15]
           [--rates 50 100 150 200 250] [--json FILE]

The server runs in a process of its own, as `nasion serve --run RUN`. Pictures are those of IMM,
reduced to 320 x 240 and compressed as JPEG. They arrive at a fixed rate whether or not earlier ones
have been answered, over connections that stay open, as from a proxy; a time counts from the moment
at which a picture was due, so that a server that falls behind cannot hide it. The client is a
process of its own on the same cores and takes a tenth of one at 200 pictures a second.
"""

import argparse
import asyncio
import contextlib
import io
import json
import os
import re
import resource
import subprocess
import sys
import time
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from PIL import Image
from result_files import origin

SIZE = (320, 240)
CONNECTIONS = 32


def small_pictures(folder, count):
    paths = sorted(Path(folder).rglob("*.jpg"))[:: max(1, 240 // count)][:count]
    if not paths:
        raise SystemExit(f"{folder}: no .jpg files; name the folder of IMM with --data.")
    pictures = []
    for path in paths:
        buffer = io.BytesIO()
        Image.open(path).convert("RGB").resize(SIZE).save(buffer, "JPEG", quality=90)
        pictures.append(buffer.getvalue())
    return pictures


@contextlib.contextmanager
def server(run):
    """Yields the port and the process of a server that answers."""
    command = [sys.executable, "-m", "nasion", "serve", "--run", run, "--port", "0"]
    # One thread for each computation: workers share the cores.
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        for line in process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                yield int(found[1]), process
                return
        raise SystemExit(f"the server did not start (exit code {process.wait()})")
    finally:
        process.terminate()
        process.wait()


class Connection:
    """An HTTP connection that stays open."""

    def __init__(self, port):
        self.port, self.reader = port, None

    async def post(self, picture):
        """The number of faces in the answer."""
        if self.reader is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = (
            f"POST /v1/landmarks HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Content-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
        )
        self.writer.write(head.encode() + picture)
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        length = next(int(x[15:]) for x in map(str.lower, lines) if x.startswith("content-length:"))
        body = await self.reader.readexactly(length)
        if " 200 " not in f"{lines[0]} ":
            raise RuntimeError(f"{lines[0]}: {body.decode()}")
        return body.count(b'"points": [') or body.count(b'"points":[')


async def offered(port, pictures, rate, seconds):
    """Seconds from when each picture was due to its answer, and how many had a face."""
    idle = asyncio.Queue()
    for _ in range(CONNECTIONS):
        idle.put_nowait(Connection(port))
    times, faces = [], []

    async def one(picture, due):
        connection = await idle.get()
        faces.append(await connection.post(picture))
        times.append(time.perf_counter() - due)
        idle.put_nowait(connection)

    tasks, start = [], time.perf_counter() + 0.05
    for i, picture in enumerate(islice(cycle(pictures), round(rate * seconds))):
        due = start + i / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(picture, due)))
    await asyncio.gather(*tasks)
    return np.array(times), np.array(faces), time.perf_counter() - start


def cpu_seconds(process):
    """The CPU time of a process and of those that it started."""
    total = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            if int(folder.name) == process.pid or int(fields[1]) == process.pid:
                total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def measured(port, process, pictures, rate, seconds):
    before, own = cpu_seconds(process), resource.getrusage(resource.RUSAGE_SELF)
    times, faces, took = asyncio.run(offered(port, pictures, rate, seconds))
    after = resource.getrusage(resource.RUSAGE_SELF)
    client = after.ru_utime + after.ru_stime - own.ru_utime - own.ru_stime
    median, most = np.percentile(times, [50, 99]) * 1e3
    row = {
        "offered per second": rate,
        "answered per second": round(len(times) / took, 1),
        "median ms": round(float(median), 1),
        "p99 ms": round(float(most), 1),
        "server's CPU ms per picture": round((cpu_seconds(process) - before) / len(times) * 1e3, 2),
        "client's CPU ms per picture": round(client / len(times) * 1e3, 2),
        "with a face": round(float((faces > 0).mean()), 3),
    }
    print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    return row


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="folder of IMM")
    parser.add_argument("--run", default="face68_light")
    parser.add_argument("--pictures", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--rates", type=float, nargs="+", default=[50, 100, 150, 200, 250])
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    args = parser.parse_args()
    pictures = small_pictures(args.data, args.pictures)
    with server(args.run) as (port, process):
        asyncio.run(offered(port, pictures, 30, 2))  # warm-up
        rows = [measured(port, process, pictures, rate, args.seconds) for rate in args.rates]
    if args.json:
        value = {"run": args.run, "rows": rows, **origin()}
        args.json.write_text(json.dumps(value, indent=1) + "\n")


if __name__ == "__main__":
    main()
