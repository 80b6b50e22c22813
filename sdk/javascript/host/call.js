// Calls the host as a script does: what is left out is filled in, what the host refuses is thrown as a HostError.

import { refuse } from "./globals.js";
import { Wrong, opened } from "./shapes.js";

/** Whether a run has begun. Before, the plugin is being built, and what its modules do at their top is done once, there. */
let begun = false;

/** A run begins. */
export const begin = () => {
  const first = !begun;
  begun = true;
  return first;
};

/** A function of the host, as a script calls it. `params` holds the shape of each parameter by its name. */
export const bind = (name, native, params, opens = false) => {
  const shapes = Object.entries(params);
  const call = (...given) => {
    if (!begun) {
      throw new Error(`\`${name}\` asks the host, and there is none while the plugin is built: call it in \`detect\` or \`remediate\``);
    }
    const taken = shapes.map(([param, shape], at) => handed(name, shape, given[at], param));
    let answer;
    try {
      answer = native(...taken);
    } catch (error) {
      // What is no answer of the host is thrown as it is.
      throw error?.payload === undefined ? error : refuse(answered(error.payload));
    }
    if (opens) {
      opened.add(answer);
      return answer;
    }
    return answered(answer);
  };
  return Object.defineProperties(call, { name: { value: name }, length: { value: shapes.length } });
};

const handed = (name, shape, value, path) => {
  try {
    return shape(value, path);
  } catch (wrong) {
    if (!(wrong instanceof Wrong)) throw wrong;
    throw new TypeError(`${name}: ${wrong}`);
  }
};

/** What the host answers: nothing is `undefined`, wherever it stands. */
export const answered = (value) => {
  if (value === null) return undefined;
  if (typeof value !== "object" || value instanceof Uint8Array) return value;
  for (const key of Object.keys(value)) {
    const inner = value[key];
    if (inner === null || typeof inner === "object") value[key] = answered(inner);
  }
  return value;
};
