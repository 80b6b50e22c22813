import assert from "node:assert/strict";
import { test } from "node:test";

import { fullVolumes } from "../src/volumes.js";

const volume = (mount, freeBytes, readOnly = false) => ({ mount, sizeBytes: 1000, freeBytes, readOnly });

test("only the full volume is found", () => {
  const findings = fullVolumes([volume("/", 500), volume("/var", 199)], 20);
  assert.deepEqual(findings.map(({ title }) => title), ["/var has 20 % free"]);
});

test("what cannot be written to does not fill up", () => {
  assert.deepEqual(fullVolumes([volume("/media/cdrom", 0, true)], 20), []);
});
