// Pictures of every screen in light and dark, wide and narrow, into ui/screenshots. `make screenshots` runs it.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { launch, logIn, openPage, Rig } from "./harness.mjs";

const OUT = new URL("../screenshots/", import.meta.url).pathname;
const AGENTS = [
  { id: "web-1", name: "web-1.fra", tags: ["web", "production", "frankfurt"] },
  { id: "web-2", name: "web-2.fra", tags: ["web", "production", "frankfurt"] },
  { id: "web-10", name: "web-10.ams", tags: ["web", "staging", "amsterdam"] },
  { id: "db-1", name: "db-1.fra", tags: ["database", "production"] },
  { id: "kiosk-7", name: "kiosk-7 lobby", tags: ["kiosk", "windows-soon"] },
  { id: "plc-gateway", name: "plc-gateway.hall-3", tags: ["factory"] },
  { id: "backup", name: "backup.home", tags: ["backup"] },
];

export const SCREENS = [
  ["clients", "/clients"],
  ["client", "/clients/web-1"],
  ["client-tunnels", "/clients/web-1/tunnels"],
  ["client-commands", "/clients/web-1/commands"],
  ["client-tags", "/clients/web-1/attributes"],
  ["client-history", "/clients/web-1/history"],
  ["tunnels", "/tunnels"],
  ["commands", "/commands"],
  ["library", "/library"],
  ["schedules", "/schedules"],
  ["schedule", "/schedules", "nightly report"],
  ["groups", "/groups"],
  ["vault", "/vault"],
  ["credentials", "/credentials"],
  ["add", "/add"],
  ["users", "/users"],
  ["audit", "/audit"],
  ["status", "/status"],
  ["account", "/account"],
];

/** Goes to a screen, by a link where its address is not known beforehand. */
export async function show(page, rig, [, path, link]) {
  await page.goto(rig.url + path);
  if (link) await page.getByRole("link", { name: link, exact: true }).click();
  const heading = page.getByRole("heading", { level: 1, ...(link ? { name: link } : {}) });
  await heading.first().waitFor();
  await page.waitForLoadState("networkidle");
}

/** Sets a password for the vault, unless it has one. It is unlocked then. */
export async function openVault(rig) {
  const { data } = await rig.call("GET", "/vault-admin");
  if (data.init === "uninitialized") await rig.call("POST", "/vault-admin/init", { password: "vault-password" });
}

/** Something to see on each screen. */
export async function furnish(rig) {
  const { data: sample } = await rig.call(
    "PUT",
    "/clients/web-1/tunnels?remote=22&scheme=ssh&acl=127.0.0.1&check_port=0",
  );
  await rig.call("PUT", "/clients/web-1/tunnels?remote=8080&scheme=http&check_port=0&auto-close=2h");
  await rig.call("PUT", "/clients/db-1/tunnels?remote=5432&check_port=0&acl=10.0.0.0/8&idle-timeout-minutes=30");
  for (const [id, comment] of [
    ["office-berlin", "Front desk machines"],
    ["kiosk-lobby", "Rotated every quarter"],
    ["factory-hall-3", ""],
  ]) {
    await rig.call("POST", "/clients-auth", { id, comment, generate: true });
  }
  await rig.call("PUT", "/clients-auth/kiosk-lobby", { disabled: true });
  await rig.call("PUT", "/user-groups/operators", { permissions: { tunnels: true, commands: true, scripts: true } });
  await rig.call("POST", "/users", { username: "ann", password: "a-long-enough-password", groups: ["operators"] });
  await rig.call("POST", "/users", {
    username: "tom",
    password: "a-long-enough-password",
    groups: ["operators", "viewers"],
    password_expired: true,
  });
  await rig.call("POST", "/library/commands", { name: "Free space", cmd: "df -h %%PATH=/%%", tags: ["disk"] });
  await rig.call("POST", "/library/scripts", {
    name: "Rotate logs",
    script: "#!/bin/sh\nlogrotate -f /etc/logrotate.d/%%SERVICE%%\n",
    tags: ["disk"],
  });
  for (const [id, description, params] of [
    ["frankfurt", "Everything in the first hall", { tag: { and: ["production", "frankfurt"] } }],
    ["web", "Web servers", { tag: { or: ["web"] }, connection_state: ["connected"] }],
    ["kiosks", "", { name: ["kiosk-*"] }],
  ]) {
    await rig.call("POST", "/client-groups", { id, description, params });
  }
  const plan = { type: "command", execute_concurrently: true };
  const { data: nightly } = await rig.call("POST", "/schedules", {
    ...plan,
    name: "nightly report",
    schedule: "30 4 * * 1-5",
    time_zone: "Europe/Berlin",
    command: "df -h %%PATH=/%%",
    parameters: {},
    client_ids: ["db-1"],
    group_ids: ["web"],
    jitter_sec: 60,
  });
  await rig.call("POST", "/schedules", {
    ...plan,
    name: "clean-up",
    schedule: "@every 90m",
    command: "rm -rf /tmp/cache",
    tags: { tags: ["kiosk", "web"], operator: "OR" },
    paused: true,
  });
  await rig.call("POST", `/schedules/${nightly.id}/run`);
  await rig.call("POST", "/clients/web-1/stored-tunnels", {
    name: "Admin pages",
    scheme: "https",
    remote_ip: "127.0.0.1",
    remote_port: 8443,
  });
  await openVault(rig);
  await rig.call("POST", "/vault", { key: "db-password", value: "secret", type: "secret", client_id: "db-1" });
  const order = { client_ids: ["web-1", "db-1"], execute_concurrently: true };
  await rig.call("POST", "/commands", { ...order, command: "uptime; df -h / | tail -1" });
  await rig.call("POST", "/commands", { ...order, command: "cat /etc/no-such-file" });
  return sample;
}

async function main() {
  mkdirSync(OUT, { recursive: true });
  const only = process.argv.slice(2);
  const rig = await Rig.start({ agents: AGENTS });
  const browser = await launch();
  try {
    await furnish(rig);
    const looks = [
      ["light", { colorScheme: "light" }],
      ["dark", { colorScheme: "dark" }],
      [
        "phone",
        {
          colorScheme: "light",
          viewport: { width: 390, height: 844 },
          isMobile: true,
          hasTouch: true,
          deviceScaleFactor: 2,
        },
      ],
    ];
    for (const [look, options] of looks) {
      const { page, context, wrong } = await openPage(browser, rig, options);
      await page.goto(rig.url);
      await page.getByLabel("User name").waitFor();
      await page.screenshot({ path: join(OUT, `login-${look}.png`) });
      await logIn(page, rig);
      for (const screen of SCREENS) {
        const [name] = screen;
        if (only.length > 0 && !only.includes(name)) continue;
        await show(page, rig, screen);
        await page.screenshot({ path: join(OUT, `${name}-${look}.png`) });
      }
      if (wrong.length > 0) console.error(look, wrong);
      await context.close();
    }
  } finally {
    await browser.close();
    await rig.stop();
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) await main();
