import { describe, expect, it } from "vitest";
import { hasTargets, noTargets, targetsBody, targetsOf } from "./targets";

describe("targets", () => {
  it("are the same after a way through the API", () => {
    for (const body of [
      { client_ids: ["a", "b"] },
      { group_ids: ["web"] },
      { client_ids: ["a"], group_ids: ["web"] },
      { tags: { tags: ["x", "y"], operator: "OR" } },
      { tags: { tags: ["x"], operator: "AND" } },
    ]) {
      expect(targetsBody(targetsOf(body))).toEqual(body);
      expect(hasTargets(targetsOf(body))).toBe(true);
    }
    expect(hasTargets(noTargets())).toBe(false);
    // Chosen before the tags were, and not meant any more.
    expect(targetsBody({ ...noTargets(["a"]), by: "tags", tags: ["x"] })).not.toHaveProperty("client_ids");
  });
});
