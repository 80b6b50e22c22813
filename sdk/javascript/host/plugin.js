// A plugin's exports as the host calls them.

import { answered, begin } from "./call.js";
import { failure, wrongAnswer } from "./failure.js";
import { start } from "./globals.js";
import { Report } from "./interfaces/detection.js";
import { Remedy } from "./interfaces/remediation.js";
import { Wrong } from "./shapes.js";

/** The exports of a plugin whose first module is `author`, of the file `file`. */
export const plugin = (author, file) => {
  const run = (name, shape, ...args) => {
    if (begin()) start();
    let answer;
    try {
      answer = author[name](...args);
    } catch (thrown) {
      throw failure(thrown, file);
    }
    if (typeof answer?.then === "function") {
      throw wrongAnswer(name, "a promise, which nobody waits for: the host answers at once, so leave out `async`", file);
    }
    try {
      return shape(answer, "");
    } catch (wrong) {
      if (!(wrong instanceof Wrong)) throw failure(wrong, file);
      throw wrongAnswer(name, wrong, file);
    }
  };
  return {
    detection: { detect: () => run("detect", Report) },
    remediation: { remediate: (findings) => run("remediate", Remedy, answered(findings)) },
  };
};
