// The whole product in a real browser: real server, real agents.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually, freePort, launch, logIn, openPage, Rig } from "./harness.mjs";
import { furnish, openVault, SCREENS, show } from "./screens.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const EVIL = '<img src=x onerror="alert(1)"><b>bold</b>';
const BIN = process.env.RPORT_BIN_DIR ?? new URL("../../target/debug", import.meta.url).pathname;

let rig;
let browser;

before(async () => {
  rig = await Rig.start({
    agents: [
      { id: "web-1", name: "web-1", tags: ["web", "production"] },
      { id: "db-1", name: "db-1", tags: ["database"] },
      { id: "evil", name: EVIL, tags: [EVIL, "\u001b[31mred"] },
    ],
  });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await rig?.stop();
});

/** Runs it on a page of its own, and fails when the page did what no page may do. */
async function onPage(action, options) {
  const { page, context, wrong } = await openPage(browser, rig, options);
  try {
    await action(page, context);
    assert.deepEqual(wrong, []);
  } finally {
    await context.close();
  }
}

async function axe(page) {
  // Through the debugger, which the policy of the page does not concern.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`);
}

async function checkAxe(page, what) {
  assert.deepEqual(await axe(page), [], what);
}

test("a wrong password is told, the right one opens the list", () =>
  onPage(async (page) => {
    await page.goto(rig.url);
    await page.getByLabel("User name").fill("admin");
    await page.getByLabel("Password", { exact: true }).fill("wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").getByText("User name or password is wrong.").waitFor();
    await checkAxe(page, "login");
    await page.getByLabel("Password", { exact: true }).fill(rig.admin.password);
    await page.keyboard.press("Enter");
    await page.getByRole("link", { name: "web-1", exact: true }).waitFor();
    await page.getByText("Live", { exact: true }).waitFor();
    // What the tab keeps is the session, and nothing outlives the tab.
    assert.equal(await page.evaluate(() => Object.values(localStorage).join().includes("eyJ")), false);
    await page.reload();
    await page.getByRole("link", { name: "web-1", exact: true }).waitFor();
  }));

test("a machine is added with the line that the page shows", () =>
  onPage(async (page) => {
    await logIn(page, rig, rig.admin, "/add");
    await page.getByLabel("Name of the machine").fill("new-machine");
    await page.getByRole("button", { name: "Make the command" }).click();
    const line = await page.locator(".command-line pre").first().textContent();
    assert.match(line, /^RPORT_AUTH=new-machine:\S+ rport --fingerprint \S+ http:/);
    const data = join(rig.dir, "pasted");
    mkdirSync(data, { recursive: true });
    const pasted = `exec env ${line} --allow-root --id new-machine --data-dir ${data}`;
    const agent = spawn("sh", ["-c", pasted], {
      env: { ...process.env, PATH: `${BIN}:${process.env.PATH}` },
      stdio: "ignore",
    });
    rig.children.push(agent);
    // Nobody reloads: the page hears of it.
    await page.getByText("is connected.").waitFor({ timeout: 20_000 });
    await page.getByRole("link", { name: "Show it" }).click();
    await page.waitForURL("**/clients/new-machine");
    await page.getByRole("link", { name: "Clients", exact: true }).first().click();
    await page
      .getByRole("row", { name: /new-machine|vm/ })
      .first()
      .waitFor();
    agent.kill();
    await page.getByRole("img", { name: "Disconnected" }).waitFor({ timeout: 20_000 });
  }));

test("a tunnel is opened, used, and closed", async () => {
  const service = createServer((_, response) => response.end("through the tunnel"));
  const port = await freePort();
  await new Promise((resolve) => service.listen(port, "127.0.0.1", resolve));
  try {
    await onPage(async (page) => {
      await logIn(page, rig, rig.admin, "/clients/web-1/tunnels");
      await page.getByRole("button", { name: /^Web page/ }).click();
      await page.getByLabel("Port", { exact: true }).fill(String(port));
      await page
        .getByRole("radio", { name: "Only my address (127.0.0.1)" })
        .or(page.getByRole("button", { name: "Only my address (127.0.0.1)" }))
        .waitFor();
      await checkAxe(page, "open a tunnel");
      await page.getByRole("button", { name: "Open", exact: true }).click();
      const link = page.getByRole("link", { name: "Open", exact: true });
      const address = new URL(await link.getAttribute("href"));
      const answer = await fetch(address, { headers: { connection: "close" } });
      assert.equal(await answer.text(), "through the tunnel");
      await page.getByText("open to 127.0.0.1").waitFor();
      // Somebody is using it, so a second word is needed.
      const visitor = connect(Number(address.port), address.hostname);
      visitor.on("error", () => undefined);
      visitor.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      await new Promise((resolve) => visitor.once("data", resolve));
      await page.getByRole("button", { name: /^Close tunnel/ }).click();
      await page.getByRole("button", { name: "Close anyway" }).click();
      await page.getByRole("heading", { name: "No tunnels" }).waitFor();
      visitor.destroy();
    });
  } finally {
    service.close();
  }
});

