/** Forms that say what is wrong where it is wrong. */

import { guarded, make } from "./dom.js";
import { said } from "./problem.js";
import { has, tell } from "./words.js";

/**
 * Runs `action` when the form is sent and what is filled in is valid. What it throws is shown in the form; `fields` says which
 * field, by its id, a problem's code is about.
 */
export function onSubmit(form, action, fields = {}) {
  form.noValidate = true;
  form.addEventListener("input", ({ target }) => clear(form, target));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearAll(form);
    const wrong = [...form.elements].filter((each) => each.willValidate && !each.validity.valid);
    wrong.forEach((field) => mark(field, keyOf(field)));
    if (wrong.length) return wrong[0].focus();
    return guarded(event.submitter ?? form.querySelector("[type=submit]"), action, (error) => fail(form, error, fields));
  });
}

/** Marks a field as wrong, with the text of a key below it. */
export function mark(field, key, values = {}) {
  const line = tell(make("p", "field-problem"), key, values);
  line.id = `${field.id}-problem`;
  (field.closest(".check") ?? field).after(line);
  describe(field, line.id);
}

/** Takes all that is said of a form's fields away. */
export function clearAll(form) {
  for (const each of form.querySelectorAll("[aria-invalid]")) clear(form, each);
  form.querySelector(".form-problem")?.remove();
}

function clear(form, field) {
  const line = form.querySelector(`#${CSS.escape(field.id)}-problem`);
  if (!field.hasAttribute("aria-invalid")) return;
  field.removeAttribute("aria-invalid");
  const others = (field.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => !id.endsWith("-problem"));
  if (others.join("")) field.setAttribute("aria-describedby", others.join(" "));
  else field.removeAttribute("aria-describedby");
  line?.remove();
}

function describe(field, id) {
  field.ariaInvalid = "true";
  field.setAttribute("aria-describedby", [field.getAttribute("aria-describedby"), id].filter(Boolean).join(" "));
}

function keyOf({ validity, type }) {
  if (validity.valueMissing) return "form.missing";
  if (validity.tooShort) return "form.too-short";
  if (validity.typeMismatch && has(`form.type.${type}`)) return `form.type.${type}`;
  return "form.wrong";
}

function fail(form, error, fields) {
  const { title, detail } = said(error);
  const line = make("p", "form-problem", make("strong", "", title), " ", detail);
  line.id = `${form.id}-problem`;
  line.setAttribute("role", "alert");
  form.querySelector("[type=submit]").before(line);
  const field = form.elements[fields[error.code]];
  if (!field) return;
  describe(field, line.id);
  field.focus();
}
