import type { JobCounts } from "../../api/schema";
import { t } from "../../texts/en";

/** How far the jobs of an order are. */
export function Counts({ counts }: { counts: JobCounts }) {
  const running = counts.running + counts.waiting;
  return (
    <span className="tags">
      {running > 0 && <span className="badge accent">{t.countRunning(running)}</span>}
      {counts.successful > 0 && <span className="badge ok">{t.countSuccessful(counts.successful)}</span>}
      {counts.failed > 0 && <span className="badge bad">{t.countFailed(counts.failed)}</span>}
      {counts.unknown > 0 && <span className="badge warn">{t.countUnknown(counts.unknown)}</span>}
    </span>
  );
}