test("a command runs on two agents, and its output is seen while it runs", () =>
  onPage(async (page) => {
    await logIn(page, rig, rig.admin, "/commands");
    // Ends only when the test has seen the first line.
    const gate = join(rig.dir, "gate");
    const command = `echo "first <b>line</b>"; while [ ! -e ${gate} ]; do sleep 0.1; done; printf '\\033[31mlast\\033[0m\\n'`;
    await page.getByLabel("Command", { exact: true }).fill(command);
    for (const name of ["web-1", "db-1"])
      await page.getByRole("checkbox", { name: new RegExp(name) }).check({ force: true });
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.waitForURL("**/commands/*-*");
    await page.getByText("2 running").waitFor();
    for (const name of ["web-1", "db-1"]) {
      await page.getByRole("region", { name }).getByText("first <b>line</b>").waitFor();
    }
    writeFileSync(gate, "");
    for (const name of ["web-1", "db-1"]) {
      const output = page.getByRole("region", { name });
      await output.getByText("Successful").waitFor();
      assert.equal(await output.locator("pre").textContent(), "first <b>line</b>\nlast\n");
    }
    await page.getByText("2 successful").waitFor();
    await checkAxe(page, "multi-job");
  }));

test("a command that runs can be cancelled", () =>
  onPage(async (page) => {
    await logIn(page, rig, rig.admin, "/clients/web-1/commands");
    await page.getByLabel("Command", { exact: true }).fill("echo started; sleep 300");
    await page.keyboard.press("Control+Enter");
    await page.getByText("started", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText("cancelled by admin").first().waitFor();
  }));

test("an entry of the library runs with its places filled in, one of them from the vault", () =>
  onPage(async (page) => {
    await openVault(rig);
    await rig.call("POST", "/vault", { key: "greeting", value: "hush-hush", type: "secret" });
    await logIn(page, rig, rig.admin, "/library");
    await page.getByRole("button", { name: "Add an entry" }).click();
    await page.getByLabel("Name", { exact: true }).fill("Greet");
    await page.getByLabel("Command", { exact: true }).fill("echo %%WHO%% %%HOW=gladly%% %%WORD%%");
    await checkAxe(page, "entry");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("button", { name: "Run: Greet" }).click();
    await page.waitForURL("**/commands?*");
    const run = page.getByRole("button", { name: "Run", exact: true });
    await page.getByRole("checkbox", { name: /web-1/ }).check({ force: true });
    assert.ok(await run.isDisabled(), "WHO has no value yet");
    await page.getByLabel("Value of WHO").fill("everybody");
    const source = page.getByRole("radiogroup", { name: "Where WORD comes from" });
    await source.getByText("Vault").click();
    await page.getByLabel("Key in the vault for WORD").fill("greeting");
    await checkAxe(page, "parameters");
    await run.click();
    await page.waitForURL("**/commands/*-*");
    const output = page.getByRole("region", { name: "web-1" });
    await output.getByText("Successful").waitFor();
    // The value itself is neither stored nor shown.
    assert.equal(await output.locator("pre").textContent(), "everybody gladly ***\n");
    // The same from the other side: the form takes it out of the library.
    await page.getByRole("link", { name: "Commands", exact: true }).first().click();
    await page.getByRole("button", { name: "From the library…" }).click();
    await page
      .getByRole("dialog")
      .getByRole("button", { name: /^Greet/ })
      .click();
    assert.equal(
      await page.getByLabel("Command", { exact: true }).inputValue(),
      "echo %%WHO%% %%HOW=gladly%% %%WORD%%",
    );
  }));

test("a group is made by rules, with its members in sight, and something runs on it", () =>
  onPage(async (page) => {
    await logIn(page, rig, rig.admin, "/groups");
    await page.getByRole("heading", { name: "No groups yet" }).waitFor();
    await page.getByRole("button", { name: "Add a group" }).click();
    const dialog = page.getByRole("dialog", { name: "Add a group" });
    await dialog.getByLabel("Id", { exact: true }).fill("shops");
    await dialog.getByLabel("Values", { exact: true }).fill("web,production,");
    await dialog.getByText("1 client fits now: web-1").waitFor();
    await dialog.getByRole("checkbox", { name: "All of these tags are needed" }).check({ force: true });
    await dialog.getByText("1 client fits now: web-1").waitFor();
    await checkAxe(page, "group");
    await dialog.getByRole("button", { name: "Save" }).click();
    const row = page.getByRole("row", { name: /shops/ });
    await row.getByText("Tag: web and production").waitFor();
    await row.getByText("1 of 1 connected").waitFor();
    const { data: group } = await rig.call("GET", "/client-groups/shops");
    assert.deepEqual(group.params.tag, { and: ["web", "production"] });
    await row.getByRole("button", { name: /^More actions/ }).click();
    await page.getByRole("menuitem", { name: "Run a command" }).click();
    await page.getByLabel("Command", { exact: true }).fill("echo shop");
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.waitForURL("**/commands/*-*");
    await page.getByRole("region", { name: "web-1" }).getByText("Successful").waitFor();
    await page.getByText("1 successful").waitFor();
    await page.getByRole("link", { name: "Client groups" }).first().click();
    await page.getByRole("link", { name: "shops" }).click();
    await page.getByRole("link", { name: "web-1", exact: true }).waitFor();
    assert.equal(await page.getByRole("link", { name: "db-1", exact: true }).count(), 0);
    await page.goto(`${rig.url}/groups`);
    await page.getByRole("button", { name: /^More actions/ }).click();
    await page.getByRole("menuitem", { name: "Delete…" }).click();
    await page.getByLabel("Type “shops” to confirm").fill("shops");
    await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
    await page.getByRole("heading", { name: "No groups yet" }).waitFor();
  }));

test("a schedule is made, run by hand, paused and deleted", () =>
  onPage(async (page) => {
    await logIn(page, rig, rig.admin, "/schedules");
    await page.getByRole("heading", { name: "No schedules yet" }).waitFor();
    await page.getByRole("button", { name: "Add a schedule" }).click();
    const dialog = page.getByRole("dialog", { name: "Add a schedule" });
    await dialog.getByLabel("Name", { exact: true }).fill("nightly");
    await dialog.getByLabel("Timetable").fill("30 4 * *");
    await dialog.getByText("This is no timetable yet.").waitFor();
    await dialog.getByLabel("Timetable").fill("30 4 * * 1-5");
    await dialog.getByLabel("Time zone").fill("Europe/Berlin");
    await dialog.getByText("At 04:30 from Monday to Friday, time in Europe/Berlin.").waitFor();
    await dialog.getByLabel("Command", { exact: true }).fill("echo %%WORD%%");
    await dialog.getByLabel("Value of WORD").fill("scheduled");
    for (const name of ["web-1", "db-1"])
      await dialog.getByRole("checkbox", { name: new RegExp(name) }).check({ force: true });
    await dialog.getByRole("button", { name: "More options" }).click();
    await checkAxe(page, "schedule dialog");
    await dialog.getByRole("button", { name: "Save" }).click();
    // What the server made of it.
    await page.getByRole("heading", { level: 1, name: "nightly" }).waitFor();
    assert.equal(await page.locator("section", { hasText: "Next runs" }).getByRole("listitem").count(), 5);
    await page.getByRole("heading", { name: "It has not run yet" }).waitFor();
    await page.getByRole("button", { name: "Run now" }).click();
    await page.waitForURL("**/commands/*-*");
    for (const name of ["web-1", "db-1"]) {
      const output = page.getByRole("region", { name });
      await output.getByText("Successful").waitFor();
      assert.equal(await output.locator("pre").textContent(), "scheduled\n");
    }
    await page.getByRole("link", { name: "Schedules" }).first().click();
    const row = page.getByRole("row", { name: /nightly/ });
    await row.getByText("2 of 2 successful").waitFor();
    await row.getByRole("button", { name: /^More actions/ }).click();
    await page.getByRole("menuitem", { name: "Pause" }).click();
    await row.getByText("Paused", { exact: true }).waitFor();
    await page.getByRole("link", { name: "nightly" }).click();
    await page.getByText("None while it rests.").waitFor();
    const run = page.getByRole("row", { name: /started by admin/ });
    await run.getByText("2 successful").waitFor();
    await run.getByRole("link").click();
    await page.waitForURL("**/commands/*-*");
    await page.goBack();
    await page.getByRole("button", { name: /^More actions/ }).click();
    await page.getByRole("menuitem", { name: "Edit…" }).click();
    const edit = page.getByRole("dialog", { name: "Edit nightly" });
    assert.equal(await edit.getByLabel("Value of WORD").inputValue(), "scheduled");
    await edit.getByLabel("Timetable").fill("60 4 * * *");
    await edit.getByRole("button", { name: "Save" }).click();
    // The server's own words; nothing typed is lost.
    await edit.getByRole("alert").waitFor();
    await edit.getByRole("button", { name: "Hourly" }).click();
    await edit.getByRole("button", { name: "Save" }).click();
    await edit.waitFor({ state: "detached" });
    await page.getByText("Every hour", { exact: true }).waitFor();
    await page.getByRole("button", { name: /^More actions/ }).click();
    await page.getByRole("menuitem", { name: "Delete…" }).click();
    await page.getByLabel("Type “nightly” to confirm").fill("nightly");
    await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
    await page.getByRole("heading", { name: "No schedules yet" }).waitFor();
  }));

test("a tunnel is kept as a preset of its client, and opened with it again", () =>
  onPage(async (page) => {
    await logIn(page, rig, rig.admin, "/clients/db-1");
    await page.getByRole("link", { name: "Tunnels", exact: true }).last().click();
    // One tab is the present one, and only one.
    const tabs = page.getByRole("navigation", { name: "db-1" });
    await page.getByRole("heading", { name: "No tunnels" }).waitFor();
    assert.deepEqual(await tabs.locator("[aria-current=page]").allInnerTexts(), ["Tunnels"]);
    await page.getByRole("button", { name: /^Other/ }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Port", { exact: true }).fill("5432");
    await dialog.getByRole("checkbox", { name: "Check first that the service listens" }).uncheck({ force: true });
    await dialog.getByRole("checkbox", { name: "Keep this as a preset of the client" }).check({ force: true });
    await dialog.getByLabel("Name of the preset").fill("Database");
    await dialog.getByRole("button", { name: "Open", exact: true }).click();
    const kept = page.getByRole("region", { name: "Kept tunnels" });
    await kept.getByRole("button", { name: /^Database/ }).waitFor();
    await page.getByRole("button", { name: /^Close tunnel/ }).click();
    await page.getByRole("heading", { name: "No tunnels" }).waitFor();
    await checkAxe(page, "presets");
    await kept.getByRole("button", { name: /^Database/ }).click();
    assert.equal(await dialog.getByLabel("Port", { exact: true }).inputValue(), "5432");
    await dialog.getByRole("button", { name: "Open", exact: true }).click();
    await page.getByText("127.0.0.1:5432").last().waitFor();
    await page.getByRole("button", { name: /^Close tunnel/ }).click();
    await kept.getByRole("button", { name: "More actions: Database" }).click();
    await page.getByRole("menuitem", { name: "Delete…" }).click();
    await page.getByLabel("Type “Database” to confirm").fill("Database");
    await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
    await kept.waitFor({ state: "detached" });
  }));

test("names, tags and output of a hostile agent are texts", () =>
  onPage(async (page) => {
    await logIn(page, rig);
    await page.getByRole("link", { name: EVIL }).click();
    await page.getByRole("heading", { level: 1 }).getByText(EVIL).waitFor();
    assert.equal(await page.locator("main img, main b b").count(), 0);
    assert.ok((await page.locator("main .tag").allInnerTexts()).includes(EVIL));
  }));

test("searching, sorting and choosing work in the list", () =>
  onPage(async (page) => {
    await logIn(page, rig);
    await page.getByRole("link", { name: "db-1", exact: true }).waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("eb-");
    await page.getByRole("link", { name: "db-1", exact: true }).waitFor({ state: "detached" });
    await page.getByRole("link", { name: "web-1", exact: true }).waitFor();
    await page.waitForURL(/q=eb-/);
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: "db-1", exact: true }).waitFor();
    // The box itself is hidden below what is drawn for it.
    await page.getByRole("checkbox", { name: "Select db-1" }).check({ force: true });
    await page.getByText("1 selected").waitFor();
    await page.getByRole("toolbar").getByRole("button", { name: "Delete" }).click();
    const really = page.getByRole("alertdialog");
    assert.ok(await really.getByRole("button", { name: "Delete" }).isDisabled());
    await really.getByLabel("Type “db-1” to confirm").fill("db-1");
    await really.getByRole("button", { name: "Delete" }).click();
    // It is connected, so the server refuses, and the dialog says why.
    await really.getByRole("alert").waitFor();
  }));

