/** What the numbers were measured on, in a line. */
import type { Environment } from "../protocol";

export function environmentText(environment: Environment): string {
  const step = environment.clock_resolution_ms;
  const clock = step >= 1 ? `${step} ms` : `${Number((step * 1000).toPrecision(2))} µs`;
  const parts = [
    `TensorFlow.js ${environment.tfjs_version}`,
    environment.worker ? "in a worker" : "on the main thread",
    `${environment.hardware_concurrency} cores`,
    `clock step ${clock}`,
    browserName(environment.user_agent),
  ];
  return parts.join(" · ");
}

/** "Chrome 126" from the long string; the string itself where it looks unfamiliar. */
function browserName(userAgent: string): string {
  const match = /(Firefox|Edg|OPR|HeadlessChrome|Chrome|Version)\/(\d+)/.exec(
    userAgent.replace(/Chrome\/\d+.*(Edg|OPR)/, "$1"),
  );
  if (!match) return userAgent;
  const names: Record<string, string> = {
    Edg: "Edge",
    OPR: "Opera",
    HeadlessChrome: "Chrome (headless)",
    Version: "Safari",
  };
  return `${names[match[1] ?? ""] ?? match[1] ?? ""} ${match[2] ?? ""}`;
}
