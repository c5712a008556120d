/**
 * Scripts from the kernel, run on this page. What they are for they leave on `globalThis`: a policy may allow `eval`
 * alone, which gives no exports.
 */
const FORBIDDEN =
  "The policy of this page (Content-Security-Policy) lets no code run that comes from the kernel: its script-src has " +
  "neither blob: nor 'unsafe-eval'. Whoever serves the page must allow one of them; in Python, browser='chrome' " +
  "(--browser chrome) runs in a page of its own.";

const keyOf = (name: string) => Symbol.for(`tfjs_magic.${name}`);

/** For whoever runs this script by `runScript`. */
export function leave(name: string, value: unknown): void {
  Reflect.set(globalThis, keyOf(name), value);
}

/** Run a script, and return what it leaves under this name. Throws a sentence where no policy lets it run. */
export async function runScript(script: Blob, name: string): Promise<unknown> {
  const url = URL.createObjectURL(script);
  try {
    await import(url);
  } catch {
    evaluate(await script.text());
  } finally {
    URL.revokeObjectURL(url);
  }
  return Reflect.get(globalThis, keyOf(name));
}

function evaluate(code: string): void {
  try {
    // biome-ignore lint/security/noGlobalEval: VS Code's policy for notebooks allows it, and no import of a blob
    globalThis.eval(code);
  } catch (error) {
    throw error instanceof EvalError ? new Error(FORBIDDEN) : error;
  }
}
