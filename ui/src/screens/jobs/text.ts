/** Escape sequences of terminals: colours, titles, moving the cursor. */
const SEQUENCES =
  /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[PX^_][^\u001b]*(?:\u001b\\)?|[ -/]*[0-~])/g;
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** Output of a program as text for people: what would steer a terminal, or turn text around, is left out. */
export function plain(output: string): string {
  return output.replace(SEQUENCES, "").replaceAll("\r\n", "\n").replace(CONTROLS, "");
}

/** Base64 of the text's UTF-8, as scripts are sent. */
export function base64(text: string): string {
  let binary = "";
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** A script as text: it may be kept in clear or in base64. */
export function clear(script: string): string {
  const packed = script.trim();
  if (packed === "" || packed.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(packed)) return script;
  try {
    const bytes = Uint8Array.from(atob(packed), (char) => char.charCodeAt(0));
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return /[\u0000-\u0008\u000e-\u001a]/.test(text) ? script : text;
  } catch {
    return script;
  }
}
