// Builds and updates elements. Text only ever goes in as text: titles of markets are strangers'.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

/** Make an element. `props`: class, text, data (object), on (object); the rest are attributes. */
export function h(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** Make an SVG element. */
export function s(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") node.setAttribute("class", value);
    else if (name === "text") node.textContent = value;
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "on") {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Set text only where it differs, so that a screen reader is not told the same twice. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Bring a list's children in line with `items`, touching only what changed. Focus stays with the
 * row it was in.
 */
export function keyed(parent, items, keyOf, render) {
  const known = new Map();
  for (const child of parent.children) known.set(child.dataset.key, child);
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const print = JSON.stringify(item);
    let node = known.get(key);
    if (node && node.dataset.print !== print) {
      const fresh = stamped(render(item, node), key, print);
      const focus = node.contains(document.activeElement)
        ? document.activeElement.dataset.focus : undefined;
      if (place === node) place = fresh;
      node.replaceWith(fresh);
      if (focus) fresh.querySelector(`[data-focus="${focus}"]`)?.focus();
      node = fresh;
    } else if (!node) node = stamped(render(item, null), key, print);
    known.delete(key);
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  for (const gone of known.values()) gone.remove();
}

function stamped(node, key, print) {
  node.dataset.key = key;
  node.dataset.print = print;
  return node;
}

/** A table whose rows become cards on a phone, unless it is narrow anyway. `columns`: {head, cell(item), class?}. */
export function table(parent, { columns, items, keyOf, label, empty, isNarrow }) {
  if (!items.length) {
    parent.replaceChildren(emptyState(...empty));
    return;
  }
  let body = parent.querySelector("tbody");
  if (!body) {
    body = h("tbody");
    const heads = columns.map((column) =>
      h("th", { scope: "col", class: column.class, text: column.head }));
    parent.replaceChildren(
      h("div", { class: isNarrow ? "scroll" : "scroll cards", tabindex: 0, role: "group",
        "aria-label": label },
        h("table", {}, h("thead", {}, h("tr", {}, ...heads)), body)));
  }
  keyed(body, items, keyOf, (item) =>
    h("tr", {}, ...columns.map((column) => {
      const content = column.cell(item);
      const cell = h(column.row ? "th" : "td", {
        class: column.class, "data-label": column.head, scope: column.row ? "row" : undefined,
      });
      cell.append(...(Array.isArray(content) ? content : [content]).filter((one) => one !== null));
      return cell;
    })));
}

/** What stands where nothing is yet: what it is waiting for. */
export function emptyState(title, detail) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title", text: title }),
    h("p", { text: detail }));
}
