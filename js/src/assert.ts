import type { WireError } from "./protocol";

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

/** The end of an exhaustive switch. */
export function assertNever(value: never): never {
  throw new Error(`Unexpected value ${JSON.stringify(value)}.`);
}

/** Turn anything thrown into data; backends throw plain objects and strings too. */
export function toWireError(error: unknown): WireError {
  if (error instanceof Error) return { name: error.name, message: error.message, stack: error.stack ?? "" };
  if (typeof error === "object" && error !== null && "message" in error) {
    return { name: "Error", message: String(error.message), stack: "" };
  }
  return { name: "Error", message: String(error), stack: "" };
}

/** The opposite of toWireError. */
export function fromWireError(wire: WireError): Error {
  const error = new Error(wire.message);
  error.name = wire.name;
  error.stack = wire.stack;
  return error;
}
