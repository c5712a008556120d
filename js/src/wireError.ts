/** Errors as data. */
import type { WireError } from "./protocol";

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