test("an ended session is renewed over the page, and nothing typed is lost", () =>
  onPage(async (page) => {
    await logIn(page, rig, rig.admin, "/credentials");
    await page.getByRole("button", { name: "Add credentials" }).click();
    await page.getByLabel("Id", { exact: true }).fill("typed-before");
    await rig.call("DELETE", "/users/admin/sessions");
    await page.getByRole("dialog").getByRole("button", { name: "Add credentials" }).click();
    const over = page.getByRole("dialog", { name: "Your session has ended" });
    await over.getByLabel("Password", { exact: true }).fill(rig.admin.password);
    await over.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("dialog", { name: "Credentials added" }).getByText("typed-before").first().waitFor();
    await eventually("the credentials", async () => (await rig.call("GET", "/clients-auth/typed-before")).data.id);
  }));

test("who may little is offered little", () =>
  onPage(async (page) => {
    await logIn(page, rig, rig.viewer);
    const nav = page.getByRole("navigation", { name: "Main" }).first();
    await nav.getByRole("link", { name: "Clients" }).waitFor();
    await page.getByRole("heading", { name: "No machines yet" }).waitFor();
    for (const hidden of ["Tunnels", "Schedules", "Add a machine", "Credentials", "Users & groups", "Audit log"]) {
      assert.equal(await nav.getByRole("link", { name: hidden }).count(), 0, hidden);
    }
    await page.goto(`${rig.url}/credentials`);
    await page.getByRole("heading", { name: "You may not see this" }).waitFor();
    await checkAxe(page, "no permission");
  }));

