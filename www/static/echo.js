// The echo on the index page: one WebSocket, opened by the first message, closed with the page.
"use strict";

const form = document.getElementById("echo");
const output = form.querySelector("output");
const sentAt = []; // performance.now() of the messages that have not come back yet
let socket;

form.hidden = false;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!socket || socket.readyState > WebSocket.OPEN) open();
  const text = form.elements.text.value;
  if (socket.readyState === WebSocket.OPEN) say(text);
  else socket.addEventListener("open", () => say(text));
});

function open() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/echo`);
  sentAt.length = 0;
  socket.onmessage = (event) => {
    const took = performance.now() - sentAt.shift();
    output.textContent = `“${event.data}” · ${form.dataset.back.replace("{}", took.toFixed(1))}`;
  };
  socket.onerror = () => (output.textContent = form.dataset.failed);
}

function say(text) {
  sentAt.push(performance.now());
  socket.send(text);
}
