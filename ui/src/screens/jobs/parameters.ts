import type { JobParameter } from "../../api/schema";

/** A place in a text that gets its value when it runs. */
export interface Place {
  name: string;
  /** What it is when nobody says otherwise; null when somebody has to. */
  default: string | null;
}

/** What somebody has filled in. */
export interface Filled {
  isVault: boolean;
  value: string;
}

/** `%%NAME%%` and `%%NAME=default%%`, as the server reads them; `%%i` of batch files is none. */
const PLACES = /%%([A-Za-z][A-Za-z0-9_]{1,63})(?:=((?:(?!%%)[^\r\n])*))?%%/g;

/** The places of a text in the order in which they appear. The first default of a name counts. */
export function places(text: string): Place[] {
  const found = new Map<string, string | null>();
  for (const [, name = "", value] of text.matchAll(PLACES)) {
    found.set(name, found.get(name) ?? value ?? null);
  }
  return [...found].map(([name, value]) => ({ name, default: value }));
}

/** What is sent. Where nothing is filled in, the default is left to the server. */
export function parametersBody(text: string, filled: Record<string, Filled>): Record<string, JobParameter> | undefined {
  const all = places(text);
  if (all.length === 0) return undefined;
  const body: Record<string, JobParameter> = {};
  for (const { name } of all) {
    const { value, isVault } = filled[name] ?? { value: "", isVault: false };
    if (value !== "") body[name] = isVault ? { vault: value } : value;
  }
  return body;
}

/** What was sent, for filling in again. */
export function filledOf(parameters: Record<string, JobParameter> | null): Record<string, Filled> {
  const entries = Object.entries(parameters ?? {});
  return Object.fromEntries(
    entries.map(([name, value]) =>
      typeof value === "string" ? [name, { isVault: false, value }] : [name, { isVault: true, value: value.vault }],
    ),
  );
}
