import { describe, expect, it } from "vitest";
import { fits, rulesBody, rulesOf, ruleWords } from "./rules";

describe("rules of a group", () => {
  it("are the same after a way through the API", () => {
    for (const params of [
      {},
      { name: ["web-*", "db"] },
      { tag: { and: ["web", "prod"] }, os_kernel: ["linux"] },
      { tag: { or: ["web"] } },
      // Fits clients without tags.
      { tag: [] },
    ]) {
      expect(rulesBody(rulesOf(params))).toEqual(params);
    }
    expect(rulesOf({ tag: ["a"], name: null })).toEqual([{ name: "tag", values: ["a"], isAll: false }]);
    expect(rulesBody([{ name: "os", values: [], isAll: false }])).toEqual({});
  });

  it("can be read", () => {
    expect(ruleWords({ tag: { and: ["web", "prod"] }, name: ["a*", "b"] })).toEqual([
      "Tag: web and prod",
      "Name: a* or b",
    ]);
  });

  it("take patterns as texts but for the star", () => {
    expect(fits("WEB-*", "web-1")).toBe(true);
    expect(fits("web", "web-1")).toBe(false);
    expect(fits("*(x).", "a(X).")).toBe(true);
    expect(fits("a.c", "abc")).toBe(false);
  });
});
