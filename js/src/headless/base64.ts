/** Base64, by the browser's own functions where it has them: since Chrome 140, Firefox 133, Safari 18.2. */

type Decode = (text: string) => Uint8Array;
type Encode = () => string;

const isFunction = <F>(value: unknown): value is F => typeof value === "function";

export function fromBase64(text: string): Uint8Array {
  const decode: unknown = Reflect.get(Uint8Array, "fromBase64");
  if (isFunction<Decode>(decode)) return Reflect.apply(decode, Uint8Array, [text]);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Bytes in one call of String.fromCharCode. */
const CHUNK = 0x2000;

export function toBase64(view: ArrayBufferView): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const encode: unknown = Reflect.get(bytes, "toBase64");
  if (isFunction<Encode>(encode)) return Reflect.apply(encode, bytes, []);
  let binary = "";
  for (let i = 0; i < bytes.length; i += CHUNK) binary += String.fromCharCode(...bytes.subarray(i, i + CHUNK));
  return btoa(binary);
}
