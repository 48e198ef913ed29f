import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { quoted, runCommand } from "./install";

describe("the line to paste", () => {
  it("gives a shell every word as it is", () => {
    for (const word of ["plain", "with blank", "it's", "$(id)", "`id`", 'a"b', "a\\b", "!!", "*", "~", "ö"]) {
      expect(execFileSync("sh", ["-c", `printf %s ${quoted(word)}`]).toString()).toBe(word);
    }
  });

  it("keeps the password out of the arguments", () => {
    const line = runCommand({ server: "http://s:8080", fingerprint: "aa:bb", id: "web", password: "p'w" });
    expect(line).toBe("RPORT_AUTH='web:p'\\''w' rport --fingerprint aa:bb http://s:8080");
  });
});
