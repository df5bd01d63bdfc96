"""Inserts the rows of an imported SQLite file into the same tables of an empty one, and says how long it took.

Usage: bare.py IMPORTED EMPTY TABLE...    (EMPTY has the tables and their indexes already)
"""

import sqlite3
import sys
import time

imported, empty, *tables = sys.argv[1:]
connection = sqlite3.connect(empty, isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("PRAGMA synchronous = FULL")
connection.execute("PRAGMA cache_size = -98304")
connection.execute("PRAGMA foreign_keys = OFF")
connection.execute("ATTACH ? AS imported", (imported,))
# Rows in the order in which they came in, as far as the table knows one, in batches as an import has them.
begun = time.perf_counter()
count = 0
for table in tables:
    rows = connection.execute(f"SELECT * FROM imported.{table}")
    marks = ", ".join("?" * len(rows.description))
    connection.execute(f"DELETE FROM main.{table}")
    while batch := rows.fetchmany(4000):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(f"INSERT INTO main.{table} VALUES ({marks})", batch)
        connection.execute("COMMIT")
        count += len(batch)
print(count, time.perf_counter() - begun)
