"""Asks an SQLite file by hand, from several processes at once, as fast as Python's sqlite3 passes on.

    python3 sqlite.py < REQUEST      REQUEST and answer are JSON

`{"main": FILE, "rolled": FILE, "run": [SQL...], "named": {...}}` runs statements and answers the rows of the last.
`{"main": ..., "sql": SQL, "sets": [{...}...], "clients": N, "seconds": S}` asks one statement in turn with each set of
values and answers milliseconds of each execution and seconds of CPU. Nothing but the standard library is needed.
"""

import json
import multiprocessing
import resource
import sqlite3
import sys
import time


def opened(request, read_only):
    # The product's own settings for what reads.
    mode = "ro" if read_only else "rw"
    base = sqlite3.connect(f"file:{request['main']}?mode={mode}", uri=True, isolation_level=None)
    base.execute("PRAGMA cache_size = -32768")
    base.execute("PRAGMA temp_store = MEMORY")
    if "rolled" in request:
        create = "ro" if read_only else "rwc"
        base.execute("ATTACH ? AS rolled", (f"file:{request['rolled']}?mode={create}",))
        if not read_only:
            base.execute("PRAGMA rolled.journal_mode = OFF")
            base.execute("PRAGMA rolled.synchronous = OFF")
    return base


def client(request, place, answers):
    base = opened(request, True)
    sets = [dict(values, **request.get("named", {})) for values in request["sets"]]
    base.execute(request["sql"], sets[place % len(sets)]).fetchall()  # Reads the file, makes the statement.
    begun_cpu = resource.getrusage(resource.RUSAGE_SELF)
    end = time.monotonic() + request["seconds"]
    taken, turn = [], place
    while time.monotonic() < end:
        begun = time.perf_counter()
        base.execute(request["sql"], sets[turn % len(sets)]).fetchall()
        taken.append((time.perf_counter() - begun) * 1000)
        turn += 1
    cpu = resource.getrusage(resource.RUSAGE_SELF)
    answers.put((taken, cpu.ru_utime + cpu.ru_stime - begun_cpu.ru_utime - begun_cpu.ru_stime))


def main():
    request = json.load(sys.stdin)
    if "run" in request:
        base = opened(request, request.get("read_only", False))
        rows = []
        for sql in request["run"]:
            rows = base.execute(sql, request.get("named", {}) if ":" in sql else {}).fetchall()
        json.dump([["" if value is None else str(value) for value in row] for row in rows], sys.stdout)
        return
    answers = multiprocessing.Queue()
    clients = [multiprocessing.Process(target=client, args=(request, place * 7, answers)) for place in range(request["clients"])]
    for one in clients:
        one.start()
    found = [answers.get() for _ in clients]
    for one in clients:
        one.join()
    json.dump({"taken": [ms for taken, _ in found for ms in taken], "cpu": sum(cpu for _, cpu in found)}, sys.stdout)


if __name__ == "__main__":
    main()
