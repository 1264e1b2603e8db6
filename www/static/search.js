// The search form: says at once that a search is under way, and shows the answer in a sandboxed frame.
// Without this script the form goes to /search?wd= by itself.
"use strict";

const $ = (id) => document.getElementById(id);
const form = $("search");
const input = $("wd");
let ticking;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  search(input.value.trim());
});

// The words live in the fragment, so that a reload or a bookmark searches again.
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
  ticking = setInterval(() => ($("clock").textContent = `${seconds()} s`), 100);

  // A new frame each time: changing the address of an old one would fill the history, and drop nothing.
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "");
  frame.title = form.dataset.result.replace("{}", () => words);
  frame.src = address;
  frame.addEventListener("load", () => {
    if (!frame.isConnected) return;
    clearInterval(ticking);
    $("progress").className = "";
    $("clock").textContent = "";
    $("status").textContent = form.dataset.done.replace("{}", seconds());
  });
  $("result").replaceChildren(frame);
}
