import { describe, expect, it } from "vitest";
import type { StoredTunnel, Tunnel } from "../../api/schema";
import { endsAt, howTo, storedBody, type Wish, wishOfStored, wishParams } from "./model";

const tunnel = (change: Partial<Tunnel>): Tunnel =>
  ({
    lhost: "0.0.0.0",
    lport: "24000",
    rhost: "127.0.0.1",
    rport: "22",
    scheme: null,
    tunnel_url: "",
    http_proxy: false,
    auto_close: 0,
    created_at: "2026-01-01T00:00:00Z",
    ...change,
  }) as Tunnel;

const wish = (change: Partial<Wish>): Wish => ({
  host: "127.0.0.1",
  port: "22",
  publicPort: "",
  protocol: "tcp",
  scheme: "ssh",
  acl: "192.0.2.7",
  idleMinutes: "5",
  autoClose: "",
  checkPort: true,
  front: false,
  user: "",
  password: "",
  ...change,
});

describe("tunnels", () => {
  it("come with what to type or open", () => {
    const used = (change: Partial<Tunnel>) => howTo(tunnel(change), "rport.example.com");
    expect(used({ scheme: "ssh" })).toEqual({ command: "ssh -p 24000 USER@rport.example.com" });
    expect(used({ scheme: "https" })).toEqual({ link: "https://rport.example.com:24000/" });
    expect(used({ scheme: "http", http_proxy: true })).toEqual({ link: "https://rport.example.com:24000/" });
    expect(used({ lhost: "::1" })).toEqual({ command: "[::1]:24000" });
    expect(used({ tunnel_url: "https://a.example.com" })).toEqual({ link: "https://a.example.com" });
    // What is no scheme of ours never becomes a link.
    expect(used({ scheme: "javascript" })).toEqual({ command: "rport.example.com:24000" });
  });

  it("end at a fixed time or never", () => {
    expect(endsAt(tunnel({}))).toBeNull();
    expect(endsAt(tunnel({ auto_close: 60_000_000_000 }))).toBe(Date.parse("2026-01-01T00:01:00Z"));
  });

  it("are asked for with all that was chosen", () => {
    expect(wishParams(wish({})).toString()).toBe(
      "remote=127.0.0.1%3A22&scheme=ssh&acl=192.0.2.7&idle-timeout-minutes=5",
    );
    const params = wishParams(
      wish({
        host: "::1",
        publicPort: "2222",
        protocol: "tcp+udp",
        acl: "10.0.0.1, 10.0.0.2",
        idleMinutes: "",
        checkPort: false,
      }),
    );
    expect(Object.fromEntries(params)).toEqual({
      remote: "[::1]:22",
      local: "0.0.0.0:2222",
      protocol: "tcp+udp",
      scheme: "ssh",
      acl: "10.0.0.1,10.0.0.2",
      "idle-timeout-minutes": "0",
      check_port: "0",
    });
  });
});

describe("a kept tunnel", () => {
  const kept = (body: object): StoredTunnel => ({
    id: "1",
    created_at: "2026-01-01T00:00:00Z",
    acl: null,
    further_options: null,
    name: "",
    public_port: null,
    remote_ip: null,
    remote_port: null,
    scheme: null,
    ...body,
  });

  it("asks for the same again, without passwords", () => {
    const asked = wish({
      acl: "192.0.2.7, 10.0.0.0/8",
      idleMinutes: "0",
      front: true,
      user: "ann",
      password: "secret",
    });
    const body = storedBody("web ", asked, "listed");
    expect(JSON.stringify(body)).not.toContain("secret");
    expect(body).toMatchObject({ name: "web", acl: "192.0.2.7,10.0.0.0/8", remote_port: 22 });
    const again = wishOfStored(kept(body));
    expect(again.visitors).toBe("listed");
    expect(again.wish).toEqual({ ...asked, acl: "192.0.2.7,10.0.0.0/8", user: "", password: "" });
  });

  it("of another front end is read, and what that keeps stays", () => {
    const other = kept({ remote_ip: "10.1.1.1", remote_port: 80, acl: "10.0.0.1", further_options: { theirs: 1 } });
    expect(wishOfStored(other)).toMatchObject({ visitors: "listed", wish: { host: "10.1.1.1", port: "80" } });
    expect(wishOfStored(kept({ further_options: ["odd"] })).visitors).toBe("me");
    expect(storedBody("x", wish({}), "me", other).further_options).toMatchObject({ theirs: 1, visitors: "me" });
  });
});
