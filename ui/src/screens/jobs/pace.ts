/** How clients take their turns. */
export interface Pace {
  concurrent: boolean;
  /** How many at the same time; empty without a limit. */
  most: string;
  /** Whether a failed job keeps those after it from starting. */
  abortOnError: boolean;
}

export const ALL_AT_ONCE: Pace = { concurrent: true, most: "", abortOnError: false };

export function paceBody(pace: Pace) {
  const most = pace.concurrent ? Number(pace.most) || 0 : 0;
  return {
    execute_concurrently: pace.concurrent,
    abort_on_error: pace.abortOnError,
    ...(most > 0 ? { max_concurrent: most } : {}),
  };
}

export function paceOf(body: {
  execute_concurrently: boolean;
  abort_on_error: boolean | null;
  max_concurrent: number | null;
}): Pace {
  const most = body.max_concurrent;
  return {
    // A limit means that several run at a time, whatever else is said.
    concurrent: body.execute_concurrently || most !== null,
    most: most === null ? "" : String(most),
    abortOnError: body.abort_on_error ?? true,
  };
}
