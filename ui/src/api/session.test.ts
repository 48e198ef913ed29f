import { beforeEach, describe, expect, it } from "vitest";
import { Session } from "./session";

describe("a session", () => {
  beforeEach(() => sessionStorage.clear());

  it("survives a reload of the tab, and ends everywhere at a sign-out", () => {
    const first = new Session();
    first.start("token-1");
    expect(new Session().get()).toMatchObject({ token: "token-1", expired: false, ready: true });
    first.end();
    expect(new Session().get().token).toBeNull();
    expect(JSON.stringify(sessionStorage)).not.toContain("token-1");
  });

  it("lets requests wait for the next login, and fails them at a sign-out", async () => {
    const session = new Session();
    session.start("old");
    session.expire("older");
    expect(session.get().expired).toBe(false);
    session.expire("old");
    expect(session.get().expired).toBe(true);
    const renewed = session.renewed();
    session.start("new");
    await renewed;
    expect(session.get()).toMatchObject({ token: "new", expired: false });
    session.expire("new");
    const lost = session.renewed();
    session.end();
    await expect(lost).rejects.toThrow("signed out");
  });
});
