// An echo by the `ws` of node, for autobahn.sh; says where it listens.

import { createRequire } from "node:module";

const { WebSocketServer } = createRequire(`${process.env.TOOLS}/`)("ws");

const server = new WebSocketServer({ port: 0, host: "127.0.0.1", maxPayload: 16 << 20 });
server.on("connection", (socket) => {
  socket.on("message", (message, binary) => socket.send(message, { binary }));
  socket.on("error", () => {});
});
server.on("listening", () => console.log(`ws://127.0.0.1:${server.address().port}/`));
