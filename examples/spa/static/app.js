// The page shows the form to sign in, or the draft. What the API answers decides.
const api = document.body.dataset.api;
const show = (name) => {
  for (const part of document.querySelectorAll("[data-part]")) part.hidden = part.dataset.part !== name;
};
const say = (text) => (document.querySelector("[role=status]").textContent = text);

// Sends one request. `reason` is what the API says where it refuses; `status` is 0 without a connection.
async function send(method, path, body) {
  const response = await fetch(api + path, {
    method,
    // The cookie, also to another origin. Beside the API, the default does as well.
    credentials: "include",
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body && JSON.stringify(body),
  }).catch(() => null);
  const answer = (await response?.json().catch(() => null)) ?? {}; // 204 has no body.
  return { ok: response?.ok ?? false, status: response?.status ?? 0, reason: answer.reason, answer };
}

// Calls the API. All that can go wrong is handled here, once.
async function call(method, path, body) {
  let result = await send(method, path, body);
  // Whoever is still signed in has just got a new id, and this request had the old one. No handler has run.
  if (result.reason === "no_session" && path !== "/api/me" && (await send("GET", "/api/me")).ok) {
    result = await send(method, path, body);
  }
  if (result.reason === "not_fresh" && (await passwordAgain())) result = await send(method, path, body);
  const { ok, status, reason, answer } = result;
  if (ok) return answer;
  if (reason === "wrong_password") say("Wrong name or password.");
  else if (reason === "not_fresh") say("This needs your password.");
  else if (reason === "cross_site") say("This page may not do that.");
  else if (status === 401) show("sign-in"); // Never signed in, or the session has ended.
  else say("That did not work. Please try again in a moment."); // 503, 500, or no connection.
  return null;
}

// Asks for the password until the API takes it. False if the visitor gives up.
function passwordAgain() {
  const dialog = document.querySelector("dialog");
  const form = dialog.querySelector("form");
  const complain = (text) => (dialog.querySelector("[role=alert]").textContent = text);
  complain("");
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === "confirmed");
    form.onsubmit = async (event) => {
      event.preventDefault();
      const { ok, reason } = await send("POST", "/api/confirm", Object.fromEntries(new FormData(form)));
      form.reset();
      if (reason === "wrong_password") complain("Wrong password.");
      else dialog.close(ok ? "confirmed" : "");
    };
  });
}

async function load() {
  const me = await call("GET", "/api/me");
  if (!me) return;
  document.querySelector("[data-user]").textContent = me.user;
  const draft = await call("GET", "/api/draft");
  if (!draft) return;
  document.querySelector("textarea").value = draft.text;
  show("draft");
}

// Whatever a form sends, the page is loaded anew by what the API then says.
function onSubmit(name, send) {
  document.querySelector(`form[name=${name}]`).addEventListener("submit", async (event) => {
    event.preventDefault();
    say("");
    if (await send(Object.fromEntries(new FormData(event.target)))) await load();
  });
}

onSubmit("sign-in", (fields) => call("POST", "/api/sign-in", fields));
onSubmit("draft", async (fields) => {
  const kept = await call("PUT", "/api/draft", fields);
  if (kept) say("Your draft is kept.");
  return kept;
});
onSubmit("delete", async () => {
  const deleted = await call("DELETE", "/api/draft");
  if (deleted) say("Your draft is deleted.");
  return deleted;
});
onSubmit("sign-out", () => call("POST", "/api/sign-out"));
load();
