import { describe, expect, it } from "vitest";
import { emptyDraft, isComplete, orderBody } from "./order";
import { filledOf, parametersBody, places } from "./parameters";

describe("parameters", () => {
  it("are found as the server finds them", () => {
    expect(places("df %%PATH=/%% %%HOST%% %%PATH%% %%HOST=db%%")).toEqual([
      { name: "PATH", default: "/" },
      { name: "HOST", default: "db" },
    ]);
    expect(places("for %%i in (*) do %%x%% %%vault:KEY%% %%1A%% %%AB=\n%%")).toEqual([]);
    expect(places("%%%NAME%% %%NONE=%%")).toEqual([
      { name: "NAME", default: null },
      { name: "NONE", default: "" },
    ]);
  });

  it("are sent where they were filled in", () => {
    const text = "%%USER%% %%PASS%% %%PATH=/%%";
    const filled = { USER: { isVault: false, value: "ann" }, PASS: { isVault: true, value: "db" } };
    expect(parametersBody(text, filled)).toEqual({ USER: "ann", PASS: { vault: "db" } });
    expect(filledOf(parametersBody(text, filled) ?? null)).toEqual(filled);
    const draft = { ...emptyDraft("commands"), text, filled };
    expect(isComplete(draft)).toBe(true);
    expect(isComplete({ ...draft, filled: {} })).toBe(false);
    expect(isComplete({ ...draft, filled: {}, isFilling: false })).toBe(true);
    expect(orderBody(draft).parameters).toEqual(parametersBody(text, filled));
    expect(orderBody({ ...draft, isFilling: false })).not.toHaveProperty("parameters");
    expect(parametersBody("uptime", filled)).toBeUndefined();
  });
});