test("a reverse proxy may put it below a path", async () => {
  const to = new URL(rig.url);
  const proxy = createServer((incoming, outgoing) => {
    if (!incoming.url.startsWith("/remote/rport/")) return outgoing.writeHead(404).end();
    const path = incoming.url.slice("/remote/rport".length);
    const options = { host: to.hostname, port: to.port, path, method: incoming.method, headers: incoming.headers };
    const passed = httpRequest(options, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(passed);
  });
  proxy.on("upgrade", (incoming, socket) => {
    const onward = connect(Number(to.port), to.hostname, () => {
      const headers = Object.entries(incoming.headers).map(([name, value]) => `${name}: ${value}\r\n`);
      onward.write(`GET ${incoming.url.slice("/remote/rport".length)} HTTP/1.1\r\n${headers.join("")}\r\n`);
      onward.pipe(socket).pipe(onward);
    });
    onward.on("error", () => socket.destroy());
    socket.on("error", () => onward.destroy());
  });
  const port = await freePort();
  await new Promise((resolve) => proxy.listen(port, "127.0.0.1", resolve));
  const below = { ...rig, url: `http://127.0.0.1:${port}/remote/rport` };
  const { page, context, wrong } = await openPage(browser, below);
  try {
    await logIn(page, below, rig.admin, "/clients/web-1/tunnels");
    await page.getByRole("heading", { name: "web-1" }).waitFor();
    await page.getByText("Live", { exact: true }).waitFor();
    await page.getByRole("link", { name: "Server status" }).click();
    await page.waitForURL("**/remote/rport/status");
    assert.deepEqual(wrong, []);
  } finally {
    await context.close();
    proxy.closeAllConnections();
    proxy.close();
  }
});

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing on any screen, ${colorScheme}`, async () => {
    if (colorScheme === "light") await furnish(rig);
    await onPage(
      async (page) => {
        await logIn(page, rig);
        const found = [];
        for (const screen of SCREENS) {
          await show(page, rig, screen);
          found.push(...(await axe(page)).map((one) => `${screen[0]}: ${one}`));
        }
        assert.deepEqual(found, []);
      },
      { colorScheme },
    );
  });
}

test("no screen is wider than a phone", () =>
  onPage(
    async (page) => {
      await logIn(page, rig);
      for (const screen of SCREENS) {
        await show(page, rig, screen);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.ok(over <= 0, `${screen[0]} is ${over} pixels too wide`);
      }
      await page.getByRole("button", { name: "More" }).click();
      await checkAxe(page, "phone, more");
    },
    { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true },
  ));

test("what was done stands in the audit log, and a sign-out forgets the token", () =>
  onPage(async (page) => {
    await logIn(page, rig, rig.admin, "/audit");
    await page.getByLabel("User, action, client…").fill("tunnel");
    await page.getByText("client.tunnel").first().waitFor();
    await page.getByRole("button", { name: /^Your account/ }).click();
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    await page.getByLabel("User name").waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  }));
