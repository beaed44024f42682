// The page shows the form to sign in, or the draft. What the API answers decides.
const api = document.body.dataset.api;
const show = (name) => {
  for (const part of document.querySelectorAll("[data-part]")) part.hidden = part.dataset.part !== name;
};
const say = (text) => (document.querySelector("[role=status]").textContent = text);

// Calls the API. All that can go wrong is handled here, once.
async function call(method, path, body) {
  const response = await fetch(api + path, {
    method,
    // The cookie, also to another origin. Beside the API, the default does as well.
    credentials: "include",
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body && JSON.stringify(body),
  }).catch(() => null);
  if (response?.ok) return response.status === 204 ? {} : response.json();
  const problem = (await response?.json().catch(() => null)) ?? {};
  if (problem.reason === "wrong_password") say("Wrong name or password.");
  else if (response?.status === 401) show("sign-in"); // Never signed in, or the session has ended.
  else if (problem.reason === "cross_site") say("This page may not do that.");
  else say("That did not work. Please try again in a moment."); // 503, 500, or no connection.
  return null;
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
onSubmit("sign-out", () => call("POST", "/api/sign-out"));
load();
