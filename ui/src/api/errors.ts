import type { Failure } from "./schema";

/** A refusal by the server, or no answer at all (`status` 0). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly detail: string;

  constructor(status: number, title: string, detail = "", code = "") {
    super(title);
    this.name = "ApiError";
    this.status = status;
    this.detail = detail;
    this.code = code;
  }

  /** Title and detail as one sentence for people. */
  get text(): string {
    return this.detail && this.detail !== this.message ? `${this.message}: ${this.detail}` : this.message;
  }
}

/** Reads the error out of an answer, whatever a proxy in between made of it. */
export async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  try {
    const failure = JSON.parse(text) as Failure;
    const first = failure.errors[0];
    if (first) {
      return new ApiError(response.status, first.title || `Status ${response.status}`, first.detail, first.code);
    }
  } catch {
    // Not JSON: a banned address or a proxy.
  }
  const plain = text.length < 200 && !text.includes("<") ? text.trim() : "";
  return new ApiError(response.status, plain || `The server answered with status ${response.status}`);
}

export function textOf(error: unknown): string {
  if (error instanceof ApiError) return error.text;
  return error instanceof Error ? error.message : String(error);
}
