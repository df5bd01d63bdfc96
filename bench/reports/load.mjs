// Asks a server over HTTP again and again: so many connections, each with one request under way, for some seconds.

import { connect } from "node:net";

/** One request and its whole answer on a connection that stays open. */
class Connection {
  constructor(url, headers) {
    this.url = url;
    this.headers = headers;
    this.parts = [];
    this.got = 0;
    this.need = -1;
  }

  open() {
    return new Promise((resolve, reject) => {
      this.socket = connect({ host: this.url.hostname, port: Number(this.url.port), noDelay: true }, resolve);
      this.socket.on("data", (part) => this.take(part));
      this.socket.on("error", (error) => (this.fail ? this.fail(error) : reject(error)));
      this.socket.on("close", () => this.fail?.(new Error("the server closed the connection")));
    });
  }

  ask(body) {
    return new Promise((resolve, reject) => {
      [this.done, this.fail] = [resolve, reject];
      this.socket.write(
        `POST ${this.url.pathname} HTTP/1.1\r\nHost: ${this.url.host}\r\nContent-Type: application/json\r\n` +
          `Accept: application/json\r\n${this.headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
    });
  }

  /** Collects an answer until it is whole. Where no length is told, chunks end with an empty one. */
  take(part) {
    this.parts.push(part);
    this.got += part.length;
    if (this.need < 0) {
      const all = this.parts.length === 1 ? part : Buffer.concat(this.parts);
      const end = all.indexOf("\r\n\r\n");
      if (end < 0) return;
      this.parts = [all];
      this.head = all.toString("latin1", 0, end);
      this.start = end + 4;
      const length = /\r\ncontent-length: *(\d+)/i.exec(this.head);
      this.need = length ? this.start + Number(length[1]) : Infinity;
    }
    if (
      this.need === Infinity
        ? !this.parts.at(-1).subarray(-7).toString("latin1").endsWith("0\r\n\r\n")
        : this.got < this.need
    )
      return;
    const answer = { ok: this.head.startsWith("HTTP/1.1 200"), bytes: this.got, start: this.start, parts: this.parts };
    const { done } = this;
    [this.parts, this.got, this.need, this.done, this.fail] = [[], 0, -1, null, null];
    done(answer);
  }

  close() {
    this.socket?.destroy();
  }
}

/** Whether an answer is one. GraphQL puts `errors` first or last; nothing else of an answer can look like that. */
function refused(answer) {
  const text = Buffer.concat(answer.parts).toString("utf8", answer.start, answer.start + 300);
  return !answer.ok || text.startsWith('{"errors"') || text.includes('"data":null');
}

/** Milliseconds of each request that was answered, and how many were not. `bodies` go round. */
export async function load({ url, headers = {}, bodies, clients, seconds }) {
  const lines = Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
  const connections = Array.from({ length: clients }, () => new Connection(new URL(url), lines));
  await Promise.all(connections.map((connection) => connection.open()));
  const taken = [];
  let [turn, bytes, failed] = [0, 0, 0];
  const end = performance.now() + seconds * 1000;
  const one = async (connection) => {
    while (performance.now() < end) {
      const begun = performance.now();
      const answer = await connection.ask(bodies[turn++ % bodies.length]);
      if (refused(answer)) {
        failed += 1;
        continue;
      }
      taken.push(performance.now() - begun);
      bytes += answer.bytes;
    }
  };
  try {
    await Promise.all(connections.map(one));
  } finally {
    for (const connection of connections) connection.close();
  }
  return { taken, failed, bytes: bytes / Math.max(1, taken.length) };
}
