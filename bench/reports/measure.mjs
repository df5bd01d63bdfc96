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

/** One look at a process and its children: seconds of CPU, and whether none of them ended while /proc was read. */
function look(root) {
  const all = new Map();
  let isWhole = true;
  for (const name of readdirSync("/proc")) {
    if (/^\d+$/.test(name)) {
      const found = stat(name);
      if (found) all.set(Number(name), found);
      else isWhole = false;
    }
  }
  let sum = 0;
  const members = [];
  const wanted = [root];
  while (wanted.length > 0) {
    const pid = wanted.pop();
    const found = all.get(pid);
    if (!found) continue;
    members.push(pid);
    sum += found.own + found.ended;
    for (const [child, { parent }] of all) if (parent === pid) wanted.push(child);
  }
  return { sum, isWhole: isWhole && members.every((pid) => stat(pid)) };
}

/**
 * Seconds of CPU of a process, its children and those that have ended. One that ends between the reads of its own numbers and
 * of its parent's would be in neither or in both, such as a backend whose client has just ended: then it is looked again.
 */
export function cpuOf(root) {
  let found = look(root);
  for (let again = 0; again < 200 && !found.isWhole; again += 1) found = look(root);
  return found.sum;
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
