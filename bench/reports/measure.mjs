// What processes used, from /proc, and how long requests took.

import { readdirSync, readFileSync } from "node:fs";

/** Ticks of the clock in a second, as /proc counts them: 100 wherever Linux runs today. */
const TICKS = 100;

function stat(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const at = (place) => Number(fields[place]);
    return { parent: at(1), own: (at(11) + at(12)) / TICKS, ended: (at(13) + at(14)) / TICKS };
  } catch {
    return null;
  }
}

/** Seconds of CPU of a process, its children and those that have ended: what ends in between is not lost. */
export function cpuOf(root) {
  const all = new Map();
  for (const name of readdirSync("/proc")) {
    if (/^\d+$/.test(name)) {
      const found = stat(name);
      if (found) all.set(Number(name), found);
    }
  }
  let [sum, wanted] = [0, [root]];
  while (wanted.length > 0) {
    const pid = wanted.pop();
    const found = all.get(pid);
    if (!found) continue;
    sum += found.own + found.ended;
    for (const [child, { parent }] of all) if (parent === pid) wanted.push(child);
  }
  return sum;
}

/** Seconds that all processors together were busy. */
export function busy() {
  const ticks = readFileSync("/proc/stat", "utf8").split("\n", 1)[0].trim().split(/\s+/).slice(1, 9).map(Number);
  return (ticks.reduce((sum, tick) => sum + tick, 0) - ticks[3] - ticks[4]) / TICKS;
}

/** The largest resident memory of a process so far, in MiB; 0 when it has ended. */
export function peak(pid) {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** The value that a share of the values lie below (nearest rank). */
export function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  return sorted.length === 0
    ? Number.NaN
    : sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * share) - 1))];
}

/** Median and p99 of milliseconds. */
export const spread = (values) => ({
  requests: values.length,
  p50: quantile(values, 0.5),
  p99: quantile(values, 0.99),
});
