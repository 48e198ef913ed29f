import { Link } from "@tanstack/react-router";
import { useLayoutEffect, useRef } from "react";
import { CopyButton } from "../../kit/copy";
import { t } from "../../texts/en";
import type { Watched } from "./watch";

const KINDS: Record<string, string> = {
  successful: "badge ok",
  failed: "badge bad",
  unknown: "badge warn",
  running: "badge accent",
  waiting: "badge",
};

export function JobStatus({ status }: { status: string | null | undefined }) {
  const word = status ?? "running";
  return (
    <span className={KINDS[word] ?? "badge"}>
      {word === "running" && <span className="spinner tiny" aria-hidden />}
      {t.jobStatus[word as keyof typeof t.jobStatus] ?? word}
    </span>
  );
}

/** What one client has said. It follows the end, unless somebody has scrolled away from it. */
export function Output({ watched, hideClient = false }: { watched: Watched; hideClient?: boolean }) {
  const box = useRef<HTMLPreElement>(null);
  const isAtEnd = useRef(true);
  useLayoutEffect(() => {
    if (box.current && isAtEnd.current && !watched.job) box.current.scrollTop = box.current.scrollHeight;
  }, [watched]);
  const text = watched.pieces.map((piece) => piece.text).join("");
  return (
    <section className="job-output" aria-label={watched.clientName || watched.clientId}>
      <header className="row wrap">
        <JobStatus status={watched.job?.status} />
        {!hideClient && (
          <Link to="/clients/$clientId" params={{ clientId: watched.clientId }} className="name break">
            {watched.clientName || watched.clientId}
          </Link>
        )}
        {watched.job?.result?.summary && <span className="muted small">{watched.job.result.summary}</span>}
        <span className="grow" />
        {text !== "" && <CopyButton text={text} />}
      </header>
      {watched.job?.error && <p className="form-error">{watched.job.error}</p>}
      <pre
        className="output"
        ref={box}
        tabIndex={0}
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          isAtEnd.current = scrollHeight - scrollTop - clientHeight < 24;
        }}
      >
        {watched.pieces.map((piece, index) => (
          <span key={index} className={piece.kind === "out" ? undefined : piece.kind}>
            {piece.text}
          </span>
        ))}
        {text === "" && <span className="note">{watched.job ? t.noOutput : t.waitingForOutput}</span>}
      </pre>
    </section>
  );
}
