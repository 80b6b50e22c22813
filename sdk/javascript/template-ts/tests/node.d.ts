// What the tests use of Node. The plugin has none of it.

declare module "node:test" {
  export function test(name: string, body: () => void): void;
}

declare module "node:assert/strict" {
  const assert: { deepEqual(actual: unknown, expected: unknown): void };
  export default assert;
}
