// What is there without an import, as in a script, and random numbers of each run's own.

import * as host from "msp:automation/run@1.0.0";
import prelude from "./prelude.js";
import { decode, encode } from "./utf8.js";

/** Lines of modules' tops, which belong to every run. */
const early = [];
let running = false;

/** Makes a HostError of what the host answered. */
export const refuse = prelude(
  (level, line) => {
    if (running) host.log(level, line, []);
    else early.push([level, line]);
  },
  encode,
  decode,
);

/** sfc32, seeded with what a run alone has; a replay has the same. */
let state = [0x9e3779b9 | 0, 0x243f6a88, 0xb7e15162 | 0, 1];
const random = () => {
  const [a, b, c, counter] = state;
  const next = (a + b + counter) | 0;
  state = [b ^ (b >>> 9), (c + (c << 3)) | 0, (((c << 21) | (c >>> 11)) + next) | 0, (counter + 1) | 0];
  return next >>> 0;
};
const float = () => (random() * 2 ** 21 + (random() >>> 11)) / 2 ** 53;
Object.defineProperty(float, "name", { value: "random" });
Object.defineProperty(Math, "random", { value: float, writable: true, configurable: true });
// It would count from when the plugin was built.
delete globalThis.performance;

/** A run has begun. */
export const start = () => {
  running = true;
  for (const [level, line] of early) host.log(level, line, []);
  const seed = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 1];
  let at = 0;
  for (const character of host.getContext().runId) {
    seed[at % 3] = Math.imul(seed[at % 3] ^ character.charCodeAt(0), 0x85ebca6b) ^ (seed[at % 3] >>> 13);
    at += 1;
  }
  state = seed;
  for (let round = 0; round < 12; round += 1) random();
};
