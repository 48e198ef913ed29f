import { describe, expect, it } from "vitest";
import { csvCell, isFiltered, listQuery } from "./query";

describe("the list of clients", () => {
  it("is narrowed down and sorted by the server", () => {
    const query = listQuery({ q: "fra", state: "connected", tag: "web" });
    expect(query.sort).toBe("name");
    expect(Object.values(query.filter ?? {}).filter(Boolean)).toEqual(["*fra*", "connected", "web"]);
    expect(isFiltered({ sort: "-name", q: "" })).toBe(false);
    expect(isFiltered({ os: "linux" })).toBe(true);
  });

  it("is exported without formulas", () => {
    expect(["a", "a,b", 'a"b', "=1+1", "-x", "@y"].map(csvCell)).toEqual([
      "a",
      '"a,b"',
      '"a""b"',
      "'=1+1",
      "'-x",
      "'@y",
    ]);
  });
});
