import { describe, expect, it } from "vitest";
import { errorOf, textOf } from "./errors";

describe("errors", () => {
  it("say what the server said", async () => {
    const body = JSON.stringify({ errors: [{ code: "X", title: "No", detail: "because" }] });
    const error = await errorOf(new Response(body, { status: 409 }));
    expect([error.status, error.code, error.text]).toEqual([409, "X", "No: because"]);
  });

  it("stay readable when something in between answers", async () => {
    const page = await errorOf(new Response("<html>Bad Gateway</html>", { status: 502 }));
    expect(page.text).toBe("The server answered with status 502");
    const plain = await errorOf(new Response("Too many bad attempts.\n", { status: 423 }));
    expect(plain.text).toBe("Too many bad attempts.");
    expect(textOf("odd")).toBe("odd");
  });
});
