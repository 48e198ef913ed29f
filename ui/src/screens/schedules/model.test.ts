import { describe, expect, it } from "vitest";
import type { Schedule } from "../../api/schema";
import { base64 } from "../jobs/text";
import { planBody, planOf } from "./model";

const STORED: Schedule = {
  id: "1-2",
  created_at: "2026-11-23T16:29:04Z",
  created_by: "admin",
  name: "nightly",
  schedule: "CRON_TZ=Europe/Berlin 30 4 * * *",
  type: "script",
  client_ids: ["a"],
  group_ids: ["web"],
  tags: null,
  script: base64("echo %%WHO%% %%PASS%%\n"),
  interpreter: "/bin/sh",
  cwd: "/tmp",
  is_sudo: true,
  timeout_sec: 90,
  execute_concurrently: true,
  abort_on_error: null,
  overlaps: true,
  last_execution: null,
  time_zone: "Europe/Berlin",
  jitter_sec: 30,
  missed: "once",
  paused: true,
  queue_if_offline: true,
  expires: "1h30m0s",
  parameters: { WHO: "ann", PASS: { vault: "db" } },
  max_concurrent: 3,
  next_runs: [],
};

describe("a stored schedule", () => {
  it("loses nothing when it is saved again", () => {
    expect(planBody(planOf(STORED))).toEqual({
      name: "nightly",
      schedule: "30 4 * * *",
      time_zone: "Europe/Berlin",
      type: "script",
      client_ids: ["a"],
      group_ids: ["web"],
      script: STORED.script,
      interpreter: "/bin/sh",
      cwd: "/tmp",
      is_sudo: true,
      timeout_sec: 90,
      execute_concurrently: true,
      abort_on_error: true,
      overlaps: true,
      jitter_sec: 30,
      missed: "once",
      paused: true,
      queue_if_offline: true,
      expires: "1h30m0s",
      parameters: { WHO: "ann", PASS: { vault: "db" } },
      max_concurrent: 3,
    });
  });

  it("may go from client to client", () => {
    const inTurn = { ...STORED, execute_concurrently: false, abort_on_error: false, max_concurrent: null };
    const body = planBody(planOf(inTurn));
    expect(body).toMatchObject({ execute_concurrently: false, abort_on_error: false });
    expect(body).not.toHaveProperty("max_concurrent");
  });
});
