import { root } from "./base";

/**
 * Who is logged in, in this tab. The token lives in memory and in `sessionStorage`, which ends with the tab; other tabs
 * hand it over when asked, so that it need not be kept anywhere longer. See docs/decisions/0003.
 */
export interface SessionState {
  readonly token: string | null;
  /** The server does not take the token any more; whoever sits here is asked to log in over the page. */
  readonly expired: boolean;
  /** Whether other tabs had the chance to hand over their token. */
  readonly ready: boolean;
}

interface Message {
  kind: "ask" | "token" | "out";
  token?: string;
}

const KEY = `rport-session:${root.pathname}`;
const HAND_OVER_MS = 150;

function stored(): string | null {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function store(token: string | null): void {
  try {
    if (token === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, token);
  } catch {
    // Storage is off: the session ends with the page.
  }
}

export class Session {
  private state: SessionState;
  private readonly listeners = new Set<() => void>();
  private waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  private readonly channel: BroadcastChannel | null;

  constructor() {
    const token = stored();
    this.state = { token, expired: false, ready: token !== null };
    this.channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(KEY);
    this.channel?.addEventListener("message", (event: MessageEvent<Message>) => this.hear(event.data));
    if (token === null) {
      this.channel?.postMessage({ kind: "ask" } satisfies Message);
      setTimeout(() => this.set({ ready: true }), HAND_OVER_MS);
    }
  }

  readonly get = (): SessionState => this.state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** A login or a refresh has ended well. Requests that waited for it go on. */
  start(token: string): void {
    store(token);
    this.set({ token, expired: false, ready: true });
    this.channel?.postMessage({ kind: "token", token } satisfies Message);
    for (const { resolve } of this.waiting.splice(0)) resolve();
  }

  /** The server refused this token. Another one may have taken its place meanwhile. */
  expire(token: string): void {
    if (this.state.token === token) this.set({ expired: true });
  }

  /** Ends the session in all tabs. */
  end(): void {
    this.forget();
    this.channel?.postMessage({ kind: "out" } satisfies Message);
  }

  /** Waits until somebody has logged in again; fails when they sign out instead. */
  renewed(): Promise<void> {
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  private forget(): void {
    store(null);
    this.set({ token: null, expired: false, ready: true });
    for (const { reject } of this.waiting.splice(0)) reject(new Error("signed out"));
  }

  private hear(message: Message): void {
    if (message.kind === "ask" && this.state.token && !this.state.expired) {
      this.channel?.postMessage({ kind: "token", token: this.state.token } satisfies Message);
    } else if (message.kind === "token" && message.token && message.token !== this.state.token) {
      store(message.token);
      this.set({ token: message.token, expired: false, ready: true });
      for (const { resolve } of this.waiting.splice(0)) resolve();
    } else if (message.kind === "out" && this.state.token) {
      this.forget();
    }
  }

  private set(change: Partial<SessionState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }
}

export const session = new Session();
