import { describe, expect, it } from "vitest";
import { containing, listParams } from "./list";

describe("list queries", () => {
  it("are written in the grammar of the API", () => {
    const params = listParams({
      filter: { "name|id": "*web*", state: undefined, os: "" },
      sort: "-name",
      fields: { resource: "clients", names: ["id", "name"] },
      limit: 100,
      offset: 200,
    });
    expect([...params]).toEqual([
      ["sort", "-name"],
      ["filter[name|id]", "*web*"],
      ["fields[clients]", "id,name"],
      ["page[limit]", "100"],
      ["page[offset]", "200"],
    ]);
    expect(listParams({ offset: 0 }).toString()).toBe("");
  });

  it("search for what contains a text", () => {
    expect(containing("  web ")).toBe("*web*");
    expect(containing("a,b")).toBe("*a*b*");
    expect(containing("   ")).toBeUndefined();
  });
});
