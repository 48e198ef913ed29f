// Shows the OpenAPI document of this server. Texts are only ever set as text, never as markup.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"];
const DEEPEST = 6;

// Makes an element; children are elements or texts.
function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

function paragraphs(text) {
  return (text || "").split(/\n\s*\n/).filter(Boolean).map((part) => make("p", null, part.replace(/\s*\n\s*/g, " ")));
}

function resolved(api, schema) {
  const prefix = "#/components/";
  if (!schema || !schema.$ref || !schema.$ref.startsWith(prefix)) {
    return schema || {};
  }
  const target = schema.$ref.slice(prefix.length).split("/").reduce((at, key) => (at || {})[key], api.components);
  return target || {};
}

// One or two words for a schema.
function typeName(api, schema) {
  if (!schema) {
    return "";
  }
  if (schema.$ref) {
    return schema.$ref.split("/").pop();
  }
  const choices = schema.oneOf || schema.anyOf || schema.allOf;
  if (choices) {
    return choices.map((choice) => typeName(api, choice)).filter(Boolean).join(schema.allOf ? " & " : " | ");
  }
  const types = [].concat(schema.type || "any");
  const named = types.map((type) => (type === "array" ? "list of " + (typeName(api, schema.items) || "any") : type));
  const format = schema.format ? " (" + schema.format + ")" : "";
  const values = schema.enum ? ": " + schema.enum.map((value) => JSON.stringify(value)).join(", ") : "";
  return named.join(" | ") + format + values;
}

// The fields of a schema, as a tree.
function fields(api, schema, depth, path) {
  const name = schema && schema.$ref;
  const real = resolved(api, schema);
  if (depth > DEEPEST || (name && path.includes(name))) {
    return null;
  }
  const below = name ? path.concat(name) : path;
  const choices = real.oneOf || real.anyOf || real.allOf;
  if (choices) {
    const parts = choices.map((choice) => fields(api, choice, depth + 1, below)).filter(Boolean);
    return parts.length ? make("div", null, ...parts) : null;
  }
  if (real.items) {
    return fields(api, real.items, depth + 1, below);
  }
  if (!real.properties) {
    return null;
  }
  const required = real.required || [];
  const items = Object.entries(real.properties).map(([key, value]) => {
    const told = value.description || "";
    const example = value.example !== undefined ? " Example: " + JSON.stringify(value.example) : "";
    return make("li", null,
      make("code", null, key), required.includes(key) ? make("span", { class: "required", title: "always there" }, "*") : "",
      make("span", { class: "type" }, " " + typeName(api, value)),
      told || example ? " – " + told + example : "",
      fields(api, value, depth + 1, below));
  });
  return make("ul", { class: "schema" }, ...items);
}

function content(api, holder) {
  return Object.entries(holder.content || {}).map(([type, media]) => make("div", null,
    make("code", null, type), make("span", { class: "type" }, " " + typeName(api, media.schema)),
    fields(api, media.schema, 0, [])));
}

function parameters(api, list) {
  if (!list.length) {
    return "";
  }
  const rows = list.map((parameter) => make("tr", null,
    make("td", null, make("code", null, parameter.name), parameter.required ? make("span", { class: "required" }, "*") : ""),
    make("td", null, parameter.in),
    make("td", { class: "type" }, typeName(api, parameter.schema)),
    make("td", null, ...paragraphs(parameter.description))));
  return make("div", null, make("h3", null, "Parameters"), make("table", null, ...rows));
}

function access(api, operation) {
  const ways = operation.security || api.security || [];
  const names = ways.flatMap((way) => Object.keys(way));
  return make("p", { class: "type" }, names.length ? "Login: " + [...new Set(names)].join(" or ") : "Needs no login.");
}

function body(api, shared, operation) {
  const all = shared.concat(operation.parameters || []).map((parameter) => resolved(api, parameter));
  const request = resolved(api, operation.requestBody);
  const answers = Object.entries(operation.responses || {}).map(([status, answer]) => {
    const real = resolved(api, answer);
    return make("tr", null, make("td", null, make("code", null, status)),
      make("td", null, ...paragraphs(real.description), ...content(api, real)));
  });
  return make("div", { class: "body" },
    ...paragraphs(operation.description), access(api, operation), parameters(api, all),
    request.content ? make("div", null, make("h3", null, "Body"), ...content(api, request)) : "",
    make("h3", null, "Answers"), make("table", null, ...answers));
}

function entry(api, path, shared, method, operation) {
  const id = operation.operationId || method + path;
  const summary = make("summary", null,
    make("span", { class: "method " + method.toUpperCase() }, method.toUpperCase()),
    make("span", { class: "path" }, path), make("span", { class: "summary" }, operation.summary || ""));
  const details = make("details", { class: "operation" + (operation.deprecated ? " deprecated" : ""), id }, summary);
  details.dataset.words = [path, method, id, operation.summary, operation.description].join(" ").toLowerCase();
  // Built when it is opened: the document is long.
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) {
      details.append(body(api, shared, operation));
      history.replaceState(null, "", "#" + id);
    }
  });
  return details;
}

function show(api) {
  document.getElementById("title").textContent = api.info.title + " " + (api.info.version || "");
  document.getElementById("about").textContent = api.info.description || "";
  const groups = new Map((api.tags || []).map((tag) => [tag.name, { told: tag.description || "", entries: [] }]));
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((method) => item[method])) {
      const tag = (item[method].tags || ["other"])[0];
      if (!groups.has(tag)) {
        groups.set(tag, { told: "", entries: [] });
      }
      groups.get(tag).entries.push(entry(api, path, item.parameters || [], method, item[method]));
    }
  }
  const sections = [...groups].filter(([, group]) => group.entries.length).map(([name, group]) =>
    make("section", null, make("h2", null, name), make("p", null, group.told), ...group.entries));
  document.getElementById("operations").replaceChildren(...sections);
  const asked = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (asked && asked.matches("details")) {
    asked.open = true;
    asked.scrollIntoView();
  }
}

function find(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  for (const section of document.querySelectorAll("main section")) {
    let left = 0;
    for (const details of section.querySelectorAll("details.operation")) {
      details.hidden = !words.every((word) => details.dataset.words.includes(word));
      left += details.hidden ? 0 : 1;
    }
    section.hidden = left === 0;
  }
}

document.getElementById("find").addEventListener("input", (event) => find(event.target.value));
fetch("../openapi.json")
  .then((answer) => {
    if (!answer.ok) {
      throw new Error("the server answered " + answer.status);
    }
    return answer.json();
  })
  .then(show)
  .catch((error) => {
    document.getElementById("operations").textContent = "The description cannot be shown: " + error.message;
  });
