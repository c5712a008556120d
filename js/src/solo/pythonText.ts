/** Numbers as Python writes them, for sentences that it and the page share. */

/** `f"{value:.1e}"`: "1.2e-05". */
export function exponent(value: number): string {
  return padded(value.toExponential(1));
}

/** `f"{value:g}"`: six significant digits, "1e-05", "0.25". */
export function general(value: number): string {
  const [mantissa = "", power = "0"] = value.toExponential(5).split("e");
  const digits = Number(power);
  if (value === 0 || (digits >= -4 && digits < 6)) return String(Number(value.toPrecision(6)));
  return padded(`${Number(mantissa)}e${power}`);
}

function padded(text: string): string {
  return text.replace(/e([+-])(\d)$/, "e$10$2");
}

/** A shape: "()", "(3,)", "(1, 3)". */
export function tuple(shape: readonly number[]): string {
  return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
}

/** As `three_digits`: "0.740", "12.0", "1234". */
export function threeDigits(value: number): string {
  return value >= 99.95 ? value.toFixed(0) : value.toPrecision(3);
}

/** As `quoted_list`: "'a', 'b' … and 7 more". */
export function quotedList(names: readonly string[]): string {
  const ordered = [...names].sort();
  const shown = ordered.slice(0, 8).map((name) => `'${name}'`);
  return shown.join(", ") + (ordered.length > 8 ? ` … and ${ordered.length - 8} more` : "");
}
