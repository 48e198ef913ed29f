import { socketUrl } from "./base";
import type { EventMessage } from "./schema";
import { session } from "./session";

export type LiveState = "live" | "connecting" | "offline";
type Listener = (event: EventMessage) => void;

const SHORTEST_MS = 500;
const LONGEST_MS = 20_000;
/** An attempt that takes longer than this shows as "offline". */
const PATIENCE = 3;

/** Hears what happens on the server, for as long as somebody is logged in. Comes back by itself. */
class Events {
  private socket: WebSocket | null = null;
  private attempts = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private state: LiveState = "connecting";
  private readonly listeners = new Set<Listener>();
  private readonly watchers = new Set<() => void>();
  private token: string | null = null;

  constructor() {
    session.subscribe(() => this.follow());
    window.addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.retryNow();
    });
    this.follow();
  }

  readonly get = (): LiveState => this.state;

  readonly subscribe = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  /** Calls back for each event, and with `missed` when some may have been lost. Gives the function that ends it. */
  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private follow(): void {
    const { token, expired } = session.get();
    const wanted = expired ? null : token;
    if (wanted === this.token) return;
    const before = this.token;
    this.token = wanted;
    // A refreshed token is for later connections; the present one goes on until the server ends it.
    if (wanted && before && this.socket) return;
    this.close();
    if (wanted) this.open();
    else this.show("connecting");
  }

  private open(): void {
    const token = this.token;
    if (!token) return;
    const socket = new WebSocket(socketUrl("ws/events"), ["rport.v1", `bearer.${token}`]);
    this.socket = socket;
    socket.onopen = () => {
      const isReturn = this.attempts > 0;
      this.attempts = 0;
      this.show("live");
      if (isReturn) this.tell({ type: "missed" });
    };
    socket.onmessage = (message) => this.tell(JSON.parse(String(message.data)) as EventMessage);
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.socket = null;
      this.later();
    };
  }

  private later(): void {
    this.attempts += 1;
    this.show(this.attempts > PATIENCE ? "offline" : "connecting");
    const longest = Math.min(LONGEST_MS, SHORTEST_MS * 2 ** this.attempts);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), longest / 2 + (Math.random() * longest) / 2);
  }

  private retryNow(): void {
    if (!this.token || this.socket) return;
    clearTimeout(this.timer);
    this.open();
  }

  private close(): void {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  private tell(event: EventMessage): void {
    for (const listener of this.listeners) listener(event);
  }

  private show(state: LiveState): void {
    if (state === this.state) return;
    this.state = state;
    for (const watcher of this.watchers) watcher();
  }
}

export const events = new Events();
