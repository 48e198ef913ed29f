import { useEffect, useReducer } from "react";
import { socketUrl } from "../../api/base";
import type { Job, JobChunk } from "../../api/schema";
import { session } from "../../api/session";
import { t } from "../../texts/en";
import { plain } from "./text";

/** A piece of output, as it came. */
export interface Piece {
  kind: "out" | "err" | "note";
  text: string;
}

/** What one client has said so far, and the job once it has ended. */
export interface Watched {
  id: string;
  clientId: string;
  clientName: string;
  pieces: Piece[];
  length: number;
  job?: Job;
}

/** Characters kept per client while a job runs. The stored result is asked for at the end. */
const MOST = 200_000;
const AGAIN_MS = 2_000;
/** How long output is gathered before it is drawn. */
const DRAW_MS = 80;

function isEnd(frame: Job | JobChunk): frame is Job {
  return "finished_at" in frame && frame.finished_at !== null;
}

/** Hears of a job, single or on many clients, until it has ended. */
export function useWatch(jobId: string | null): { jobs: Watched[]; isOpen: boolean } {
  const [, draw] = useReducer((count: number) => count + 1, 0);
  const [state] = useReducer((same: { jobs: Map<string, Watched>; isOpen: boolean }) => same, {
    jobs: new Map<string, Watched>(),
    isOpen: false,
  });

  useEffect(() => {
    if (!jobId) return;
    let isGone = false;
    let socket: WebSocket | null = null;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let pending: ReturnType<typeof setTimeout> | undefined;
    state.jobs.clear();
    const later = () => {
      pending ??= setTimeout(() => {
        pending = undefined;
        draw();
      }, DRAW_MS);
    };

    const hear = (frame: Job | JobChunk) => {
      const known = state.jobs.get(frame.jid) ?? {
        id: frame.jid,
        clientId: frame.client_id,
        clientName: frame.client_name,
        pieces: [],
        length: 0,
      };
      if (isEnd(frame)) {
        // The whole result takes the place of the pieces, of which some may have been missed.
        const pieces: Piece[] = [];
        if (frame.result?.stdout) pieces.push({ kind: "out", text: plain(frame.result.stdout) });
        if (frame.result?.stderr) pieces.push({ kind: "err", text: plain(frame.result.stderr) });
        state.jobs.set(frame.jid, { ...known, pieces, job: frame });
      } else if (!known.job) {
        const chunk = frame as JobChunk;
        const pieces = [...known.pieces];
        if (chunk.skipped) pieces.push({ kind: "note", text: t.outputSkipped(chunk.skipped) });
        if (chunk.result.stdout) pieces.push({ kind: "out", text: plain(chunk.result.stdout) });
        if (chunk.result.stderr) pieces.push({ kind: "err", text: plain(chunk.result.stderr) });
        let length = pieces.reduce((sum, piece) => sum + piece.text.length, 0);
        while (length > MOST && pieces.length > 1) length -= pieces.shift()?.text.length ?? 0;
        state.jobs.set(frame.jid, { ...known, pieces, length });
      }
      later();
    };
    const open = () => {
      const { token } = session.get();
      if (isGone || !token) return;
      let ended = false;
      socket = new WebSocket(socketUrl(`ws/jobs/${encodeURIComponent(jobId)}`), ["rport.v1", `bearer.${token}`]);
      state.isOpen = true;
      draw();
      socket.onmessage = (message) => {
        const frame = JSON.parse(String(message.data)) as Job | JobChunk | { errors: unknown };
        if ("errors" in frame) ended = true;
        else hear(frame);
      };
      socket.onclose = (event) => {
        state.isOpen = false;
        draw();
        // 1000: all has been told. Everything else is a lost connection, and the watch goes on.
        if (!isGone && !ended && event.code !== 1000) timer = setTimeout(open, AGAIN_MS);
      };
    };
    open();
    return () => {
      isGone = true;
      clearTimeout(timer);
      clearTimeout(pending);
      socket?.close();
    };
  }, [jobId, state]);

  return { jobs: [...state.jobs.values()], isOpen: state.isOpen };
}
