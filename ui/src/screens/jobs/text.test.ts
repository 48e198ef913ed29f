import { describe, expect, it } from "vitest";
import { base64, clear, plain } from "./text";

describe("output", () => {
  it("is shown without what steers a terminal", () => {
    expect(plain("\u001b[31mred\u001b[0m \u001b]0;title\u0007ok\r\n\u0008\u202ex")).toBe("red ok\nx");
    expect(plain("\u001b[2J\u001b[1;1H<b>\tkept</b>\n")).toBe("<b>\tkept</b>\n");
    expect(plain("\u001b]8;;http://evil\u001b\\link\u001b]8;;\u001b\\")).toBe("link");
  });

  it("of any language can be ordered", () => {
    expect(base64("echo ä")).toBe("ZWNobyDDpA==");
    expect(clear("ZWNobyDDpA==")).toBe("echo ä");
    // Looks like base64 and is a command.
    for (const script of ["true", "uptime12", "", "echo ä", "ls -la"]) expect(clear(script)).toBe(script);
  });
});
