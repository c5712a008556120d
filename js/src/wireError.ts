/** Errors as data. */
import { MAX_TEXT_LENGTH, type WireError } from "./protocol";

/** Turn anything thrown into data; backends throw plain objects and strings too. */
export function toWireError(error: unknown): WireError {
  if (error instanceof Error) return cut(error.name, error.message, error.stack);
  const named = typeof error === "object" && error !== null && "message" in error;
  return cut("Error", String(named ? error.message : error));
}

function cut(...texts: (string | undefined)[]): WireError {
  const [name, message, stack] = texts.map((text) => text?.slice(0, MAX_TEXT_LENGTH));
  return { name: name ?? "", message: message ?? "", stack: stack ?? "" };
}

/** The opposite of toWireError. */
export function fromWireError(wire: WireError): Error {
  const error = new Error(wire.message);
  error.name = wire.name;
  error.stack = wire.stack;
  return error;
}
