/** Numbers for readers. */

const NAMED: Record<string, string> = { "\t": "\\t", "\n": "\\n", "\r": "\\r" };

/** Three significant digits: "0.123 ms", "20.9 ms", "1.24 s". */
export function formatMs(ms: number | null): string {
  if (ms === null) return "–";
  if (ms >= 999_500) return `${Math.round(ms / 1000)} s`;
  if (ms >= 9995) return `${(ms / 1000).toPrecision(3)} s`;
  if (ms >= 999.5) return `${Math.round(ms)} ms`;
  return `${Number(ms.toPrecision(3))} ms`;
}

/** "0.131–0.21 ms": the unit once where both have it. */
export function formatRange(low: number, high: number): string {
  const [least, most] = [formatMs(low), formatMs(high)];
  const unit = most.slice(most.indexOf(" "));
  return `${least.endsWith(unit) ? least.slice(0, -unit.length) : least}–${most}`;
}

/** "3.1 MB", "14 MB", "840 kB". Decimal units, as file managers and npm use them. */
export function formatBytes(bytes: number): string {
  if (bytes >= 1e6) return `${compact(bytes / 1e6)} MB`;
  if (bytes >= 1e3) return `${compact(bytes / 1e3)} kB`;
  return `${bytes} B`;
}

/** Three significant digits at most, thousands apart: "0.25", "83.1", "12,400". */
export function formatCount(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en");
}

/** Errors between 1e-9 and 1e3; the kernel sends the largest float for "no number bounds it". */
export function formatError(value: number): string {
  if (value >= 1e300) return "unbounded";
  if (value === 0) return "0";
  return value < 0.01 || value >= 1000 ? value.toExponential(1) : value.toPrecision(2);
}

function compact(value: number): string {
  return value >= 10 ? String(Math.round(value)) : value.toFixed(1);
}

/** A text in which control, direction and other unseen characters are escapes, as Python writes them: no name turns what stands beside it around. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    const [letter, digits] = code > 0xffff ? ["U", 8] : code > 0xff ? ["u", 4] : ["x", 2];
    return NAMED[character] ?? `\\${letter}${code.toString(16).padStart(Number(digits), "0")}`;
  });
}
