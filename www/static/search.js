// The search form: shows at once that a search is under way, then its result in a sandboxed frame.
// Without this script the form is sent to /search?wd=.
"use strict";

const $ = (id) => document.getElementById(id);
const form = $("search");
const input = $("wd");
const LATE_MS = 25_000; // the server's limit is 20 s, so the result is there, but some browsers never fire the load event
let ticking, giveUp;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  search(input.value.trim());
});

// The words are in the fragment, so that a reload or a bookmark searches again.
const asked = new URLSearchParams(location.hash.slice(1)).get("wd");
if (asked) {
  input.value = asked;
  search(asked);
}

function search(words) {
  if (!words) return input.focus();
  const address = `/search?wd=${encodeURIComponent(words.toWellFormed?.() ?? words)}`;
  history.replaceState(null, "", `#${address.split("?")[1]}`);

  const started = performance.now();
  const seconds = () => ((performance.now() - started) / 1000).toFixed(1);
  $("progress").hidden = false;
  $("progress").className = "busy";
  $("status").textContent = form.dataset.busy.replace("{}", () => words);
  $("alone").href = address;
  clearInterval(ticking);
  clearTimeout(giveUp);
  ticking = setInterval(() => ($("clock").textContent = `${seconds()} s`), 100);

  // A new frame each time: another address in the old one would add to the history and stop nothing.
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "");
  frame.title = form.dataset.result.replace("{}", () => words);
  frame.src = `${address}&framed=1`;
  const stop = (says) => {
    if (!frame.isConnected) return;
    clearInterval(ticking);
    clearTimeout(giveUp);
    $("progress").className = "";
    $("clock").textContent = "";
    $("status").textContent = says;
  };
  frame.addEventListener("load", () => stop(form.dataset.done.replace("{}", seconds())));
  giveUp = setTimeout(() => stop(form.dataset.late.replace("{}", () => words)), LATE_MS);
  $("result").replaceChildren(frame);
}
