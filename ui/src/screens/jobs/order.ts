import type { JobParameter } from "../../api/schema";
import { type Filled, parametersBody, places } from "./parameters";
import { base64 } from "./text";

export type Kind = "commands" | "scripts";

/** What both kinds of orders have in common, in the words of the API. */
export interface Order {
  command?: string;
  script?: string;
  interpreter: string;
  cwd: string;
  is_sudo: boolean;
  timeout_sec: number;
  queue_if_offline: boolean;
  parameters?: Record<string, JobParameter>;
}

/** An order as it is being written. */
export interface Draft {
  kind: Kind;
  text: string;
  interpreter: string;
  cwd: string;
  timeout: string;
  isSudo: boolean;
  queue: boolean;
  /** Whether places of the text get values; without it the text is sent as it stands. */
  isFilling: boolean;
  filled: Record<string, Filled>;
}

const TIMEOUT_SEC = 60;

export function emptyDraft(kind: Kind): Draft {
  return {
    kind,
    text: "",
    interpreter: "",
    cwd: "",
    timeout: String(TIMEOUT_SEC),
    isSudo: false,
    queue: false,
    isFilling: true,
    filled: {},
  };
}

/** Whether anything differs from the defaults that is hidden behind "more options". */
export function hasMore(draft: Draft): boolean {
  return (
    draft.interpreter !== "" || draft.cwd !== "" || draft.isSudo || draft.queue || draft.timeout !== String(TIMEOUT_SEC)
  );
}

/** Whether it could be sent. */
export function isComplete(draft: Draft): boolean {
  if (draft.text.trim() === "") return false;
  if (!draft.isFilling) return true;
  return places(draft.text).every((place) => place.default !== null || (draft.filled[place.name]?.value ?? "") !== "");
}

export function orderBody(draft: Draft): Order {
  const parameters = draft.isFilling ? parametersBody(draft.text, draft.filled) : undefined;
  return {
    ...(draft.kind === "commands" ? { command: draft.text } : { script: base64(draft.text) }),
    interpreter: draft.interpreter,
    cwd: draft.cwd,
    is_sudo: draft.isSudo,
    timeout_sec: Number(draft.timeout) || TIMEOUT_SEC,
    queue_if_offline: draft.queue,
    ...(parameters ? { parameters } : {}),
  };
}
