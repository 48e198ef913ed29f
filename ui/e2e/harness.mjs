// A server, agents and a browser of their own for each run, below e2e/.run, on ports nobody uses.
import { execFileSync, spawn } from "node:child_process";
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { chromium } from "playwright-core";

const HERE = new URL(".", import.meta.url).pathname;
const BIN = process.env.RPORT_BIN_DIR ?? join(HERE, "../../target/debug");
const PATIENCE_MS = 20_000;

/** Tries until it gives something true, or the time is over. */
export async function eventually(what, attempt, limit = PATIENCE_MS) {
  const end = Date.now() + limit;
  let last;
  while (Date.now() < end) {
    try {
      const found = await attempt();
      if (found) return found;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited in vain for ${what}${last ? `: ${last}` : ""}`);
}

/** A port that is free at the moment. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

export class Rig {
  static async start({ agents = [], api = "" } = {}) {
    const rig = new Rig();
    mkdirSync(join(HERE, ".run"), { recursive: true });
    rig.dir = mkdtempSync(join(HERE, ".run/rig-"));
    rig.children = [];
    rig.admin = { user: "admin", password: "a-password-for-tests-only" };
    rig.viewer = { user: "viewer", password: "another-password-for-tests" };
    const [agentPort, apiPort] = [await freePort(), await freePort()];
    rig.agentUrl = `http://127.0.0.1:${agentPort}`;
    rig.url = `http://127.0.0.1:${apiPort}`;
    rig.config = join(rig.dir, "rportd.conf");
    writeFileSync(join(rig.dir, "client-auth.json"), JSON.stringify({ fleet: "fleet-password" }), { mode: 0o600 });
    writeFileSync(
      rig.config,
      `[server]
address = "127.0.0.1:${agentPort}"
url = ["${rig.agentUrl}"]
key_seed = "a-seed-for-tests"
auth_file = "${rig.dir}/client-auth.json"
data_dir = "${rig.dir}/data"
used_ports = ["20000-30000"]
tunnel_host = "127.0.0.1"
[logging]
log_level = "info"
[api]
address = "127.0.0.1:${apiPort}"
auth_user_table = "users"
auth_group_table = "groups"
auth_group_details_table = "group_details"
jwt_secret = "a-secret-for-tests-that-is-long-enough"
user_login_wait = 0.0
max_failed_login = 1000
${api}
[database]
db_type = "sqlite"
db_name = "${rig.dir}/users.db"
`,
    );
    rig.tool(["db", "create"]);
    rig.tool(["user", "add", rig.admin.user, "-g", "Administrators"], rig.admin.password);
    rig.tool(["user", "add", rig.viewer.user, "-g", "viewers"], rig.viewer.password);
    rig.spawn("rportd", ["-c", rig.config, "--allow-root"]);
    await eventually("the server", async () => (await fetch(`${rig.url}/api/v1/auth/provider`)).ok);
    rig.fingerprint = readFileSync(join(rig.dir, "data/rportd-fingerprint.txt"), "utf8").trim();
    for (const agent of agents) rig.agent(agent);
    await eventually("the agents", async () => {
      const { data } = await rig.call("GET", "/status");
      return data.clients_connected >= agents.length;
    });
    return rig;
  }

  /** Runs `rportd` for a command that ends. */
  tool(args, input = "") {
    const [first, ...rest] = args;
    execFileSync(join(BIN, "rportd"), [first, ...rest, "-c", this.config], {
      input: `${input}\n`,
      stdio: ["pipe", "pipe", "pipe"],
    });
  }

  spawn(program, args, env = {}) {
    const log = createWriteStream(join(this.dir, `${program}-${this.children.length}.log`));
    const child = spawn(join(BIN, program), args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.pipe(log);
    child.stderr.pipe(log);
    this.children.push(child);
    return child;
  }

  /** Connects an agent with real credentials. */
  agent({ id, name = id, tags = [], auth = "fleet:fleet-password" }) {
    const data = join(this.dir, `agent-${this.children.length}`);
    const config = join(this.dir, `agent-${this.children.length}.conf`);
    writeFileSync(
      config,
      `[client]
server = "${this.agentUrl}"
fingerprint = "${this.fingerprint}"
id = ${JSON.stringify(id)}
name = ${JSON.stringify(name)}
tags = ${JSON.stringify(tags)}
data_dir = "${data}"
attributes_file_path = "${data}/attributes.json"
allow_root = true
updates_interval = "0s"
[remote-commands]
enabled = true
allow = ['.*']
deny = []
[remote-scripts]
enabled = true
`,
      { mode: 0o600 },
    );
    mkdirSync(data, { recursive: true });
    return this.spawn("rport", ["-c", config], { RPORT_AUTH: auth });
  }

  /** Calls the API as administrator. */
  async call(method, path, body) {
    const headers = {
      authorization: `Basic ${Buffer.from(`${this.admin.user}:${this.admin.password}`).toString("base64")}`,
      "content-type": "application/json",
    };
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = await fetch(`${this.url}/api/v1${path}`, init);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  async stop() {
    for (const child of this.children.reverse()) child.kill();
    await Promise.all(
      this.children.map((child) => (child.exitCode === null ? new Promise((done) => child.once("exit", done)) : null)),
    );
    if (!process.env.KEEP) rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Debian's browser, told not to look for anything on the network. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--force-color-profile=srgb",
    ],
  });
}

/** A page that notes what should never happen: errors, violations of the policy, requests to other hosts. */
export async function openPage(browser, rig, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1360, height: 860 }, locale: "en-GB", ...options });
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  page.on("console", (message) => {
    const text = message.text();
    // Refused requests are answers like any other; the browser lists them all the same.
    if (message.type() === "error" && !text.startsWith("Failed to load resource")) wrong.push(`console: ${text}`);
  });
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(rig.url) && !/^(data|blob):/.test(url)) wrong.push(`foreign request: ${url}`);
  });
  page.on("dialog", (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.setDefaultTimeout(10_000);
  return { page, context, wrong };
}

export async function logIn(page, rig, who = rig.admin, path = "/") {
  await page.goto(`${rig.url}${path}`);
  await page.getByLabel("User name").fill(who.user);
  await page.getByLabel("Password", { exact: true }).fill(who.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation", { name: "Main" }).first().waitFor();
}
