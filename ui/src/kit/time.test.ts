import { describe, expect, it } from "vitest";
import { duration, relativeTime } from "./time";

describe("times", () => {
  it("are told relative to now", () => {
    const now = Date.parse("2026-01-02T12:00:00Z");
    const told = (text: string) => relativeTime(new Date(text), now);
    expect(told("2026-01-02T11:59:55Z")).toBe("just now");
    expect(told("2026-01-02T11:57:00Z")).toBe("3 minutes ago");
    expect(told("2026-01-02T14:00:00Z")).toBe("in 2 hours");
    expect(told("2025-12-31T12:00:00Z")).toBe("2 days ago");
    expect(told("2022-01-01T00:00:00Z")).toBe("4 years ago");
  });

  it("count down in two units at most", () => {
    expect([0, 59, 60, 125, 3600, 5400, 90_000, 172_800, -5].map(duration)).toEqual([
      "0 s",
      "59 s",
      "1 min",
      "2 min 5 s",
      "1 h",
      "1 h 30 min",
      "1 d 1 h",
      "2 d",
      "0 s",
    ]);
  });
});
